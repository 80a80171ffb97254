//! The program around the engine: arguments, exit codes, streams, colours, progress.

use std::io::{BufRead, BufReader, Read, Write};
use std::process::{Command, Stdio};

use flambeau_tests::{Outcome, flambeau, outcome, program, run_text, script};

#[test]
fn a_script_that_ends_well_ends_with_0() {
    let outcome = run_text("print(1 + 1); 42", &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    // What a script prints is its output; its last value is not.
    assert_eq!(outcome.stdout, "2\n");
    assert_eq!(outcome.stderr, "");
}

#[test]
fn an_error_of_the_script_ends_with_1_and_stands_on_standard_error() {
    let outcome =
        run_text("print(\"before\");\nlet a = torch.zeros([2, 3]) @ torch.zeros([2, 3]);", &[]);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert_eq!(outcome.stdout, "before\n");
    assert!(outcome.stderr.contains("ShapeError"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("<stdin>:2"), "{}", outcome.stderr);
}

#[test]
fn wrong_arguments_end_with_2() {
    for wrong in [
        &["run"][..],
        &["run", "--no-such-option", "a.rhai"],
        &["run", "--max-seconds=never", "a.rhai"],
        &["run", "--max-memory=0", "a.rhai"],
        &["run", "--allow-read=/tmp", "a.rhai"],
        &["no-such-command"],
        &["-c"],
        &["-c", "1", "env"],
        &["-i", "no/such/script.rhai"],
    ] {
        let outcome = outcome(flambeau().args(wrong));
        assert_eq!(outcome.code, Some(2), "{wrong:?}: {outcome:?}");
        assert_ne!(outcome.stderr, "", "{wrong:?}");
    }
}

#[test]
fn without_a_terminal_standard_input_is_the_script() {
    for arguments in [&[][..], &["-"], &["run", "-"]] {
        let mut child = flambeau()
            .args(arguments)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the program starts");
        let mut stdin = child.stdin.take().expect("a pipe");
        stdin.write_all(b"print(6 * 7); nobody").expect("a pipe");
        drop(stdin);
        let outcome = Outcome::from(child.wait_with_output().expect("the program ends"));
        assert_eq!((outcome.code, outcome.stdout.as_str()), (Some(1), "42\n"), "{outcome:?}");
        assert!(outcome.stderr.contains("NameError") && !outcome.stderr.contains('\x1b'));
    }
}

#[test]
fn code_can_be_an_argument() {
    let good = outcome(flambeau().args(["-c", "print(6 * 7); 1"]));
    assert_eq!((good.code, good.stdout.as_str()), (Some(0), "42\n"), "{good:?}");
    let wrong = outcome(flambeau().args(["-c", "nobody"]));
    assert_eq!(wrong.code, Some(1));
    assert!(wrong.stderr.contains("<command>:1:1"), "{}", wrong.stderr);
}

#[test]
fn a_script_that_cannot_be_read_ends_with_2_and_one_line() {
    for path in ["no/such/script.rhai", "/"] {
        let outcome = outcome(flambeau().args(["run", path]));
        assert_eq!(outcome.code, Some(2), "{outcome:?}");
        assert!(outcome.stderr.starts_with(&format!("flambeau: cannot read {path}: ")));
        assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    }
}

#[test]
fn bytes_that_are_no_text_are_an_error_of_the_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("bytes.rhai");
    std::fs::write(&path, b"let a = 1;\nlet b = \"\xff\";").expect("a file");
    let outcome = outcome(flambeau().arg("run").arg(&path));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("SyntaxError"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("bytes.rhai:2:10"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("0xff"), "{}", outcome.stderr);
}

#[test]
fn a_nul_character_is_an_error_of_the_script() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("nul.rhai");
    std::fs::write(&path, b"let a = 1;\nlet b\0 = 2;").expect("a file");
    let outcome = outcome(flambeau().arg("run").arg(&path));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    assert!(outcome.stderr.contains("SyntaxError"), "{}", outcome.stderr);
    assert!(outcome.stderr.contains("nul.rhai:2:6"), "{}", outcome.stderr);
}

#[test]
fn arguments_after_two_dashes_are_the_scripts() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = script(folder.path(), "for arg in args { print(arg) }");
    let arguments = ["--", "--lr", "0.1", "-h"];
    let outcome = outcome(flambeau().arg("run").arg(&path).args(arguments));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stdout, "--lr\n0.1\n-h\n");
}

#[test]
fn version_and_help_link_neither_libtorch_nor_python() {
    // The loader lists what it would load instead of running the program.
    let listed =
        outcome(Command::new(program()).arg("--version").env("LD_TRACE_LOADED_OBJECTS", "1"));
    assert!(listed.stdout.contains("libc.so"), "{listed:?}");
    for foreign in ["torch", "c10", "python", "cuda"] {
        assert!(!listed.stdout.contains(foreign), "{}", listed.stdout);
    }
    let version = outcome(flambeau().arg("--version").env_clear());
    assert_eq!(version.code, Some(0));
    assert_eq!(version.stdout, format!("flambeau {}\n", env!("CARGO_PKG_VERSION")));
    assert_eq!(outcome(flambeau().arg("--help").env_clear()).code, Some(0));
}

#[test]
fn errors_are_coloured_only_when_asked_for_or_on_a_terminal() {
    let wrong = "torch.no_such_operator()";
    assert!(!run_text(wrong, &[]).stderr.contains('\x1b'));
    assert!(!run_text(wrong, &["--color", "never"]).stderr.contains('\x1b'));
    assert!(run_text(wrong, &["--color", "always"]).stderr.contains('\x1b'));
}

#[test]
fn progress_is_lines_where_nothing_can_move() {
    let code = "for i in progress([1, 2, 3], #{desc: \"train\"}) { print(i) }";
    let outcome = run_text(code, &[]);
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    assert_eq!(outcome.stdout, "1\n2\n3\n");
    assert!(outcome.stderr.contains("train: 100% 3/3 ["), "{:?}", outcome.stderr);
    assert!(!outcome.stderr.contains(['\r', '\x1b']), "{:?}", outcome.stderr);
    assert_eq!(outcome.stderr.lines().count(), 1, "{:?}", outcome.stderr);
}

#[test]
fn a_reader_that_has_gone_ends_the_program_without_a_word() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = script(folder.path(), "let i = 0; loop { print(i); i += 1; }");
    let mut child = flambeau()
        .arg("run")
        .arg(&path)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().expect("a pipe"));
    stdout.read_line(&mut line).expect("a line");
    assert_eq!(line, "0\n");
    drop(stdout);
    let mut complaint = String::new();
    child.stderr.take().expect("a pipe").read_to_string(&mut complaint).expect("text");
    let status = child.wait().expect("it ends");
    assert_eq!(complaint, "");
    use std::os::unix::process::ExitStatusExt;
    assert_eq!(status.signal(), Some(13), "ended by SIGPIPE, as other programs are: {status:?}");
}

#[test]
fn doc_prints_a_page_and_knows_what_it_does_not_know() {
    let page = outcome(flambeau().args(["doc", "torch.linalg.svd"]));
    assert_eq!(page.code, Some(0), "{page:?}");
    assert!(page.stdout.contains("svd("), "{}", page.stdout);
    assert!(page.stdout.contains("singular value decomposition"), "{}", page.stdout);
    assert!(page.stdout.contains("torch.linalg.svd(A, full_matrices: true"), "{}", page.stdout);
    let near = outcome(flambeau().args(["doc", "F.cross_entrpy"]));
    assert_eq!(near.code, Some(1), "{near:?}");
    assert!(near.stderr.contains("did you mean torch.nn.functional.cross_entropy?"), "{near:?}");
    let none = outcome(flambeau().args(["doc", "torch.no_such_thing"]));
    assert_eq!(none.code, Some(1), "{none:?}");
    assert_eq!(none.stderr.lines().count(), 1, "{}", none.stderr);
}

#[test]
fn closures_that_functions_of_an_imported_file_return_can_be_called() {
    let folder = tempfile::tempdir().expect("a folder");
    let module = "fn helper(x) { x * 10 }\nfn made(k) { let f = |x| helper(x) + k; f }";
    std::fs::write(folder.path().join("module.rhai"), module).expect("a file");
    let code = "import \"module\" as m;\nlet f = m::made(3);\nprint(f(2));";
    let outcome = outcome(flambeau().arg("run").arg(script(folder.path(), code)));
    assert_eq!((outcome.stdout.as_str(), outcome.stderr.as_str()), ("23\n", ""));
}
