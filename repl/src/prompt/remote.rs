//! The session behind the prompt: starts while the user types, answers one request at a time.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flambeau_protocol::{
    Completion, Configure, Done, ErrorReport, Event, Language, OperatorTime, Request, Signature,
};

use crate::ask;
use crate::draw::Screen;
use crate::engine::Engine;
use crate::picture::size;
use crate::problem::Problem;
use crate::signal::Interrupts;
use crate::start::start_behind;

/// How often is looked for Ctrl-C while the engine starts.
const LOOK: Duration = Duration::from_millis(20);
/// How long completion waits for an engine that starts or does not answer.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long a key waits for what is shown beside it.
const AT_ONCE: Duration = Duration::from_millis(100);

/// The engine, once it is there.
#[derive(Default)]
struct Slot {
    engine: Mutex<Option<Result<Arc<Engine>, Problem>>>,
    changed: Condvar,
}

/// What documentation there is of a name.
pub struct Page {
    pub text: Option<String>,
    pub near: Option<String>,
}

/// The session.
pub struct Remote {
    slot: Arc<Slot>,
    interrupts: Interrupts,
    answers: Receiver<Event>,
    screen: Arc<Screen>,
    next: Cell<u64>,
}

impl Remote {
    /// Starts the engine on a thread of its own, and has it evaluate `first`, whose errors nobody is told.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub fn start(
        explicit: Option<PathBuf>,
        script_dir: Option<PathBuf>,
        first: String,
        screen: Arc<Screen>,
        interrupts: Interrupts,
    ) -> std::io::Result<Remote> {
        let slot = Arc::new(Slot::default());
        let (answer, answers) = mpsc::channel();
        let configure = Configure { script_dir, ..Configure::default() };
        start_behind(explicit, configure, on_event(screen.clone(), answer), {
            let (slot, interrupts) = (slot.clone(), interrupts.clone());
            move |engine| {
                if let Ok(engine) = &engine {
                    if !first.is_empty() {
                        engine.send(&Request::Evaluate {
                            id: 0,
                            source_name: "<settings>".to_owned(),
                            code: first,
                            keep: None,
                            language: Language::Rhai,
                            width: None,
                        });
                    }
                    interrupts.forward_to(engine);
                }
                *slot.engine.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine);
                slot.changed.notify_all();
            }
        })?;
        Ok(Remote { slot, interrupts, answers, screen, next: Cell::new(1) })
    }

    /// Evaluates a cell. Ctrl-C stops it, also while the engine starts.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn evaluate(
        &self,
        source_name: &str,
        code: &str,
        keep: Option<u64>,
        language: Language,
    ) -> Result<Done, Problem> {
        let width = Some(size().columns.into());
        let (source_name, code) = (source_name.to_owned(), code.to_owned());
        let done = self.run(
            |id| Request::Evaluate { id, source_name, code, keep, language, width },
            |event| match event {
                Event::Done(done) => Some((done.id, done)),
                _ => None,
            },
        )?;
        Ok(done.unwrap_or_else(interrupted))
    }

    /// As [`Remote::evaluate`], and tells what operators of torch took.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn profile(
        &self,
        code: &str,
        language: Language,
        shapes: bool,
    ) -> Result<(Done, Vec<OperatorTime>), Problem> {
        let (source_name, code) = ("<prof>".to_owned(), code.to_owned());
        let found = self.run(
            |id| Request::Profile { id, source_name, code, language, shapes },
            |event| match event {
                Event::Profiled { done, operators } => Some((done.id, (done, operators))),
                _ => None,
            },
        )?;
        Ok(found.unwrap_or_else(|| (interrupted(), Vec::new())))
    }

    /// Sends a request that may take as long as it likes; `None` after Ctrl-C while the engine starts. `answer` tells
    /// of which request an event is the answer.
    fn run<T>(
        &self,
        request: impl FnOnce(u64) -> Request,
        answer: impl Fn(Event) -> Option<(u64, T)>,
    ) -> Result<Option<T>, Problem> {
        let id = self.next_id();
        self.interrupts.forget();
        let Some(engine) = self.engine(None)? else { return Ok(None) };
        engine.send(&request(id));
        loop {
            match ask::next(&self.answers, &engine, &self.screen) {
                Some(Event::Failed(cause)) => return Err(Problem::EngineFailed(cause)),
                // Others are answers that came too late.
                Some(event) => match answer(event) {
                    Some((of, found)) if of == id => return Ok(Some(found)),
                    _ => {}
                },
                None => return Err(Problem::EngineFailed("it is gone".into())),
            }
        }
    }

    /// Whether Ctrl-C was pressed since something was last evaluated.
    pub fn was_interrupted(&self) -> bool {
        self.interrupts.was_asked()
    }

    /// What was pressed before counts no more.
    pub fn forget_interrupts(&self) {
        self.interrupts.forget();
    }

    /// What may stand at the cursor: where it begins, and the words.
    pub fn complete(
        &self,
        code: &str,
        cursor: usize,
        language: Language,
    ) -> (usize, Vec<Completion>) {
        let code = code.to_owned();
        let answer = self.ask(
            |id| Request::Complete { id, code, cursor, language },
            |event, id| match event {
                Event::Completions { id: of, start, items } if of == id => Some((start, items)),
                _ => None,
            },
        );
        answer.unwrap_or((cursor, Vec::new()))
    }

    /// The call around the cursor. Asked at every key, so an engine that still starts is not waited for.
    pub fn signature(&self, code: &str, cursor: usize) -> Option<Signature> {
        self.slot.engine.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.as_ref().ok()?;
        let code = code.to_owned();
        let answer = |event, id| match event {
            Event::Signature { id: of, call } if of == id => Some(call),
            _ => None,
        };
        self.ask_within(AT_ONCE, |id| Request::Signature { id, code, cursor }, answer).flatten()
    }

    /// The documentation of a name.
    pub fn doc(&self, name: &str, language: Language) -> Page {
        let name = name.to_owned();
        self.page(|id| Request::Doc { id, name, language })
    }

    /// How what has a name is defined.
    pub fn source(&self, name: &str, language: Language) -> Page {
        let name = name.to_owned();
        self.page(|id| Request::Source { id, name, language })
    }

    fn page(&self, request: impl FnOnce(u64) -> Request) -> Page {
        let answer = self.ask(request, |event, id| match event {
            Event::Documentation { id: of, text, near } if of == id => Some(Page { text, near }),
            _ => None,
        });
        answer.unwrap_or(Page { text: None, near: None })
    }

    /// Sends a request that is answered soon; `None` where that did not happen.
    pub(super) fn ask<T>(
        &self,
        request: impl FnOnce(u64) -> Request,
        answer: impl Fn(Event, u64) -> Option<T>,
    ) -> Option<T> {
        self.ask_within(PATIENCE, request, answer)
    }

    fn ask_within<T>(
        &self,
        patience: Duration,
        request: impl FnOnce(u64) -> Request,
        answer: impl Fn(Event, u64) -> Option<T>,
    ) -> Option<T> {
        let id = self.next_id();
        let until = Instant::now() + patience;
        let engine = self.engine(Some(until)).ok().flatten()?;
        if !engine.send(&request(id)) {
            return None;
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.answers.recv_timeout(left).ok()?;
            if let Some(found) = answer(event, id) {
                return Some(found);
            }
        }
    }

    fn next_id(&self) -> u64 {
        self.next.replace(self.next.get() + 1)
    }

    /// The engine, once it is there; `None` after Ctrl-C or when the time is up.
    fn engine(&self, until: Option<Instant>) -> Result<Option<Arc<Engine>>, Problem> {
        let mut slot = self.slot.engine.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            match slot.as_ref() {
                Some(Ok(engine)) => return Ok(Some(engine.clone())),
                // Told at the next evaluation.
                Some(Err(_)) if until.is_some() => return Ok(None),
                _ => {}
            }
            // The program ends with it.
            if let Some(Err(problem)) = slot.take_if(|engine| engine.is_err()) {
                return Err(problem);
            }
            let late = until.is_some_and(|until| Instant::now() >= until);
            if late || self.interrupts.was_asked() {
                return Ok(None);
            }
            let waited = self.slot.changed.wait_timeout(slot, LOOK);
            slot = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    /// Ends the session, so that what it left open is written out. An engine that still starts is left behind.
    pub fn end(&self) {
        self.interrupts.finished();
        drop(self.slot.engine.lock().unwrap_or_else(PoisonError::into_inner).take());
    }
}

/// How an evaluation ended that did not begin.
fn interrupted() -> Done {
    let message = "interrupted while the engine started";
    let error = ErrorReport::without_place(ErrorReport::INTERRUPT, message);
    Done { error: Some(error), ..Done::default() }
}

/// Draws what is to be seen and hands on what was asked for.
fn on_event(screen: Arc<Screen>, answer: Sender<Event>) -> impl Fn(Event) + Send + Sync {
    move |event| match event {
        Event::Stdout(_)
        | Event::Stderr(_)
        | Event::Progress(_)
        | Event::Display(_)
        | Event::Clear { .. } => screen.draw(event),
        // Nobody listens any more at the end.
        event => drop(answer.send(event)),
    }
}
