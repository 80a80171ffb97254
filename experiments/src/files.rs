//! Files that are whole or not there, whatever happens to the process that writes them.
//!
//! What must outlive a power cut too is flushed to the disk, which takes milliseconds; what can be made again is not.

use std::fs::{self, File, TryLockError};
use std::io::{ErrorKind, Write};
use std::path::Path;

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
/// As [`write`].
pub fn write_lightly(path: &Path, bytes: &[u8]) -> Result<()> {
    replace(path, bytes, false)
}

fn replace(path: &Path, bytes: &[u8], flush: bool) -> Result<()> {
    let wrong = |error: &std::io::Error| Error::file(path, error);
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut builder = tempfile::Builder::new();
    builder.prefix(".flambeau-").suffix(".tmp");
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

/// Whether a process works on the run or sweep in a folder: it holds the lock of the file `lock`.
pub fn is_locked(folder: &Path) -> bool {
    let Ok(file) = File::open(folder.join("lock")) else { return false };
    // Let go of at once, with the file.
    matches!(file.try_lock_shared(), Err(TryLockError::WouldBlock))
}

/// [`write`] of a value as JSON.
///
/// # Errors
/// As [`write`].
pub fn write_json(path: &Path, value: &impl Serialize) -> Result<()> {
    write(path, &json(path, value)?)
}

/// [`write_lightly`] of a value as JSON.
///
/// # Errors
/// As [`write`].
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
