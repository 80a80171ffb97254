//! `flambeau run`: one script, from text to exit code.

use std::path::Path;
use std::sync::{Arc, mpsc};

use flambeau_experiments::table::number_text;
use flambeau_experiments::{metrics, params};
use flambeau_protocol::{Configure, Done, Event, Experiment, Limits, Permissions, Request};

use crate::ask;
use crate::cells::{name_of_part, parts};
use crate::cli::{Run, Shared};
use crate::draw::Screen;
use crate::environment::Places;
use crate::extension;
use crate::problem::{Problem, exit};
use crate::record::facts::Facts;
use crate::record::{LOOKS, Opened, Recording};
use crate::signal::Interrupts;
use crate::source::Source;
use crate::start::start;

/// Runs the script and says what the program ends with.
///
/// # Errors
/// Whatever keeps the script from being begun.
pub fn run(run: &Run, shared: &Shared) -> Result<u8, Problem> {
    let interrupts =
        Interrupts::watch().map_err(|error| Problem::EngineFailed(error.to_string()))?;
    if run.script == Path::new("-") {
        // Before standard input has been read: inside another process it would be empty.
        let places = Places::around(shared.env.as_deref(), None);
        extension::move_in_if_needed(&Places { sandbox: run.sandbox, ..places })?;
    }
    let source = Source::read(&run.script)?;
    let Some(folder) = &run.out else {
        return evaluate(source, Job::of(run), shared, &interrupts);
    };
    let experiment = Experiment {
        folder: std::path::absolute(folder).unwrap_or_else(|_| folder.clone()),
        script: std::path::absolute(&run.script).unwrap_or_else(|_| run.script.clone()),
        keep: run.keep_checkpoints,
        quiet: run.quiet,
        ..Experiment::default()
    };
    // Before anything is written: it would be written twice.
    let places = Places::around(shared.env.as_deref(), Some(&source.folder));
    extension::move_in_if_needed(&Places { sandbox: run.sandbox, ..places.clone() })?;
    match Recording::open(experiment, LOOKS)? {
        Opened::Begun(recording) => {
            Facts::gather(&places).write(recording.run())?;
            let job = Job { recording: Some(*recording), ..Job::of(run) };
            evaluate(source, job, shared, &interrupts)
        }
        Opened::Ended(status) => {
            let result = status.result.unwrap_or_default();
            let result = result.iter().map(|(name, value)| {
                let number = metrics::number(value).map(number_text);
                format!(" {name}={}", number.unwrap_or_else(|| params::text(value)))
            });
            let result: String = result.collect();
            eprintln!("flambeau: the run in {} has ended already:{result}", folder.display());
            Ok(exit::OK)
        }
    }
}

/// Runs code that was given as an argument and says what the program ends with.
///
/// # Errors
/// Whatever keeps the code from being begun.
pub fn run_argument(code: &str, shared: &Shared) -> Result<u8, Problem> {
    let interrupts =
        Interrupts::watch().map_err(|error| Problem::EngineFailed(error.to_string()))?;
    evaluate(Source::argument(code)?, Job::default(), shared, &interrupts)
}

/// How a script is run.
#[derive(Default)]
pub struct Job {
    /// What `args` is.
    pub args: Vec<String>,
    /// What the script may reach.
    pub permissions: Permissions,
    /// When it is ended.
    pub limits: Limits,
    /// How many threads an operator may use.
    pub threads: Option<usize>,
    /// Where the run is recorded.
    pub recording: Option<Recording>,
}

impl Job {
    /// What the command line says.
    fn of(run: &Run) -> Job {
        Job {
            args: run.args.clone(),
            permissions: run.permissions(),
            limits: run.limits(),
            threads: run.threads.map(usize::from),
            recording: None,
        }
    }
}

/// Evaluates a script in a session of its own: what the program ends with.
///
/// # Errors
/// Whatever keeps it from being begun; a run that cannot be recorded.
pub fn evaluate(
    source: Source,
    job: Job,
    shared: &Shared,
    interrupts: &Interrupts,
) -> Result<u8, Problem> {
    let Job { args, permissions, limits, threads, recording } = job;
    let sandbox = permissions.sandbox;
    let screen = Arc::new(Screen::new(shared.color));
    let (name, folder) = (source.name.clone(), source.folder.clone());
    let language = source.language();
    let code = match source.text() {
        Ok(code) => code,
        Err(error) => {
            screen.report(&error);
            if let Some(recording) = recording {
                recording.ended(Some(&error))?;
            }
            return Ok(exit::SCRIPT);
        }
    };
    let configure = Configure {
        args,
        script_dir: Some(folder.clone()),
        permissions,
        limits,
        threads,
        experiment: recording.as_ref().map(|recording| Box::new(recording.experiment.clone())),
        ..Configure::default()
    };
    let places = Places::around(shared.env.as_deref(), Some(&folder));
    let (answer, answers) = mpsc::channel();
    let engine = start(&Places { sandbox, ..places }, configure, {
        let screen = screen.clone();
        move |event| match event {
            // Nobody listens any more once the first answer was taken.
            Event::Done(_) | Event::Failed(_) | Event::Question { .. } => drop(answer.send(event)),
            event => screen.draw(event),
        }
    })?;
    let engine = Arc::new(engine);
    interrupts.forward_to(&engine);
    let gone = |cause: &str| Err(Problem::EngineFailed(cause.to_owned()));
    let mut done = Ok(Done::default());
    for (i, part) in parts(&code, language).into_iter().enumerate() {
        let (source_name, language) = (name_of_part(&name, i), part.language);
        let (code, keep, width) = (part.code, None, None);
        engine.send(&Request::Evaluate { id: 1, source_name, code, keep, language, width });
        done = match ask::next(&answers, &engine, &screen) {
            Some(Event::Done(done)) => Ok(done),
            Some(Event::Failed(cause)) => gone(&cause),
            _ => gone("it is gone"),
        };
        if !matches!(&done, Ok(Done { error: None, .. })) {
            break;
        }
    }
    interrupts.finished();
    screen.finish();
    let done = done?;
    let code = exit_code(&done, &screen);
    // Ends the session, so that what a script left open is written out.
    drop(engine);
    if let Some(recording) = recording {
        recording.ended(done.error.as_ref())?;
    }
    Ok(code)
}

/// Shows an error and says what the program ends with.
fn exit_code(done: &Done, screen: &Screen) -> u8 {
    match &done.error {
        None => exit::OK,
        // Whoever leads the run wanted it so.
        Some(error) if error.is_ended() => exit::OK,
        Some(error) => {
            screen.report(error);
            if error.is_interrupt() { exit::INTERRUPT } else { exit::SCRIPT }
        }
    }
}
