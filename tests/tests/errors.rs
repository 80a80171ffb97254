//! What people see when something goes wrong: every script of `tests/errors` ends in an error, and the text
//! beside it is what it printed and the report, without colours.
//!
//! `UPDATE_ERRORS=1 cargo test --release -p flambeau-tests --test errors` writes the texts; read the
//! difference as somebody who made that mistake before you keep it.

use std::path::{Path, PathBuf};

use flambeau_tests::repository;
use flambeau_tests::session::{Recorded, on_deep_stack};

/// The files of the folder that end in `.EXTENSION`, by name.
fn files(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let mut found: Vec<PathBuf> = std::fs::read_dir(folder)
        .expect("the folder of errors")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .collect();
    found.sort();
    found
}

/// What a script in the current folder prints, and the report of its error.
fn run(script: &Path) -> String {
    let name = script.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let code = std::fs::read_to_string(script).expect("a script");
    let (printed, report) = Recorded::new().run(&name, &code);
    match report {
        Some(report) => format!("{printed}{}", report.rendered(false)),
        None => format!("{printed}(no error)\n"),
    }
}

#[test]
fn reports_are_what_their_snapshots_say() {
    let update = std::env::var_os("UPDATE_ERRORS").is_some();
    let wrong = on_deep_stack(move || {
        let folder = repository().join("tests/errors");
        // Scripts import what lies beside them, and reports name files as the script does.
        std::env::set_current_dir(&folder).expect("the folder can be entered");
        let mut wrong = Vec::new();
        for script in files(&folder, "rhai") {
            let snapshot = script.with_extension("txt");
            let found = run(&script);
            if update {
                std::fs::write(&snapshot, &found).expect("a snapshot can be written");
                continue;
            }
            match std::fs::read_to_string(&snapshot) {
                Ok(expected) if expected == found => {}
                Ok(expected) => wrong.push(format!(
                    "{}:\n--- expected\n{expected}--- found\n{found}",
                    script.display()
                )),
                Err(_) => wrong.push(format!("{}: no snapshot beside it", script.display())),
            }
        }
        wrong
    });
    assert!(wrong.is_empty(), "{}\n{} snapshots differ", wrong.join("\n"), wrong.len());
}

#[test]
fn every_snapshot_has_its_script() {
    for snapshot in files(&repository().join("tests/errors"), "txt") {
        assert!(snapshot.with_extension("rhai").is_file(), "{}", snapshot.display());
    }
}
