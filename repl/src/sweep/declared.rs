//! What a script declares: it is run up to `params`, and no further.

use std::sync::mpsc::Receiver;

use flambeau_experiments::{Map, Run, State};
use flambeau_protocol::Experiment;

use super::Happening;
use super::executor::Executor;
use super::options::Settings;
use super::problem::SweepProblem;
use crate::problem::Problem;
use crate::trial::{Cause, Task};

/// Seconds until a script must have declared its parameters.
const PATIENCE: f64 = 120.0;
/// No trial of a sweep has this number.
const NUMBER: i64 = 0;

/// The parameters with their defaults.
///
/// # Errors
/// A script that declares none, or that fails before.
pub fn declared(
    settings: &Settings,
    executor: &mut dyn Executor,
    happenings: &Receiver<Happening>,
    task: &Task,
) -> Result<Map, Problem> {
    let path = settings.script.clone();
    let text = std::fs::read(&path).unwrap_or_default();
    // The whole script would be run.
    if !String::from_utf8_lossy(&text).contains("params") {
        return Err(SweepProblem::NoParams(path).into());
    }
    let folder = tempfile::tempdir().map_err(|error| Problem::EngineFailed(error.to_string()))?;
    let experiment = Experiment {
        folder: folder.path().to_owned(),
        script: path.clone(),
        params: Some("{}".to_owned()),
        declares: true,
        quiet: true,
        ..Experiment::default()
    };
    executor.begin(&Task { trial: NUMBER, experiment, timeout: Some(PATIENCE), ..task.clone() })?;
    let exit = loop {
        match happenings.recv() {
            Ok(Happening::Ended(exit)) => break exit,
            Ok(Happening::Interrupted) => {
                executor.kill(NUMBER);
                return Err(Problem::Interrupted);
            }
            Ok(Happening::Reached { .. }) => {}
            Ok(Happening::Gone) | Err(_) => {
                return Err(Problem::EngineFailed("the process of the trials has gone".to_owned()));
            }
        }
    };
    let run = Run::at(folder.path());
    if let Some(config) = run.config()? {
        return Ok(config.params);
    }
    let log = std::fs::read_to_string(run.file("log")).unwrap_or_default();
    let cause = match (run.status()?, exit.cause) {
        (_, Some(Cause::Timeout)) => format!("it took longer than {PATIENCE} s"),
        (Some(status), _) if status.state == State::Failed => status.error.unwrap_or_default(),
        (Some(status), _) if status.state == State::Done => {
            return Err(SweepProblem::NoParams(path).into());
        }
        _ => exit.problem.unwrap_or_else(|| log.trim().trim_start_matches("flambeau: ").to_owned()),
    };
    Err(SweepProblem::Fails { path, cause }.into())
}
