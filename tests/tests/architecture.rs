//! What each part must not know: the invariants of `ARCHITECTURE.md` that a test can hold.

use std::process::Command;

use flambeau_tests::tree::{dependencies, files, rust_code};
use flambeau_tests::{outcome, program, repository};

/// Where code is allowed that the compiler does not check, each with its argument at its top.
const UNSAFE: &[&str] = &[
    "runtime/src/torch/",
    "runtime/python/src/",
    // The message interface: the engine's C functions, and the program that opens them.
    "repl/engine/src/lib.rs",
    "repl/engine/src/handle.rs",
    "repl/engine/src/glibc.rs",
    "repl/src/engine.rs",
    // Two options of ZeroMQ.
    "repl/src/kernel/iopub.rs",
    // The program as Python calls it.
    "repl/src/extension.rs",
    // The fork of a process without threads.
    "repl/src/trial/fork.rs",
    // The counting allocator.
    "runtime/src/memory.rs",
    // The lock behind which a session's values go from thread to thread.
    "runtime/src/script/turn.rs",
];

/// How many lines a file may have, and how many are better.
const LONGEST: usize = 600;
const LONG: usize = 400;

/// This file, which names what it looks for.
const THIS: &str = "tests/tests/architecture.rs";

/// Whether `text` holds `word` as a word of its own.
fn mentions(text: &str, word: &str) -> bool {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.match_indices(word).any(|(at, _)| {
        !text[..at].ends_with(is_part) && !text[at + word.len()..].starts_with(is_part)
    })
}

/// Asserts that no file of Rust code under `folder` holds one of `words`, but for `except`.
fn check_silent(folder: &str, words: &[&str], except: &[&str]) {
    let code = rust_code();
    let found: Vec<String> = code
        .iter()
        .filter(|(path, _)| path.starts_with(folder) && path != THIS)
        .filter(|(path, _)| !except.iter().any(|allowed| path.starts_with(allowed)))
        .flat_map(|(path, text)| {
            words.iter().filter(|word| mentions(text, word)).map(move |w| format!("{path}: {w}"))
        })
        .collect();
    assert!(found.is_empty(), "{folder} must not know:\n{}", found.join("\n"));
}

#[test]
fn arrows_between_crates_run_one_way() {
    let ours = |folder: &str| -> Vec<String> {
        let names = dependencies(folder).into_iter();
        names.filter(|name| name.starts_with("flambeau")).collect()
    };
    assert_eq!(ours("runtime"), [""; 0]);
    assert_eq!(ours("experiments"), [""; 0]);
    assert_eq!(ours("stdlib"), ["flambeau-experiments", "flambeau-runtime"]);
    assert_eq!(ours("repl/protocol"), [""; 0]);
    assert_eq!(ours("runtime/python"), ["flambeau-runtime"]);
    assert_eq!(
        ours("repl/engine"),
        ["flambeau-protocol", "flambeau-python", "flambeau-runtime", "flambeau-stdlib"]
    );
    assert_eq!(ours("repl"), ["flambeau-experiments", "flambeau-protocol"]);
}

#[test]
fn sockets_are_the_kernels() {
    check_silent("repl/src/", &["zmq"], &["repl/src/kernel/"]);
}

#[test]
fn the_program_is_built_without_libtorch_python_and_rhai() {
    for folder in ["repl", "repl/protocol", "experiments"] {
        let names = dependencies(folder);
        for foreign in ["tch", "torch-sys", "pyo3", "cudarc", "rhai"] {
            assert!(!names.contains(foreign), "{folder}: {foreign}");
        }
    }
}

#[test]
fn the_program_loads_neither_libtorch_nor_python() {
    // The loader lists what it would load instead of running the program.
    let listed = outcome(Command::new(program()).env("LD_TRACE_LOADED_OBJECTS", "1"));
    assert!(listed.stdout.contains("libc.so"), "{listed:?}");
    for foreign in ["torch", "c10", "python", "cuda", "stdc++"] {
        assert!(!listed.stdout.contains(foreign), "{}", listed.stdout);
    }
}

#[test]
fn only_the_border_to_libtorch_and_the_message_interface_are_unsafe() {
    check_silent("", &["unsafe", "extern \"C\"", "torch_sys", "libloading"], UNSAFE);
}

/// tch's operators with a number, apart from those whose name says `scalar`.
const WITH_NUMBER: &[&str] = &[
    "arange",
    "arange_start",
    "arange_start_step",
    "baddbmm",
    "bitwise_and",
    "bitwise_or",
    "bitwise_xor",
    "clamp",
    "clamp_max",
    "clamp_min",
    "clip",
    "eq",
    "fill",
    "fill_diagonal",
    "float_power",
    "fmod",
    "full",
    "full_like",
    "ge",
    "greater",
    "greater_equal",
    "gt",
    "index_fill",
    "le",
    "lerp",
    "less",
    "less_equal",
    "linalg_cond",
    "linalg_norm",
    "linspace",
    "logspace",
    "lt",
    "masked_fill",
    "ne",
    "new_full",
    "not_equal",
    "pow_",
    "range",
    "range_step",
    "remainder",
    "renorm",
    "scatter_value",
    "scatter_value_reduce",
    "segment_reduce",
    "std_correction",
    "std_mean_correction",
    "threshold",
    "var_correction",
    "var_mean_correction",
];

/// The destructor of tch's `Scalar` panics when the operator that it was given to failed.
#[test]
fn no_operator_of_tch_is_given_a_number() {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    for (path, text) in rust_code() {
        if path == THIS {
            continue;
        }
        for (at, _) in text.match_indices("f_") {
            if text[..at].ends_with(is_part) {
                continue;
            }
            let name = text[at + 2..].split(|c| !is_part(c)).next().unwrap_or("");
            let known = WITH_NUMBER.contains(&name.trim_end_matches('_'));
            assert!(
                !known && !WITH_NUMBER.contains(&name) && !name.contains("scalar"),
                "{path}: f_{name} may panic; take an operator of functional/numbers.rs"
            );
        }
    }
}

#[test]
fn every_unsafe_place_argues_why_it_is_sound() {
    for (path, text) in files() {
        let allowed = UNSAFE.iter().any(|allowed| path.starts_with(allowed));
        if allowed && path.ends_with(".rs") && text.contains("unsafe {") {
            assert!(text.contains("SAFETY:"), "{path}");
        }
    }
}

#[test]
fn the_runtime_knows_no_terminals_sockets_or_front_ends() {
    let words =
        ["std::net", "TcpStream", "UnixStream", "IsTerminal", "println", "eprintln", "indicatif"];
    check_silent("runtime/src/", &words, &[]);
    let names = dependencies("runtime");
    for foreign in ["clap", "indicatif", "rustyline", "zmq", "plotters", "csv", "image"] {
        assert!(!names.contains(foreign), "{foreign}");
    }
}

#[test]
fn the_library_does_not_know_how_it_is_shown_or_who_runs_it() {
    let words = [
        "rustyline",
        "zmq",
        "indicatif",
        "crossterm",
        "miette",
        "IsTerminal",
        "println",
        "eprintln",
        "std::net",
        "stdout",
        "stderr",
    ];
    check_silent("stdlib/src/", &words, &[]);
}

#[test]
fn the_engine_library_knows_no_terminals_and_sockets() {
    let words = ["IsTerminal", "println", "eprintln", "std::net", "indicatif", "clap"];
    // A backtrace of a panic, where $RUST_BACKTRACE asks for one.
    check_silent("repl/engine/src/", &words, &["repl/engine/src/panics.rs"]);
}

#[test]
fn files_stay_short() {
    let kinds = [".rs", ".cpp", ".h", ".py", ".rhai", ".sh"];
    for (path, text) in files() {
        let lines = text.lines().count();
        if !kinds.iter().any(|kind| path.ends_with(kind)) {
            continue;
        }
        assert!(lines <= LONGEST, "{path} has {lines} lines; at most {LONGEST}, better {LONG}");
        if lines > LONG {
            println!("{path} has {lines} lines, more than {LONG}");
        }
    }
}

#[test]
fn no_file_names_a_folder_of_the_machine_it_was_written_on() {
    let mut folders = vec![format!("{}/", repository().display())];
    folders.extend(std::env::var("HOME").ok().filter(|home| home.len() > 1).map(|h| h + "/"));
    for (path, text) in files() {
        for folder in &folders {
            // Behind a letter it is a part of another path, such as a link in /proc.
            let named = text
                .match_indices(folder.as_str())
                .any(|(at, _)| !text[..at].ends_with(char::is_alphanumeric));
            assert!(!named, "{path} names {folder}");
        }
    }
}
