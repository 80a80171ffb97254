//! `flambeau runs`: what runs and sweeps have written, listed, compared, drawn, exported, removed. Nothing here needs the
//! engine: the answers come from the folders.

pub mod arguments;
mod compare;
mod export;
mod listing;
mod ls;
mod plot;
mod rm;
mod show;
mod tail;

use std::cmp::Ordering;
use std::path::Path;

use flambeau_experiments::{Error, Store, Sweep, Table, Trial};

use crate::cli::Shared;
use crate::problem::Problem;
use crate::progress;
use arguments::{Choice, Order, Runs};

/// Does what was asked.
///
/// # Errors
/// Folders without runs, damaged files, names that nothing has.
pub fn runs(command: &Runs, shared: &Shared) -> Result<u8, Problem> {
    match command {
        Runs::Ls(ls) => ls::ls(ls),
        Runs::Show(show) => show::show(show),
        Runs::Compare(compare) => compare::compare(compare),
        Runs::Plot(plot) => plot::plot(plot, shared),
        Runs::Tail(tail) => tail::tail(tail),
        Runs::Export(export) => export::export(export),
        Runs::Rm(rm) => rm::rm(rm),
    }
}

/// What is wrong, and what can be done.
fn problem(error: Error) -> Problem {
    let hint = match &error {
        Error::NoRun(_) => "; `flambeau run SCRIPT --out FOLDER` and `flambeau sweep` make one",
        Error::Damaged { path, .. } if Store::exists(path.parent().unwrap_or(path)) => {
            "; what the trials wrote is in the folder trials beside it"
        }
        Error::Damaged { path, .. }
            if path.components().any(|part| part.as_os_str() == "trials") =>
        {
            "; `flambeau runs rm OUT TRIAL` removes a trial"
        }
        _ => "",
    };
    Problem::Runs(format!("{error}{hint}"))
}

/// The sweeps and runs in the folders that were named.
fn sweeps(choice: &Choice) -> Result<Vec<Sweep>, Problem> {
    let mut sweeps = Vec::new();
    for out in &choice.out {
        sweeps.extend(Sweep::find(out).map_err(problem)?);
    }
    Ok(sweeps)
}

/// The trials that were chosen; of metrics that cannot be read it is told, and the others are there.
fn listed<'a>(sweeps: &'a [Sweep], choice: &Choice) -> Result<Table<'a>, Problem> {
    let mut table = chosen(sweeps, choice)?;
    for damaged in table.problems.drain(..) {
        eprintln!("flambeau: {damaged}");
    }
    Ok(table)
}

fn chosen<'a>(sweeps: &'a [Sweep], choice: &Choice) -> Result<Table<'a>, Problem> {
    let mut table = Table::of(sweeps);
    for (name, value) in &choice.conditions {
        table.retain(name, value).map_err(problem)?;
    }
    Ok(table)
}

/// The trials that were chosen, all of whose metrics can be read.
fn whole<'a>(sweeps: &'a [Sweep], choice: &Choice) -> Result<Table<'a>, Problem> {
    let mut table = chosen(sweeps, choice)?;
    match table.problems.pop() {
        Some(damaged) => Err(problem(damaged)),
        None => Ok(table),
    }
}

/// The one sweep or run of a folder.
fn sweep(out: &Path) -> Result<Sweep, Problem> {
    match Sweep::open(out) {
        Ok(sweep) => Ok(sweep),
        Err(none @ Error::NoRun(_)) => {
            let within = Sweep::within(out).unwrap_or_default();
            let names: Vec<String> =
                within.iter().take(8).map(|path| path.display().to_string()).collect();
            Err(match names.as_slice() {
                [] => problem(none),
                names => {
                    let more = if within.len() > names.len() { ", …" } else { "" };
                    let (out, names) = (out.display(), names.join(", "));
                    Problem::Runs(format!("{out} holds several runs, name one: {names}{more}"))
                }
            })
        }
        Err(error) => Err(problem(error)),
    }
}

/// A trial by its number.
fn trial(sweep: &Sweep, number: i64) -> Result<&Trial, Problem> {
    let found = sweep.trials.iter().find(|trial| trial.id == number);
    found.ok_or_else(|| {
        let there = match sweep.trials.as_slice() {
            [] => "it has none yet".to_owned(),
            [only] => format!("it has only trial {}", only.id),
            [first, .., last] => format!("it has {} to {}", first.id, last.id),
        };
        Problem::Runs(format!("{} has no trial {number}; {there}", sweep.folder.display()))
    })
}

impl Order {
    /// What was asked for, if anything was.
    fn ordering(&self) -> Option<Ordering> {
        match (self.asc, self.desc) {
            (true, _) => Some(Ordering::Less),
            (_, true) => Some(Ordering::Greater),
            _ => None,
        }
    }
}

/// How long something took.
fn duration(seconds: f64) -> String {
    if seconds < 60.0 { format!("{seconds:.1} s") } else { progress::clock(seconds) }
}
