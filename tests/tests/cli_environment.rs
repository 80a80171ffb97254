//! Which environment is found, and what is said where none fits.

use std::path::{Path, PathBuf};
use std::process::Command;

use flambeau_tests::{Outcome, flambeau, outcome, program, repository, script};

/// A folder without a `.venv` in it or anywhere above.
fn bare_folder() -> tempfile::TempDir {
    let roots = [std::env::temp_dir(), "/dev/shm".into(), "/var/tmp".into()];
    let bare = |root: &&PathBuf| {
        root.is_dir() && !root.ancestors().any(|above| above.join(".venv").exists())
    };
    let root = roots.iter().find(bare).expect("a temporary folder without a .venv above it");
    tempfile::tempdir_in(root).expect("a folder")
}

/// Makes what passes for a virtual environment, with a torch of this version.
fn environment(prefix: &Path, torch: Option<&str>) {
    let site = prefix.join("lib/python3.11/site-packages");
    std::fs::create_dir_all(&site).expect("a folder");
    std::fs::create_dir_all(prefix.join("bin")).expect("a folder");
    std::fs::write(prefix.join("bin/python3"), "").expect("a file");
    std::fs::write(prefix.join("bin/pip"), "").expect("a file");
    std::fs::write(prefix.join("pyvenv.cfg"), "home = /usr/bin\nversion = 3.11.2\n")
        .expect("a file");
    if let Some(version) = torch {
        let lib = site.join("torch/lib");
        std::fs::create_dir_all(&lib).expect("a folder");
        std::fs::write(lib.join("libtorch_cpu.so"), "").expect("a file");
        let text = format!("__all__ = ['__version__']\n__version__ = '{version}'\ncuda = None\n");
        std::fs::write(site.join("torch/version.py"), text).expect("a file");
    }
}

/// The program in a folder of its own, far from the project's `.venv`, with its engine library.
fn lonely_program(folder: &Path) -> PathBuf {
    let copy = folder.join("flambeau");
    std::fs::copy(program(), &copy).expect("a copy");
    let engine = program().with_file_name("libflambeau_engine.so");
    std::os::unix::fs::symlink(engine, folder.join("libflambeau_engine.so")).expect("a link");
    copy
}

/// Runs `1` in `folder` with an environment that has nothing but what `prepare` sets.
fn run_in(folder: &Path, prepare: impl FnOnce(&mut Command)) -> Outcome {
    let path = script(folder, "print(1)");
    let mut command = flambeau();
    command.arg("run").arg(path).current_dir(folder);
    prepare(&mut command);
    outcome(&mut command)
}

/// Asserts that the program ended with 2 and one line that holds all of `parts`.
fn check_line(outcome: &Outcome, parts: &[&str]) {
    assert_eq!(outcome.code, Some(2), "{outcome:?}");
    assert_eq!(outcome.stdout, "");
    assert_eq!(outcome.stderr.lines().count(), 1, "{}", outcome.stderr);
    for part in parts {
        assert!(outcome.stderr.contains(part), "{part:?} is not in {:?}", outcome.stderr);
    }
}

#[test]
fn a_missing_torch_is_a_line_with_the_command_that_mends_it() {
    let folder = bare_folder();
    let prefix = folder.path().join("env");
    environment(&prefix, None);
    let mend = format!("{}/bin/pip install torch==2.11.0", prefix.display());
    check_line(
        &run_in(folder.path(), |run| {
            run.arg("--env").arg(&prefix);
        }),
        &["no torch", &mend],
    );
    check_line(
        &run_in(folder.path(), |run| {
            run.env("VIRTUAL_ENV", &prefix);
        }),
        &[&mend],
    );
}

#[test]
fn another_torch_is_a_line_with_the_command_that_mends_it() {
    let folder = bare_folder();
    let prefix = folder.path().join("env");
    environment(&prefix, Some("2.10.1+cpu"));
    let mend = format!("{}/bin/pip install torch==2.11.0", prefix.display());
    let outcome = run_in(folder.path(), |run| {
        run.arg("--env").arg(&prefix);
    });
    check_line(&outcome, &["torch 2.10.1+cpu instead of 2.11.0", &mend]);
}

#[test]
fn a_torch_that_cannot_be_opened_is_a_line_with_the_loaders_words() {
    let folder = bare_folder();
    let prefix = folder.path().join("env");
    environment(&prefix, Some("2.11.0"));
    let outcome = run_in(folder.path(), |run| {
        run.arg("--env").arg(&prefix);
    });
    check_line(&outcome, &["cannot open", "libtorch_cpu.so", "file too short"]);
}

#[test]
fn an_env_that_is_none_is_a_line() {
    let folder = bare_folder();
    let outcome = run_in(folder.path(), |run| {
        run.arg("--env=no/such/folder");
    });
    check_line(&outcome, &["--env no/such/folder: does not exist"]);
    let outcome = run_in(folder.path(), |run| {
        run.arg("--env=.");
    });
    check_line(&outcome, &["--env .: is no Python environment"]);
}

#[test]
fn a_path_with_spaces_is_quoted_in_the_command() {
    let folder = bare_folder();
    let prefix = folder.path().join("my env");
    environment(&prefix, None);
    let outcome = run_in(folder.path(), |run| {
        run.arg("--env").arg(&prefix);
    });
    check_line(&outcome, &[&format!("'{}/bin/pip' install", prefix.display())]);
}

#[test]
fn the_places_are_tried_in_order() {
    let folder = bare_folder();
    let root = folder.path().canonicalize().expect("a folder");
    let scripts = root.join("project/scripts");
    std::fs::create_dir_all(&scripts).expect("a folder");
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    let program = lonely_program(&bin);
    let run = |prepare: &dyn Fn(&mut Command)| {
        let mut command = Command::new(&program);
        command.env_clear().arg("run").arg(script(&scripts, "print(1)"));
        prepare(&mut command);
        outcome(&mut command)
    };
    // Each of another version, so that the line tells which was taken. From the last place to the first.
    check_line(
        &run(&|_| ()),
        &["no Python environment with torch 2.11.0", "python3 -m venv .venv"],
    );
    environment(&root.join("path"), Some("1.1"));
    let path = |run: &mut Command| {
        run.env("PATH", root.join("path/bin"));
    };
    check_line(&run(&path), &["torch 1.1 "]);
    environment(&bin.join(".venv"), Some("1.2"));
    check_line(&run(&path), &["torch 1.2 "]);
    // As if installed there.
    environment(&root, Some("1.25"));
    std::fs::write(root.join("pyvenv.cfg"), "").expect("a file");
    check_line(&run(&path), &["torch 1.25 "]);
    environment(&root.join("project/.venv"), Some("1.3"));
    check_line(&run(&path), &["torch 1.3 "]);
    environment(&scripts.join(".venv"), Some("1.4"));
    check_line(&run(&path), &["torch 1.4 "]);
    environment(&root.join("active"), Some("1.5"));
    let active = |run: &mut Command| {
        run.env("VIRTUAL_ENV", root.join("active"));
    };
    check_line(&run(&active), &["torch 1.5 "]);
    environment(&root.join("named"), Some("1.6"));
    let named = |run: &mut Command| {
        active(run);
        run.arg("--env").arg(root.join("named"));
    };
    check_line(&run(&named), &["torch 1.6 "]);
    let python = |run: &mut Command| {
        run.arg("--env").arg(root.join("named/bin/python3"));
    };
    check_line(&run(&python), &["torch 1.6 "]);
}

#[test]
fn a_sandboxed_script_does_not_bring_its_libraries() {
    let folder = bare_folder();
    let root = folder.path().canonicalize().expect("a folder");
    let bin = root.join("bin");
    std::fs::create_dir_all(&bin).expect("a folder");
    let program = lonely_program(&bin);
    environment(&root.join("project/.venv"), Some("1.3"));
    let mut command = Command::new(program);
    command.env_clear().args(["run", "--sandbox"]).arg(script(&root.join("project"), "print(1)"));
    check_line(&outcome(&mut command), &["sandboxed script", "--env"]);
}

#[test]
fn env_tells_what_was_tried_and_what_was_found() {
    let report = outcome(flambeau().arg("env"));
    assert_eq!(report.code, Some(0), "{report:?}");
    for part in
        ["--env", "$VIRTUAL_ENV", "not set", "* .venv beside", "2.11.0", "libflambeau_engine.so"]
    {
        assert!(report.stdout.contains(part), "{part:?} is not in {}", report.stdout);
    }
    let folder = bare_folder();
    let prefix = folder.path().join("env");
    environment(&prefix, Some("2.9.0"));
    let report = outcome(flambeau().arg("env").arg("--env").arg(&prefix));
    assert_eq!(report.code, Some(2), "{report:?}");
    assert!(report.stdout.contains("* --env"), "{}", report.stdout);
    assert!(report.stdout.contains("torch 2.9.0 instead of 2.11.0"), "{}", report.stdout);
    assert_eq!(report.stderr.lines().count(), 1, "{}", report.stderr);
}

#[test]
fn a_missing_engine_library_is_a_line() {
    let folder = bare_folder();
    let copy = folder.path().join("flambeau");
    std::fs::copy(program(), &copy).expect("a copy");
    let mut command = Command::new(copy);
    command.arg("run").arg(script(folder.path(), "print(1)"));
    check_line(&outcome(&mut command), &["libflambeau_engine.so", "cargo build --release"]);
}

#[test]
fn an_engine_library_of_another_version_is_a_line() {
    let folder = bare_folder();
    let copy = folder.path().join("flambeau");
    std::fs::copy(program(), &copy).expect("a copy");
    let source = folder.path().join("engine.c");
    std::fs::write(&source, "unsigned flambeau_engine_abi(void) { return 4294967295u; }\n")
        .expect("a file");
    let compiled = Command::new("cc")
        .args(["-shared", "-fPIC", "-o"])
        .arg(folder.path().join("libflambeau_engine.so"))
        .arg(source)
        .status();
    assert!(compiled.expect("a C compiler").success());
    let mut command = Command::new(copy);
    command.args(["run", "--env"]).arg(repository().join(".venv"));
    command.arg(script(folder.path(), "print(1)"));
    check_line(&outcome(&mut command), &["4294967295", "build both together"]);
}
