//! `flambeau runs rm OUT [TRIAL…]`: removes what runs and sweeps have written, and nothing else.

use std::fs;
use std::io::{self, ErrorKind, IsTerminal, Write, stderr, stdin};
use std::path::Path;

use flambeau_experiments::{Error, Store, Sweep, remove};

use super::arguments::Rm;
use super::{problem, sweep, trial};
use crate::problem::{Problem, exit};
use crate::record::{LOOKS, lock};

/// Removes trials, a run or a sweep.
///
/// # Errors
/// As [`super::runs`]; a sweep that is running, an answer that is not yes.
pub fn rm(rm: &Rm) -> Result<u8, Problem> {
    if rm.out.is_symlink() {
        let (link, folder) = (rm.out.display(), fs::canonicalize(&rm.out).unwrap_or_default());
        let text = format!("{link} is a link; name the folder itself: {}", folder.display());
        return Err(Problem::Runs(text));
    }
    let sweep = sweep(&rm.out)?;
    if sweep.is_run && !rm.trials.is_empty() {
        let out = rm.out.display();
        let text =
            format!("{out} is a single run, without trials; `flambeau runs rm {out}` removes it");
        return Err(Problem::Runs(text));
    }
    for &number in &rm.trials {
        trial(&sweep, number)?;
    }
    // Held until all is done: no sweep begins meanwhile.
    let lock = lock(&rm.out, LOOKS)?;
    if !rm.yes && !confirmed(&question(rm, &sweep))? {
        return Ok(exit::SCRIPT);
    }
    let wrong = |path: &Path, error: &io::Error| problem(Error::file(path, error));
    if rm.trials.is_empty() {
        let left = remove::all(&sweep).map_err(problem)?;
        drop(lock);
        if !left.is_empty() {
            let (out, left) = (rm.out.display(), left.join(", "));
            eprintln!("flambeau: {out} stays, with what no run has written: {left}");
        }
        return Ok(exit::OK);
    }
    for &number in &rm.trials {
        let folder = sweep.run(trial(&sweep, number)?).folder().to_owned();
        match fs::remove_dir_all(&folder) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(wrong(&folder, &error));
            }
            _ => {}
        }
    }
    let mut store = Store::open(&rm.out).map_err(problem)?;
    store.remove(&rm.trials).map_err(problem)?;
    Ok(exit::OK)
}

fn question(rm: &Rm, sweep: &Sweep) -> String {
    let out = rm.out.display();
    match rm.trials.as_slice() {
        [] if sweep.is_run => format!("Remove the run {out}?"),
        [] => format!("Remove the sweep {out} with all its {}?", super::listing::states(sweep)),
        [one] => format!("Remove trial {one} of {out}?"),
        several => format!("Remove {} trials of {out}?", several.len()),
    }
}

/// Asks on the terminal.
fn confirmed(question: &str) -> Result<bool, Problem> {
    if !stdin().is_terminal() {
        let text = "nothing is removed without an answer; --yes removes without asking";
        return Err(Problem::Runs(text.to_owned()));
    }
    let mut error = stderr().lock();
    // Where it cannot be asked it is not answered with yes.
    let _ = write!(error, "{question} [y/N] ").and_then(|()| error.flush());
    let mut answer = String::new();
    let read = stdin().read_line(&mut answer).is_ok();
    Ok(read && ["y", "yes"].contains(&answer.trim().to_lowercase().as_str()))
}
