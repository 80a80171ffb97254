//! A session in the test's own process, with everything that it prints kept.

use std::sync::{Arc, Mutex, PoisonError};

use flambeau_runtime::script::{Event, Limits, Options, Report, Session};

/// A session with the whole library and what it has printed since the last look.
pub struct Recorded {
    /// The session.
    pub session: Session,
    printed: Arc<Mutex<String>>,
}

impl Recorded {
    /// A new session with an empty scope.
    pub fn new() -> Self {
        let printed = Arc::new(Mutex::new(String::new()));
        let sink = printed.clone();
        let session = Session::new(Options {
            libraries: flambeau_stdlib::libraries(),
            limits: Limits { call_levels: Some(64), ..Limits::default() },
            output: Arc::new(move |event| {
                if let Event::Stdout(text) | Event::Stderr(text) = event {
                    sink.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
                }
            }),
            ..Options::default()
        });
        Recorded { session, printed }
    }

    /// Evaluates a cell: what it printed, and the error that ended it.
    pub fn run(&mut self, source: &str, code: &str) -> (String, Option<Box<Report>>) {
        let error = self.session.evaluate(source, code).err();
        let mut printed = self.printed.lock().unwrap_or_else(PoisonError::into_inner);
        (std::mem::take(&mut *printed), error)
    }
}

impl Default for Recorded {
    fn default() -> Self {
        Recorded::new()
    }
}

/// Runs `body` on a thread with a stack as deep as the program gives its own.
///
/// # Panics
/// When `body` does.
pub fn on_deep_stack<R: Send + 'static>(body: impl FnOnce() -> R + Send + 'static) -> R {
    let thread = std::thread::Builder::new().stack_size(512 << 20).spawn(body);
    match thread.expect("a thread").join() {
        Ok(result) => result,
        Err(panic) => std::panic::resume_unwind(panic),
    }
}
