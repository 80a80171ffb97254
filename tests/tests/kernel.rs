//! `flambeau kernel`: the tests in `tests/kernel`, with Jupyter's own client, over a kernel spec that the program
//! installs.

use flambeau_tests::{outcome, program, repository};
use std::process::Command;

#[test]
fn clients_of_jupyter_find_start_and_use_the_kernel() {
    let folder = tempfile::tempdir().expect("a folder");
    let install = |action: &str| {
        let mut command = Command::new(program());
        outcome(command.args(["kernel", action, "--prefix"]).arg(folder.path()))
    };
    let installed = install("install");
    assert_eq!(installed.code, Some(0), "{}", installed.stderr);
    let mut python = Command::new(repository().join(".venv/bin/python"));
    python
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-rs"])
        .arg(repository().join("tests/kernel"))
        .current_dir(folder.path())
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
