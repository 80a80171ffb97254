//! The session behind the prompt: starts while the user types, answers one request at a time.

use std::cell::Cell;
use std::path::PathBuf;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Condvar, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flambeau_protocol::{Completion, Configure, Event, Language, Request, Signature};

use crate::ask;
use crate::commands::Asked;
use crate::draw::Screen;
use crate::engine::Engine;
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

    /// Sends a request that may take as long as it likes, and waits for the answer; `None` after Ctrl-C while the
    /// engine starts. Ctrl-C stops what it began.
    ///
    /// # Errors
    /// When there is no engine, or no more.
    pub fn run(&self, request: Asked<'_>) -> Result<Option<Event>, Problem> {
        let id = self.next_id();
        self.interrupts.forget();
        let Some(engine) = self.engine(None)? else { return Ok(None) };
        engine.send(&request(id));
        loop {
            match ask::next(&self.answers, &engine, &self.screen) {
                Some(Event::Failed(cause)) => return Err(Problem::EngineFailed(cause)),
                Some(event) if event.answers() == Some(id) => return Ok(Some(event)),
                // Others are answers that came too late.
                Some(_) => {}
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
        match self.ask(Box::new(|id| Request::Complete { id, code, cursor, language })) {
            Some(Event::Completions { start, items, .. }) => (start, items),
            _ => (cursor, Vec::new()),
        }
    }

    /// The call around the cursor. Asked at every key, so an engine that still starts is not waited for.
    pub fn signature(&self, code: &str, cursor: usize) -> Option<Signature> {
        self.slot.engine.lock().unwrap_or_else(PoisonError::into_inner).as_ref()?.as_ref().ok()?;
        let code = code.to_owned();
        let request = Box::new(|id| Request::Signature { id, code, cursor });
        match self.ask_within(AT_ONCE, request) {
            Some(Event::Signature { call, .. }) => call,
            _ => None,
        }
    }

    /// Sends a request that is answered soon; `None` where that did not happen.
    pub fn ask(&self, request: Asked<'_>) -> Option<Event> {
        self.ask_within(PATIENCE, request)
    }

    fn ask_within(&self, patience: Duration, request: Asked<'_>) -> Option<Event> {
        let id = self.next_id();
        let until = Instant::now() + patience;
        let engine = self.engine(Some(until)).ok().flatten()?;
        if !engine.send(&request(id)) {
            return None;
        }
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let event = self.answers.recv_timeout(left).ok()?;
            if event.answers() == Some(id) {
                return Some(event);
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
