//! `import flambeau`: the tests in `tests/python`, run by the environment's own Python over the package and the
//! engine library.

use std::path::Path;
use std::process::Command;

use flambeau_tests::{outcome, program, repository};

/// Puts the package together in `folder`, as the wheel does.
fn package(folder: &Path) {
    let package = folder.join("flambeau");
    std::fs::create_dir(&package).expect("a folder");
    let sources = repository().join("repl/engine/python/flambeau");
    for file in std::fs::read_dir(sources).expect("the package's sources") {
        let file = file.expect("a file").path();
        if file.is_file() {
            std::fs::copy(&file, package.join(file.file_name().expect("a name"))).expect("a copy");
        }
    }
    let engine = program().with_file_name("libflambeau_engine.so");
    std::os::unix::fs::symlink(engine, package.join("_engine.abi3.so")).expect("a link");
}

#[test]
fn python_programs_use_scripts() {
    let folder = tempfile::tempdir().expect("a folder");
    package(folder.path());
    let outcome = outcome(
        Command::new(repository().join(".venv/bin/python"))
            .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"])
            .arg(repository().join("tests/python"))
            .current_dir(folder.path())
            .env("PYTHONPATH", folder.path())
            .env("PYTHONDONTWRITEBYTECODE", "1"),
    );
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);
    // Nothing may go untested in silence.
    assert!(!outcome.stdout.contains("skipped"), "{}", outcome.stdout);
}
