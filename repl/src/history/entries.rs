//! The file's entries for the editor of the prompt.

use std::path::Path;

use rustyline::history::{History, SearchDirection, SearchResult};
use rustyline::sqlite_history::SQLiteHistory;
use rustyline::{Config, Result};

use super::{NOWHERE, path, prepared};

/// How many of the entries of a file that cannot be written are still offered.
const CARRIED: usize = 1000;

/// The entries: in the file, or in memory where that cannot be had.
pub struct Entries {
    entries: SQLiteHistory,
    config: Config,
    /// What went wrong, until it has been told.
    trouble: Option<String>,
}

impl Entries {
    /// Opens the file of this user.
    ///
    /// # Errors
    /// Only where SQLite does not even work in memory.
    pub fn open(config: &Config) -> Result<Entries> {
        let (path, trouble) = match path() {
            Some(path) => match prepared(config, &path) {
                Ok(entries) => {
                    return Ok(Entries { entries, config: config.clone(), trouble: None });
                }
                Err(cause) => (path.display().to_string(), cause),
            },
            None => ("history".to_owned(), NOWHERE.to_owned()),
        };
        let entries = SQLiteHistory::with_config(config)?;
        let trouble = Some(format!("{path}: {trouble}; this session's history is not kept"));
        Ok(Entries { entries, config: config.clone(), trouble })
    }

    /// What went wrong since the last time this was asked.
    pub fn trouble(&mut self) -> Option<String> {
        self.trouble.take()
    }

    /// Goes on in memory with what can still be read.
    fn leave_file(&mut self, cause: &str) {
        let Ok(mut memory) = SQLiteHistory::with_config(&self.config) else { return };
        let len = self.entries.len();
        let mut next = len.saturating_sub(CARRIED);
        while next < len
            && let Ok(Some(found)) = self.entries.get(next, SearchDirection::Forward)
        {
            next = found.idx + 1;
            // What memory does not take is missing in the list.
            let _ = memory.add(&found.entry);
        }
        self.entries = memory;
        self.trouble = Some(format!("the history cannot be written: {cause}"));
    }
}

/// Searches that SQLite refuses, such as those for a quotation mark, find nothing: they must not end the line.
impl History for Entries {
    fn get(&self, index: usize, dir: SearchDirection) -> Result<Option<SearchResult<'_>>> {
        self.entries.get(index, dir).or(Ok(None))
    }

    fn add(&mut self, line: &str) -> Result<bool> {
        self.entries.add(line).or_else(|error| {
            self.leave_file(&error.to_string());
            self.entries.add(line)
        })
    }

    fn add_owned(&mut self, line: String) -> Result<bool> {
        self.add(&line)
    }

    fn len(&self) -> usize {
        self.entries.len()
    }

    fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    fn set_max_len(&mut self, len: usize) -> Result<()> {
        self.entries.set_max_len(len)
    }

    fn ignore_dups(&mut self, yes: bool) -> Result<()> {
        self.entries.ignore_dups(yes)
    }

    fn ignore_space(&mut self, yes: bool) {
        self.entries.ignore_space(yes);
    }

    fn save(&mut self, path: &Path) -> Result<()> {
        self.entries.save(path)
    }

    fn append(&mut self, path: &Path) -> Result<()> {
        self.entries.append(path)
    }

    fn load(&mut self, path: &Path) -> Result<()> {
        self.entries.load(path)
    }

    fn clear(&mut self) -> Result<()> {
        self.entries.clear()
    }

    fn search(
        &self,
        term: &str,
        start: usize,
        dir: SearchDirection,
    ) -> Result<Option<SearchResult<'_>>> {
        self.entries.search(term, start, dir).or(Ok(None))
    }

    fn starts_with(
        &self,
        term: &str,
        start: usize,
        dir: SearchDirection,
    ) -> Result<Option<SearchResult<'_>>> {
        self.entries.starts_with(term, start, dir).or(Ok(None))
    }
}
