//! `flambeau kernel`: the tests in `tests/kernel`, with Jupyter's own client, over a kernel spec that the program
//! installs.

use std::path::Path;
use std::process::Command;

use flambeau_tests::{Outcome, outcome, program, repository};
use serde_json::{Value, json};

/// Runs a command of `kernel`; what is installed for the user goes to `folder`.
fn kernel(program: &Path, folder: &Path, arguments: &[&str]) -> Outcome {
    let mut command = Command::new(program);
    command.arg("kernel").args(arguments).current_dir(folder).env("JUPYTER_DATA_DIR", folder);
    outcome(&mut command)
}

fn spec(folder: &Path) -> Value {
    let text = std::fs::read_to_string(folder.join("kernel.json")).expect("a spec");
    serde_json::from_str(&text).expect("JSON")
}

#[test]
fn a_spec_says_what_was_asked_for() {
    let folder = tempfile::tempdir().expect("a folder");
    let run = |arguments: &[&str]| {
        let done = kernel(program(), folder.path(), arguments);
        assert_eq!(done.code, Some(0), "{}", done.stderr);
        done.stdout
    };
    run(&[
        "install",
        "--name",
        "Mine",
        "--display-name",
        "My own",
        "--env",
        "A=1",
        "--env",
        "B=x=y",
    ]);
    let installed = folder.path().join("kernels/mine");
    let found = spec(&installed);
    assert_eq!(found["display_name"], "My own");
    assert_eq!(found["env"], json!({"A": "1", "B": "x=y"}));
    assert_eq!(
        found["argv"],
        json!([program(), "kernel", "-f", "{connection_file}", "--"]),
        "the program by its place"
    );
    for logo in ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"] {
        assert!(installed.join(logo).is_file(), "{logo}");
    }
    assert!(run(&["list"]).contains(&format!("mine  {}", installed.display())));
    run(&["uninstall", "--name", "mine"]);
    assert!(!installed.exists());
}

#[test]
fn a_spec_in_the_prefix_of_the_program_moves_with_it() {
    let folder = tempfile::tempdir().expect("a folder");
    let prefix = folder.path().join("prefix");
    std::fs::create_dir_all(prefix.join("bin")).expect("a folder");
    let copied = prefix.join("bin/flambeau");
    // By another process: one that a test beside this one starts would inherit the file while it is written.
    let copying = outcome(Command::new("cp").arg(program()).arg(&copied));
    assert_eq!(copying.code, Some(0), "{}", copying.stderr);
    let done = kernel(&copied, folder.path(), &["install", "--prefix", "prefix"]);
    assert_eq!(done.code, Some(0), "{}", done.stderr);
    let installed = prefix.join("share/jupyter/kernels/flambeau");
    let program = spec(&installed)["argv"][0].as_str().expect("a path").to_owned();
    assert_eq!(program, "{resource_dir}/../../../../bin/flambeau");
    // As clients read it.
    let program = program.replace("{resource_dir}", &installed.to_string_lossy());
    assert_eq!(std::fs::canonicalize(program).ok(), copied.canonicalize().ok());
}

/// Where programs are found, with ours first.
fn path_with_program() -> std::ffi::OsString {
    let folder = program().parent().expect("the program's folder");
    let known = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::iter::once(folder.to_owned()).chain(std::env::split_paths(&known));
    std::env::join_paths(folders).expect("paths without colons")
}

#[test]
fn clients_of_jupyter_find_start_and_use_the_kernel() {
    let folder = tempfile::tempdir().expect("a folder");
    let install = |action: &str| kernel(program(), folder.path(), &[action, "--prefix", "."]);
    let installed = install("install");
    assert_eq!(installed.code, Some(0), "{}", installed.stderr);
    let mut python = Command::new(repository().join(".venv/bin/python"));
    python
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-rs"])
        .arg(repository().join("tests/kernel"))
        .current_dir(folder.path())
        // For notebooks that call the program.
        .env("PATH", path_with_program())
        // Jupyter's programs keep a history there.
        .env("HOME", folder.path())
        .env("JUPYTER_PATH", folder.path().join("share/jupyter"))
        .env("JUPYTER_RUNTIME_DIR", folder.path().join("runtime"))
        .env("XDG_STATE_HOME", folder.path().join("state"))
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let outcome = outcome(&mut python);
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);
    let removed = install("uninstall");
    assert_eq!(removed.code, Some(0), "{}", removed.stderr);
    assert!(!folder.path().join("share/jupyter/kernels/flambeau").exists());
    let again = install("uninstall");
    assert!(again.stderr.contains("no kernel of Flambeau's"), "{}", again.stderr);
}
