//! Bad input gets a clear error of the right kind: never a crash, never half of something.

mod files;
mod state_dicts;
mod writing;

use flambeau_tests::session::Recorded;

/// Runs `code`, a block of statements: `"ok"`, or the kind of its error.
fn kind(recorded: &mut Recorded, code: &str) -> String {
    let code =
        format!("let outcome = \"ok\"; try {{ {code} }} catch (e) {{ outcome = e.kind; }} outcome");
    match recorded.session.evaluate("test.rhai", &code) {
        Ok(value) => value.to_string(),
        Err(report) => panic!("not caught: {}", report.rendered(false)),
    }
}

/// Runs what must not fail.
fn run(recorded: &mut Recorded, code: &str) {
    if let (_, Some(report)) = recorded.run("setup.rhai", code) {
        panic!("{}", report.rendered(false));
    }
}
