//! Files that are whole or not there, whatever happens to the process that writes them.
//!
//! What must outlive a power cut too is flushed to the disk, which takes milliseconds; what can be made again is not.

use std::fs::{self, File, Permissions, TryLockError};
use std::io::{self, BufWriter, ErrorKind, Write};
use std::os::unix::fs::PermissionsExt;
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
    let wrong = |error: &io::Error| Error::file(path, error);
    let fill = |out: &mut dyn Write| out.write_all(bytes).map_err(|error| wrong(&error));
    replace_with(path, flush, None, fill, wrong)
}

/// Writes a file whole or not at all: `fill` writes into a temporary file in its folder, which is renamed, and before that
/// flushed to the disk with `flush`. It has `permissions`, or those that `open` would give it.
///
/// # Errors
/// What `fill` returns, and what `wrong` makes of the system's words.
pub fn replace_with<E>(
    path: &Path,
    flush: bool,
    permissions: Option<Permissions>,
    fill: impl FnOnce(&mut dyn Write) -> std::result::Result<(), E>,
    wrong: impl Fn(&io::Error) -> E,
) -> std::result::Result<(), E> {
    let folder = folder_of(path);
    let mut builder = tempfile::Builder::new();
    // The process's umask takes its share.
    builder.prefix(BEFORE).suffix(BEHIND).permissions(Permissions::from_mode(0o666));
    let mut temporary = builder.tempfile_in(folder).map_err(|error| wrong(&error))?;
    {
        let mut writer = BufWriter::with_capacity(1 << 16, temporary.as_file_mut());
        fill(&mut writer)?;
        writer.flush().map_err(|error| wrong(&error))?;
    }
    if let Some(permissions) = permissions {
        let _ = temporary.as_file().set_permissions(permissions);
    }
    if flush {
        temporary.as_file().sync_all().map_err(|error| wrong(&error))?;
    }
    about_to_rename(path);
    temporary.persist(path).map_err(|error| wrong(&error.error))?;
    if flush {
        sync_folder(folder);
    }
    Ok(())
}

/// The folder in which a file lies.
pub fn folder_of(path: &Path) -> &Path {
    match path.parent() {
        Some(folder) if !folder.as_os_str().is_empty() => folder,
        _ => Path::new("."),
    }
}

/// Has the new names in a folder reach the disk, where its file system can do that.
fn sync_folder(folder: &Path) {
    if let Ok(folder) = File::open(folder) {
        let _ = folder.sync_all();
    }
}

/// What files are called that are not whole yet.
const BEFORE: &str = ".flambeau-";
/// What their names end with.
const BEHIND: &str = ".tmp";

/// Whether a file of this name was being written when its process was killed.
pub fn is_unfinished(name: &str) -> bool {
    name.starts_with(BEFORE) && name.ends_with(BEHIND)
}

/// Removes what a process that was killed has left unfinished in a folder.
pub fn clean(folder: &Path) {
    for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
        if is_unfinished(&entry.file_name().to_string_lossy()) {
            // It does no harm where it cannot be removed.
            let _ = fs::remove_file(entry.path());
        }
    }
}

/// For tests of what is left then: with `FLAMBEAU_FAULTS=rename:NAME:N` the process dies before the Nth file whose name begins
/// so gets its name.
fn about_to_rename(path: &Path) {
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
