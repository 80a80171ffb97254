//! What can go wrong with runs on the disk.

use std::io;
use std::path::{Path, PathBuf};

/// The result of working with a run.
pub type Result<T> = std::result::Result<T, Error>;

/// What went wrong, and where.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A file or folder cannot be read or written.
    #[error("{}: {cause}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system says.
        cause: String,
    },
    /// A file is not what it should be.
    #[error("{} is damaged: {cause}", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong with it.
        cause: String,
    },
    /// A file was written by another version of Flambeau.
    #[error("{} has format {found}, and this version reads format {expected}", path.display())]
    Format {
        /// Which.
        path: PathBuf,
        /// Its format.
        found: i64,
        /// Ours.
        expected: i64,
    },
    /// There is no run and no sweep.
    #[error("{} is no folder of a run or of a sweep", .0.display())]
    NoRun(PathBuf),
    /// A parameter has a wrong name or a wrong value.
    #[error("{0}")]
    Parameter(String),
    /// Nothing has the name that was asked for: a metric, a column, a trial.
    #[error("{0}")]
    Name(String),
    /// A picture of nothing.
    #[error("{0}")]
    Picture(String),
}

impl Error {
    /// What the system says of a file.
    pub fn file(path: &Path, error: &io::Error) -> Error {
        let text = error.to_string();
        // `File exists (os error 17)`: the number says nothing to a reader.
        let cause = text.split(" (os error").next().unwrap_or(&text).to_lowercase();
        Error::File { path: path.to_owned(), cause }
    }

    /// A name that nothing has, and those that there are.
    pub fn name(what: &str, name: &str, known: &[&str]) -> Error {
        let hint = match crate::params::near(name, known) {
            Some(near) => format!("did you mean '{near}'?"),
            None if known.is_empty() => "there is none yet".to_owned(),
            None => format!("there is {}", known.join(", ")),
        };
        Error::Name(format!("no trial has {what} '{name}'; {hint}"))
    }

    /// What SQLite says of a file.
    pub fn database(path: &Path, error: &rusqlite::Error) -> Error {
        use rusqlite::ErrorCode;
        let damaged = matches!(
            error.sqlite_error_code(),
            Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase)
        );
        let (path, cause) = (path.to_owned(), error.to_string());
        if damaged { Error::Damaged { path, cause } } else { Error::File { path, cause } }
    }
}
