//! `sweep.db`: which trials a sweep has and how far each is. One process writes it, anybody may read.
//!
//! A power cut may take the last rows back, never the table: what trials came to is in their folders too.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags, Row, named_params};

use crate::Map;
use crate::error::{Error, Result};
use crate::run::{Run, State};

/// The version of the tables.
const FORMAT: i64 = 1;
/// The name of the file in the folder of a sweep.
const NAME: &str = "sweep.db";
/// How long is waited for another process that reads.
const PATIENCE: Duration = Duration::from_secs(10);

const TABLES: &str = "
    CREATE TABLE IF NOT EXISTS trials (
        id INTEGER PRIMARY KEY,
        params TEXT NOT NULL UNIQUE,
        state TEXT NOT NULL DEFAULT 'waiting',
        attempts INTEGER NOT NULL DEFAULT 0,
        result TEXT,
        error TEXT,
        started REAL,
        ended REAL
    ) STRICT;
    CREATE TABLE IF NOT EXISTS rungs (
        trial INTEGER NOT NULL REFERENCES trials(id),
        rung INTEGER NOT NULL,
        value REAL,
        PRIMARY KEY (trial, rung)
    ) STRICT;";

/// One trial of a sweep.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Trial {
    /// Its number, from 1.
    pub id: i64,
    /// What it is given: all that the sweep varies, and what was given to all.
    pub params: Map,
    /// How far it is.
    pub state: State,
    /// How often it was begun.
    pub attempts: u32,
    /// What it reported.
    pub result: Option<Map>,
    /// Why it failed.
    pub error: Option<String>,
    /// When it began first, in seconds since 1970.
    pub started: Option<f64>,
    /// When it ended.
    pub ended: Option<f64>,
}

impl Trial {
    /// The first words of its error, without the frame that a report has.
    pub fn headline(&self) -> Option<&str> {
        let line = self.error.as_deref()?.lines().find(|line| !line.trim().is_empty())?;
        Some(line.trim().trim_start_matches("× "))
    }

    /// Its folder in the sweep `out`.
    pub fn run(&self, out: &Path) -> Run {
        Run::at(&out.join("trials").join(format!("{:04}", self.id)))
    }
}

/// The table of a sweep.
pub struct Store {
    connection: Connection,
    path: PathBuf,
}

impl Store {
    /// Whether `out` is the folder of a sweep.
    pub fn exists(out: &Path) -> bool {
        out.join(NAME).is_file()
    }

    /// Opens the table of the sweep in folder `out`, or makes it.
    ///
    /// # Errors
    /// A folder that cannot be written, a file that is no such table or of another version.
    pub fn create(out: &Path) -> Result<Store> {
        let path = out.join(NAME);
        let store = Store::open_as(path, OpenFlags::default())?;
        let wrong = |error: rusqlite::Error| Error::database(&store.path, &error);
        store.connection.pragma_update(None, "journal_mode", "wal").map_err(wrong)?;
        store.connection.pragma_update(None, "synchronous", "normal").map_err(wrong)?;
        store.connection.execute_batch(TABLES).map_err(wrong)?;
        store.connection.pragma_update(None, "user_version", FORMAT).map_err(wrong)?;
        Ok(store)
    }

    /// Opens the table of a sweep to read it, also while another process writes.
    ///
    /// # Errors
    /// A folder without one, a file that is no such table or of another version.
    pub fn open(out: &Path) -> Result<Store> {
        if !Store::exists(out) {
            return Err(Error::NoRun(out.to_owned()));
        }
        let path = out.join(NAME);
        let opened = Store::open_as(path.clone(), OpenFlags::SQLITE_OPEN_READ_WRITE)
            .or_else(|_| Store::open_as(path.clone(), OpenFlags::SQLITE_OPEN_READ_ONLY));
        match opened {
            // In a folder that cannot be written SQLite finds no place for what readers and writers share.
            Err(Error::File { .. }) if !out.join(format!("{NAME}-wal")).exists() => {
                Store::unchanging(path)
            }
            opened => opened,
        }
    }

    /// Opens a table that nobody writes.
    fn unchanging(path: PathBuf) -> Result<Store> {
        let special = |c: char| matches!(c, '%' | '?' | '#');
        let name = path.display().to_string();
        let escaped: String = name
            .chars()
            .map(|c| if special(c) { format!("%{:02x}", c as u32) } else { c.to_string() })
            .collect();
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_URI;
        Store::open_named(path, format!("file:{escaped}?immutable=1"), flags)
    }

    fn open_as(path: PathBuf, flags: OpenFlags) -> Result<Store> {
        let name = path.clone();
        Store::open_named(path, name, flags)
    }

    fn open_named(path: PathBuf, name: impl AsRef<Path>, flags: OpenFlags) -> Result<Store> {
        let opened = Connection::open_with_flags(name, flags).and_then(|connection| {
            connection.busy_timeout(PATIENCE)?;
            let format =
                connection.query_row("PRAGMA user_version", [], |row| row.get::<_, i64>(0))?;
            Ok((connection, format))
        });
        let (connection, format) = opened.map_err(|error| Error::database(&path, &error))?;
        if ![0, FORMAT].contains(&format) {
            return Err(Error::Format { path, found: format, expected: FORMAT });
        }
        Ok(Store { connection, path })
    }

    fn wrong(&self, error: &rusqlite::Error) -> Error {
        Error::database(&self.path, error)
    }

    /// All trials by number.
    ///
    /// # Errors
    /// A damaged file.
    pub fn trials(&self) -> Result<Vec<Trial>> {
        let read = || -> rusqlite::Result<Vec<Trial>> {
            let mut statement = self.connection.prepare("SELECT * FROM trials ORDER BY id")?;
            statement.query_map([], trial)?.collect()
        };
        read().map_err(|error| self.wrong(&error))
    }

    /// Adds the trials that are not there yet, in their order, all of them or none; how many are new.
    ///
    /// # Errors
    /// A full disk.
    pub fn add(&mut self, trials: &[Map]) -> Result<usize> {
        let add = |connection: &mut Connection| -> rusqlite::Result<usize> {
            let transaction = connection.transaction()?;
            let mut added = 0;
            for params in trials {
                added += transaction
                    .execute("INSERT OR IGNORE INTO trials (params) VALUES (?1)", [text(params)])?;
            }
            transaction.commit()?;
            Ok(added)
        };
        add(&mut self.connection).map_err(|error| Error::database(&self.path, &error))
    }

    /// Keeps how far a trial is: everything but its number and parameters.
    ///
    /// # Errors
    /// A full disk.
    pub fn update(&self, trial: &Trial) -> Result<()> {
        let update = "UPDATE trials SET state = :state, attempts = :attempts, result = :result, error = :error, \
                      started = :started, ended = :ended WHERE id = :id";
        let values = named_params! {
            ":state": trial.state.name(),
            ":attempts": trial.attempts,
            ":result": trial.result.as_ref().map(text),
            ":error": trial.error,
            ":started": trial.started,
            ":ended": trial.ended,
            ":id": trial.id,
        };
        let done = self.connection.execute(update, values);
        done.map(drop).map_err(|error| self.wrong(&error))
    }

    /// Keeps what a trial had reached at a rung of successive halving; what was kept before stays.
    ///
    /// # Errors
    /// A full disk.
    pub fn reach(&self, trial: i64, rung: usize, value: f64) -> Result<()> {
        let insert = "INSERT OR IGNORE INTO rungs (trial, rung, value) VALUES (?1, ?2, ?3)";
        let done = self.connection.execute(insert, (trial, rung as i64, value));
        done.map(drop).map_err(|error| self.wrong(&error))
    }

    /// What the trials had reached at each rung, in the order in which they came: trial, rung, value; nan is absent in the file.
    ///
    /// # Errors
    /// A damaged file.
    pub fn rungs(&self) -> Result<Vec<(i64, usize, f64)>> {
        let read = || -> rusqlite::Result<Vec<(i64, usize, f64)>> {
            let mut statement =
                self.connection.prepare("SELECT trial, rung, value FROM rungs ORDER BY rowid")?;
            let rows = statement.query_map([], |row| {
                let value: Option<f64> = row.get(2)?;
                Ok((row.get(0)?, row.get::<_, i64>(1)? as usize, value.unwrap_or(f64::NAN)))
            })?;
            rows.collect()
        };
        read().map_err(|error| self.wrong(&error))
    }

    /// Takes trials out of the table.
    ///
    /// # Errors
    /// A full disk.
    pub fn remove(&mut self, trials: &[i64]) -> Result<()> {
        let remove = |connection: &mut Connection| -> rusqlite::Result<()> {
            let transaction = connection.transaction()?;
            for id in trials {
                transaction.execute("DELETE FROM rungs WHERE trial = ?1", [id])?;
                transaction.execute("DELETE FROM trials WHERE id = ?1", [id])?;
            }
            transaction.commit()
        };
        remove(&mut self.connection).map_err(|error| Error::database(&self.path, &error))
    }
}

/// A map as it is kept: keys are sorted, so equal maps are equal texts.
fn text(map: &Map) -> String {
    serde_json::to_string(map).unwrap_or_default()
}

fn trial(row: &Row<'_>) -> rusqlite::Result<Trial> {
    let map = |name: &str| -> rusqlite::Result<Option<Map>> {
        let text: Option<String> = row.get(name)?;
        let parsed = text.map(|text| serde_json::from_str(&text)).transpose();
        parsed.map_err(|error| {
            rusqlite::Error::FromSqlConversionFailure(
                0,
                rusqlite::types::Type::Text,
                Box::new(error),
            )
        })
    };
    let state: String = row.get("state")?;
    Ok(Trial {
        id: row.get("id")?,
        params: map("params")?.unwrap_or_default(),
        state: State::parse(&state).unwrap_or_default(),
        attempts: row.get("attempts")?,
        result: map("result")?,
        error: row.get("error")?,
        started: row.get("started")?,
        ended: row.get("ended")?,
    })
}
