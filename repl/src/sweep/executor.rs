//! Who executes trials. A sweep knows what is to be run and what came of it; where that happens is an executor's affair.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc::Sender;
use std::thread;

use super::Happening;
use crate::cli::Shared;
use crate::problem::Problem;
use crate::trial::Task;
use crate::trial::nursery::{Answer, Order};

/// Executes trials somewhere. What becomes of them it tells as [`Happening::Ended`], once for each that was begun.
pub trait Executor {
    /// Begins a trial.
    ///
    /// # Errors
    /// When it can begin none at all any more.
    fn begin(&mut self, task: &Task) -> Result<(), Problem>;

    /// Ends a trial now.
    fn kill(&mut self, trial: i64);
}

/// Executes trials on this machine, by a nursery.
pub struct Local {
    nursery: Child,
    orders: Option<ChildStdin>,
}

impl Local {
    /// Starts the nursery; also why trials are new processes, where they are.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(
        spawn: bool,
        folder: &Path,
        shared: &Shared,
        happenings: Sender<Happening>,
    ) -> Result<(Local, Option<String>), Problem> {
        let failed =
            |cause: String| Problem::EngineFailed(format!("no process for trials: {cause}"));
        let program = std::env::current_exe().map_err(|error| failed(error.to_string()))?;
        let mut command = Command::new(program);
        command.arg("nursery").arg(folder).stdin(Stdio::piped()).stdout(Stdio::piped());
        if spawn {
            command.arg("--spawn");
        }
        if let Some(env) = &shared.env {
            command.arg("--env").arg(env);
        }
        let mut nursery = command.spawn().map_err(|error| failed(error.to_string()))?;
        let (orders, answers) = (nursery.stdin.take(), nursery.stdout.take());
        let mut answers =
            answers.map(BufReader::new).ok_or_else(|| failed("it has no output".to_owned()))?;
        let mut line = String::new();
        answers.read_line(&mut line).map_err(|error| failed(error.to_string()))?;
        let why = match serde_json::from_str(&line) {
            Ok(Answer::Ready(why)) => why,
            _ => return Err(failed("it did not begin".to_owned())),
        };
        let read = move || {
            for line in answers.lines().map_while(Result::ok) {
                if let Ok(Answer::Ended(exit)) = serde_json::from_str(&line)
                    && happenings.send(Happening::Ended(exit)).is_err()
                {
                    return;
                }
            }
            // Nobody listens any more once the sweep has ended.
            let _ = happenings.send(Happening::Gone);
        };
        let begun = thread::Builder::new().name("flambeau trials".to_owned()).spawn(read);
        begun.map_err(|error| failed(error.to_string()))?;
        Ok((Local { nursery, orders }, why))
    }

    fn order(&mut self, order: &Order) -> Result<(), Problem> {
        let failed = |error: std::io::Error| {
            Problem::EngineFailed(format!("the process of the trials has gone: {error}"))
        };
        let mut line =
            serde_json::to_vec(order).map_err(|error| Problem::Task(error.to_string()))?;
        line.push(b'\n');
        match &mut self.orders {
            Some(orders) => orders.write_all(&line).map_err(failed),
            None => Ok(()),
        }
    }
}

impl Executor for Local {
    fn begin(&mut self, task: &Task) -> Result<(), Problem> {
        self.order(&Order::Begin(Box::new(task.clone())))
    }

    fn kill(&mut self, trial: i64) {
        // Where it has gone its trials have too.
        let _ = self.order(&Order::Kill(trial));
    }
}

impl Drop for Local {
    fn drop(&mut self) {
        // It ends with its input.
        self.orders = None;
        let _ = self.nursery.wait();
    }
}
