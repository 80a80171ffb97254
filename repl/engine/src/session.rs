//! The session's thread: takes requests in order, answers each with events.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use flambeau_protocol::{Configure, Done, ErrorReport, Event, Request};
use flambeau_runtime::script::{Options, Session};

use crate::convert;
use crate::handle::{Shared, Sink};
use crate::panics::catch;

/// Columns of a terminal of which nothing is known.
const WIDTH: usize = 80;

/// Runs until a shutdown or until the handle is gone.
pub fn run(configure: Configure, inbox: &Receiver<Request>, shared: &Shared, sink: Sink) {
    let mut session = match catch(|| Session::new(options(configure, sink))) {
        Ok(session) => session,
        Err(panic) => {
            return sink.emit(&Event::Failed(format!("the session cannot start: {panic}")));
        }
    };
    shared.ready(session.interrupt_handle());
    sink.emit(&Event::Ready);
    while let Ok(request) = inbox.recv() {
        match request {
            Request::Evaluate { id, source_name, code, keep, width } => {
                session.set_width(width.unwrap_or(WIDTH));
                let done = evaluate(&mut session, shared, id, &source_name, &code, keep);
                shared.ended();
                sink.emit(&Event::Done(done));
            }
            Request::Doc { id, name } => {
                let (text, near) = match catch(|| session.doc(&name)) {
                    Ok(Ok(text)) => (Some(text), None),
                    Ok(Err(near)) => (None, near),
                    Err(_) => (None, None),
                };
                sink.emit(&Event::Documentation { id, text, near });
            }
            // A panic leaves nothing to offer; the answer is due all the same.
            Request::Complete { id, code, cursor } => {
                let found = catch(|| session.complete(&code, cursor));
                let (start, items) = found.unwrap_or((cursor, Vec::new()));
                let items = items.into_iter().map(convert::completion).collect();
                sink.emit(&Event::Completions { id, start, items });
            }
            Request::Signature { id, code, cursor } => {
                let found = catch(|| session.signature(&code, cursor)).ok().flatten();
                sink.emit(&Event::Signature { id, call: found.map(convert::signature) });
            }
            Request::Variables { id } => {
                let found = catch(|| session.describe()).unwrap_or_default();
                let items = found.into_iter().map(convert::variable).collect();
                sink.emit(&Event::Variables { id, items });
            }
            Request::Reset { id } => {
                let mut done = Done { id, ..Done::default() };
                if let Err(panic) = catch(|| session.reset()) {
                    done.error = Some(fault(&panic));
                }
                sink.emit(&Event::Done(done));
            }
            Request::Shutdown => break,
            // The first message went to `start`; an interrupt does not wait in line.
            Request::Configure(_) | Request::Interrupt => {}
        }
    }
    if let Err(panic) = catch(|| {
        flambeau_python::end();
        drop(session);
    }) {
        sink.emit(&Event::Stderr(format!("error while the session ended: {panic}\n")));
    }
    sink.emit(&Event::Stopped);
}

fn options(configure: Configure, sink: Sink) -> Options {
    flambeau_python::configure(flambeau_python::Setup {
        executable: configure.python,
        script_dir: configure.script_dir.clone(),
        args: configure.args.clone(),
        output: Some(Arc::new(move |event| sink.emit(&convert::event(event)))),
    });
    let mut libraries = flambeau_stdlib::libraries();
    libraries.push(flambeau_python::library());
    Options {
        libraries,
        permissions: convert::permissions(configure.permissions),
        limits: convert::limits(configure.limits),
        args: configure.args,
        script_dir: configure.script_dir,
        output: Box::new(move |event| sink.emit(&convert::event(event))),
    }
}

/// Evaluates one cell; whatever happens is in the answer.
fn evaluate(
    session: &mut Session,
    shared: &Shared,
    id: u64,
    name: &str,
    code: &str,
    keep: Option<u64>,
) -> Done {
    let begin = Instant::now();
    let mut done = Done { id, ..Done::default() };
    if shared.is_stopping() {
        let message = "interrupted before it began";
        done.error = Some(ErrorReport::without_place(ErrorReport::INTERRUPT, message));
        return done;
    }
    let outcome = catch(|| match session.evaluate(name, code) {
        Ok(value) if value.is_unit() => {}
        Ok(value) => {
            done.result = Some(session.represent(&value));
            if let Some(number) = keep.and_then(|number| usize::try_from(number).ok()) {
                session.keep(number, &value);
            }
        }
        Err(report) => done.error = Some(convert::report(&report)),
    });
    if let Err(panic) = outcome {
        done.error = Some(fault(&panic));
    }
    done.seconds = begin.elapsed().as_secs_f64();
    done
}

/// The report of a panic.
fn fault(panic: &str) -> ErrorReport {
    let message = format!("{panic}; this is a fault of Flambeau, not of the script");
    ErrorReport::without_place("InternalError", &message)
}
