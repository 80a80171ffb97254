//! Python code beside a session, on a thread of its own: cells of a notebook's subshells and messages of widgets, which
//! run while the session evaluates something else.
//!
//! Such a thread has not the session's turn, so it sees what Python has, and not what only scripts do. What it binds in
//! `__main__` is the session's when that comes to its next cell.

use std::collections::BTreeSet;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, PoisonError};

use flambeau_runtime::Result;
use flambeau_runtime::script::{Bundle, Comm, Report, Session, ask_for_turns};
use pyo3::prelude::*;
use pyo3::types::PyDict;

use crate::cells::{Cells, main};
use crate::errors::{Attempt, Failure};
use crate::front_end::set_parent_here;
use crate::interpreter::{self, with};

/// Names that were bound beside the session and that it does not know yet.
static BOUND: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
static IS_BOUND: AtomicBool = AtomicBool::new(false);

/// What shows a value, and more about its representations as JSON.
type Shown = (Bundle, Option<String>);

/// What cells beside a session need.
pub struct Beside(Cells);

impl Beside {
    /// For the thread that this is.
    pub fn here() -> Beside {
        ask_for_turns();
        Beside(Cells::default())
    }

    /// Whether Python runs at all; it starts on the session's thread, whose signals it hears.
    pub fn is_possible() -> bool {
        interpreter::is_started()
    }

    /// Says what request is served from now on: the header of a message of Jupyter's, as JSON.
    pub fn set_parent(&mut self, header: String) {
        set_parent_here(header);
    }

    /// Evaluates a cell; what shows its value, if it has one.
    ///
    /// # Errors
    /// A report of the exception that ended it.
    pub fn evaluate(
        &mut self,
        source: &str,
        code: &str,
        width: usize,
    ) -> std::result::Result<Option<Shown>, Box<Report>> {
        let mut place = None;
        let outcome = with(|py| {
            let outcome = self.run(py, source, code, width);
            if let Err(Failure::Python(error)) = &outcome {
                let found = self.0.helper(py, "place")?.call1((error.value(py), source))?;
                place = found.extract::<Option<(usize, usize)>>()?;
            }
            outcome
        });
        outcome.map_err(|error| Box::new(Report::elsewhere(error, source, code, place)))
    }

    fn run(
        &mut self,
        py: Python<'_>,
        source: &str,
        code: &str,
        width: usize,
    ) -> Attempt<Option<Shown>> {
        let cell = self.0.helper(py, "compile_cell")?.call1((code, source))?;
        let run = self.0.helper(py, "run_cell")?;
        let value = self.noting(py, || run.call1((cell,)))?;
        if value.is_none() {
            return Ok(None);
        }
        let represent = interpreter::helper(py, "represent_fully")?;
        Ok(Some(represent.call1((&value, width))?.extract()?))
    }

    /// Hands Python a message of the front end's over a channel. `message` is Jupyter's, as JSON.
    ///
    /// # Errors
    /// A report of what the code that it is for has raised.
    pub fn comm(&mut self, comm: &Comm, message: &str) -> std::result::Result<(), Box<Report>> {
        let Comm { kind, id, buffers, .. } = comm;
        let outcome = with(|py| {
            let handle = interpreter::helper(py, "comm_message")?;
            self.noting(py, || handle.call1((kind, id, message, buffers.clone()))).map(drop)
        });
        outcome.map_err(|error| Box::new(Report::elsewhere(error, "<comm>", "", None)))
    }

    /// Runs Python code and notes what it binds.
    fn noting<'py>(
        &mut self,
        py: Python<'py>,
        run: impl FnOnce() -> PyResult<Bound<'py, PyAny>>,
    ) -> Attempt<Bound<'py, PyAny>> {
        let before = main(py)?.copy()?;
        let outcome = run();
        let found = self.0.helper(py, "changed")?.call1((before,))?;
        let (bound, _): (Vec<(String, Bound<'py, PyAny>)>, Vec<String>) = found.extract()?;
        if !bound.is_empty() {
            let names = bound.into_iter().map(|(name, _)| name);
            BOUND.lock().unwrap_or_else(PoisonError::into_inner).extend(names);
            IS_BOUND.store(true, Ordering::Release);
        }
        Ok(outcome?)
    }
}

impl Cells {
    /// Has Python know what the session has bound since the last cell, also by the names that `text` mentions: done before
    /// something runs beside a session that is idle.
    pub fn renew(&mut self, session: &mut Session, text: &str) {
        // What cannot be converted Python knows as it was.
        let _ = self.look_at(session, text, |_, _, _| Ok(()));
    }

    /// Has the session hold what was bound beside it.
    ///
    /// # Errors
    /// Where a value cannot be converted.
    pub fn catch_up(&mut self, session: &mut Session) -> Result<()> {
        if !IS_BOUND.swap(false, Ordering::Acquire) {
            return Ok(());
        }
        let names = std::mem::take(&mut *BOUND.lock().unwrap_or_else(PoisonError::into_inner));
        let home = session.home().clone();
        let _turn = home.turn();
        home.with(|| {
            with(|py| {
                let main: Bound<'_, PyDict> = main(py)?;
                for name in &names {
                    if let Some(object) = main.get_item(name)? {
                        self.adopt(session, name, &object)?;
                    }
                }
                Ok(())
            })
        })
    }
}
