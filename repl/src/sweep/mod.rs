//! `flambeau sweep`: many runs of one script, each to its end, whatever happens meanwhile.
//!
//! The truth about a trial is in its folder and in the sweep's table; a row is written before a trial begins and after it
//! has ended, and what has not ended is begun again from its last checkpoint. So nothing is lost with this process but what
//! it shows.

mod declared;
mod executor;
mod halving;
mod leading;
mod live;
pub mod options;
mod outcome;
mod plan;
mod problem;
mod values;

use std::collections::{HashMap, VecDeque};
use std::fs::File;
use std::path::Path;
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, Sender};
use std::thread;
use std::time::Duration;

use flambeau_experiments::table::number_text;
use flambeau_experiments::{Map, State, Store, Trial, files, now, params, run};
use flambeau_protocol::{Experiment, Leader, Limits};
use serde_json::json;
use sha2::{Digest, Sha256};
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

use crate::cli::Shared;
use crate::environment::Places;
use crate::problem::{Problem, exit};
use crate::record::facts::Facts;
use crate::record::{LOOKS, lock};
use crate::trial::{Exit, Task};
use executor::{Executor, Local};
use halving::Halving;
use leading::Leading;
use live::Live;
use options::{Settings, Sweep};
pub use problem::SweepProblem;

/// How often the screen is looked after.
const TICK: Duration = Duration::from_millis(100);
/// The file beside the table that says what was asked for.
const ABOUT: &str = "sweep.json";

/// Something that a sweep hears of.
#[derive(Debug)]
pub enum Happening {
    /// A trial has ended.
    Ended(Exit),
    /// A trial has come to a rung, and waits.
    Reached { trial: i64, rung: usize, value: f64 },
    /// The user or the system wants an end.
    Interrupted,
    /// Trials can no longer be executed.
    Gone,
}

/// Runs a sweep: what the program ends with.
///
/// # Errors
/// What keeps it from being run; a disk that is full.
pub fn sweep(arguments: &Sweep, shared: &Shared) -> Result<u8, Problem> {
    let settings = Settings::of(arguments)?;
    let (sender, happenings) = mpsc::channel();
    watch(sender.clone()).map_err(|error| Problem::EngineFailed(error.to_string()))?;
    let (mut local, why) = Local::start(
        settings.spawn,
        settings.script.parent().unwrap_or(Path::new(".")),
        shared,
        sender.clone(),
    )?;
    let task = task(&settings, shared);
    let declared = declared::declared(&settings, &mut local, &happenings, &task)?;
    let planned = plan::plan(&settings, &declared)?;
    let varied = plan::varied(&settings);
    if settings.dry_run {
        return Ok(list(&planned, &varied));
    }
    files::make_folder(&settings.out)?;
    if settings.out.join("config.json").exists() {
        return Err(Problem::IsRun(settings.out));
    }
    let _lock: File = lock(&settings.out, LOOKS)?;
    let mut store = Store::create(&settings.out)?;
    let new = store.add(&planned)?;
    about(&settings, &varied, new)?;
    let trials = settle(&store, &settings.out)?;
    let live = Live::new(&trials, settings.metric.clone(), varied, settings.jobs);
    if let Some(why) = why.filter(|_| !settings.spawn) {
        live.say(&format!("note: trials are new processes, which start more slowly: {why}"));
    }
    let failed = |error: std::io::Error| Problem::EngineFailed(error.to_string());
    let leading = Leading::start(sender).map_err(failed)?;
    let places = Places::around(shared.env.as_deref(), settings.script.parent());
    let known = store.rungs()?;
    let (goal, eta) = (settings.goal, settings.halving.map_or(2, |(.., eta)| eta));
    let halving = Halving::new(goal, eta, settings.rungs().len(), known);
    let waiting = trials.iter().filter(|trial| trial.state == State::Waiting).map(|trial| trial.id);
    let mut running = Running {
        facts: Facts::gather(&places),
        executor: &mut local,
        store,
        leading,
        halving,
        live,
        waiting: waiting.collect(),
        trials: trials.into_iter().map(|trial| (trial.id, trial)).collect(),
        begun: HashMap::new(),
        pruned: HashMap::new(),
        failures: HashMap::new(),
        interrupts: 0,
        task,
        settings: &settings,
    };
    running.run(&happenings)
}

/// Has signals told; none ends the program by itself.
fn watch(happenings: Sender<Happening>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM, SIGHUP])?;
    let hear = move || {
        for signal in signals.forever() {
            // A terminal that has gone, or the system, does not ask twice.
            let times = if signal == SIGINT { 1 } else { 2 };
            for _ in 0..times {
                let _ = happenings.send(Happening::Interrupted);
            }
        }
    };
    thread::Builder::new().name("flambeau signals".to_owned()).spawn(hear).map(drop)
}

/// What all trials have in common.
fn task(settings: &Settings, shared: &Shared) -> Task {
    Task {
        permissions: settings.permissions.clone(),
        limits: Limits { max_memory: settings.max_memory, ..Limits::default() },
        timeout: settings.timeout,
        max_log: settings.max_log,
        threads: Some(settings.threads),
        env: shared.env.clone(),
        ..Task::default()
    }
}

/// Shows the trials that there would be.
fn list(planned: &[Map], varied: &[String]) -> u8 {
    for (i, params) in planned.iter().enumerate() {
        println!("{:>4}  {}", i + 1, live::name(params, varied));
    }
    println!("{} {}", planned.len(), if planned.len() == 1 { "trial" } else { "trials" });
    exit::OK
}

/// Writes what was asked for, and warns where the script is no longer the one that the sweep began with.
fn about(settings: &Settings, varied: &[String], new: usize) -> Result<(), Problem> {
    let path = settings.out.join(ABOUT);
    let text = std::fs::read(&settings.script).unwrap_or_default();
    let digest = data_encoding::HEXLOWER.encode(&Sha256::digest(&text));
    let known: Option<Map> = files::read_json(&path)?;
    if let Some(known) = &known {
        if known.get("script") != Some(&json!(settings.script)) {
            let other = known.get("script").map(params::text).unwrap_or_default();
            return Err(SweepProblem::Wrong(format!(
                "{} is the sweep of {other}; give another folder by --out",
                settings.out.display()
            ))
            .into());
        }
        if known.get("digest") != Some(&json!(digest)) {
            eprintln!(
                "warning: {} has changed since the sweep began; what is run from now on is the new one",
                settings.script.display()
            );
        }
        if new > 0 {
            eprintln!("{new} trials are new in {}", settings.out.display());
        }
    }
    let about = json!({
        "format": run::FORMAT,
        "script": settings.script,
        "digest": digest,
        "metric": settings.metric,
        "goal": settings.goal,
        "varied": varied,
        "request": settings.request(),
        "command": std::env::args().collect::<Vec<_>>(),
    });
    files::write_json(&path, &about)?;
    files::write(&settings.out.join("script.rhai"), &text)?;
    Ok(())
}

/// All trials, by number; those that wait are missing.
fn settle(store: &Store, out: &Path) -> Result<Vec<Trial>, Problem> {
    let mut trials = store.trials()?;
    for trial in &mut trials {
        let known = trial.state;
        // It has ended, and the sweep was killed before that was kept.
        if matches!(known, State::Running | State::Waiting)
            && let Some(status) = trial.run(out).status().unwrap_or_default()
            && status.state == State::Done
        {
            outcome::take(trial, status);
        }
        if matches!(trial.state, State::Running | State::Failed) {
            trial.state = State::Waiting;
        }
        if trial.state != known {
            store.update(trial)?;
        }
    }
    Ok(trials)
}

/// A sweep that runs.
struct Running<'a> {
    settings: &'a Settings,
    executor: &'a mut dyn Executor,
    store: Store,
    leading: Leading,
    halving: Halving,
    live: Live,
    facts: Facts,
    task: Task,
    trials: HashMap<i64, Trial>,
    /// What is to be begun, in this order.
    waiting: VecDeque<i64>,
    /// What runs, and on which of the devices.
    begun: HashMap<i64, Option<usize>>,
    /// What was ended early, and why.
    pruned: HashMap<i64, String>,
    /// How often trials have failed in this sweep.
    failures: HashMap<i64, u32>,
    /// How often an end was asked for.
    interrupts: u32,
}

impl Running<'_> {
    fn run(&mut self, happenings: &Receiver<Happening>) -> Result<u8, Problem> {
        loop {
            while self.interrupts == 0 && self.begun.len() < self.settings.jobs {
                let Some(id) = self.waiting.pop_front() else { break };
                self.begin(id)?;
            }
            if self.begun.is_empty() {
                break;
            }
            match happenings.recv_timeout(TICK) {
                Ok(Happening::Ended(exit)) => self.ended(exit)?,
                Ok(Happening::Reached { trial, rung, value }) => {
                    self.reached(trial, rung, value)?
                }
                Ok(Happening::Interrupted) => self.interrupted(),
                Ok(Happening::Gone) | Err(RecvTimeoutError::Disconnected) => {
                    self.live.close();
                    let cause = "the process of the trials was killed; the same command goes on with what is missing";
                    return Err(Problem::EngineFailed(cause.to_owned()));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            self.live.tick();
        }
        self.live.close();
        Ok(self.finish())
    }

    fn begin(&mut self, id: i64) -> Result<(), Problem> {
        let device = self.device();
        let Some(trial) = self.trials.get_mut(&id) else { return Ok(()) };
        let run = trial.run(&self.settings.out);
        files::make_folder(run.folder())?;
        self.facts.write(&run)?;
        trial.state = State::Running;
        trial.attempts += 1;
        trial.started.get_or_insert_with(now);
        trial.error = None;
        self.store.update(trial)?;
        let leader = Leader {
            socket: self.leading.socket().to_owned(),
            trial: id,
            metric: self.settings.halving.and(self.settings.metric.clone()),
            rungs: self.settings.rungs(),
        };
        let experiment = Experiment {
            folder: run.folder().to_owned(),
            script: self.settings.script.clone(),
            params: serde_json::to_string(&trial.params).ok(),
            declares: false,
            keep: self.settings.keep,
            quiet: true,
            leader: Some(leader),
        };
        let task = Task {
            trial: id,
            experiment,
            devices: device.map(|device| self.settings.gpus[device].clone()),
            ..self.task.clone()
        };
        self.live.begins(trial, run.file("metrics.jsonl"));
        self.begun.insert(id, device);
        self.executor.begin(&task)
    }

    /// The device that fewest trials use.
    fn device(&self) -> Option<usize> {
        let users =
            |device: &usize| self.begun.values().filter(|used| **used == Some(*device)).count();
        (0..self.settings.gpus.len()).min_by_key(users)
    }

    fn ended(&mut self, exit: Exit) -> Result<(), Problem> {
        let id = exit.trial;
        self.begun.remove(&id);
        let Some(trial) = self.trials.get_mut(&id) else { return Ok(()) };
        outcome::settle(
            trial,
            &self.settings.out,
            &exit,
            self.pruned.remove(&id),
            self.interrupts > 1,
        )?;
        self.store.update(trial)?;
        self.live.ended(trial);
        if trial.state == State::Failed {
            let failures = self.failures.entry(id).or_insert(0);
            *failures += 1;
            if *failures <= self.settings.retry {
                self.waiting.push_back(id);
            }
        }
        Ok(())
    }

    fn reached(&mut self, id: i64, rung: usize, value: f64) -> Result<(), Problem> {
        self.store.reach(id, rung, value)?;
        let goes_on = self.halving.goes_on(id, rung, value);
        if !goes_on {
            let step = self.settings.rungs().get(rung).copied().unwrap_or_default();
            let metric = self.settings.metric.as_deref().unwrap_or_default();
            let why = match value.is_nan() {
                true => format!("{metric} is nan at step {step}"),
                false => {
                    format!("{metric}={} at step {step} is not among the best", number_text(value))
                }
            };
            self.pruned.insert(id, why);
        }
        self.leading.answer(id, (!goes_on).then_some("pruned"));
        Ok(())
    }

    fn interrupted(&mut self) {
        self.interrupts += 1;
        match self.interrupts {
            1 => {
                self.leading.leave();
                self.live.say(
                    "Ctrl-C: running trials go on to their next checkpoint or their end, and no others begin; \
                     once more stops them now",
                );
            }
            2 => self.begun.keys().for_each(|&id| self.executor.kill(id)),
            _ => {}
        }
    }

    /// Says what came of it.
    fn finish(&self) -> u8 {
        let out = self.settings.out.display();
        let folder = std::env::current_dir().ok().and_then(|here| {
            Some(self.settings.out.strip_prefix(here).ok()?.display().to_string())
        });
        let out = folder.filter(|folder| !folder.is_empty()).unwrap_or_else(|| out.to_string());
        eprintln!("{}", self.live.summary());
        if self.interrupts > 0 {
            eprintln!("the same command goes on with what is missing");
            return exit::INTERRUPT;
        }
        eprintln!("flambeau runs compare {out}");
        let failed = self.trials.values().any(|trial| trial.state == State::Failed);
        if failed { exit::SCRIPT } else { exit::OK }
    }
}
