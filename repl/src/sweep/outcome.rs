//! What became of a trial: what its folder says, and what is known of its process.

use std::path::Path;

use flambeau_experiments::{Result, State, Status, Trial, files, now};

use crate::trial::{Cause, Exit};

/// How much of a log is told where nothing else is known.
const LINES: usize = 5;

/// Keeps what the folder says.
pub fn take(trial: &mut Trial, status: Status) {
    trial.state = status.state;
    trial.result = status.result;
    trial.error = status.error;
    trial.ended = status.ended;
}

/// Keeps what came of a trial whose process has ended. `pruned` is why it was ended early; `stopped` whether the user
/// wanted all to end now.
///
/// # Errors
/// A folder that cannot be read or written.
pub fn settle(
    trial: &mut Trial,
    out: &Path,
    exit: &Exit,
    pruned: Option<String>,
    stopped: bool,
) -> Result<()> {
    let run = trial.run(out);
    // A damaged file says as much as none.
    let known = run.status().unwrap_or_default();
    let mut status = known.clone().unwrap_or_default();
    match (status.state, pruned) {
        (State::Done | State::Failed, _) => {}
        (_, Some(why)) => {
            status.state = State::Pruned;
            status.error = Some(why);
        }
        (State::Waiting, None) if exit.code == Some(0) => {}
        _ if exit.cause == Some(Cause::Killed) || stopped => status.state = State::Waiting,
        _ => {
            status.state = State::Failed;
            status.error = Some(why(exit, &run.file("log")));
        }
    }
    status.ended = status.ended.or_else(|| Some(now()));
    if known.is_none() {
        status.started = trial.started.unwrap_or_default();
        status.attempts = trial.attempts;
    }
    if status.result.is_none() {
        status.result = files::read_json(&run.result()).unwrap_or_default();
    }
    if known.as_ref() != Some(&status) {
        files::write_json(&run.file("status.json"), &status)?;
    }
    take(trial, status);
    Ok(())
}

/// Why a process ended that has not said so itself.
fn why(exit: &Exit, log: &Path) -> String {
    let said = match (exit.cause, exit.signal, exit.code, &exit.problem) {
        (_, _, _, Some(problem)) => format!("it could not begin: {problem}"),
        (Some(Cause::Timeout), ..) => "it ran longer than --timeout allows".to_owned(),
        (Some(Cause::Memory), ..) => "it held more memory than --max-memory allows".to_owned(),
        (Some(Cause::Lost | Cause::Killed), ..) => "its process was killed".to_owned(),
        (_, Some(signal), ..) => match signal_hook::low_level::signal_name(signal) {
            Some(name) => format!("its process was ended by {name}"),
            None => format!("its process was ended by signal {signal}"),
        },
        (_, _, Some(code), _) => format!("its process ended with {code} before the script did"),
        _ => "its process has gone".to_owned(),
    };
    let log = std::fs::read(log).unwrap_or_default();
    let text = String::from_utf8_lossy(&log[log.len().saturating_sub(4096)..]).into_owned();
    let lines: Vec<&str> = text.lines().collect();
    let last = lines[lines.len().saturating_sub(LINES)..].join("\n");
    if last.trim().is_empty() {
        said
    } else {
        format!("{said}; the last lines of its log:\n{last}")
    }
}
