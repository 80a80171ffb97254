//! `Worker`: what a script holds of a worker that it has started.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use crossbeam_channel::{Receiver, RecvTimeoutError};
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{
    Context, Event, Function, Object, Output, Property, Running, outside,
};
use rhai::Dynamic;

use super::channel::{Empty, Pipe, SLICE, timeout};
use super::failure::Failure;
use super::message::Message;

/// How a worker has ended.
pub(super) type Outcome = std::result::Result<Message, Box<Failure>>;

/// A script's handle to a worker.
#[derive(Clone)]
pub(super) struct Worker(Rc<Inner>);

struct Inner {
    name: String,
    running: Arc<Running>,
    inbox: Arc<Pipe>,
    outbox: Arc<Pipe>,
    /// Gets one outcome, when the worker's session has ended.
    outcome: Receiver<Outcome>,
    /// That outcome, once it was looked at.
    known: RefCell<Option<Result<Dynamic>>>,
    stopped: Cell<bool>,
    output: Output,
}

/// Tells of an error that nobody has asked for.
pub(super) fn tell(output: &Output, name: &str, failure: &Failure) {
    if failure.kind != Kind::Interrupt {
        let text =
            format!("The worker {name} failed, and nobody waits for it:\n{}", failure.rendered);
        output(Event::Stderr(text));
    }
}

impl Drop for Inner {
    fn drop(&mut self) {
        if let (None, Ok(Err(failure))) = (self.known.get_mut(), self.outcome.try_recv()) {
            tell(&self.output, &self.name, &failure);
        }
    }
}

impl Worker {
    pub(super) fn new(
        name: String,
        running: Arc<Running>,
        (inbox, outbox): (Arc<Pipe>, Arc<Pipe>),
        outcome: Receiver<Outcome>,
        output: Output,
    ) -> Worker {
        let (known, stopped) = (RefCell::default(), Cell::new(false));
        Worker(Rc::new(Inner { name, running, inbox, outbox, outcome, known, stopped, output }))
    }

    fn is_running(&self) -> bool {
        self.0.known.borrow().is_none() && self.0.outcome.is_empty()
    }

    fn stop(&self) {
        if self.is_running() {
            self.0.stopped.set(true);
            self.0.running.stop();
        }
    }

    /// How it has ended; waits for that.
    fn join(&self, ctx: &Context<'_>, timeout: Option<Duration>) -> Result<Dynamic> {
        let deadline = timeout.and_then(|timeout| std::time::Instant::now().checked_add(timeout));
        loop {
            ctx.check()?;
            if let Some(known) = &*self.0.known.borrow() {
                return known.clone();
            }
            let left = deadline.map(|at| at.saturating_duration_since(std::time::Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            let outcome = match outside(|| self.0.outcome.recv_timeout(slice)) {
                Ok(outcome) => outcome,
                Err(RecvTimeoutError::Timeout) if left.is_some_and(|left| left.is_zero()) => {
                    let seconds = timeout.unwrap_or_default().as_secs_f64();
                    let what =
                        format!("the worker {} has not ended within {seconds} s", self.0.name);
                    return Err(Error::new(Kind::Runtime, what).help("w.stop() stops it"));
                }
                Err(RecvTimeoutError::Timeout) => continue,
                Err(RecvTimeoutError::Disconnected) => {
                    Err(Failure::panic("its thread ended without a result"))
                }
            };
            let outcome = match outcome {
                Ok(message) => Ok(message.into_value()),
                Err(failure) if failure.kind == Kind::Interrupt && self.0.stopped.get() => {
                    Ok(Dynamic::UNIT)
                }
                Err(failure) => Err(failure.into_error()),
            };
            self.0.known.replace(Some(outcome));
        }
    }

    fn recv(&self, ctx: &Context<'_>, timeout: Option<Duration>) -> Result<Dynamic> {
        match self.0.outbox.recv(ctx, timeout)? {
            Ok(message) => Ok(message.into_value()),
            Err(Empty::Late) => {
                let seconds = timeout.unwrap_or_default().as_secs_f64();
                let what =
                    format!("the worker {} has sent nothing within {seconds} s", self.0.name);
                Err(Error::new(Kind::Runtime, what))
            }
            // Its end of the channel is gone: what it died of says more than that.
            Err(Empty::Alone | Empty::Closed) => {
                let _ = self.join(ctx, None)?;
                let what =
                    format!("the worker {} has ended and has sent nothing more", self.0.name);
                Err(Error::new(Kind::Runtime, what).help("w.join() gives its value"))
            }
        }
    }
}

impl Object for Worker {
    const TYPE: &'static str = "Worker";

    fn display(&self) -> String {
        let state = match &*self.0.known.borrow() {
            Some(Err(_)) => "failed",
            Some(Ok(_)) => "ended",
            None if self.is_running() => "running",
            None => "ended",
        };
        format!("<Worker {}: {state}>", self.0.name)
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "Worker.join(Worker self, *, float? timeout=None) -> Any",
        doc: "Waits for the worker's end, at most `timeout` seconds, and gives the value of its file: what it ends with. \
              An error of the worker is raised here, with the calls that led to it. () where it was stopped.",
        example: "fs.write_text(\"sum.rhai\", \"worker.args.x.sum().item()\");\n\
                  let w = worker.spawn(\"sum.rhai\", #{x: torch.ones([3])});\nprint(w.join());",
        call: |args| args.object::<Worker>(0)?.join(args.ctx(), timeout(args, 1)?),
    },
    Function {
        schema: "Worker.stop(Worker self) -> None",
        doc: "Has the worker stop at its next operation, as Ctrl-C would; does not wait for that.",
        example: "fs.write_text(\"long.rhai\", \"loop { }\");\n\
                  let w = worker.spawn(\"long.rhai\");\nw.stop();\nw.join();",
        call: |args| {
            args.object::<Worker>(0)?.stop();
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Worker.send(Worker self, Any value) -> None",
        doc: "Sends a value to the worker, which gets it by `worker.recv()`. See `worker.channel` for what can be sent.",
        example: "fs.write_text(\"echo.rhai\", \"worker.send(worker.recv() * 2);\");\n\
                  let w = worker.spawn(\"echo.rhai\");\nw.send(21);\nprint(w.recv());",
        call: |args| {
            let message = Message::new(args.get(1), "the value")?;
            args.object::<Worker>(0)?.0.inbox.send(args.ctx(), message, None)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Worker.recv(Worker self, *, float? timeout=None) -> Any",
        doc: "The next value that the worker has sent by `worker.send(x)`; waits for one, at most `timeout` seconds. Where \
              the worker has failed, its error is raised; where it has ended, a RuntimeError.",
        example: "fs.write_text(\"echo.rhai\", \"worker.send(worker.recv() * 2);\");\n\
                  let w = worker.spawn(\"echo.rhai\");\nw.send(21);\nprint(w.recv());",
        call: |args| args.object::<Worker>(0)?.recv(args.ctx(), timeout(args, 1)?),
    },
];

pub(super) const PROPERTIES: &[Property] = &[Property {
    name: "Worker.is_running",
    doc: "Whether it has not ended.",
    get: |value, _| {
        let running = value.read_lock::<Worker>().is_some_and(|worker| worker.is_running());
        Ok(Dynamic::from_bool(running))
    },
    set: None,
}];
