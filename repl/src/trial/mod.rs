//! One trial of a sweep, from what is to be run to how it ended: the processes that it is made of.
//!
//! ```text
//! sweep ── nursery ── guard ── trial
//!                  ╰─ guard ── trial
//! ```
//!
//! The *nursery* has opened libtorch and the engine library and done nothing else: no thread, no interpreter, no CUDA. It
//! forks a *guard* for each trial, which forks the trial itself, so a trial begins in milliseconds and none can harm another.
//! A guard takes what its trial prints, ends it when its time or memory is up, and ends whatever it leaves behind. Where the
//! libraries cannot be opened before a fork, a trial is a new process instead.
//!
//! Whoever dies takes those below along: a guard is told by the system when its nursery is gone, a trial when its guard is.

mod fork;
mod guard;
mod log;
pub mod nursery;
mod watch;

use std::path::PathBuf;
use std::time::Duration;

use flambeau_protocol::{Experiment, Limits, Permissions};
use serde::{Deserialize, Serialize};

use crate::cli::{Color, Shared};
use crate::environment::Places;
use crate::extension;
use crate::problem::Problem;
use crate::record::{Opened, Recording};
use crate::run::{self, Job};
use crate::signal::Interrupts;
use crate::source::Source;

/// How long is waited for a process of an earlier sweep that is about to end.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is to be run, and within which limits. It names files and numbers only, so it can be run anywhere.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// The trial's number.
    pub trial: i64,
    /// Its folder, script, parameters, and who leads it.
    pub experiment: Experiment,
    /// What its script may reach.
    pub permissions: Permissions,
    /// When its evaluation is ended.
    pub limits: Limits,
    /// Seconds after which its processes are ended.
    pub timeout: Option<f64>,
    /// Bytes of its log that are kept.
    pub max_log: u64,
    /// How many threads an operator may use.
    pub threads: Option<usize>,
    /// The CUDA devices that it sees, as `CUDA_VISIBLE_DEVICES` names them; all of them if absent.
    pub devices: Option<String>,
    /// The Python environment.
    pub env: Option<PathBuf>,
}

/// Why a trial was ended from outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// Its time was up.
    Timeout,
    /// It held too much memory.
    Memory,
    /// It was asked for.
    Killed,
    /// Its guard was killed.
    Lost,
}

/// How the process of a trial ended.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Exit {
    /// The trial's number.
    pub trial: i64,
    /// What it ended with, where it ended by itself.
    pub code: Option<i32>,
    /// The signal that ended it.
    pub signal: Option<i32>,
    /// Why, where it was ended from outside.
    pub cause: Option<Cause>,
    /// Why it could not begin.
    pub problem: Option<String>,
}

/// Runs a trial in this process: what the process is to end with.
fn run(task: &Task) -> u8 {
    let outcome = evaluate(task);
    outcome.unwrap_or_else(|problem| {
        eprintln!("flambeau: {problem}");
        problem.exit_code()
    })
}

fn evaluate(task: &Task) -> Result<u8, Problem> {
    let interrupts =
        Interrupts::watch().map_err(|error| Problem::EngineFailed(error.to_string()))?;
    let source = Source::read(&task.experiment.script)?;
    // Before anything is written: it would be written twice.
    let places = Places::around(task.env.as_deref(), Some(&source.folder));
    extension::move_in_if_needed(&Places { sandbox: task.permissions.sandbox, ..places })?;
    match Recording::open(task.experiment.clone(), PATIENCE)? {
        Opened::Ended(_) => Ok(crate::problem::exit::OK),
        Opened::Begun(recording) => {
            let job = Job {
                permissions: task.permissions.clone(),
                limits: task.limits,
                threads: task.threads,
                recording: Some(*recording),
                ..Job::default()
            };
            let shared = Shared { env: task.env.clone(), color: Color::Never };
            run::evaluate(source, job, &shared, &interrupts)
        }
    }
}

/// Runs the trial of a task that is given as JSON, for a process of its own.
///
/// # Errors
/// What is wrong with the task.
pub fn run_given(task: &str) -> Result<u8, Problem> {
    let task = serde_json::from_str(task).map_err(|error| Problem::Task(error.to_string()))?;
    Ok(run(&task))
}
