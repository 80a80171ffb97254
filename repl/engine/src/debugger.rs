//! The debugger's questions: they come past the line of requests, because the session's thread waits for them where a
//! script stands. Where nothing runs it is woken by a request.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use flambeau_protocol::{Ask, Event, Told, debug};
use flambeau_runtime::script::{self, DebugClient, Inspection};

use crate::handle::Sink;
use crate::panics::catch;

/// What was asked and not answered, by number.
#[derive(Default)]
pub struct Asked {
    waiting: Mutex<VecDeque<(u64, Ask)>>,
    came: Condvar,
    /// Whether something waits.
    any: AtomicBool,
    attached: AtomicBool,
}

impl Asked {
    /// A client has come or gone.
    pub fn attach(&self, attached: bool) {
        self.attached.store(attached, Ordering::SeqCst);
        self.came.notify_all();
    }

    /// A question has come.
    pub fn put(&self, id: u64, ask: Ask) {
        let mut waiting = self.lock();
        waiting.push_back((id, ask));
        self.any.store(true, Ordering::SeqCst);
        self.came.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, VecDeque<(u64, Ask)>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn next(&self) -> Option<(u64, Ask)> {
        let mut waiting = self.lock();
        let next = waiting.pop_front();
        self.any.store(!waiting.is_empty(), Ordering::SeqCst);
        next
    }
}

/// The client, by messages.
pub struct Client {
    pub asked: Arc<Asked>,
    pub sink: Sink,
}

impl DebugClient for Client {
    fn is_attached(&self) -> bool {
        self.asked.attached.load(Ordering::Relaxed)
    }

    fn has_asked(&self) -> bool {
        self.asked.any.load(Ordering::Relaxed)
    }

    fn wait(&self, patience: Duration) {
        let waiting = self.asked.lock();
        let attached = &self.asked.attached;
        let idle =
            |waiting: &mut VecDeque<_>| waiting.is_empty() && attached.load(Ordering::SeqCst);
        drop(self.asked.came.wait_timeout_while(waiting, patience, idle));
    }

    fn serve(&self, inspection: &mut Inspection<'_, '_>) -> Option<script::Resume> {
        while let Some((id, ask)) = self.asked.next() {
            let resume = match &ask {
                Ask::Resume(resume) => Some(resumed(*resume)),
                _ => None,
            };
            let told = match resume.is_some() && !inspection.stands() {
                true => Told::Refused("no script stands".to_owned()),
                false => catch(|| told(ask, inspection)).unwrap_or_else(Told::Refused),
            };
            self.sink.emit(&Event::Debug { id, told });
            if inspection.stands() && resume.is_some() {
                return resume;
            }
        }
        None
    }

    fn stopped(&self, reason: script::Reason) {
        let reason = match reason {
            script::Reason::Breakpoint => debug::Reason::Breakpoint,
            script::Reason::Step => debug::Reason::Step,
            script::Reason::Pause => debug::Reason::Pause,
        };
        self.sink.emit(&Event::Halted { reason });
    }

    fn resumed(&self) {
        self.sink.emit(&Event::Resumed);
    }
}

fn resumed(resume: debug::Resume) -> script::Resume {
    match resume {
        debug::Resume::Continue => script::Resume::Continue,
        debug::Resume::Next => script::Resume::Next,
        debug::Resume::Into => script::Resume::Into,
        debug::Resume::Out => script::Resume::Out,
    }
}

/// The answer to a question.
fn told(ask: Ask, inspection: &mut Inspection<'_, '_>) -> Told {
    let values =
        |values: Vec<script::Inspected>| Told::Values(values.into_iter().map(value).collect());
    let answer = match ask {
        Ask::Breakpoints { file, parts, lines } => {
            Ok(Told::Lines(inspection.set_breakpoints(&file, &parts, &lines)))
        }
        Ask::Calls => Ok(Told::Calls(inspection.calls().into_iter().map(call).collect())),
        Ask::Scope { call } => inspection.reference(call).map(Told::Reference),
        Ask::Variables => inspection.inspect(None).map(values),
        Ask::Parts { reference, start, count } => {
            inspection.parts(reference, start, count).map(values)
        }
        Ask::Evaluate { code, call } => {
            inspection.evaluate(&code, call).map(|found| values(vec![found]))
        }
        Ask::Represent { name, call } => inspection.represent(&name, call).map(Told::Bundle),
        Ask::Copy { name, to, call } => inspection.copy(&name, &to, call).map(|()| Told::Nothing),
        Ask::Pause => {
            inspection.pause();
            Ok(Told::Nothing)
        }
        Ask::Resume(_) => Ok(Told::Nothing),
    };
    answer
        .unwrap_or_else(|error| Told::Refused(format!("{}: {}", error.kind_name(), error.message)))
}

fn call(call: script::Call) -> debug::Call {
    let script::Call { id, function, source, file, line, column } = call;
    debug::Call { id, function, source, file, line, column }
}

fn value(value: script::Inspected) -> debug::Value {
    let script::Inspected { name, kind, text, reference, items } = value;
    debug::Value { name, kind, text, reference, items }
}
