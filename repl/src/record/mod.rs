//! Runs that are recorded in a folder: what is written before the script begins and after it has ended.

pub mod facts;

use std::fs::{File, TryLockError};
use std::path::Path;
use std::time::{Duration, Instant};

use flambeau_experiments::{self as experiments, Map, Run, State, Status, files, now};
use flambeau_protocol::{ErrorReport, Experiment};

use crate::problem::Problem;

/// How long is waited for processes that only look whether somebody has the folder.
pub const LOOKS: Duration = Duration::from_millis(200);
/// How often another process is looked for that still has the folder.
const LOOK: Duration = Duration::from_millis(20);

/// A run that is being recorded. Its folder is locked as long as this lives.
pub struct Recording {
    run: Run,
    /// What the engine is told.
    pub experiment: Experiment,
    status: Status,
    _lock: File,
}

/// What is found in the folder of a run.
pub enum Opened {
    /// Something is to be done.
    Begun(Box<Recording>),
    /// It has ended before.
    Ended(Status),
}

/// Locks the folder of a run or sweep for this process and those that it forks.
///
/// # Errors
/// A folder that cannot be written; `patience` later, another process that has it.
pub fn lock(folder: &Path, patience: Duration) -> Result<File, Problem> {
    let path = folder.join("lock");
    let cannot =
        |error: &std::io::Error| Problem::Experiment(experiments::Error::file(&path, error));
    let file = File::options().create(true).truncate(false).write(true).open(&path);
    let file = file.map_err(|error| cannot(&error))?;
    let began = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::Error(error)) => return Err(cannot(&error)),
            Err(_) if began.elapsed() < patience => std::thread::sleep(LOOK),
            Err(_) => return Err(Problem::InUse(folder.to_owned())),
        }
    }
}

impl Recording {
    /// Opens the folder of a run, which is made if it is not there.
    ///
    /// # Errors
    /// A folder that cannot be written, that holds something else, or that another process has.
    pub fn open(experiment: Experiment, patience: Duration) -> Result<Opened, Problem> {
        let folder = &experiment.folder;
        if experiments::Store::exists(folder) {
            return Err(Problem::IsSweep(folder.clone()));
        }
        files::make_folder(folder)?;
        let lock = lock(folder, patience)?;
        let run = Run::at(folder);
        files::clean(folder);
        files::clean(&run.checkpoints());
        let known = files::if_whole(run.status())?;
        if let Some(status) = &known
            && status.state == State::Done
        {
            return Ok(Opened::Ended(status.clone()));
        }
        let mut status = known.unwrap_or_default();
        if status.attempts == 0 {
            status.started = now();
        }
        status = Status {
            state: State::Running,
            attempts: status.attempts + 1,
            error: None,
            ended: None,
            result: None,
            ..status
        };
        files::write_json_lightly(&run.file("status.json"), &status)?;
        Ok(Opened::Begun(Box::new(Recording { run, experiment, status, _lock: lock })))
    }

    /// Its folder.
    pub fn run(&self) -> &Run {
        &self.run
    }

    /// Keeps how the script has ended.
    ///
    /// # Errors
    /// A full disk.
    pub fn ended(mut self, error: Option<&ErrorReport>) -> Result<State, Problem> {
        let status = &mut self.status;
        status.state = match error {
            None => State::Done,
            // It is to go on from its checkpoint, now or later.
            Some(error) if error.is_interrupt() || error.is_ended() => State::Waiting,
            Some(_) => State::Failed,
        };
        status.error =
            error.filter(|_| status.state == State::Failed).map(|error| error.plain.clone());
        status.ended = Some(now());
        status.result = files::if_whole(files::read_json::<Map>(&self.run.result()))?;
        files::write_json(&self.run.file("status.json"), status)?;
        Ok(status.state)
    }
}
