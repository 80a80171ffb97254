//! What an evaluation is asked for from elsewhere: to stop, to look at a signal, to make room for another thread. One flag,
//! at which it looks with every operation.

use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};
use std::sync::{Arc, OnceLock};

use super::turn;
use crate::error::Result;

/// What else an interrupt does.
static ON_INTERRUPT: OnceLock<fn()> = OnceLock::new();

/// Has every interrupt also call `act`, which must be async-signal-safe: for code of another language that
/// does not look at the flag. The first to ask is served.
pub fn on_interrupt(act: fn()) {
    // Later ones would be told of the same process.
    let _ = ON_INTERRUPT.set(act);
}

/// What the flag of an evaluation says.
const RUNS: u8 = 0;
const STOPS: u8 = 1;
/// A signal has come, and the host knows what it means.
const SIGNALLED: u8 = 2;
/// Another thread wants the turn.
const WANTED: u8 = 3;

static ON_SIGNAL: OnceLock<fn() -> Result<()>> = OnceLock::new();

/// Has `ask` decide what a signal means that [`Interrupt::signal`] told of: an error stops the evaluation. The
/// first to ask is served.
pub fn on_signal(ask: fn() -> Result<()>) {
    // Later ones would be of the same process.
    let _ = ON_SIGNAL.set(ask);
}

/// Stops a running evaluation from another thread or a signal handler.
#[derive(Clone, Debug, Default)]
pub struct Interrupt(Arc<Asked>);

#[derive(Debug, Default)]
struct Asked {
    /// One of [`RUNS`], [`STOPS`], [`SIGNALLED`], [`WANTED`].
    what: AtomicU8,
    /// Whether the session evaluates.
    evaluates: AtomicBool,
}

impl Interrupt {
    /// Asks the evaluation to stop at the next operation; async-signal-safe.
    pub fn interrupt(&self) {
        self.0.what.store(STOPS, Ordering::SeqCst);
        if let Some(act) = ON_INTERRUPT.get() {
            act();
        }
    }

    /// Has the evaluation look at the host's signals at the next operation; async-signal-safe.
    pub fn signal(&self) {
        self.0.what.store(SIGNALLED, Ordering::SeqCst);
    }

    /// Has the evaluation give its turn to a thread that waits for it, at the next operation.
    pub(crate) fn want_turn(&self) {
        let what = &self.0.what;
        // Whatever else it was told comes first; who wants the turn asks again.
        let _ = what.compare_exchange(RUNS, WANTED, Ordering::SeqCst, Ordering::SeqCst);
    }

    /// Takes a request back that came when nothing ran.
    pub fn clear(&self) {
        self.0.what.store(RUNS, Ordering::SeqCst);
    }

    /// Whether both are for the same session.
    pub fn is(&self, other: &Interrupt) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Whether there is an evaluation that it would stop.
    pub fn is_evaluating(&self) -> bool {
        self.0.evaluates.load(Ordering::SeqCst)
    }

    pub(super) fn set_evaluating(&self, evaluates: bool) {
        self.0.evaluates.store(evaluates, Ordering::SeqCst);
    }

    /// Whether it was asked for anything: one relaxed load, for every operation of a script.
    pub(super) fn is_asked(&self) -> bool {
        self.0.what.load(Ordering::Relaxed) != RUNS
    }

    /// Whether the evaluation is to stop.
    pub(super) fn is_stopping(&self) -> bool {
        self.0.what.load(Ordering::Relaxed) == STOPS
    }

    /// Has a script stop at its next operation; code of another language is not told.
    pub fn stop(&self) {
        self.0.what.store(STOPS, Ordering::SeqCst);
    }

    /// Does what it was asked for, but for stopping.
    ///
    /// # Errors
    /// What the host makes of a signal.
    pub(super) fn follow(&self) -> Result<()> {
        let what = &self.0.what;
        let asked = |what: &AtomicU8, asked| {
            what.compare_exchange(asked, RUNS, Ordering::SeqCst, Ordering::SeqCst).is_ok()
        };
        if asked(what, SIGNALLED)
            && let Some(ask) = ON_SIGNAL.get()
        {
            ask()?;
        }
        if asked(what, WANTED) {
            turn::give_way();
        }
        Ok(())
    }
}
