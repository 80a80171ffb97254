//! Scripts that try to get out of the sandbox, and scripts that go beyond a limit, through the real program.

mod functions;
mod limits;
mod paths;

use std::path::Path;

use flambeau_tests::{Outcome, flambeau, outcome, script};

/// Runs a script with these options of `flambeau run`.
fn run(folder: &Path, code: &str, options: &[&str]) -> Outcome {
    let path = script(folder, code);
    outcome(flambeau().arg("run").args(options).arg(path))
}

/// A statement that prints `NAME KIND` for the error of `code`, or `NAME ok`.
fn attempt(name: &str, code: &str) -> String {
    format!(
        "try {{ {code}; print({:?}); }} catch (e) {{ print({name:?} + ` ${{e.kind}}`); }}\n",
        format!("{name} ok")
    )
}

/// The lines of a run that ended well.
fn lines(outcome: &Outcome) -> Vec<&str> {
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
    outcome.stdout.lines().collect()
}
