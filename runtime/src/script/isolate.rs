//! Isolates: sessions that a session starts, each on a thread of its own and with an engine of its own.
//!
//! Two of them share no value of a script. An isolate has the libraries, the permissions and the limits of the session
//! that started it, writes to its output and is stopped with it: [`State::stop_with`] tells all of them, and a session
//! that ends waits for theirs. What crosses between them is the business of whoever starts them.

use std::any::Any;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::atomic::AtomicU64;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::thread::JoinHandle;

use super::event::{Event, Output};
use super::interrupt::Interrupt;
use super::report::Report;
use super::session::{Options, Session};
use super::state::State;
use super::turn;
use crate::error::{Error, Kind, Result};
use crate::torch::shim;

/// Address space for the stack of an isolate; pages are only taken as they are used.
const STACK_BYTES: usize = 64 << 20;

/// What ties a session to the one that started it.
#[derive(Default)]
pub(crate) struct Tie {
    pub stop: Interrupt,
    /// The operations of both, where they are limited.
    pub operations: Arc<AtomicU64>,
    pub is_isolate: bool,
}

/// An isolate that was started, and perhaps has ended.
#[derive(Debug)]
pub struct Running {
    stop: Interrupt,
    thread: Mutex<Option<JoinHandle<()>>>,
}

/// All isolates of the process that may still run.
static ALL: Mutex<Vec<Weak<Running>>> = Mutex::new(Vec::new());

/// Held while the number of threads that new threads begin with is another one.
static THREADS: Mutex<()> = Mutex::new(());

impl Running {
    /// Has it stop at the next operation of its script.
    pub fn stop(&self) {
        self.stop.stop();
    }

    /// Whether its thread is still there.
    fn is_there(&self) -> bool {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner);
        thread.as_ref().is_some_and(|thread| !thread.is_finished())
    }

    /// Waits for its thread.
    fn join(&self) {
        let thread = self.thread.lock().unwrap_or_else(PoisonError::into_inner).take();
        // What it panicked with was told by its end.
        let _ = thread.map(JoinHandle::join);
    }
}

/// Stops all isolates of the process and waits for them: for its end.
pub fn end_isolates() {
    let all = std::mem::take(&mut *ALL.lock().unwrap_or_else(PoisonError::into_inner));
    let all: Vec<Arc<Running>> = all.iter().filter_map(Weak::upgrade).collect();
    all.iter().for_each(|running| running.stop());
    turn::outside(|| all.iter().for_each(|running| running.join()));
}

/// Whether an isolate evaluates on this thread.
pub fn in_isolate() -> bool {
    turn::is_isolate()
}

/// How an isolate is started.
pub struct Start<'a> {
    /// The name of its thread.
    pub name: &'a str,
    /// Where its scripts look for others; by default where those of its parent do.
    pub folder: Option<PathBuf>,
    /// How many threads an operator may use in it.
    pub threads: i32,
}

impl State {
    /// Starts a session beside this one, which does `work`; when it has ended, `done` gets the outcome, or what it
    /// panicked with.
    ///
    /// # Errors
    /// A `RuntimeError` when the system gives no thread.
    pub fn start_isolate<T>(
        &self,
        Start { name, folder, threads }: Start<'_>,
        work: impl FnOnce(&mut Session) -> T + Send + 'static,
        done: impl FnOnce(std::result::Result<T, String>) + Send + 'static,
    ) -> Result<Arc<Running>> {
        self.forget_ended();
        let stop = Interrupt::default();
        let operations = self.operations.clone();
        let tie = Tie { stop: stop.clone(), operations, is_isolate: true };
        let output = self.output.clone();
        let (libraries, limits) = (self.libraries.clone(), self.limits);
        let (permissions, args) = (self.permissions.clone(), self.args.clone());
        let script_dir = folder.or_else(|| self.folder.clone());
        let notebook = self.notebook;
        let body = move || {
            let outcome = catch_unwind(AssertUnwindSafe(|| {
                use_threads(threads);
                let lines = Lines::new(output);
                let mut session = Session::beside(
                    Options {
                        libraries,
                        permissions,
                        limits,
                        args,
                        script_dir,
                        output: lines.output(),
                        notebook,
                        ..Options::default()
                    },
                    tie,
                );
                let outcome = work(&mut session);
                drop(session);
                lines.end();
                outcome
            }));
            done(outcome.map_err(|panic| said(&*panic)));
        };
        let thread = std::thread::Builder::new().name(name.to_owned()).stack_size(STACK_BYTES);
        let thread = thread.spawn(body).map_err(|cause| {
            Error::new(Kind::Runtime, format!("a worker's thread cannot be started: {cause}"))
        })?;
        let running = Arc::new(Running { stop, thread: Mutex::new(Some(thread)) });
        self.isolates.borrow_mut().push(running.clone());
        let mut all = ALL.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|known| known.strong_count() > 0);
        all.push(Arc::downgrade(&running));
        Ok(running)
    }

    /// Lets go of isolates that have ended.
    fn forget_ended(&self) {
        self.isolates.borrow_mut().retain(|running| {
            let there = running.is_there();
            if !there {
                running.join();
            }
            there
        });
    }

    /// Has all isolates stop.
    pub(crate) fn stop_isolates(&self) {
        self.isolates.borrow().iter().for_each(|running| running.stop());
    }

    /// Stops all isolates and waits for them.
    pub(crate) fn end_isolates(&self) {
        let isolates = self.isolates.take();
        isolates.iter().for_each(|running| running.stop());
        turn::outside(|| isolates.iter().for_each(|running| running.join()));
    }

    /// The texts in which the functions of a name and those that they may call are defined, oldest first, each with its
    /// name; nothing where no script defines it.
    pub fn texts_of(&self, function: &str) -> Option<Vec<(String, String)>> {
        let source = self.definition(function)?;
        let sources = self.sources.borrow();
        let text = |name: &String| Some((name.clone(), sources.get(name)?.0.clone()));
        let defining = self.defining.borrow();
        // A file that was imported stands for itself.
        if !defining.contains(&source) {
            return Some(vec![text(&source)?]);
        }
        Some(defining.iter().filter_map(text).collect())
    }

    /// The variables of the session that functions read.
    pub fn read_by_functions(&self) -> Vec<(String, rhai::Dynamic)> {
        let globals = self.globals.borrow();
        globals.iter().map(|(name, value)| (name.to_string(), value.flatten_clone())).collect()
    }
}

impl Session {
    /// Whether it has started others that may still run.
    pub fn has_isolates(&self) -> bool {
        !self.state().isolates.borrow().is_empty()
    }

    /// Stops those that it has started, and waits for them.
    pub fn end_isolates(&self) {
        self.state().end_isolates();
    }

    fn beside(mut options: Options, tie: Tie) -> Session {
        // Those that every session has are among them.
        let libraries = std::mem::take(&mut options.libraries);
        Session::with_all(options, libraries, tie)
    }

    /// Takes over the functions and the imports of a script, and evaluates none of its other statements.
    ///
    /// # Errors
    /// A [`Report`], as of [`Session::evaluate`].
    pub fn define(&mut self, source: &str, code: &str) -> std::result::Result<(), Box<Report>> {
        self.evaluate_parts(source, code, "", true).map(drop)
    }

    /// Evaluates a script and then statements that stand on lines of their own below it.
    ///
    /// # Errors
    /// A [`Report`], as of [`Session::evaluate`].
    pub fn evaluate_and(
        &mut self,
        source: &str,
        code: &str,
        more: &str,
        definitions_only: bool,
    ) -> std::result::Result<(), Box<Report>> {
        self.evaluate_parts(source, code, more, definitions_only).map(drop)
    }
}

/// Has operators on this thread use so many threads; other threads keep what they have.
fn use_threads(threads: i32) {
    let _alone = THREADS.lock().unwrap_or_else(PoisonError::into_inner);
    let others = tch::get_num_threads();
    if others == threads {
        return;
    }
    // libtorch sets this thread's number, and that with which new threads begin. The latter is set back by another.
    if shim::set_threads(threads, 0).is_ok() {
        let back = std::thread::Builder::new().spawn(move || {
            let _ = shim::set_threads(others, 0);
        });
        let _ = back.map(JoinHandle::join);
    }
}

/// What a panic says.
fn said(panic: &(dyn Any + Send)) -> String {
    let text = panic.downcast_ref::<&str>().map(|text| (*text).to_owned());
    text.or_else(|| panic.downcast_ref::<String>().cloned())
        .unwrap_or_else(|| "a panic without a message".to_owned())
}

/// What an isolate tells goes on in whole lines, so that those of several do not mix.
#[derive(Clone)]
struct Lines(Arc<(Output, Mutex<[String; 2]>)>);

impl Lines {
    fn new(output: Output) -> Lines {
        Lines(Arc::new((output, Mutex::default())))
    }

    fn output(&self) -> Output {
        let lines = self.clone();
        Arc::new(move |event| lines.take(event))
    }

    fn take(&self, event: Event) {
        let (output, begun) = &*self.0;
        let mut begun = begun.lock().unwrap_or_else(PoisonError::into_inner);
        let (which, text) = match event {
            Event::Stdout(text) => (0, text),
            Event::Stderr(text) => (1, text),
            // What it shows comes behind what it has printed.
            other => {
                Lines::flush(output, &mut begun);
                return output(other);
            }
        };
        begun[which].push_str(&text);
        if let Some(end) = begun[which].rfind('\n') {
            let rest = begun[which].split_off(end + 1);
            let lines = std::mem::replace(&mut begun[which], rest);
            output(Lines::event(which, lines));
        }
    }

    fn event(which: usize, text: String) -> Event {
        if which == 0 { Event::Stdout(text) } else { Event::Stderr(text) }
    }

    /// Hands on lines that have not ended.
    fn flush(output: &Output, begun: &mut [String; 2]) {
        for (which, text) in begun.iter_mut().enumerate() {
            if !text.is_empty() {
                let text = std::mem::take(text) + "\n";
                output(Lines::event(which, text));
            }
        }
    }

    fn end(&self) {
        let (output, begun) = &*self.0;
        Lines::flush(output, &mut begun.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
