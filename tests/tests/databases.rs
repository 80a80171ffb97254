//! A tenth of torch's own databases of operators and modules, as `make conformance` goes through them whole.
//! `FLAMBEAU_CONFORMANCE_SEED` chooses another tenth.

use std::process::Command;

use flambeau_tests::{outcome, program, repository};

#[test]
fn a_tenth_of_the_databases_is_as_their_lists_say() {
    let python = repository().join(".venv/bin/python");
    let outcome = outcome(
        Command::new(python)
            .arg(repository().join("tests/oracle/database/main.py"))
            .arg("--tenth")
            .env("FLAMBEAU_PROGRAM", program()),
    );
    assert_eq!(outcome.code, Some(0), "{}{}", outcome.stdout, outcome.stderr);
}
