//! Files as a whole: reading with errors that name the path, writing so that a crash never leaves
//! half a file.

use std::fs::{self, File};
use std::io::{self, ErrorKind, Write};
use std::path::Path;

use flambeau_experiments::files as whole;
use flambeau_runtime::error::{Error, Result};

/// An error of the operating system in a person's words, with the path.
pub(crate) fn explain(path: &Path, error: &io::Error) -> Error {
    let cause = match error.kind() {
        ErrorKind::NotFound => "no such file or folder".to_owned(),
        ErrorKind::PermissionDenied => "permission denied".to_owned(),
        ErrorKind::IsADirectory => "is a folder, not a file".to_owned(),
        ErrorKind::NotADirectory => "a part of the path is a file, not a folder".to_owned(),
        ErrorKind::UnexpectedEof => "the file ends too early".to_owned(),
        _ => {
            // `File exists (os error 17)`: the number says nothing to a reader.
            let text = error.to_string();
            text.split(" (os error").next().unwrap_or(&text).to_owned()
        }
    };
    Error::io(path, cause)
}

/// Opens a regular file for reading; also gives its length in bytes.
///
/// # Errors
/// An `IoError` for a path that is missing, a folder or not readable.
pub(crate) fn open(path: &Path) -> Result<(File, u64)> {
    let file = File::open(path).map_err(|error| explain(path, &error))?;
    let metadata = file.metadata().map_err(|error| explain(path, &error))?;
    if metadata.is_dir() {
        return Err(Error::io(path, "is a folder, not a file"));
    }
    Ok((file, metadata.len()))
}

/// The bytes of a file.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>> {
    let (mut file, _) = open(path)?;
    let mut bytes = Vec::new();
    io::Read::read_to_end(&mut file, &mut bytes).map_err(|error| explain(path, &error))?;
    Ok(bytes)
}

/// Writes a file whole or not at all: `fill` writes into a temporary file in the same folder, which
/// is flushed to the disk and renamed to `path`. When `fill` fails, or the process dies, `path` is
/// what it was before.
///
/// # Errors
/// What `fill` returns; an `IoError` that names the path for a missing folder or a full disk.
pub(crate) fn write(path: &Path, fill: impl FnOnce(&mut dyn Write) -> Result<()>) -> Result<()> {
    // A link is followed, as `open` would: the file behind it is replaced, the link stays.
    let target = fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let existing = fs::metadata(&target).ok();
    if let Some(metadata) = &existing {
        if metadata.is_dir() {
            return Err(Error::io(path, "is a folder, not a file"));
        }
        if !metadata.is_file() {
            // A device or pipe holds no old content to keep, and must not be renamed over.
            let file = File::options().write(true).open(&target);
            let mut file = file.map_err(|error| explain(path, &error))?;
            return fill(&mut file);
        }
    }
    let folder = whole::folder_of(&target);
    if !folder.is_dir() {
        return Err(Error::io(path, format!("there is no folder {}", folder.display()))
            .help(format!("make it first: fs.mkdir({:?})", folder.display().to_string())));
    }
    let permissions = existing.map(|metadata| metadata.permissions());
    whole::replace_with(&target, true, permissions, fill, |error| explain(path, error))
}

/// [`write`] for content that is at hand.
pub(crate) fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |out| out.write_all(bytes).map_err(|error| explain(path, &error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_half_way_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.bin");
        write_bytes(&path, b"old").expect("written");
        let failed = write(&path, |out| {
            out.write_all(&vec![1; 1 << 20]).expect("half of it");
            Err(Error::value("the other half fails"))
        });
        assert_eq!(failed.expect_err("an error").message, "the other half fails");
        assert_eq!(fs::read(&path).expect("the old file"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn a_panic_half_way_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.bin");
        write_bytes(&path, b"old").expect("written");
        let result = std::panic::catch_unwind(|| {
            let _ = write(&path, |out| {
                out.write_all(b"new").expect("half of it");
                std::panic::resume_unwind(Box::new("stop"));
            });
        });
        assert!(result.is_err());
        assert_eq!(fs::read(&path).expect("the old file"), b"old");
        assert_eq!(fs::read_dir(folder.path()).expect("a folder").count(), 1);
    }

    #[test]
    fn missing_folders_folders_and_missing_files_are_named() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("no/such/x");
        let error = write_bytes(&path, b"x").expect_err("no folder");
        assert!(error.message.contains("there is no folder"), "{error}");
        assert!(error.help.expect("help").contains("fs.mkdir"));
        assert!(write_bytes(folder.path(), b"x").expect_err("a folder").message.contains("folder"));
        let error = read(&path).expect_err("no file");
        assert!(error.message.ends_with("no such file or folder"), "{error}");
        assert!(read(folder.path()).expect_err("a folder").message.contains("is a folder"));
    }

    #[cfg(unix)]
    #[test]
    fn links_are_followed_and_permissions_stay() {
        use std::os::unix::fs::PermissionsExt;
        let folder = tempfile::tempdir().expect("a folder");
        let (file, link) = (folder.path().join("file"), folder.path().join("link"));
        write_bytes(&file, b"old").expect("written");
        fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).expect("set");
        std::os::unix::fs::symlink(&file, &link).expect("a link");
        write_bytes(&link, b"new").expect("written");
        assert_eq!(fs::read(&file).expect("file"), b"new");
        assert!(fs::symlink_metadata(&link).expect("link").is_symlink());
        let mode = fs::metadata(&file).expect("file").permissions().mode();
        assert_eq!(mode & 0o777, 0o640);
        // A device is written to, not replaced.
        write_bytes(Path::new("/dev/null"), b"x").expect("written");
        assert!(!fs::metadata("/dev/null").expect("still there").is_file());
    }
}
