//! What a worker's own script finds under `worker`.

use std::sync::Arc;

use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Args, Constant, Context, Function};
use rhai::Dynamic;

use super::channel::{Pipe, receive, timeout};
use super::message::Message;

/// The worker's side of what ties it to the script that started it; empty in a script that nobody has started.
#[derive(Default)]
pub(super) struct Side {
    pub args: Option<Dynamic>,
    pub inbox: Option<Arc<Pipe>>,
    pub outbox: Option<Arc<Pipe>>,
}

fn pipe(args: &Args<'_>, which: fn(&Side) -> &Option<Arc<Pipe>>) -> Result<Arc<Pipe>> {
    which(&args.ctx().state().extension(Side::default)).clone().ok_or_else(|| {
        let name = args.schema().short_name();
        let what = format!("{name}() is for scripts that worker.spawn() has started");
        Error::new(Kind::Runtime, what)
            .help("this script talks to a worker by w.send(x) and w.recv()")
    })
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "worker.send(Any value) -> None",
        doc: "In a worker: sends a value to the script that started it, which gets it by `w.recv()`.",
        example: "fs.write_text(\"echo.rhai\", \"worker.send(worker.recv() * 2);\");\n\
                  let w = worker.spawn(\"echo.rhai\");\nw.send(21);\nprint(w.recv());",
        call: |args| {
            let outbox = pipe(args, |side| &side.outbox)?;
            outbox.send(args.ctx(), Message::new(args.get(0), "the value")?, None)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "worker.recv(*, float? timeout=None) -> Any",
        doc: "In a worker: the next value that the script which started it has sent by `w.send(x)`; waits for one.",
        example: "fs.write_text(\"echo.rhai\", \"worker.send(worker.recv() * 2);\");\n\
                  let w = worker.spawn(\"echo.rhai\");\nw.send(21);\nprint(w.recv());",
        call: |args| receive(&pipe(args, |side| &side.inbox)?, args.ctx(), timeout(args, 0)?),
    },
];

pub(super) const CONSTANTS: &[Constant] = &[Constant {
    name: "worker.args",
    doc: "In a worker: the map that `worker.spawn` was given. Elsewhere an empty one, so that the file also runs alone.",
    value: || {
        let args = Context::current(|ctx| Ok(ctx.state().extension(Side::default).args.clone()));
        args.ok().flatten().unwrap_or_else(|| Dynamic::from_map(rhai::Map::new()))
    },
}];
