//! The session's thread: takes requests in order, answers each with events.

use std::sync::Arc;
use std::sync::mpsc::Receiver;
use std::time::Instant;

use flambeau_protocol::{Bundle, Configure, Done, ErrorReport, Event, Language, Request};
use flambeau_python::{Beside, Cells};
use flambeau_runtime::script::{Input, Options, Report, Session};
use flambeau_runtime::torch::{profile, set_threads};
use rhai::Dynamic;

use crate::beside::{Lanes, lane};
use crate::convert;
use crate::debugger::Client;
use crate::handle::{Shared, Sink, is_evaluation};
use crate::panics::catch;
use crate::questions::Questions;

/// Columns of a terminal of which nothing is known.
pub const WIDTH: usize = 80;

/// Runs until a shutdown or until the handle is gone.
pub fn run(
    configure: Configure,
    inbox: &Receiver<Request>,
    shared: &Shared,
    lanes: &Lanes,
    sink: Sink,
) {
    let (experiment, threads) = (configure.experiment.clone(), configure.threads);
    let begin = || {
        if let Some(threads) = threads {
            // The number is one that libtorch takes.
            let _ = set_threads(i32::try_from(threads).unwrap_or(i32::MAX), 0);
        }
        let session = Session::new(options(configure, shared, sink));
        if let Some(experiment) = experiment {
            flambeau_stdlib::experiment::set_up(&session, convert::experiment(*experiment));
        }
        session
    };
    let mut session = match catch(begin) {
        Ok(session) => session,
        Err(panic) => {
            return sink.emit(&Event::Failed(format!("the session cannot start: {panic}")));
        }
    };
    let mut python = Cells::default();
    // The last error as it is told in full, for who wants to see it again. Not the error itself: that holds what was
    // thrown, and Python's exceptions hold the variables of every call that they have passed.
    let mut last: Option<ErrorReport> = None;
    shared.ready(session.interrupt_handle());
    sink.emit(&Event::Ready);
    while let Ok(request) = inbox.recv() {
        let (request, sink) = match request {
            Request::Beside { lane, work } => {
                let counted = is_evaluation(&work);
                match hand_over(&mut session, &mut python, lane, work, lanes) {
                    // Answered as the lane would.
                    Some(work) => (*work, sink.beside(lane)),
                    None => {
                        if counted {
                            shared.ended();
                        }
                        continue;
                    }
                }
            }
            request => (request, sink),
        };
        match request {
            Request::Evaluate { id, source_name, code, keep, language, width } => {
                session.set_width(width.unwrap_or(WIDTH));
                let number = keep.and_then(|number| usize::try_from(number).ok());
                let (done, report) = evaluate(id, shared, || {
                    // A value that cannot be the session's stays Python's.
                    let _ = python.catch_up(&mut session);
                    if let Some(number) = number {
                        session.keep_input(number, code.trim_start_matches('\n'));
                    }
                    let value = run_cell(&mut session, &mut python, language, &source_name, &code);
                    let after = python.after_cell(&mut session);
                    let value = value.and_then(|value| after.map(|()| value))?;
                    Ok(value.map(|(value, shown)| {
                        if let Some(number) = number {
                            session.keep(number, &value);
                        }
                        shown
                    }))
                });
                last = report.or(last);
                shared.ended();
                sink.emit(&Event::Done(done));
            }
            Request::Profile { id, source_name, code, language, shapes } => {
                let mut operators = Vec::new();
                let (done, report) = evaluate(id, shared, || {
                    let run = || run_cell(&mut session, &mut python, language, &source_name, &code);
                    match profile(shapes, run) {
                        Ok((outcome, found)) => {
                            operators = found.into_iter().map(convert::operator).collect();
                            outcome.map(|value| value.map(|(_, shown)| shown))
                        }
                        Err(error) => Err(session.failed(&source_name, error)),
                    }
                });
                last = report.or(last);
                shared.ended();
                sink.emit(&Event::Profiled { done, operators });
            }
            Request::Comm { id, comm, message } => {
                let (done, report) = evaluate(id, shared, || {
                    python.comm(&mut session, &convert::comm(comm), &message)?;
                    Ok(None)
                });
                last = report.or(last);
                shared.ended();
                sink.emit(&Event::Done(done));
            }
            Request::Traceback { id } => {
                sink.emit(&Event::Done(Done { id, error: last.clone(), ..Done::default() }));
            }
            Request::Remove { id, names } => {
                let missing: Vec<String> = names
                    .into_iter()
                    .filter(|name| !catch(|| session.remove(name)).unwrap_or(false))
                    .collect();
                let error = (!missing.is_empty()).then(|| {
                    let message = format!("there is no variable {}", missing.join(", "));
                    ErrorReport::without_place("NameError", &message)
                });
                sink.emit(&Event::Done(Done { id, error, ..Done::default() }));
            }
            Request::Memory { id } => {
                let found = catch(|| session.memory()).unwrap_or_default();
                sink.emit(&convert::memory(id, found));
            }
            Request::Apropos { id, words } => {
                let found = catch(|| session.apropos(&words)).unwrap_or_default();
                let items = found.into_iter().map(convert::completion).collect();
                sink.emit(&Event::Completions { id, start: 0, items });
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
                // What Python's destructors raise is Python's.
                if let Err(panic) = catch(|| (session.reset(), python.reset(&mut session))) {
                    done.error = Some(fault(&panic));
                }
                sink.emit(&Event::Done(done));
            }
            Request::File { source_name, file } => session.set_file(&source_name, &file),
            // Perhaps it was answered already, where a script stood.
            Request::Debug { .. } => {
                if let Err(panic) = catch(|| session.serve_debugger()) {
                    sink.emit(&Event::Stderr(format!("error in the debugger: {panic}\n")));
                }
            }
            Request::Parent { header } => flambeau_python::set_parent(header),
            Request::Shutdown => break,
            // The first message went to `start`; an interrupt does not wait in line.
            Request::Configure(_)
            | Request::Beside { .. }
            | Request::EndLane { .. }
            | Request::Interrupt
            | Request::Answer { .. }
            | Request::Attach { .. } => {}
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

fn options(configure: Configure, shared: &Shared, sink: Sink) -> Options {
    let questions = Arc::new(Questions { answers: shared.answers.clone(), sink });
    let notebook = configure.notebook;
    flambeau_python::configure(flambeau_python::Setup {
        executable: configure.python,
        script_dir: configure.script_dir.clone(),
        args: configure.args.clone(),
        output: Some(Arc::new(move |event| {
            let sink = lane().map_or(sink, |lane| sink.beside(lane));
            sink.emit(&convert::event(event));
        })),
        notebook: notebook.then(|| questions.clone() as Arc<dyn Input>),
    });
    let mut libraries = flambeau_stdlib::libraries();
    libraries.push(flambeau_python::library());
    libraries.extend(crate::faults::library());
    Options {
        libraries,
        permissions: convert::permissions(configure.permissions),
        limits: convert::limits(configure.limits),
        args: configure.args,
        script_dir: configure.script_dir,
        output: Arc::new(move |event| sink.emit(&convert::event(event))),
        input: Some(questions),
        notebook,
        debugger: Some(Arc::new(Client { asked: shared.asked.clone(), sink })),
    }
}

/// Hands work over to a lane, with what the session has bound for it; gives back what only this thread can do.
fn hand_over(
    session: &mut Session,
    python: &mut Cells,
    lane: u64,
    work: Box<Request>,
    lanes: &Lanes,
) -> Option<Box<Request>> {
    if !Beside::is_possible() {
        return Some(work);
    }
    let text = match &*work {
        Request::Evaluate { code, .. } => Some(code.as_str()),
        Request::Comm { .. } => Some(""),
        _ => None,
    };
    if let Some(text) = text {
        // A panic leaves Python with what it knew.
        let _ = catch(|| python.renew(session, text));
    }
    lanes.send(lane, work).err()
}

/// Who knows more of a name: what a script's variable holds may be an object of Python.
fn whose(session: &Session, name: &str, language: Language) -> Language {
    let first = name.trim().split('.').next().unwrap_or("");
    let object = session.get(first).is_some_and(|value| value.is::<flambeau_python::PyObject>());
    if object { Language::Python } else { language }
}

/// What shows a value, and more about its representations as JSON.
type Shown = (Bundle, Option<String>);

/// The value of a cell and what shows it; nothing where it has none.
fn run_cell(
    session: &mut Session,
    python: &mut Cells,
    language: Language,
    name: &str,
    code: &str,
) -> Result<Option<(Dynamic, Shown)>, Box<Report>> {
    match language {
        Language::Rhai => {
            let value = session.evaluate_cell(name, code)?;
            let bundle = (!value.is_unit()).then(|| session.represent(&value));
            Ok(bundle.map(|bundle| (value, (bundle, None))))
        }
        Language::Python => {
            let outcome = python.evaluate(session, name, code)?;
            Ok(outcome.map(|outcome| (outcome.value, (outcome.bundle, outcome.metadata))))
        }
    }
}

/// Runs an evaluation; whatever happens is in the answer, and an error in full beside it.
fn evaluate(
    id: u64,
    shared: &Shared,
    run: impl FnOnce() -> Result<Option<Shown>, Box<Report>>,
) -> (Done, Option<ErrorReport>) {
    let begin = Instant::now();
    let mut done = Done { id, ..Done::default() };
    if shared.is_stopping() {
        let message = "interrupted before it began";
        done.error = Some(ErrorReport::without_place(ErrorReport::INTERRUPT, message));
        return (done, None);
    }
    let mut failed = None;
    match catch(run) {
        Ok(Ok(shown)) => {
            // An object may have shown itself.
            if let Some((bundle, metadata)) = shown.filter(|(bundle, _)| !bundle.is_empty()) {
                (done.result, done.metadata) = (Some(bundle), metadata);
            }
        }
        Ok(Err(report)) => {
            done.error = Some(convert::report(&report));
            failed = Some(convert::report_in_full(&report));
        }
        Err(panic) => done.error = Some(fault(&panic)),
    }
    done.seconds = begin.elapsed().as_secs_f64();
    (done, failed)
}

/// The report of a panic.
pub fn fault(panic: &str) -> ErrorReport {
    let message = format!("{panic}; this is a fault of Flambeau, not of the script");
    ErrorReport::without_place("InternalError", &message)
}
