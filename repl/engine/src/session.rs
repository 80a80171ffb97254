//! The session's thread: takes requests in order, answers each with events.

use std::sync::mpsc::Receiver;
use std::time::Instant;

use flambeau_protocol::{Configure, Done, ErrorReport, Event, Language, Request};
use flambeau_python::Cells;
use flambeau_runtime::script::{Options, Report, Session};
use rhai::Dynamic;

use crate::convert;
use crate::handle::{Shared, Sink};
use crate::panics::catch;

/// Runs until a shutdown or until the handle is gone.
pub fn run(configure: Configure, inbox: &Receiver<Request>, shared: &Shared, sink: Sink) {
    let mut session = match catch(|| Session::new(options(configure, sink))) {
        Ok(session) => session,
        Err(panic) => {
            return sink.emit(&Event::Failed(format!("the session cannot start: {panic}")));
        }
    };
    let mut python = Cells::default();
    shared.ready(session.interrupt_handle());
    sink.emit(&Event::Ready);
    while let Ok(request) = inbox.recv() {
        match request {
            Request::Evaluate { id, source_name, code, keep, language } => {
                let number = keep.and_then(|number| usize::try_from(number).ok());
                let done = evaluate(id, shared, || {
                    if let Some(number) = number {
                        session.keep_input(number, code.trim_start_matches('\n'));
                    }
                    let value = match language {
                        Language::Rhai => in_rhai(&mut session, &source_name, &code)?,
                        Language::Python => {
                            let outcome = python.evaluate(&mut session, &source_name, &code)?;
                            outcome.map(|outcome| (outcome.value, outcome.text))
                        }
                    };
                    Ok(value.map(|(value, text)| {
                        if let Some(number) = number {
                            session.keep(number, &value);
                        }
                        text
                    }))
                });
                shared.ended();
                sink.emit(&Event::Done(done));
            }
            // A panic leaves nothing to tell or to offer; the answer is due all the same.
            Request::Doc { id, name, language } => {
                let found = catch(|| match whose(&session, &name, language) {
                    Language::Rhai => session.doc(&name),
                    Language::Python => python.document(&mut session, &name).ok_or(None),
                });
                let (text, near) = match found.unwrap_or(Err(None)) {
                    Ok(text) => (Some(text), None),
                    Err(near) => (None, near),
                };
                sink.emit(&Event::Documentation { id, text, near });
            }
            Request::Source { id, name, language } => {
                let text = catch(|| match whose(&session, &name, language) {
                    Language::Rhai => session.source(&name),
                    Language::Python => python.source(&mut session, &name),
                });
                let text = text.unwrap_or_default();
                sink.emit(&Event::Documentation { id, text, near: None });
            }
            Request::Complete { id, code, cursor, language } => {
                let found = catch(|| match language {
                    Language::Rhai => session.complete(&code, cursor),
                    Language::Python => python.complete(&mut session, &code, cursor),
                });
                let (start, items) = found.unwrap_or((cursor, Vec::new()));
                let items = items.into_iter().map(convert::completion).collect();
                sink.emit(&Event::Completions { id, start, items });
            }
            Request::Variables { id } => {
                let found = catch(|| session.describe()).unwrap_or_default();
                let items = found.into_iter().map(convert::variable).collect();
                sink.emit(&Event::Variables { id, items });
            }
            Request::Reset { id } => {
                let mut done = Done { id, ..Done::default() };
                // What Python's destructors raise is Python's.
                if let Err(panic) = catch(|| (session.reset(), python.reset(&mut session))) {
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

/// Who knows more of a name: what a script's variable holds may be an object of Python.
fn whose(session: &Session, name: &str, language: Language) -> Language {
    let first = name.trim().split('.').next().unwrap_or("");
    let object = session.get(first).is_some_and(|value| value.is::<flambeau_python::PyObject>());
    if object { Language::Python } else { language }
}

/// The value of a script's cell and the text of it; nothing for `()`.
fn in_rhai(
    session: &mut Session,
    name: &str,
    code: &str,
) -> Result<Option<(Dynamic, String)>, Box<Report>> {
    let value = session.evaluate(name, code)?;
    let text = (!value.is_unit()).then(|| session.display(&value));
    Ok(text.map(|text| (value, text)))
}

/// Runs an evaluation; whatever happens is in the answer.
fn evaluate(
    id: u64,
    shared: &Shared,
    run: impl FnOnce() -> Result<Option<String>, Box<Report>>,
) -> Done {
    let begin = Instant::now();
    let mut done = Done { id, ..Done::default() };
    if shared.is_stopping() {
        let message = "interrupted before it began";
        done.error = Some(ErrorReport::without_place(ErrorReport::INTERRUPT, message));
        return done;
    }
    match catch(run) {
        Ok(Ok(text)) => done.result = text,
        Ok(Err(report)) => done.error = Some(convert::report(&report)),
        Err(panic) => done.error = Some(fault(&panic)),
    }
    done.seconds = begin.elapsed().as_secs_f64();
    done
}

/// The report of a panic.
fn fault(panic: &str) -> ErrorReport {
    let message = format!("{panic}; this is a fault of Flambeau, not of the script");
    ErrorReport::without_place("InternalError", &message)
}
