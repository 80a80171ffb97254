//! The folder of one run.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};

use crate::Map;
use crate::error::{Error, Result};
use crate::files;
use crate::metrics;

/// The version of what is written.
pub const FORMAT: i64 = 1;

/// How far a run is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum State {
    /// It has not begun, or is to begin again from its checkpoint.
    #[default]
    Waiting,
    /// It is being computed, or its process was killed.
    Running,
    /// It has come to its end.
    Done,
    /// It has ended with an error, a limit or a crash.
    Failed,
    /// It was ended early because others were better.
    Pruned,
}

impl State {
    /// All of them.
    pub const ALL: [State; 5] =
        [State::Waiting, State::Running, State::Done, State::Failed, State::Pruned];

    /// As it is written.
    pub fn name(self) -> &'static str {
        match self {
            State::Waiting => "waiting",
            State::Running => "running",
            State::Done => "done",
            State::Failed => "failed",
            State::Pruned => "pruned",
        }
    }

    /// What [`State::name`] gives.
    pub fn parse(name: &str) -> Option<State> {
        State::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing is left to be computed.
    pub fn is_final(self) -> bool {
        matches!(self, State::Done | State::Failed | State::Pruned)
    }
}

/// `config.json`: what is run.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Config {
    /// [`FORMAT`].
    pub format: i64,
    /// The script's path.
    pub script: PathBuf,
    /// All parameters with their values, as the script declares them; empty before it has done so.
    pub params: Map,
}

/// `status.json`: how it ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// How far it is.
    pub state: State,
    /// What it reported.
    pub result: Option<Map>,
    /// Why it failed, in a line or more.
    pub error: Option<String>,
    /// When it began first, in seconds since 1970.
    pub started: f64,
    /// When it ended.
    pub ended: Option<f64>,
    /// How often it was begun.
    pub attempts: u32,
}

/// The folder of a run.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    folder: PathBuf,
}

impl Run {
    /// The run in this folder, whether it is there or not.
    pub fn at(folder: &Path) -> Run {
        Run { folder: folder.to_owned() }
    }

    /// Its folder.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Whether there is one.
    pub fn exists(&self) -> bool {
        self.file("config.json").is_file() || self.file("status.json").is_file()
    }

    /// A file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    /// What it logs for TensorBoard: the file that there is, or one of now.
    pub fn events(&self) -> PathBuf {
        const NAME: &str = "events.out.tfevents.";
        let files = std::fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut known: Vec<PathBuf> = files
            .filter(|file| file.file_name().to_string_lossy().starts_with(NAME))
            .map(|file| file.path())
            .collect();
        known.sort();
        known.pop().unwrap_or_else(|| self.file(&format!("{NAME}{}.flambeau", crate::now() as u64)))
    }

    /// Where it says what it came to.
    pub fn result(&self) -> PathBuf {
        self.file("result.json")
    }

    /// Where checkpoints are.
    pub fn checkpoints(&self) -> PathBuf {
        self.file("checkpoints")
    }

    /// What is run; nothing before it has begun.
    ///
    /// # Errors
    /// A file that is damaged or of another version.
    pub fn config(&self) -> Result<Option<Config>> {
        let path = self.file("config.json");
        let config: Option<Config> = files::read_json(&path)?;
        match &config {
            Some(Config { format, .. }) if *format != FORMAT => {
                Err(Error::Format { path, found: *format, expected: FORMAT })
            }
            _ => Ok(config),
        }
    }

    /// How it ended; nothing before it has begun.
    ///
    /// # Errors
    /// A file that is damaged.
    pub fn status(&self) -> Result<Option<Status>> {
        files::read_json(&self.file("status.json"))
    }

    /// What it logged.
    ///
    /// # Errors
    /// As [`metrics::read`].
    pub fn metrics(&self) -> Result<Vec<Map>> {
        metrics::read(&self.file("metrics.jsonl"))
    }
}
