//! The run of this session: what it is given, what it has recorded.

use std::cell::{RefCell, RefMut};
use std::fs;
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flambeau_experiments as experiments;
use flambeau_experiments::tensorboard::{self, Events};
use flambeau_experiments::{Config, Map as Record, Metrics, metrics, params};
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Context, Event, Session};
use rhai::{Dynamic, Map};

use super::checkpoint::{self, Checkpoint};
use super::leader::Connection;
use super::{objects, randomness, record};
use crate::host::{from_json, to_json};

/// How a run is recorded.
#[derive(Clone, Debug, Default)]
pub struct Setup {
    /// Its folder, which is there; without one nothing is kept.
    pub folder: Option<PathBuf>,
    /// The script.
    pub script: PathBuf,
    /// What is given for parameters; without it the script's arguments are that.
    pub params: Option<Record>,
    /// Whether the script is only to say which parameters it has, and ends where it does.
    pub declares: bool,
    /// How many checkpoints stay.
    pub keep: usize,
    /// Whether records are not shown as they are logged.
    pub quiet: bool,
    /// Who leads the run.
    pub leader: Option<Leader>,
}

/// Who leads a run.
#[derive(Clone, Debug, Default)]
pub struct Leader {
    /// The socket at which it listens.
    pub socket: PathBuf,
    /// The trial's number there.
    pub trial: i64,
    /// The metric that counts.
    pub metric: Option<String>,
    /// The steps at which it is told the metric, ascending.
    pub rungs: Vec<i64>,
}

/// Says how the run of a session is recorded.
pub fn set_up(session: &Session, setup: Setup) {
    session.state().extension(|| Run(RefCell::new(Recorded { setup, ..Recorded::default() })));
}

/// The run of a session.
#[derive(Default)]
pub(super) struct Run(RefCell<Recorded>);

/// Where records are written.
struct Files {
    metrics: Metrics,
    events: Events,
}

#[derive(Default)]
struct Recorded {
    setup: Setup,
    /// What the parameters are.
    params: Option<Record>,
    /// The files that records are written to, from the first record on.
    files: Option<Files>,
    records: i64,
    /// Bytes of the two files that a checkpoint has left.
    kept: (u64, u64),
    result: Record,
    leader: Option<Connection>,
    /// Whether it was said that nothing is saved.
    told: bool,
}

/// An error of the disk as a script sees it.
fn failed(error: experiments::Error) -> Error {
    match &error {
        experiments::Error::File { path, cause } => Error::io(path, cause),
        experiments::Error::Damaged { path, cause } => {
            Error::io(path, format!("is damaged: {cause}"))
        }
        _ => Error::value(error.to_string()),
    }
}

/// A map of a script as JSON.
fn json_map(map: &Map) -> Result<Record> {
    map.iter().map(|(name, value)| Ok((name.to_string(), to_json(value, 0)?))).collect()
}

fn script_map(record: &Record) -> Map {
    record.iter().map(|(name, value)| (name.into(), from_json(value.clone()))).collect()
}

impl Run {
    /// The run of the session that evaluates.
    pub fn of(ctx: &Context<'_>) -> Rc<Run> {
        ctx.state().extension(Run::default)
    }

    /// What there is of the run. A script that is called meanwhile, by a hook, cannot change it.
    fn recorded(&self, function: &str) -> Result<RefMut<'_, Recorded>> {
        self.0.try_borrow_mut().map_err(|_| {
            Error::new(
                Kind::Runtime,
                format!("{function}() cannot be called while the run's state is saved or loaded"),
            )
        })
    }

    /// Declares parameters and gives their values.
    ///
    /// # Errors
    /// A `ValueError` for names that are not declared and values of another kind; the end of a run that was only to
    /// declare.
    pub fn params(&self, defaults: Map, ctx: &Context<'_>) -> Result<Map> {
        let mut run = self.recorded("params")?;
        for (name, value) in &defaults {
            let json = to_json(value, 0)
                .map_err(|error| Error::type_(format!("params(): '{name}': {}", error.message)))?;
            if json.is_object() {
                return Err(Error::type_(format!("params(): '{name}' is a map"))
                    .help("a parameter is a bool, a number, a string, an array or (); give nested ones names of their own"));
            }
        }
        let declared = json_map(&defaults)?;
        let given = match &run.setup.params {
            Some(given) => given.clone(),
            None => given(&declared, ctx.state().args())?,
        };
        let params = params::filled(&declared, &given).map_err(failed)?;
        if let Some(folder) = run.setup.folder.clone() {
            run.keep_params(&folder, &params)?;
        }
        run.params = Some(params.clone());
        if run.setup.declares {
            return Err(ctx.state().stop_with(Error::new(
                Kind::Ended,
                "the script was only to declare its parameters",
            )));
        }
        Ok(script_map(&params))
    }

    /// Records metrics.
    ///
    /// # Errors
    /// What is no number; a full disk; the end of a run of which no more is wanted.
    pub fn log(&self, map: Map, ctx: &Context<'_>) -> Result<()> {
        let mut run = self.recorded("log")?;
        let mut record = record::record("log", &map, ctx)?;
        if record.is_empty() {
            return Err(Error::value("log(): the record is empty").help("log(#{step, loss})"));
        }
        let step = match record.get(metrics::STEP) {
            None => run.records as f64,
            Some(step) => {
                metrics::number(step).filter(|step| step.is_finite()).ok_or_else(|| {
                    Error::value(format!("log(): 'step' must be a number, not {step}"))
                })?
            }
        };
        run.records += 1;
        if !run.setup.quiet {
            ctx.emit(Event::Stdout(format!("{}\n", record::line(&record))));
        }
        if run.setup.folder.is_some() {
            // Milliseconds say enough and are short.
            let time = (experiments::now() * 1000.0).floor() / 1000.0;
            record.insert(metrics::TIME.to_owned(), time.into());
            let files = run.files()?;
            files.metrics.write(&record).map_err(failed)?;
            let values = tensorboard::values(&record);
            files.events.write(step as i64, time, &values).map_err(failed)?;
        }
        let Some(leader) = run.leader()? else { return Ok(()) };
        match leader.logged(step, &record, ctx)? {
            None => Ok(()),
            Some(why) => {
                let message = format!("the run was {why} at step {step}");
                Err(ctx.state().stop_with(Error::new(Kind::Ended, message)))
            }
        }
    }

    /// Saves the state of the run.
    ///
    /// # Errors
    /// What cannot be saved; a full disk; the end of a run that is to end here.
    pub fn checkpoint(&self, state: Map, ctx: &Context<'_>) -> Result<()> {
        let mut run = self.recorded("checkpoint")?;
        if state.is_empty() {
            return Err(Error::value("checkpoint(): there is nothing to be saved")
                .help("checkpoint(#{model, opt, step})"));
        }
        let Some(folder) = run.setup.folder.clone() else {
            if !std::mem::replace(&mut run.told, true) {
                ctx.emit(Event::Stderr(
                    "note: checkpoint(): this run has no folder, and nothing is saved; give one with --out FOLDER\n".to_owned(),
                ));
            }
            return Ok(());
        };
        let files = run.files()?;
        files.metrics.sync().and_then(|()| files.events.sync()).map_err(failed)?;
        let (metrics, events) = (files.metrics.length(), files.events.length());
        let checkpoint = Checkpoint {
            state: checkpoint::entries(&state, |name, value| objects::state(value, name, ctx))?,
            randomness: randomness::state(ctx)?,
            records: run.records,
            metrics,
            events,
        };
        checkpoint.write(&experiments::Run::at(&folder).checkpoints(), run.setup.keep)?;
        if let Some(leader) = run.leader()?
            && leader.leaves()?
        {
            return Err(ctx
                .state()
                .stop_with(Error::new(Kind::Ended, "the run was stopped behind its checkpoint")));
        }
        Ok(())
    }

    /// Goes back to the last checkpoint.
    ///
    /// # Errors
    /// A checkpoint of another version, or that does not fit what is given.
    pub fn resume(&self, given: Map, ctx: &Context<'_>) -> Result<Dynamic> {
        let mut run = self.recorded("resume")?;
        if run.records > 0 {
            return Err(Error::value("resume(): the run has logged already").help(
                "call resume() before the first log(): it goes back to where the metrics were",
            ));
        }
        let none = |given: Map| if given.is_empty() { Dynamic::UNIT } else { given.into() };
        let Some(folder) = run.setup.folder.clone() else { return Ok(none(given)) };
        let run_folder = experiments::Run::at(&folder);
        let (found, passed) = Checkpoint::newest(&run_folder.checkpoints(), ctx)?;
        for message in passed {
            ctx.emit(Event::Stderr(format!("warning: a checkpoint is passed over: {message}\n")));
        }
        let Some(found) = found else { return Ok(none(given)) };
        let saved = objects::restore_map(&given, &found.state, "", ctx)?;
        run.kept = (found.metrics, found.events);
        run.records = found.records;
        run.files()?;
        // Last: what was loaded may have drawn numbers.
        randomness::set_state(&found.randomness, ctx)?;
        Ok(saved.into())
    }

    /// Keeps a copy of a file or folder; where it is.
    ///
    /// # Errors
    /// A file that is not there; a name that leads elsewhere; a full disk.
    pub fn artifact(&self, path: &str, name: Option<String>, ctx: &Context<'_>) -> Result<String> {
        let source = ctx.readable(path)?;
        if !source.exists() {
            return Err(Error::io(&source, "no such file or folder"));
        }
        let Some(folder) = self.recorded("artifact")?.setup.folder.clone() else {
            return Ok(path.to_owned());
        };
        let name = match name {
            Some(name) => PathBuf::from(name),
            None => source.file_name().map(PathBuf::from).unwrap_or_default(),
        };
        let inside = name.components().all(|part| matches!(part, std::path::Component::Normal(_)));
        if !inside || name.as_os_str().is_empty() {
            return Err(Error::value(format!(
                "artifact(): the name {} leads out of the run's folder",
                name.display()
            )));
        }
        let target = experiments::Run::at(&folder).file("artifacts").join(name);
        copy(&source, &target)?;
        Ok(target.display().to_string())
    }

    /// Says what the run came to.
    ///
    /// # Errors
    /// What is no number or text; a full disk.
    pub fn report(&self, map: Map, ctx: &Context<'_>) -> Result<()> {
        let mut run = self.recorded("report")?;
        let result = record::record("report", &map, ctx)?;
        if !run.setup.quiet {
            ctx.emit(Event::Stdout(format!("result: {}\n", record::line(&result))));
        }
        run.result.extend(result);
        match &run.setup.folder {
            Some(folder) => experiments::files::write_json_lightly(
                &experiments::Run::at(folder).result(),
                &run.result,
            )
            .map_err(failed),
            None => Ok(()),
        }
    }
}

impl Recorded {
    /// Keeps what is run; a folder is of one set of parameters.
    fn keep_params(&self, folder: &Path, params: &Record) -> Result<()> {
        let run = experiments::Run::at(folder);
        if let Some(known) = experiments::files::if_whole(run.config()).map_err(failed)?
            && !known.params.is_empty()
            && known.params != *params
        {
            let differs = |(name, value): (&String, &serde_json::Value)| {
                let known = known.params.get(name);
                (known != Some(value))
                    .then(|| format!("{name}={}", known.map_or("nothing".to_owned(), params::text)))
            };
            let differing: Vec<String> = params.iter().filter_map(differs).collect();
            return Err(Error::value(format!(
                "the folder {} holds a run with other parameters: {}",
                folder.display(),
                differing.join(", ")
            ))
            .help("give another folder, or remove this one"));
        }
        let config = Config {
            format: experiments::run::FORMAT,
            script: self.setup.script.clone(),
            params: params.clone(),
        };
        experiments::files::write_json_lightly(&run.file("config.json"), &config).map_err(failed)
    }

    /// The files of the records, opened with the first of them.
    fn files(&mut self) -> Result<&mut Files> {
        let (metrics, events) = self.kept;
        match &mut self.files {
            Some(files) => Ok(files),
            none => {
                let run = experiments::Run::at(&self.setup.folder.clone().unwrap_or_default());
                let metrics = Metrics::open(&run.file("metrics.jsonl"), metrics).map_err(failed)?;
                let events = Events::open(&run.events(), events).map_err(failed)?;
                Ok(none.insert(Files { metrics, events }))
            }
        }
    }

    /// Who leads the run, where somebody does.
    fn leader(&mut self) -> Result<Option<&mut Connection>> {
        if self.leader.is_none()
            && let Some(leader) = self.setup.leader.clone()
        {
            self.leader = Some(Connection::open(leader)?);
        }
        Ok(self.leader.as_mut())
    }
}

/// What the arguments of a script give for its parameters.
fn given(declared: &Record, args: &[String]) -> Result<Record> {
    let mut given = Record::new();
    for arg in args {
        let (name, text) = params::split(arg).map_err(failed)?;
        let default = declared.get(name).ok_or_else(|| failed(params::unknown(name, declared)))?;
        given.insert(name.to_owned(), params::parse(name, text, default).map_err(failed)?);
    }
    Ok(given)
}

/// Copies a file, or a folder with all that is in it; what is copied is whole or not there.
fn copy(source: &Path, target: &Path) -> Result<()> {
    let failed = |path: &Path, error: &std::io::Error| Error::io(path, error);
    if let Some(folder) = target.parent() {
        fs::create_dir_all(folder).map_err(|error| failed(folder, &error))?;
    }
    if source.is_dir() {
        fs::create_dir_all(target).map_err(|error| failed(target, &error))?;
        for entry in fs::read_dir(source).map_err(|error| failed(source, &error))? {
            let entry = entry.map_err(|error| failed(source, &error))?;
            copy(&entry.path(), &target.join(entry.file_name()))?;
        }
        return Ok(());
    }
    let mut from = fs::File::open(source).map_err(|error| failed(source, &error))?;
    crate::io::files::write(target, |out| {
        std::io::copy(&mut from, out).map(drop).map_err(|error| failed(source, &error))
    })
}
