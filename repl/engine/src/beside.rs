//! Lanes: threads on which Python runs beside what the session evaluates, for the subshells of notebooks.

use std::cell::Cell;
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::sync::mpsc::{self, Receiver, Sender};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Instant;

use flambeau_protocol::{Done, Event, Request};
use flambeau_python::Beside;

use crate::convert;
use crate::handle::Sink;
use crate::panics::catch;
use crate::session::{WIDTH, fault};

/// Address space for the stack of a lane.
const STACK_BYTES: usize = 64 << 20;

thread_local! {
    static LANE: Cell<Option<u64>> = const { Cell::new(None) };
}

/// The lane whose thread this is.
pub fn lane() -> Option<u64> {
    LANE.get()
}

/// Where lanes say what they have to; nowhere once the session has ended.
type Gate = Arc<Mutex<Option<Sink>>>;

/// The lanes of a session.
pub struct Lanes {
    inboxes: Mutex<HashMap<u64, Sender<Box<Request>>>>,
    gate: Gate,
}

impl Lanes {
    /// None yet.
    pub fn new(sink: Sink) -> Lanes {
        Lanes { inboxes: Mutex::default(), gate: Arc::new(Mutex::new(Some(sink))) }
    }

    /// Hands a request to a lane, which begins with it; gives it back where Python does not run yet, which has to start
    /// on the session's thread.
    ///
    /// # Errors
    /// The request.
    pub fn send(&self, lane: u64, request: Box<Request>) -> Result<(), Box<Request>> {
        if !Beside::is_possible() {
            return Err(request);
        }
        let mut inboxes = self.inboxes.lock().unwrap_or_else(PoisonError::into_inner);
        let inbox = match inboxes.entry(lane) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(new) => match self.start(lane) {
                Some(inbox) => new.insert(inbox),
                None => return Err(request),
            },
        };
        inbox.send(request).map_err(|mpsc::SendError(request)| request)
    }

    /// Starts the thread of a lane; `None` where the system has none to give.
    fn start(&self, lane: u64) -> Option<Sender<Box<Request>>> {
        let (inbox, requests) = mpsc::channel();
        let gate = self.gate.clone();
        let run = move || {
            LANE.set(Some(lane));
            serve(lane, &requests, &gate);
        };
        let thread = std::thread::Builder::new().name("flambeau lane".to_owned());
        thread.stack_size(STACK_BYTES).spawn(run).ok()?;
        Some(inbox)
    }

    /// Ends a lane once it has done what it was asked.
    pub fn end(&self, lane: u64) {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).remove(&lane);
    }

    /// Ends all. Nothing is said by them any more; what still runs is left behind.
    pub fn close(&self) {
        self.inboxes.lock().unwrap_or_else(PoisonError::into_inner).clear();
        *self.gate.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }
}

fn serve(lane: u64, requests: &Receiver<Box<Request>>, gate: &Gate) {
    let mut python = Beside::here();
    while let Ok(request) = requests.recv() {
        let Some(done) = answer(&mut python, *request) else { continue };
        // Held meanwhile, so that `close` waits for it.
        if let Some(sink) = *gate.lock().unwrap_or_else(PoisonError::into_inner) {
            sink.beside(lane).emit(&Event::Done(done));
        }
    }
}

/// Does what is asked; `None` for what a lane does not do.
fn answer(python: &mut Beside, request: Request) -> Option<Done> {
    let begin = Instant::now();
    let (id, outcome) = match request {
        Request::Evaluate { id, source_name, code, width, .. } => {
            let width = width.unwrap_or(WIDTH);
            (id, catch(|| python.evaluate(&source_name, &code, width)))
        }
        Request::Comm { id, comm, message } => {
            (id, catch(|| python.comm(&convert::comm(comm), &message).map(|()| None)))
        }
        Request::Parent { header } => {
            python.set_parent(header);
            return None;
        }
        _ => return None,
    };
    let mut done = Done { id, ..Done::default() };
    match outcome {
        Ok(Ok(shown)) => {
            if let Some((bundle, metadata)) = shown.filter(|(bundle, _)| !bundle.is_empty()) {
                (done.result, done.metadata) = (Some(bundle), metadata);
            }
        }
        Ok(Err(report)) => done.error = Some(convert::report(&report)),
        Err(panic) => done.error = Some(fault(&panic)),
    }
    done.seconds = begin.elapsed().as_secs_f64();
    Some(done)
}
