//! Files that are whole or not there, whatever happens to the process that writes them.
//!
//! What must outlive a power cut too is flushed to the disk, which takes milliseconds; what can be made again is not.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU64, Ordering};

use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::error::{Error, Result};

/// Writes a file whole or not at all: beside its place, flushed to the disk, renamed.
///
/// # Errors
/// A folder that is missing or cannot be written, a full disk.
pub fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, true)
}

/// Writes a file whole or not at all, for what can be made again: after a power cut it may be damaged.
///
/// # Errors
/// As [`write()`].
pub fn write_lightly(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, false)
}

fn replace(path: &Path, bytes: &[u8], flush: bool) -> Result<()> {
    let wrong = |error: &std::io::Error| Error::file(path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(BEFORE).suffix(BEHIND);
    {
        use std::os::unix::fs::PermissionsExt;
        // As `open` would make it; the process's umask takes its share.
        builder.permissions(fs::Permissions::from_mode(0o666));
    }
    let mut file = builder.tempfile_in(folder).map_err(|error| wrong(&error))?;
    file.write_all(bytes).map_err(|error| wrong(&error))?;
    if flush {
        file.as_file().sync_all().map_err(|error| wrong(&error))?;
    }
    about_to_rename(path);
    file.persist(path).map_err(|error| wrong(&error.error))?;
    if flush {
        sync_folder(folder);
    }
    Ok(())
}

/// Has the names in a folder reach the disk, where its file system can do that.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// What files are called that are not whole yet.
pub const BEFORE: &str = ".flambeau-";
/// What their names end with.
pub const BEHIND: &str = ".tmp";

/// Removes what a process that was killed has left unfinished in a folder.
pub fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        let name = entry.file_name();
        let name = name.to_string_lossy();
        if name.starts_with(BEFORE) && name.ends_with(BEHIND) {
            // It does no harm where it cannot be removed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// For tests of what is left then: with `FLAMBEAU_FAULTS=rename:NAME:N` the process dies before the Nth file whose name begins
/// so gets its name.
pub fn about_to_rename(path: &Path) {
    static LEFT: OnceLock<Option<(String, AtomicU64)>> = OnceLock::new();
    let left = LEFT.get_or_init(|| {
        let faults = std::env::var("FLAMBEAU_FAULTS").ok()?;
        let (name, count) = faults.strip_prefix("rename:")?.split_once(':')?;
        Some((name.to_owned(), AtomicU64::new(count.parse().ok()?)))
    });
    if let Some((name, left)) = left
        && path.file_name().is_some_and(|file| file.to_string_lossy().starts_with(name.as_str()))
        && left.fetch_sub(1, Ordering::Relaxed) == 1
    {
        std::process::abort();
    }
}

/// Whether a process works on the run or sweep in a folder: it holds the lock of the file `lock`.
pub fn is_locked(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("lock")) else { return false };
    // Let go of at once, with the file.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// [`write()`] of a value as JSON.
///
/// # Errors
/// As [`write()`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write(path, &json(path, value)?)
}

/// [`write_lightly`] of a value as JSON.
///
/// # Errors
/// As [`write()`].
pub fn write_json_lightly(path: &Path, value: &impl Serialize) -> Result<()> {
    write_lightly(path, &json(path, value)?)
}

fn json(path: &Path, value: &impl Serialize) -> Result<Vec<u8>> {
    let mut text = serde_json::to_vec_pretty(value)
        .map_err(|error| Error::Damaged { path: path.to_owned(), cause: error.to_string() })?;
    text.push(b'\n');
    Ok(text)
}

/// What was read, or nothing where the file is damaged: for what can be made again.
///
/// # Errors
/// A file that cannot be read; one of another version.
pub fn if_whole<T>(read: Result<Option<T>>) -> Result<Option<T>> {
    match read {
        Err(Error::Damaged { .. }) => Ok(None),
        read => read,
    }
}

/// Reads a value that was written as JSON; nothing where there is no such file.
///
/// # Errors
/// A file that cannot be read, or that is no such value.
pub fn read_json<T: DeserializeOwned>(path: &Path) -> Result<Option<T>> {
    let bytes = match fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(Error::file(path, &error)),
    };
    let value = serde_json::from_slice(&bytes);
    value
        .map(Some)
        .map_err(|error| Error::Damaged { path: path.to_owned(), cause: error.to_string() })
}

/// Makes a folder and those above it.
///
/// # Errors
/// What the system says.
pub fn make_folder(path: &Path) -> Result<()> {
    fs::create_dir_all(path).map_err(|error| Error::file(path, &error))
}
