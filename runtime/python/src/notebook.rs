//! What a notebook asks of Python besides cells: messages of widgets, and what is due behind every cell.

use flambeau_runtime::script::{Comm, Event, Report, Session};
use pyo3::prelude::*;

use crate::cells::Cells;
use crate::front_end;
use crate::interpreter::{self, outside, with};

impl Cells {
    /// Hands Python a message of the front end's over a channel, as the evaluation of a cell. `message` is Jupyter's,
    /// as JSON.
    ///
    /// # Errors
    /// A report of what the code that it is for has raised.
    pub fn comm(
        &mut self,
        session: &mut Session,
        comm: &Comm,
        message: &str,
    ) -> std::result::Result<(), Box<Report>> {
        if !interpreter::is_started() {
            // Nobody can know what it is for.
            if comm.kind == "comm_open" {
                let (kind, id) = ("comm_close".to_owned(), comm.id.clone());
                let empty = || "{}".to_owned();
                let (data, metadata) = (empty(), empty());
                front_end::tell(Event::Comm(Comm { kind, id, data, metadata, ..Comm::default() }));
            }
            return Ok(());
        }
        session.evaluate_foreign("<comm>", "", |session| {
            with(|py| {
                let handle = interpreter::helper(py, "comm_message")?;
                let Comm { kind, id, buffers, .. } = comm;
                self.with_names(py, session, || {
                    handle.call1((kind, id, message, buffers.clone()))
                })?;
                Ok(())
            })
        })
    }

    /// What a notebook does behind every cell, whichever language that is in: figures are shown.
    ///
    /// # Errors
    /// A report of what goes wrong with it.
    pub fn after_cell(&mut self, session: &mut Session) -> std::result::Result<(), Box<Report>> {
        if !interpreter::is_started() || !interpreter::is_notebook() {
            return Ok(());
        }
        session.evaluate_foreign("<end of cell>", "", |_| {
            with(|py| {
                let ended = interpreter::helper(py, "cell_ended")?;
                outside(py, || ended.call0())?;
                Ok(())
            })
        })
    }
}
