//! What was typed, kept across sessions in one SQLite file that several prompts and kernels may use at once. The
//! owner of SQLite.
//!
//! Entries are lines for the editor, in tables of rustyline's; cells are what kernels answer questions about, in one
//! of ours beside them.

mod cells;
mod entries;

use std::path::{Path, PathBuf};

use rustyline::Config;
use rustyline::sqlite_history::SQLiteHistory;

pub use cells::{Cells, Line, Wanted};
pub use entries::Entries;

/// The file's name within the folder of the program's state.
const FILE: &str = "history.sqlite";
/// Said where there is no such folder.
const NOWHERE: &str = "neither $XDG_STATE_HOME nor $HOME is set";

/// `$XDG_STATE_HOME/flambeau/history.sqlite`, by default below `~/.local/state`
/// (<https://specifications.freedesktop.org/basedir-spec/latest/>).
fn path() -> Option<PathBuf> {
    let absolute = |name| {
        let folder = std::env::var_os(name).map(PathBuf::from);
        folder.filter(|folder| folder.is_absolute())
    };
    let state =
        absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("flambeau").join(FILE))
}

/// The file with its tables.
fn prepared(config: &Config, path: &Path) -> Result<SQLiteHistory, String> {
    if let Some(folder) = path.parent() {
        std::fs::create_dir_all(folder).map_err(|error| error.to_string())?;
    }
    // A cell's line waits for no disk; only the last ones are lost where the machine loses power. Where that cannot be
    // had, as for a file that is only read, the line waits.
    let first = rusqlite::Connection::open(path);
    if let Ok(connection) = &first {
        let _ = connection.pragma_update(None, "journal_mode", "WAL");
    }
    // Another session may have made the tables in between: then they are there the second time.
    let entries = SQLiteHistory::open(config, path)
        .or_else(|_| SQLiteHistory::open(config, path))
        .map_err(|error| error.to_string());
    // Whoever closes the file last tidies up: not in between.
    drop(first);
    entries
}
