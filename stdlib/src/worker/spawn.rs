//! `worker.spawn`: a script's file on a thread of its own.

use std::path::Path;

use crossbeam_channel::bounded;
use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Args, Function, Start};
use rhai::{Dynamic, Map};

use super::channel::Pipe;
use super::failure::Failure;
use super::handle::{Outcome, Worker, tell};
use super::message::Message;
use super::side::Side;

/// More threads than any machine has cores.
const MOST_THREADS: i64 = 4096;

/// The folder in which a file's imports are looked for.
pub(super) fn folder(file: &Path) -> Option<std::path::PathBuf> {
    file.parent().map(Path::to_owned)
}

/// The number of threads at `i`.
pub(super) fn threads(args: &Args<'_>, i: usize) -> Result<Option<i32>> {
    match args.opt_int(i)? {
        None => Ok(None),
        Some(threads @ 1..=MOST_THREADS) => Ok(i32::try_from(threads).ok()),
        Some(other) => {
            Err(Error::value(format!("threads must be 1 to {MOST_THREADS}, not {other}")))
        }
    }
}

fn spawn(args: &mut Args<'_>) -> Result<Dynamic> {
    let written = args.str(0)?;
    let (file, name, text) = args.ctx().script_file(&written)?;
    let given = match args.get(1) {
        given if given.is_unit() => Dynamic::from_map(Map::new()),
        given if given.is_map() => given.clone(),
        _ => return Err(args.mismatch(1, "a map")),
    };
    let given = Message::new(&given, "args")?;
    let threads = threads(args, 2)?.unwrap_or(1);
    let (inbox, outbox) = (Pipe::new(None), Pipe::new(None));
    let (done, outcome) = bounded::<Outcome>(1);
    let state = args.ctx().state();
    let start = Start { name: "worker", folder: folder(&file), threads };
    let work = {
        let (inbox, outbox, name) = (inbox.clone(), outbox.clone(), name.clone());
        move |session: &mut flambeau_runtime::script::Session| -> Outcome {
            let side =
                Side { args: Some(given.into_value()), inbox: Some(inbox), outbox: Some(outbox) };
            session.state().extension(|| side);
            match session.evaluate(&name, &text) {
                Ok(value) => Message::new(&value, "the value of the worker's file")
                    .map_err(|error| Failure::plain(&error)),
                Err(report) => Err(Failure::of(&report, &name, usize::MAX)),
            }
        }
    };
    let output = state.output();
    let ended = {
        let output = output.clone();
        move |outcome: std::result::Result<Outcome, String>| {
            let outcome = outcome.unwrap_or_else(|panic| Err(Failure::panic(&panic)));
            if let Err(lost) = done.send(outcome)
                && let Err(failure) = lost.into_inner()
            {
                tell(&output, &name, &failure);
            }
        }
    };
    let running = state.start_isolate(start, work, ended)?;
    Ok(Dynamic::from(Worker::new(written, running, (inbox, outbox), outcome, output)))
}

pub(super) const FUNCTIONS: &[Function] = &[Function {
    schema: "worker.spawn(str file, Map? args=None, *, int? threads=None) -> Worker",
    doc: "Runs a script's file on a thread of its own, with an engine of its own: it shares no variable with this \
          script, and no lock. The file is found as `import` finds it, and its imports beside it; it has the \
          permissions and limits of this script, whose Ctrl-C stops it too. It finds the map as `worker.args`. An \
          operator may use `threads` threads in it, 1 by default. When this script's session ends, workers that still \
          run are stopped. Python cannot be used in a worker; torch's own random numbers come from one generator for \
          all of them, so give each a seed for a `torch.Generator`.",
    example: "fs.write_text(\"sum.rhai\", \"worker.args.x.sum().item()\");\n\
              let w = worker.spawn(\"sum.rhai\", #{x: torch.ones([3])});\nprint(w.join());",
    call: spawn,
}];
