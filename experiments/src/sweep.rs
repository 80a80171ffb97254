//! What a folder holds: the trials of a sweep, or one run, which is read as a sweep of one.

use std::cmp::Ordering;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::error::{Error, Result};
use crate::files;
use crate::run::{FORMAT, Run, State};
use crate::store::{Store, Trial};

/// The parameter that tells trials of a group apart: they are otherwise the same.
pub const SEED: &str = "seed";

/// Which values of a metric are good.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Goal {
    /// Small ones, as of a loss.
    Min,
    /// Great ones, as of an accuracy.
    Max,
}

impl Goal {
    /// What a metric of this name is for, where nobody has said.
    pub fn guess(metric: &str) -> Goal {
        const SMALL: [&str; 6] = ["loss", "error", "perplexity", "nll", "mse", "mae"];
        let name = metric.to_lowercase();
        if SMALL.iter().any(|small| name.contains(small)) { Goal::Min } else { Goal::Max }
    }

    /// The order in which the best comes first.
    pub fn best_first(self) -> Ordering {
        match self {
            Goal::Min => Ordering::Less,
            Goal::Max => Ordering::Greater,
        }
    }
}

/// `sweep.json`, as far as it is read here.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Asked {
    format: Option<i64>,
    script: Option<PathBuf>,
    metric: Option<String>,
    goal: Option<Goal>,
    varied: Vec<String>,
}

/// The trials of a folder.
#[derive(Clone, Debug)]
pub struct Sweep {
    /// Where it lies.
    pub folder: PathBuf,
    /// The script that is run, where that is known.
    pub script: Option<PathBuf>,
    /// What it is about.
    pub metric: Option<String>,
    /// Which values of it are good.
    pub goal: Option<Goal>,
    /// Parameters that it varies, in the order in which that was asked for.
    pub varied: Vec<String>,
    /// By number, with all their parameters as far as they are known.
    pub trials: Vec<Trial>,
    /// Whether it is one run, without a table.
    pub is_run: bool,
}

impl Sweep {
    /// Reads a folder.
    ///
    /// # Errors
    /// One that holds neither a sweep nor a run, a file that is damaged or of another version.
    pub fn open(folder: &Path) -> Result<Sweep> {
        if Store::exists(folder) {
            return Sweep::of_table(folder);
        }
        if let Err(error) = fs::read_dir(folder) {
            return Err(Error::file(folder, &error));
        }
        Sweep::of_run(folder)
    }

    /// What is in a folder: itself, or all that lie directly in it, by name.
    ///
    /// # Errors
    /// As [`Sweep::open`].
    pub fn find(folder: &Path) -> Result<Vec<Sweep>> {
        let none = match Sweep::open(folder) {
            Err(none @ Error::NoRun(_)) => none,
            found => return found.map(|sweep| vec![sweep]),
        };
        let found = Sweep::within(folder)?;
        let sweeps = found.iter().map(|folder| Sweep::open(folder)).collect::<Result<Vec<_>>>()?;
        if sweeps.is_empty() { Err(none) } else { Ok(sweeps) }
    }

    /// The folders of sweeps and runs directly in a folder, by name.
    ///
    /// # Errors
    /// A folder that cannot be read.
    pub fn within(folder: &Path) -> Result<Vec<PathBuf>> {
        let entries = fs::read_dir(folder).map_err(|error| Error::file(folder, &error))?;
        let folders = entries.filter_map(|entry| entry.ok().map(|entry| entry.path()));
        let mut found: Vec<PathBuf> =
            folders.filter(|path| Store::exists(path) || Run::at(path).exists()).collect();
        found.sort();
        Ok(found)
    }

    fn of_table(folder: &Path) -> Result<Sweep> {
        let path = folder.join("sweep.json");
        let asked: Asked = files::read_json(&path)?.unwrap_or_default();
        if let Some(found) = asked.format.filter(|&format| format != FORMAT) {
            return Err(Error::Format { path, found, expected: FORMAT });
        }
        let mut trials = Store::open(folder)?.trials()?;
        let locked = files::is_locked(folder);
        for trial in &mut trials {
            trial.state = seen(trial.state, locked);
            // What the script declares beside what the trial was given.
            if let Some(config) = trial.run(folder).config()? {
                for (name, value) in config.params {
                    trial.params.entry(name).or_insert(value);
                }
            }
        }
        let Asked { script, metric, goal, varied, .. } = asked;
        let folder = folder.to_owned();
        Ok(Sweep { folder, script, metric, goal, varied, trials, is_run: false })
    }

    fn of_run(folder: &Path) -> Result<Sweep> {
        let run = Run::at(folder);
        let (config, status) = (run.config()?, run.status()?);
        if config.is_none() && status.is_none() {
            return Err(Error::NoRun(folder.to_owned()));
        }
        let config = config.unwrap_or_default();
        let status = status.unwrap_or_default();
        let state = seen(status.state, files::is_locked(folder));
        let trial = Trial {
            id: 1,
            params: config.params,
            state,
            attempts: status.attempts,
            result: status.result,
            error: status.error,
            started: (status.started > 0.0).then_some(status.started),
            ended: status.ended,
        };
        Ok(Sweep {
            folder: folder.to_owned(),
            script: Some(config.script).filter(|script| !script.as_os_str().is_empty()),
            metric: None,
            goal: None,
            varied: Vec::new(),
            trials: vec![trial],
            is_run: true,
        })
    }

    /// The folder of one of its trials.
    pub fn run(&self, trial: &Trial) -> Run {
        if self.is_run { Run::at(&self.folder) } else { trial.run(&self.folder) }
    }

    /// What it is called: its folder.
    pub fn name(&self) -> String {
        let absolute = self.folder.canonicalize().unwrap_or_else(|_| self.folder.clone());
        let name = absolute.file_name().map(|name| name.to_string_lossy().into_owned());
        name.unwrap_or_else(|| absolute.display().to_string())
    }

    /// Which values of a metric are good: as it was asked for, else told by the metric's name.
    pub fn goal(&self, metric: &str) -> Goal {
        let asked = self.goal.filter(|_| self.metric.as_deref() == Some(metric));
        asked.unwrap_or_else(|| Goal::guess(metric))
    }
}

/// How far a trial is: what is said to run, and nobody works on it, was killed and waits to be gone on with.
fn seen(state: State, locked: bool) -> State {
    if state == State::Running && !locked { State::Waiting } else { state }
}

/// The parameters in which trials differ: first as they were asked for, the others by name, the seed at the end.
pub fn varied(sweeps: &[Sweep]) -> Vec<String> {
    let mut names: Vec<String> = Vec::new();
    for name in sweeps.iter().flat_map(|sweep| &sweep.varied) {
        if !names.contains(name) {
            names.push(name.clone());
        }
    }
    let trials = || sweeps.iter().flat_map(|sweep| &sweep.trials);
    let known: BTreeSet<&String> = trials().flat_map(|trial| trial.params.keys()).collect();
    for name in known {
        // A trial that has not begun does not know yet what its script declares.
        let values: BTreeSet<String> =
            trials().filter_map(|trial| trial.params.get(name)).map(Value::to_string).collect();
        if values.len() > 1 && !names.contains(name) {
            names.push(name.clone());
        }
    }
    // A stable sort: only the seed moves.
    names.sort_by_key(|name| name == SEED);
    names
}

/// The files that reading a folder opens: for those who must be asked first.
pub fn files(folder: &Path) -> Vec<PathBuf> {
    fn of(folder: &Path, deep: bool, files: &mut Vec<PathBuf>) {
        let names =
            ["sweep.db", "sweep.json", "config.json", "status.json", "metrics.jsonl", "trials"];
        files.extend(names.map(|name| folder.join(name)));
        let within = |folder: &Path| -> Vec<PathBuf> {
            let entries = fs::read_dir(folder).into_iter().flatten().flatten();
            entries.map(|entry| entry.path()).filter(|path| path.is_dir()).collect()
        };
        for run in within(&folder.join("trials")) {
            of(&run, false, files);
        }
        if deep && !Store::exists(folder) && !Run::at(folder).exists() {
            for sweep in within(folder) {
                of(&sweep, false, files);
            }
        }
    }
    let mut files = Vec::new();
    of(folder, true, &mut files);
    files.retain(|path| path.symlink_metadata().is_ok());
    files
}
