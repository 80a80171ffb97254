//! The cells of kernels with what they came to, by session and number
//! (<https://jupyter-client.readthedocs.io/en/stable/messaging.html#history>).

use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OptionalExtension, Row, named_params};
use rustyline::Config;
use tempfile::NamedTempFile;

use super::{NOWHERE, path, prepared};

/// How long a question waits for another session that writes.
const PATIENCE: Duration = Duration::from_millis(250);

/// Every line there is: the cells of kernels, and what was typed at prompts, counted from one in each session.
const LINES: &str = "
WITH line (session, number, code, output) AS (
    SELECT session_id, number, code, output FROM cell
    UNION ALL
    SELECT session_id, row_number() OVER (PARTITION BY session_id ORDER BY rowid), entry, NULL FROM history
    WHERE session_id NOT IN (SELECT session_id FROM cell)
)";

/// The cells of one kernel, and access to those of all others.
pub struct Cells {
    connection: Connection,
    /// The number of this session; none before its first cell.
    session: Option<i64>,
    /// Stands in the file's place where that cannot be had.
    stand_in: Option<NamedTempFile>,
}

/// Which lines are wanted.
pub enum Wanted<'a> {
    /// Those of one session from `start` to before `stop`. Session 0 is this one, -1 the one before.
    Range { session: i64, start: i64, stop: Option<i64> },
    /// The last `most` of those that match a pattern of SQLite's `GLOB`; with `unique` each text once.
    Last { pattern: &'a str, unique: bool, most: Option<i64> },
}

/// One line of the history.
#[derive(Debug, PartialEq, Eq)]
pub struct Line {
    pub session: i64,
    pub number: i64,
    pub code: String,
    /// The text of its result.
    pub output: Option<String>,
}

impl Cells {
    /// Opens the file of this user and forgets all but the last `kept` cells; else, with the reason, a place that
    /// ends with this session.
    ///
    /// # Errors
    /// Where not even that is to be had.
    pub fn open(kept: usize) -> Result<(Cells, Option<String>), String> {
        let trouble = match path() {
            Some(path) if kept > 0 => match Cells::at(&path, kept) {
                Ok(cells) => return Ok((cells, None)),
                Err(cause) => Some(format!("{}: {cause}", path.display())),
            },
            Some(_) => None,
            None => Some(NOWHERE.to_owned()),
        };
        let file = NamedTempFile::new().map_err(|error| error.to_string())?;
        let mut cells = Cells::at(file.path(), usize::MAX)?;
        cells.stand_in = Some(file);
        let trouble = trouble.map(|cause| format!("{cause}; this session's history is not kept"));
        Ok((cells, trouble))
    }

    fn at(path: &Path, kept: usize) -> Result<Cells, String> {
        prepared(&Config::default(), path)?;
        let made = || {
            let connection = Connection::open(path)?;
            connection.busy_timeout(PATIENCE)?;
            connection.execute_batch(
                "CREATE TABLE IF NOT EXISTS cell (
                    session_id INTEGER NOT NULL REFERENCES session (id) ON DELETE CASCADE,
                    number INTEGER NOT NULL,
                    code TEXT NOT NULL,
                    output TEXT,
                    PRIMARY KEY (session_id, number)
                ) STRICT",
            )?;
            connection.execute(
                "DELETE FROM cell WHERE rowid <= (SELECT max(rowid) FROM cell) - ?1",
                [i64::try_from(kept).unwrap_or(i64::MAX)],
            )?;
            Ok(connection)
        };
        let connection = made().map_err(|error: rusqlite::Error| error.to_string())?;
        Ok(Cells { connection, session: None, stand_in: None })
    }

    /// Keeps a cell of this session that has begun.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn keep(&mut self, number: u32, code: &str) -> rusqlite::Result<()> {
        let session = match self.session {
            Some(session) => session,
            None => self.connection.query_row(
                "INSERT INTO session (id) VALUES (NULL) RETURNING id",
                [],
                |row| row.get(0),
            )?,
        };
        self.session = Some(session);
        // For the editor of the next prompt. Where texts are kept once, this one is the last.
        let mut entry = self
            .connection
            .prepare_cached("INSERT OR REPLACE INTO history (session_id, entry) VALUES (?1, ?2)")?;
        entry.execute((session, code.trim_end()))?;
        let mut cell = self
            .connection
            .prepare_cached("INSERT INTO cell (session_id, number, code) VALUES (?1, ?2, ?3)")?;
        cell.execute((session, number, code)).map(drop)
    }

    /// Keeps what a cell of this session came to.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn result(&self, number: u32, text: &str) -> rusqlite::Result<()> {
        let mut cell = self
            .connection
            .prepare_cached("UPDATE cell SET output = ?3 WHERE session_id = ?1 AND number = ?2")?;
        cell.execute((self.session, number, text)).map(drop)
    }

    /// The lines that are wanted, the oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub fn lines(&self, wanted: &Wanted<'_>) -> rusqlite::Result<Vec<Line>> {
        match *wanted {
            Wanted::Range { session, start, stop } => {
                let session = if session > 0 { session } else { self.current()? + session };
                let mut statement = self.connection.prepare_cached(&format!(
                    "{LINES} SELECT * FROM line
                     WHERE session = :session AND number >= :start AND number < :stop ORDER BY number"
                ))?;
                let stop = stop.unwrap_or(i64::MAX);
                let values = named_params! {":session": session, ":start": start, ":stop": stop};
                statement.query_map(values, line)?.collect()
            }
            Wanted::Last { pattern, unique, most } => {
                let place = match unique {
                    true => {
                        "row_number() OVER (PARTITION BY code ORDER BY session DESC, number DESC)"
                    }
                    false => "1",
                };
                let mut statement = self.connection.prepare_cached(&format!(
                    "{LINES} SELECT * FROM (
                         SELECT * FROM (SELECT *, {place} AS place FROM line WHERE code GLOB :pattern)
                         WHERE place = 1
                         ORDER BY session DESC, number DESC LIMIT :most
                     ) ORDER BY session, number"
                ))?;
                let values = named_params! {":pattern": pattern, ":most": most.unwrap_or(-1)};
                statement.query_map(values, line)?.collect()
            }
        }
    }

    /// The number of this session, or the one that it would get.
    fn current(&self) -> rusqlite::Result<i64> {
        if let Some(session) = self.session {
            return Ok(session);
        }
        let last = "SELECT max(id) + 1 FROM session";
        let last: Option<Option<i64>> =
            self.connection.query_row(last, [], |row| row.get(0)).optional()?;
        Ok(last.flatten().unwrap_or(1))
    }
}

fn line(row: &Row<'_>) -> rusqlite::Result<Line> {
    Ok(Line {
        session: row.get("session")?,
        number: row.get("number")?,
        code: row.get("code")?,
        output: row.get("output")?,
    })
}

#[cfg(test)]
mod tests {
    use rusqlite::Result;
    use rustyline::history::History;
    use rustyline::sqlite_history::SQLiteHistory;
    use tempfile::TempDir;

    use super::*;

    fn opened(folder: &TempDir) -> Cells {
        Cells::at(&folder.path().join("history.sqlite"), 100).expect("an empty folder")
    }

    fn run(cells: &mut Cells, code: &str, result: &str) -> Result<()> {
        let before = Wanted::Range { session: 0, start: 1, stop: None };
        let number = match cells.session {
            Some(_) => cells.lines(&before)?.len() + 1,
            None => 1,
        };
        let number = u32::try_from(number).expect("a few");
        cells.keep(number, code)?;
        cells.result(number, result)
    }

    fn codes(cells: &Cells, wanted: &Wanted<'_>) -> Result<Vec<String>> {
        Ok(cells.lines(wanted)?.into_iter().map(|line| line.code).collect())
    }

    #[test]
    fn the_last_lines_of_all_sessions_are_found() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = opened(&folder);
        for (code, result) in [("a = 1", ""), ("b", "7"), ("a = 2", ""), ("b", "8")] {
            run(&mut first, code, result)?;
        }
        let mut second = opened(&folder);
        run(&mut second, "a = 1", "")?;
        let tail = |most| Wanted::Last { pattern: "*", unique: false, most: Some(most) };
        assert_eq!(codes(&first, &tail(3))?, ["a = 2", "b", "a = 1"]);
        let found = |pattern, unique| Wanted::Last { pattern, unique, most: None };
        assert_eq!(codes(&second, &found("a*", false))?, ["a = 1", "a = 2", "a = 1"]);
        assert_eq!(codes(&second, &found("*", true))?, ["a = 2", "b", "a = 1"]);
        assert_eq!(codes(&second, &found("? = 2", true))?, ["a = 2"]);
        let last = second.lines(&found("b", true))?.pop().expect("one");
        assert_eq!((last.session, last.number, last.output.as_deref()), (1, 4, Some("8")));
        Ok(())
    }

    #[test]
    fn ranges_are_of_one_session() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut first = opened(&folder);
        for code in ["a", "b", "b", "c"] {
            run(&mut first, code, "")?;
        }
        let range = |session, start, stop| Wanted::Range { session, start, stop };
        assert_eq!(codes(&first, &range(0, 1, Some(4)))?, ["a", "b", "b"]);
        let mut second = opened(&folder);
        assert_eq!(codes(&second, &range(0, 1, None))?, [""; 0]);
        assert_eq!(codes(&second, &range(-1, 4, None))?, ["c"]);
        run(&mut second, "d", "")?;
        assert_eq!(codes(&second, &range(-1, 4, None))?, ["c"]);
        assert_eq!(codes(&first, &range(2, 0, None))?, ["d"]);
        Ok(())
    }

    #[test]
    fn what_was_typed_at_a_prompt_is_found_and_the_other_way_round() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut cells = opened(&folder);
        let config = Config::default();
        let path = folder.path().join("history.sqlite");
        let mut prompt = SQLiteHistory::open(&config, &path).expect("a file with tables");
        prompt.add("typed").expect("a file");
        run(&mut cells, "of a kernel\n", "")?;
        let lines = cells.lines(&Wanted::Last { pattern: "*", unique: false, most: None })?;
        let codes: Vec<&str> = lines.iter().map(|line| line.code.as_str()).collect();
        assert_eq!(codes, ["typed", "of a kernel\n"]);
        let prompt = SQLiteHistory::open(&config, &path).expect("a file with tables");
        let last = prompt.get(prompt.len() - 1, rustyline::history::SearchDirection::Reverse);
        assert_eq!(last.expect("a file").expect("an entry").entry, "of a kernel");
        Ok(())
    }

    #[test]
    fn only_the_last_cells_are_kept() -> Result<()> {
        let folder = tempfile::tempdir().expect("a folder");
        let mut cells = opened(&folder);
        for code in ["a", "b", "c"] {
            run(&mut cells, code, "")?;
        }
        let path = folder.path().join("history.sqlite");
        let cells = Cells::at(&path, 2).expect("a file");
        let all = Wanted::Range { session: 1, start: 0, stop: None };
        assert_eq!(codes(&cells, &all)?, ["b", "c"]);
        Ok(())
    }
}
