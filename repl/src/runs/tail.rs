//! `flambeau runs tail OUT [TRIAL]`: the last lines of trials, and with `-f` those that come.

use std::fs::{self, File};
use std::io::{ErrorKind, Read, Seek, SeekFrom, stdout};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use flambeau_experiments::metrics::{Follower, STEP, TIME};
use flambeau_experiments::table::value_text;
use flambeau_experiments::{Error, Map, State, Sweep, Trial, metrics};

use super::arguments::Tail;
use super::{problem, sweep, trial};
use crate::draw;
use crate::problem::{Problem, exit};
use crate::signal::Interrupts;

/// How often is looked for new lines.
const LOOK: Duration = Duration::from_millis(200);
/// How much of a log's end is read for its last lines.
const END: u64 = 1 << 16;

/// Shows lines.
///
/// # Errors
/// As [`super::runs`].
pub fn tail(tail: &Tail) -> Result<u8, Problem> {
    let mut sweep = sweep(&tail.out)?;
    if let Some(number) = tail.trial {
        trial(&sweep, number)?;
    }
    if tail.follow {
        // Ctrl-C ends the program with its code; without a handler the system would do it with another.
        let _ = Interrupts::watch();
    }
    let mut followed: Vec<Followed> = Vec::new();
    loop {
        // Before the lines are read, so that none is missed that a trial writes at its end.
        let over = sweep.trials.iter().all(|trial| trial.state.is_final());
        for trial in chosen(tail, &sweep) {
            if followed.iter().any(|known| known.id == trial.id) {
                continue;
            }
            let mut new = Followed::of(tail, &sweep, trial);
            // Of those that begin while we look all lines are shown.
            let lines = if followed.is_empty() || !tail.follow { tail.lines } else { usize::MAX };
            let lines = new.begin(lines).map_err(problem)?;
            new.print(&lines, sweep.trials.len() > 1);
            followed.push(new);
        }
        if !tail.follow {
            return Ok(exit::OK);
        }
        for known in &mut followed {
            let lines = known.next().map_err(problem)?;
            known.print(&lines, sweep.trials.len() > 1);
        }
        if over {
            return Ok(exit::OK);
        }
        std::thread::sleep(LOOK);
        sweep = super::sweep(&tail.out)?;
    }
}

/// The trials whose lines are shown: the one that was named, else those that run, else all.
fn chosen<'a>(tail: &Tail, sweep: &'a Sweep) -> Vec<&'a Trial> {
    if let Some(number) = tail.trial {
        return sweep.trials.iter().filter(|trial| trial.id == number).collect();
    }
    let running = |trial: &&Trial| trial.state == State::Running;
    if sweep.is_run {
        return sweep.trials.iter().collect();
    }
    let runs: Vec<&Trial> = sweep.trials.iter().filter(running).collect();
    match runs.is_empty() && !tail.follow {
        true => sweep.trials.iter().filter(|trial| trial.state != State::Waiting).collect(),
        false => runs,
    }
}

/// A trial whose lines are shown.
struct Followed {
    id: i64,
    log: Option<LogFollower>,
    metrics: Option<Follower>,
}

impl Followed {
    fn of(tail: &Tail, sweep: &Sweep, trial: &Trial) -> Followed {
        let run = sweep.run(trial);
        Followed {
            id: trial.id,
            log: (!tail.metrics).then(|| LogFollower::new(run.file("log"))),
            metrics: (!tail.log).then(|| Follower::new(&run.file("metrics.jsonl"))),
        }
    }

    /// The last lines of each of the two.
    fn begin(&mut self, count: usize) -> Result<Vec<String>, Error> {
        let mut lines = Vec::new();
        if let Some(log) = &mut self.log {
            let new = log.read()?;
            lines.extend(new.into_iter().rev().take(count).rev());
        }
        lines.extend(self.records()?.into_iter().rev().take(count).rev());
        Ok(lines)
    }

    /// What has come since.
    fn next(&mut self) -> Result<Vec<String>, Error> {
        let mut lines = self.log.as_mut().map(LogFollower::read).transpose()?.unwrap_or_default();
        lines.extend(self.records()?);
        Ok(lines)
    }

    fn records(&mut self) -> Result<Vec<String>, Error> {
        let records = self.metrics.as_mut().map(Follower::read).transpose()?.unwrap_or_default();
        Ok(records.into_iter().map(record).collect())
    }

    fn print(&self, lines: &[String], several: bool) {
        let mut text = String::new();
        for line in lines {
            if several {
                text.push_str(&format!("{:04} | ", self.id));
            }
            text.push_str(line);
            text.push('\n');
        }
        draw::write(stdout().lock(), &text);
    }
}

/// A record as a line: its step first.
fn record(record: Map) -> String {
    let mut flat = metrics::flat(record);
    flat.remove(TIME);
    let step = flat.remove(STEP).map(|step| (STEP.to_owned(), step));
    let pairs = step.into_iter().chain(flat);
    let pairs = pairs.map(|(name, value)| format!("{name}={}", value_text(&value)));
    pairs.collect::<Vec<_>>().join(" ")
}

/// Reads the lines that come to a log, which begins anew where it gets long.
struct LogFollower {
    path: PathBuf,
    at: u64,
    /// Which file it was.
    file: u64,
    /// A line that has not ended.
    rest: Vec<u8>,
}

impl LogFollower {
    fn new(path: PathBuf) -> LogFollower {
        LogFollower { path, at: 0, file: 0, rest: Vec::new() }
    }

    fn read(&mut self) -> Result<Vec<String>, Error> {
        let wrong = |error: &std::io::Error| Error::file(&self.path, error);
        let mut file = match File::open(&self.path) {
            Ok(file) => file,
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
            Err(error) => return Err(wrong(&error)),
        };
        let data = file.metadata().map_err(|error| wrong(&error))?;
        if data.len() < self.at || data.ino() != self.file {
            (self.at, self.file) = (0, data.ino());
            self.rest.clear();
        }
        file.seek(SeekFrom::Start(self.at)).map_err(|error| wrong(&error))?;
        let read = file.read_to_end(&mut self.rest).map_err(|error| wrong(&error))?;
        self.at += read as u64;
        let whole = self.rest.iter().rposition(|&byte| byte == b'\n').map_or(0, |end| end + 1);
        let lines: Vec<u8> = self.rest.drain(..whole).collect();
        Ok(String::from_utf8_lossy(&lines).lines().map(str::to_owned).collect())
    }
}

/// The last lines of a file; none where there is no file.
///
/// # Errors
/// A file that cannot be read.
pub fn last_lines(path: &Path, count: usize) -> Result<Vec<String>, Error> {
    let length = match fs::metadata(path) {
        Ok(data) => data.len(),
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::file(path, &error)),
    };
    let wrong = |error: &std::io::Error| Error::file(path, error);
    let begin = length.saturating_sub(END);
    let mut file = File::open(path).map_err(|error| wrong(&error))?;
    file.seek(SeekFrom::Start(begin)).map_err(|error| wrong(&error))?;
    let mut bytes = Vec::new();
    file.read_to_end(&mut bytes).map_err(|error| wrong(&error))?;
    let text = String::from_utf8_lossy(&bytes);
    // The first line is not whole where more stands before it.
    let lines: Vec<&str> = text.lines().skip(usize::from(begin > 0)).collect();
    let last = lines.len().saturating_sub(count);
    Ok(lines[last..].iter().map(|line| (*line).to_owned()).collect())
}
