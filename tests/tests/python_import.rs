//! `import flambeau`: the tests in `tests/python`, run by the environment's own Python over the package and the
//! engine library.

use flambeau_tests::{outcome, package, repository};

#[test]
fn python_programs_use_scripts() {
    let folder = tempfile::tempdir().expect("a folder");
    let mut python = package::python(folder.path());
    python.args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider"]);
    let outcome = outcome(python.arg(repository().join("tests/python")));
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);
    // Nothing may go untested in silence.
    assert!(!outcome.stdout.contains("skipped"), "{}", outcome.stdout);
}
