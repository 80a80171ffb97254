//! Commands of a cell: a thread of their own executes them, which asks the engine and waits as the prompt does, while
//! the kernel's thread goes on.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use flambeau_protocol::{Done, ErrorReport, Event, Language};
use serde_json::json;

use super::capture::Capture;
use super::outbox::{Item, Outbox, Stream};
use super::{Current, Kernel, Started};
use crate::cli::Shared;
use crate::commands::{Asked, Evaluated, Front, execute_in_notebook};
use crate::engine::Engine;
use crate::problem::Problem;

/// What `ename` is where a command itself fails.
const WRONG: &str = "CommandError";

/// A command that is being executed.
pub struct Command {
    /// Which one, among all of the session.
    id: u64,
    answers: Sender<Event>,
    interrupted: Arc<AtomicBool>,
}

impl Command {
    /// Hands it an answer of the engine.
    pub fn answer(&self, event: Event) {
        // Nobody waits who has ended.
        let _ = self.answers.send(event);
    }

    /// Tells it to stop.
    pub fn interrupt(&self) {
        self.interrupted.store(true, Ordering::SeqCst);
    }
}

/// What a command says to the kernel.
pub enum Said {
    /// What an evaluation came to; whether it is the cell's own value, or something on the way.
    Shown(Box<Done>, bool),
    /// A text that may be long.
    Page(String),
    /// The text of the next cell.
    Next(String),
    /// It has ended, well or not.
    Ended(Option<Box<ErrorReport>>),
}

impl Kernel {
    /// Begins with a command of the cell under way.
    pub(super) fn command(&mut self, name: String, argument: String, language: Language) {
        let Started::Running(engine) = &self.engine else { return };
        let Some(Current::Execution(execution)) = &mut self.current else { return };
        let (answers, events) = mpsc::channel();
        let interrupted = Arc::new(AtomicBool::new(self.aborts));
        let id = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        let mut front = Notebook {
            id,
            engine: engine.clone(),
            asked: self.asked.clone(),
            events,
            interrupted: interrupted.clone(),
            outbox: self.outbox.clone(),
            capture: self.capture.clone(),
            cells: self.cells.clone(),
            language,
            source_name: execution.next_name(),
            keep: execution.keeps(),
            shared: self.shared.clone(),
            error: None,
        };
        execution.command = Some(Command { id, answers, interrupted });
        let run = move || {
            if let Err(problem) = execute_in_notebook(&mut front, &name, &argument) {
                front.fail(&problem.to_string());
            }
        };
        let begun = thread::Builder::new().name("flambeau command".to_owned()).spawn(run);
        if let Err(error) = begun {
            self.fail(&format!("no thread for a command: {error}"));
        }
    }

    /// Takes what the command of this number says.
    pub(super) fn command_said(&mut self, id: u64, said: Said) {
        let Some(Current::Execution(execution)) = &mut self.current else { return };
        if execution.command.as_ref().is_none_or(|command| command.id != id) {
            return;
        }
        match said {
            Said::Shown(done, own) => self.show(*done, own),
            Said::Page(text) => execution.page(&text),
            Said::Next(text) => {
                let cell = json!({"source": "set_next_input", "text": text, "replace": false});
                execution.say_beside(cell);
            }
            Said::Ended(error) => {
                execution.command = None;
                match error {
                    Some(error) => self.finish(Some(*error)),
                    None => self.next_part(),
                }
            }
        }
    }
}

/// The cell of a notebook, as commands see it.
struct Notebook {
    id: u64,
    engine: Arc<Engine>,
    asked: Arc<AtomicU64>,
    events: Receiver<Event>,
    interrupted: Arc<AtomicBool>,
    outbox: Arc<Outbox>,
    capture: Capture,
    cells: Arc<Vec<Evaluated>>,
    language: Language,
    source_name: String,
    keep: Option<u64>,
    shared: Shared,
    /// Why the cell fails.
    error: Option<Box<ErrorReport>>,
}

/// However it ends, the kernel is told.
impl Drop for Notebook {
    fn drop(&mut self) {
        let panicked = || {
            let message = "a command has failed; this is a fault of Flambeau";
            Box::new(ErrorReport::without_place("InternalError", message))
        };
        let error = self.error.take().or_else(|| thread::panicking().then(panicked));
        self.tell(Said::Ended(error));
    }
}

impl Notebook {
    fn tell(&self, said: Said) {
        // What a shell wrote comes before it.
        self.capture.drain();
        self.outbox.push(Item::Command(self.id, said));
    }

    fn fail(&mut self, text: &str) {
        self.error = Some(Box::new(ErrorReport::without_place(WRONG, text)));
    }

    /// Sends a request and waits for its answer; `None` when the engine or the cell is gone.
    fn answer(&self, request: Asked<'_>) -> Option<Event> {
        let id = self.asked.fetch_add(1, Ordering::SeqCst) + 1;
        if !self.engine.send(&request(id)) {
            return None;
        }
        // Told before there was anything to stop.
        if self.interrupted.load(Ordering::SeqCst) {
            self.engine.interrupt();
        }
        loop {
            let event = self.events.recv().ok()?;
            if event.answers() == Some(id) {
                return Some(event);
            }
        }
    }
}

impl Front for Notebook {
    fn ask(&mut self, request: Asked<'_>) -> Option<Event> {
        self.answer(request)
    }

    fn run(&mut self, request: Asked<'_>) -> Result<Option<Event>, Problem> {
        if self.interrupted.load(Ordering::SeqCst) {
            return Ok(None);
        }
        let gone = || Problem::EngineFailed("it is gone".into());
        self.answer(request).map(Some).ok_or_else(gone)
    }

    fn evaluate(&mut self, language: Language, code: &str) -> Result<Done, Problem> {
        let (name, keep) = (self.source_name.clone(), self.keep);
        let front: &mut dyn Front = self;
        let done = front.evaluate_parts(&name, code, keep, language)?;
        match &done.error {
            Some(error) => self.error = Some(Box::new(error.clone())),
            None => self.tell(Said::Shown(Box::new(done.clone()), true)),
        }
        Ok(done)
    }

    fn show(&mut self, done: &Done) {
        match &done.error {
            Some(error) => self.error = Some(Box::new(error.clone())),
            None => self.tell(Said::Shown(Box::new(done.clone()), false)),
        }
    }

    fn report(&mut self, error: &ErrorReport) {
        self.error = Some(Box::new(error.clone()));
    }

    fn say(&mut self, text: &str) {
        self.capture.drain();
        self.outbox.write(Stream::Stdout, &format!("{text}\n"), None);
    }

    fn complain(&mut self, text: &str) {
        self.fail(text);
    }

    fn page(&mut self, text: &str) {
        self.tell(Said::Page(text.to_owned()));
    }

    fn put(&mut self, text: String) {
        self.tell(Said::Next(text));
    }

    fn cells(&self) -> &[Evaluated] {
        &self.cells
    }

    fn language(&self) -> Language {
        self.language
    }

    fn width(&self) -> Option<usize> {
        None
    }

    fn shared(&self) -> &Shared {
        &self.shared
    }

    fn was_interrupted(&self) -> bool {
        self.interrupted.load(Ordering::SeqCst)
    }

    fn forget_interrupts(&self) {}
}
