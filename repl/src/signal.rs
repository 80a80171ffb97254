//! Ctrl-C: the first stops the script, a second within a second ends the program. Behind a prompt none ends
//! the program: its variables are what the user works with.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use signal_hook::consts::{SIGINT, SIGPIPE};
use signal_hook::iterator::Signals;
use signal_hook::low_level;

use crate::engine::Engine;
use crate::problem::exit;

/// How soon a second Ctrl-C must follow to mean "at once".
const AGAIN: Duration = Duration::from_secs(1);

/// What Ctrl-C is for at the moment.
#[derive(Clone, Default)]
pub struct Interrupts {
    running: Arc<Mutex<Option<Arc<Engine>>>>,
    /// Whether it was pressed since this was last looked at.
    asked: Arc<AtomicBool>,
}

/// Said when Ctrl-C is pressed again behind a prompt.
const STUCK: &str = "still in one operator, which ends by itself; Ctrl-\\ ends the program";

impl Interrupts {
    /// Takes Ctrl-C over. Until [`Interrupts::forward_to`] it ends the program.
    ///
    /// # Errors
    /// What the system says when it refuses a handler or a thread.
    pub fn watch() -> std::io::Result<Interrupts> {
        Interrupts::watch_as(false)
    }

    /// Takes Ctrl-C over for a session behind a prompt, which it never ends.
    ///
    /// # Errors
    /// As [`Interrupts::watch`].
    pub fn watch_session() -> std::io::Result<Interrupts> {
        Interrupts::watch_as(true)
    }

    fn watch_as(session: bool) -> std::io::Result<Interrupts> {
        let interrupts = Interrupts::default();
        let mut signals = Signals::new([SIGINT])?;
        std::thread::Builder::new().name("flambeau signals".to_owned()).spawn({
            let interrupts = interrupts.clone();
            move || {
                let mut last: Option<Instant> = None;
                for _ in signals.forever() {
                    let again = last.is_some_and(|last| last.elapsed() < AGAIN);
                    last = Some(Instant::now());
                    interrupts.asked.store(true, Ordering::SeqCst);
                    let stopped = (session || !again) && interrupts.interrupt();
                    match session {
                        false if !stopped => end(),
                        true if again && stopped => eprintln!("{STUCK}"),
                        _ => {}
                    }
                }
            }
        })?;
        Ok(interrupts)
    }

    /// From now on Ctrl-C stops what this engine runs.
    pub fn forward_to(&self, engine: &Arc<Engine>) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(engine.clone());
    }

    /// Nothing runs any more: Ctrl-C ends the program again.
    pub fn finished(&self) {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// Whether Ctrl-C was pressed since [`Interrupts::forget`].
    pub fn was_asked(&self) -> bool {
        self.asked.load(Ordering::SeqCst)
    }

    /// What was pressed before counts no more.
    pub fn forget(&self) {
        self.asked.store(false, Ordering::SeqCst);
    }

    /// Interrupts what runs; false when nothing does.
    fn interrupt(&self) -> bool {
        let running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        running.as_ref().map(|engine| engine.interrupt()).is_some()
    }
}

/// Ends the program now that all is said and the session has ended. What is left would be the destructors
/// of libtorch, which take back the registration of every operator one by one: a quarter of the time of a
/// short script, for memory that the system takes back at once.
pub fn leave(code: u8) -> ! {
    low_level::exit(i32::from(code))
}

/// Ends the program without asking anybody: a script may hang inside a library.
fn end() -> ! {
    eprintln!();
    leave(exit::INTERRUPT)
}

/// Ends the program as one that knows nothing of pipes would: whoever read our output has gone.
pub fn broken_pipe() -> ! {
    let _ = low_level::emulate_default_handler(SIGPIPE);
    // Only reached where the signal is blocked.
    low_level::exit(128 + SIGPIPE)
}
