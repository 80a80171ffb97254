//! A file that is appended to, and that is cut where a run goes on from a checkpoint.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};

use crate::error::{Error, Result};

/// The file, and how long it is.
pub(crate) struct Appended {
    path: PathBuf,
    file: File,
    length: u64,
}

impl Appended {
    /// Opens a file to append to; of what is there the first `keep` bytes stay.
    ///
    /// # Errors
    /// A file that cannot be written, or that is shorter.
    pub fn open(path: &Path, keep: u64) -> Result<Appended> {
        let wrong = |error: &std::io::Error| Error::file(path, error);
        let file = File::options().create(true).append(true).open(path).map_err(|e| wrong(&e))?;
        let length = file.metadata().map_err(|e| wrong(&e))?.len();
        if length < keep {
            let cause = format!("it has {length} bytes, and its checkpoint was made at {keep}");
            return Err(Error::Damaged { path: path.to_owned(), cause });
        }
        if length > keep {
            file.set_len(keep).map_err(|e| wrong(&e))?;
        }
        Ok(Appended { path: path.to_owned(), file, length: keep })
    }

    /// Appends bytes, in one call of the system.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&mut self, bytes: &[u8]) -> Result<()> {
        self.file.write_all(bytes).map_err(|error| Error::file(&self.path, &error))?;
        self.length += bytes.len() as u64;
        Ok(())
    }

    /// Bytes so far.
    pub fn length(&self) -> u64 {
        self.length
    }

    /// Waits until all of it is on the disk.
    ///
    /// # Errors
    /// What the system says.
    pub fn sync(&self) -> Result<()> {
        self.file.sync_data().map_err(|error| Error::file(&self.path, &error))
    }
}
