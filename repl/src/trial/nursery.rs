//! The nursery: a process that stands ready with libtorch opened and forks guards.
//!
//! It is told what to do by lines of JSON on standard input and answers by lines on standard output: `{"ready": BIRTH}`
//! once, and an [`Exit`] for each trial. When its input ends it ends all trials and itself.

use std::collections::HashMap;
use std::io::{self, Read, Write};
use std::path::Path;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, Signal, WaitOptions, kill_process, wait};
use serde::{Deserialize, Serialize};

use super::fork::{fork, is_possible};
use super::guard::{Birth, guard};
use super::watch::kill_descendants;
use super::{Cause, Exit, Task};
use crate::cli::Shared;
use crate::engine;
use crate::environment::Places;
use crate::problem::{Problem, exit};
use crate::start::open;

/// How often is looked whether a guard was killed.
const LOOK: Duration = Duration::from_millis(50);
/// What a guard ends with that has said how its trial ended.
const TOLD: i32 = 0;

/// What the nursery is told.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Order {
    /// Run this.
    Begin(Box<Task>),
    /// End the trial of this number.
    Kill(i64),
}

/// What it answers.
#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    /// It takes orders; why trials are new processes, where they are.
    Ready(Option<String>),
    /// A trial has ended.
    Ended(Exit),
}

/// Serves until its input ends.
///
/// # Errors
/// What the system says of its streams.
pub fn serve(fork_trials: bool, folder: &Path, shared: &Shared) -> Result<u8, Problem> {
    let failed = |error: io::Error| Problem::EngineFailed(error.to_string());
    // Ctrl-C at the terminal is the sweep's.
    let _ = rustix::process::setsid();
    let why = if fork_trials { warm(folder, shared).err() } else { Some("--spawn".to_owned()) };
    let birth = if why.is_none() { Birth::Fork } else { Birth::New };
    say(&Answer::Ready(why)).map_err(failed)?;
    let mut guards: HashMap<Pid, i64> = HashMap::new();
    let mut waiting = Vec::new();
    let input = io::stdin();
    loop {
        let patience = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as _ };
        let mut ready = [PollFd::new(&input, PollFlags::IN)];
        let idle = guards.is_empty();
        let _ = poll(&mut ready, if idle { None } else { Some(&patience) });
        if !ready[0].revents().is_empty() {
            let mut chunk = [0; 64 << 10];
            match io::stdin().lock().read(&mut chunk) {
                Ok(0) => break,
                Ok(length) => waiting.extend_from_slice(&chunk[..length]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(_) => break,
            }
        }
        while let Some(end) = waiting.iter().position(|&byte| byte == b'\n') {
            let line: Vec<u8> = waiting.drain(..=end).collect();
            match serde_json::from_slice(&line) {
                Ok(Order::Begin(task)) => {
                    let trial = task.trial;
                    match fork() {
                        Ok(Some(guard)) => drop(guards.insert(guard, trial)),
                        Ok(None) => crate::signal::leave(be_guard(&task, birth)),
                        Err(error) => {
                            let problem = Some(error.to_string());
                            say(&Answer::Ended(Exit { trial, problem, ..Exit::default() }))
                                .map_err(failed)?;
                        }
                    }
                }
                Ok(Order::Kill(trial)) => {
                    for (&guard, _) in guards.iter().filter(|(_, of)| **of == trial) {
                        // It may have ended.
                        let _ = kill_process(guard, Signal::TERM);
                    }
                }
                Err(error) => return Err(Problem::Task(error.to_string())),
            }
        }
        while let Ok(Some((pid, status))) = wait(WaitOptions::NOHANG) {
            let Some(trial) = guards.remove(&pid) else { continue };
            if status.exit_status() != Some(TOLD) {
                let exit = Exit { trial, cause: Some(Cause::Lost), ..Exit::default() };
                say(&Answer::Ended(exit)).map_err(failed)?;
            }
        }
    }
    kill_descendants(rustix::process::getpid());
    Ok(exit::OK)
}

/// Opens what a trial needs; why trials cannot be forked, where that is so.
fn warm(folder: &Path, shared: &Shared) -> Result<(), String> {
    let library = engine::find_library().map_err(|problem| problem.to_string())?;
    let places = Places::around(shared.env.as_deref(), Some(folder));
    open(&places, false).map_err(|problem| problem.to_string())?;
    engine::preload(&library).map_err(|problem| problem.to_string())?;
    match is_possible() {
        true => Ok(()),
        false => Err("a library has begun a thread".to_owned()),
    }
}

/// The guard's process: what it ends with.
fn be_guard(task: &Task, birth: Birth) -> u8 {
    let exit = guard(task, birth);
    match say(&Answer::Ended(exit)) {
        Ok(()) => TOLD as u8,
        Err(_) => exit::SCRIPT,
    }
}

/// Says a line, in one write: guards share the stream.
fn say(answer: &Answer) -> io::Result<()> {
    let mut line = serde_json::to_vec(answer)?;
    line.push(b'\n');
    let mut output = io::stdout().lock();
    output.write_all(&line)?;
    output.flush()
}
