//! The guard of one trial.

use std::fs::File;
use std::io::Read;
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::pipe::{PipeFlags, pipe_with};
use rustix::process::{
    Pid, PidfdFlags, Signal, WaitOptions, getpid, getppid, kill_process, pidfd_open,
    set_child_subreaper, set_parent_process_death_signal, setsid, wait, waitpid,
};

use super::fork::{fork, set_variable};
use super::log::Log;
use super::watch::{descendants, kill_descendants, memory};
use super::{Cause, Exit, Task, run};

/// How often time and memory are looked at.
const LOOK: Duration = Duration::from_millis(100);
/// How much is read at once.
const CHUNK: usize = 64 << 10;
/// Memory that a trial may hold beyond what its script is allowed: the library's own, and some for a surge.
const ROOM: u64 = 512 << 20;

/// How the trial's process is made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Birth {
    /// This process forks, with what it has opened.
    Fork,
    /// A new process of the program.
    New,
}

/// Runs a task in a process of its own and waits for its end.
pub fn guard(task: &Task, birth: Birth) -> Exit {
    let exit = Exit { trial: task.trial, ..Exit::default() };
    match watched(task, birth) {
        Ok(exit) => exit,
        Err(error) => Exit { problem: Some(error.to_string()), ..exit },
    }
}

fn watched(task: &Task, birth: Birth) -> std::io::Result<Exit> {
    // Ctrl-C at the terminal is the sweep's.
    let _ = setsid();
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // What the trial leaves behind becomes ours.
    set_child_subreaper(Some(getpid()))?;
    let told = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(signal_hook::consts::SIGTERM, told.clone())?;
    let (reader, writer) = pipe_with(PipeFlags::CLOEXEC)?;
    let mut log = Log::open(&task.experiment.folder.join("log"), task.max_log);
    let Some(trial) = fork()? else { become_trial(task, birth, writer) };
    drop(writer);
    rustix::io::ioctl_fionbio(&reader, true)?;
    let ended = pidfd_open(trial, PidfdFlags::empty())?;
    let mut printed = File::from(reader);
    let mut cause = None;
    let deadline = task.timeout.map(|seconds| Instant::now() + Duration::from_secs_f64(seconds));
    let allowed =
        task.limits.max_memory.map(|bytes| bytes.saturating_add(bytes / 4).saturating_add(ROOM));
    let mut looked = Instant::now();
    loop {
        let mut ready = [PollFd::new(&printed, PollFlags::IN), PollFd::new(&ended, PollFlags::IN)];
        let patience = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as _ };
        // A signal ends the wait too.
        let _ = poll(&mut ready, Some(&patience));
        let is_over = !ready[1].revents().is_empty();
        take(&mut printed, &mut log);
        if is_over {
            // What its children say from now on is lost with them.
            break;
        }
        if cause.is_some() || looked.elapsed() < LOOK && !told.load(Ordering::SeqCst) {
            continue;
        }
        looked = Instant::now();
        cause = if told.load(Ordering::SeqCst) {
            Some(Cause::Killed)
        } else if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
            Some(Cause::Timeout)
        } else if allowed.is_some_and(|allowed| held() > allowed) {
            Some(Cause::Memory)
        } else {
            None
        };
        if cause.is_some() {
            kill_process(trial, Signal::KILL)?;
        }
    }
    let status = waitpid(Some(trial), WaitOptions::empty())?.map(|(_, status)| status);
    kill_descendants(getpid());
    while let Ok(Some(_)) = wait(WaitOptions::NOHANG) {}
    take(&mut printed, &mut log);
    Ok(Exit {
        trial: task.trial,
        code: status.and_then(|status| status.exit_status()),
        signal: status.and_then(|status| status.terminating_signal()),
        cause,
        problem: None,
    })
}

/// Takes what has been printed.
fn take(printed: &mut File, log: &mut Log) {
    let mut chunk = vec![0; CHUNK];
    while let Ok(length @ 1..) = printed.read(&mut chunk) {
        log.write(&chunk[..length]);
        if length < CHUNK {
            return;
        }
    }
}

/// Bytes that the trial and all its processes hold.
fn held() -> u64 {
    descendants(getpid()).into_iter().map(memory).sum()
}

/// What the forked process does; it does not return.
fn become_trial(task: &Task, birth: Birth, output: OwnedFd) -> ! {
    let code = match prepare(task, output) {
        Err(error) => {
            eprintln!("flambeau: the trial cannot begin: {error}");
            crate::problem::exit::USAGE
        }
        Ok(()) if birth == Birth::Fork => run(task),
        Ok(()) => {
            let task = serde_json::to_string(task).unwrap_or_default();
            let program = std::env::current_exe().unwrap_or_default();
            let error = Command::new(&program).arg("trial").arg(task).exec();
            eprintln!("flambeau: cannot run {}: {error}", program.display());
            crate::problem::exit::USAGE
        }
    };
    crate::signal::leave(code)
}

fn prepare(task: &Task, output: OwnedFd) -> std::io::Result<()> {
    set_parent_process_death_signal(Some(Signal::KILL))?;
    // It may have died before that.
    if getppid().is_none_or(|parent| parent == Pid::INIT) {
        return Err(std::io::Error::other("its guard has gone"));
    }
    rustix::stdio::dup2_stdin(File::open("/dev/null")?)?;
    rustix::stdio::dup2_stdout(&output)?;
    rustix::stdio::dup2_stderr(&output)?;
    if let Some(devices) = &task.devices {
        set_variable("CUDA_VISIBLE_DEVICES", devices)?;
    }
    if let Some(threads) = task.threads {
        // For libraries that Python opens, and for processes that the script starts.
        for name in ["OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS"] {
            set_variable(name, &threads.to_string())?;
        }
    }
    Ok(())
}
