//! Removes the folder of a sweep or a run: what they write is known by its name, and everything else stays.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use crate::error::{Error, Result};
use crate::files;
use crate::sweep::Sweep;

/// What a run writes.
const RUN: [&str; 7] = [
    "config.json",
    "environment.json",
    "changes.diff",
    "metrics.jsonl",
    "result.json",
    "checkpoints",
    "artifacts",
];
/// What a sweep writes; its table goes last, so that an interrupted removal is a sweep still.
const SWEEP: [&str; 6] =
    ["trials", "sweep.json", "script.rhai", "sweep.db-wal", "sweep.db-shm", "sweep.db"];

/// Removes all that belongs to a sweep or a run, and its folder where nothing else is in it; what else there is.
///
/// # Errors
/// A file that cannot be removed.
pub fn all(sweep: &Sweep) -> Result<Vec<String>> {
    let folder = &sweep.folder;
    remove(&folder.join("plots"))?;
    let names: &[&str] = if sweep.is_run { &RUN } else { &SWEEP };
    for entry in fs::read_dir(folder).map_err(|error| Error::file(folder, &error))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let logged = name == "log" || name.starts_with("log.") || name.contains(".tfevents.");
        if files::is_unfinished(&name) || sweep.is_run && logged {
            remove(&entry.path())?;
        }
    }
    for name in names {
        remove(&folder.join(name))?;
    }
    for name in ["status.json", "lock"] {
        remove(&folder.join(name))?;
    }
    let left = fs::read_dir(folder).map_err(|error| Error::file(folder, &error))?;
    let mut left: Vec<String> =
        left.flatten().map(|entry| entry.file_name().to_string_lossy().into_owned()).collect();
    left.sort();
    if left.is_empty() {
        fs::remove_dir(folder).map_err(|error| Error::file(folder, &error))?;
    }
    Ok(left)
}

/// Removes a file, a folder or a link; never what a link names.
fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(data) if data.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(error) => Err(error),
    };
    match removed {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::file(path, &error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fixture;

    #[test]
    fn what_no_run_has_written_stays() {
        let folder = tempfile::tempdir().expect("folder");
        let out = folder.path().join("sweep");
        fixture::sweep(&out);
        let sweep = Sweep::open(&out).expect("sweep");
        let run = Sweep::open(&out.join("trials/0002")).expect("run");
        fs::write(out.join("trials/0002/changes.diff"), "").expect("write");
        assert_eq!(all(&run).expect("removed"), [""; 0]);
        assert!(!out.join("trials/0002").exists());
        fs::write(out.join("notes.txt"), "mine").expect("write");
        fs::create_dir(out.join("plots")).expect("folder");
        assert_eq!(all(&sweep).expect("removed"), ["notes.txt"]);
        fs::remove_file(out.join("notes.txt")).expect("remove");
        assert!(matches!(Sweep::open(&out), Err(Error::NoRun(_))));
    }
}
