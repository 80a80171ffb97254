//! What the caller holds: the way to the session's thread, and the way to stop it.

use std::ffi::c_void;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::mpsc::{self, Sender};
use std::sync::{Arc, OnceLock};
use std::thread::JoinHandle;

use flambeau_protocol::{Configure, Event, Request};
use flambeau_runtime::script::Interrupt;

use crate::beside::Lanes;
use crate::convert;
use crate::debugger::Asked;
use crate::questions::Answers;
use crate::session;

/// Takes one event as JSON, which is only valid during the call.
pub type Callback = unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: usize);

/// Address space for the session's stack; pages are only taken as they are used. Deep enough that the
/// language's own limits of nesting are reached first.
const STACK_BYTES: usize = 512 << 20;

/// Where events go.
#[derive(Clone, Copy)]
pub struct Sink {
    callback: Callback,
    user: *mut c_void,
    /// What is said comes from this lane.
    lane: Option<u64>,
}

// SAFETY: whoever makes a `Sink` promises that the callback takes `user` from any thread.
unsafe impl Send for Sink {}
// SAFETY: as above, also from several threads at once.
unsafe impl Sync for Sink {}

impl Sink {
    /// A sink that calls `callback`.
    ///
    /// # Safety
    /// `callback` may be called with `user` from any thread for as long as the sink or a copy lives.
    pub unsafe fn new(callback: Callback, user: *mut c_void) -> Self {
        Sink { callback, user, lane: None }
    }

    /// The same, for what a lane says.
    pub fn beside(self, lane: u64) -> Self {
        Sink { lane: Some(lane), ..self }
    }

    /// Hands one event over.
    pub fn emit(self, event: &Event) {
        let wrapped;
        let event = match self.lane {
            Some(lane) => {
                wrapped = Event::Beside { lane, event: Box::new(event.clone()) };
                &wrapped
            }
            None => event,
        };
        // Text, numbers and lists of them can always be written.
        let Ok(json) = serde_json::to_vec(event) else { return };
        // SAFETY: `new`'s promise; the bytes live until the call returns.
        unsafe { (self.callback)(self.user, json.as_ptr(), json.len()) };
    }
}

/// What [`Handle`] and its thread both see.
#[derive(Default)]
pub struct Shared {
    /// Set by the thread once the session stands.
    interrupt: OnceLock<Interrupt>,
    /// Evaluations that were sent and have not ended.
    pending: AtomicUsize,
    /// Whether those are to be stopped.
    stop: AtomicBool,
    /// What the user says.
    pub answers: Arc<Answers>,
    /// What the debugger wants to know.
    pub asked: Arc<Asked>,
}

impl Shared {
    /// The session stands: from now on it can be interrupted within an evaluation.
    pub fn ready(&self, interrupt: Interrupt) {
        // Set once, by the only thread that runs this.
        let _ = self.interrupt.set(interrupt);
    }

    /// Whether an evaluation about to begin was already told to stop.
    pub fn is_stopping(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    /// One evaluation has ended; with the last one, a wish to stop is fulfilled.
    pub fn ended(&self) {
        if self.pending.fetch_sub(1, Ordering::SeqCst) == 1 {
            self.stop.store(false, Ordering::SeqCst);
            if let Some(interrupt) = self.interrupt.get() {
                interrupt.clear();
            }
        }
    }

    /// Stops what runs and what waits.
    fn interrupt(&self) {
        if self.pending.load(Ordering::SeqCst) == 0 {
            return;
        }
        self.stop.store(true, Ordering::SeqCst);
        if let Some(interrupt) = self.interrupt.get() {
            interrupt.interrupt();
        }
    }
}

/// Whether a request is one that an interrupt stops.
pub fn is_evaluation(request: &Request) -> bool {
    matches!(request, Request::Evaluate { .. } | Request::Profile { .. } | Request::Comm { .. })
}

/// A running session.
pub struct Handle {
    requests: Sender<Request>,
    lanes: Arc<Lanes>,
    shared: Arc<Shared>,
    thread: JoinHandle<()>,
}

impl Handle {
    /// Starts the session's thread.
    ///
    /// # Errors
    /// What the system says when it has no thread to give.
    pub fn start(configure: Configure, sink: Sink) -> std::io::Result<Handle> {
        let (requests, inbox) = mpsc::channel();
        let shared = Arc::new(Shared::default());
        let lanes = Arc::new(Lanes::new(sink));
        let thread = std::thread::Builder::new()
            .name("flambeau session".to_owned())
            .stack_size(STACK_BYTES)
            .spawn({
                let (shared, lanes) = (shared.clone(), lanes.clone());
                move || session::run(configure, &inbox, &shared, &lanes, sink)
            })?;
        Ok(Handle { requests, lanes, shared, thread })
    }

    /// Queues a request; false when the session has ended.
    pub fn send(&self, request: Request) -> bool {
        match request {
            Request::Interrupt => {
                self.interrupt();
                return true;
            }
            Request::Answer { id, answer } => {
                self.shared.answers.put(id, convert::answer(answer));
                return true;
            }
            Request::EndLane { lane } => {
                self.lanes.end(lane);
                return true;
            }
            Request::Beside { lane, work } => {
                // An idle session first tells Python what it has bound.
                let idle = self.shared.pending.load(Ordering::SeqCst) == 0;
                let work = match idle {
                    true => work,
                    false => match self.lanes.send(lane, work) {
                        Ok(()) => return true,
                        Err(work) => work,
                    },
                };
                if is_evaluation(&work) {
                    self.shared.pending.fetch_add(1, Ordering::SeqCst);
                }
                return self.requests.send(Request::Beside { lane, work }).is_ok();
            }
            Request::Attach { attached } => {
                self.shared.asked.attach(attached);
                return true;
            }
            // Where nothing runs, the request itself has the session look.
            Request::Debug { id, ref ask } => self.shared.asked.put(id, ask.clone()),
            ref request if is_evaluation(request) => {
                self.shared.pending.fetch_add(1, Ordering::SeqCst);
            }
            _ => {}
        }
        self.requests.send(request).is_ok()
    }

    /// Stops what runs and what waits.
    pub fn interrupt(&self) {
        self.shared.interrupt();
    }

    /// Ends the session and waits for its thread.
    pub fn stop(self) {
        self.interrupt();
        self.lanes.close();
        let _ = self.requests.send(Request::Shutdown);
        drop(self.requests);
        // A panic of the thread was reported by the thread.
        let _ = self.thread.join();
    }
}
