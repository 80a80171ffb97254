//! `worker.map`: a function over items, on several workers.

use std::cell::Cell;
use std::rc::Rc;

use crossbeam_channel::{Receiver, RecvTimeoutError, Sender, unbounded};
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{
    Args, Context, Function, Items, Object, Running, Session, Start, convert, outside,
};
use rhai::{Dynamic, FnPtr};

use super::channel::SLICE;
use super::failure::Failure;
use super::message::Message;
use super::spawn::{folder, threads};

/// The variable by which a worker gets items and gives results.
const TASKS: &str = "__tasks__";

/// The most workers of one call.
const MOST_WORKERS: i64 = 1024;

/// The result of an item; that of no item is of a worker that has failed before its first or as a whole.
type Answer = (Option<usize>, std::result::Result<Message, Box<Failure>>);

/// What a worker's script iterates over; it gives each result by assigning to `result`.
#[derive(Clone)]
pub(super) struct Tasks(Rc<Inner>);

struct Inner {
    todo: Receiver<(usize, Message)>,
    answers: Sender<Answer>,
    current: Cell<Option<usize>>,
}

impl Object for Tasks {
    const TYPE: &'static str = "WorkerTasks";

    fn display(&self) -> String {
        format!("<{} items>", self.0.todo.len())
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let tasks = self.clone();
        Some(Ok(Box::new(std::iter::from_fn(move || {
            let (index, item) = tasks.0.todo.try_recv().ok()?;
            tasks.0.current.set(Some(index));
            Some(Ok(item.into_value()))
        }))))
    }

    fn set_attribute(&self, name: &str, value: Dynamic, _: &Context<'_>) -> Result<bool> {
        if name != "result" {
            return Ok(false);
        }
        let result = Message::new(&value, "the result")?;
        // Nobody listens where the call has ended already.
        let _ = self.0.answers.send((self.0.current.take(), Ok(result)));
        Ok(true)
    }
}

/// What a worker evaluates.
#[derive(Clone)]
struct Work {
    /// Texts of which only functions and imports count, oldest first, with their names; the last has the function.
    texts: Vec<(String, String)>,
    /// Whether all of the last text is evaluated: it is a file that was named.
    whole: bool,
    function: String,
    /// Variables that the functions read but that cannot cross, and why.
    left_out: Vec<(String, String)>,
}

impl Work {
    /// The function at argument 1.
    fn of(args: &Args<'_>) -> Result<(Work, Option<std::path::PathBuf>)> {
        if let Some(text) = convert::string(args.get(1)) {
            let Some((file, function)) = text.rsplit_once("::") else {
                return Err(Error::value(format!("worker.map(): {text:?} names no function"))
                    .help("\"FILE.rhai::FUNCTION\", or the function itself"));
            };
            let is_name = function.chars().all(|c| c.is_alphanumeric() || c == '_')
                && function.starts_with(|c: char| c.is_alphabetic() || c == '_');
            if !is_name {
                return Err(Error::value(format!(
                    "worker.map(): {function:?} is no name of a function"
                )));
            }
            let (file, name, text) = args.ctx().script_file(file)?;
            let (texts, function) = (vec![(name, text)], function.to_owned());
            return Ok((
                Work { texts, whole: true, function, left_out: Vec::new() },
                folder(&file),
            ));
        }
        let Some(function) = args.get(1).read_lock::<FnPtr>().map(|function| function.clone())
        else {
            return Err(args.mismatch(1, "a function or a text \"FILE.rhai::FUNCTION\""));
        };
        let refused = |why: &str| {
            Error::type_(format!("worker.map(): {why} belongs to this script and cannot be sent"))
                .help("write it with fn: fn step(item) { … }, and hand over step")
        };
        if function.is_anonymous() || function.is_curried() {
            return Err(refused("a closure"));
        }
        let name = function.fn_name().to_owned();
        let texts = args.ctx().state().texts_of(&name);
        let texts = texts.ok_or_else(|| refused(&format!("the function {name}")))?;
        Ok((Work { texts, whole: false, function: name, left_out: Vec::new() }, None))
    }

    /// Does items until there are none.
    fn run(self, session: &mut Session, tasks: &Tasks) -> std::result::Result<(), Box<Failure>> {
        let Some(((name, text), earlier)) = self.texts.split_last() else { return Ok(()) };
        for (name, text) in earlier {
            session.define(name, text).map_err(|report| Failure::of(&report, name, usize::MAX))?;
        }
        let set = session.set(TASKS, Dynamic::from(tasks.clone()));
        set.map_err(|error| Failure::plain(&error))?;
        let each =
            format!("for __item__ in {TASKS} {{ {TASKS}.result = {}(__item__); }}", self.function);
        let done = session.evaluate_and(name, text, &each, !self.whole);
        done.map_err(|report| {
            let mut failure = Failure::of(&report, name, text.split('\n').count());
            self.explain(&mut failure, name);
            failure
        })
    }

    /// Says what is behind an error that is about a name.
    fn explain(&self, failure: &mut Failure, file: &str) {
        if failure.kind != Kind::Name {
            return;
        }
        if failure.frames.is_empty() {
            failure.message = format!("{file} defines no function {} of one item", self.function);
            failure.help = None;
        }
        let is_part = |c: char| c.is_alphanumeric() || c == '_';
        let mentioned =
            |name: &str| failure.message.split(|c| !is_part(c)).any(|word| word == name);
        if let Some((name, why)) = self.left_out.iter().find(|(name, _)| mentioned(name)) {
            failure.message = format!("the worker has no variable '{name}': {why}");
            failure.help = Some("hand over what the function needs with the items".to_owned());
        }
    }
}

/// Gets the answers, in the order of the items.
struct Collector {
    results: Vec<Option<Message>>,
    failed: Option<(Option<usize>, Box<Failure>)>,
}

impl Collector {
    /// Waits until all workers have ended; the first error stops them.
    fn collect(
        &mut self,
        ctx: &Context<'_>,
        answers: &Receiver<Answer>,
        workers: &[std::sync::Arc<Running>],
    ) -> Result<()> {
        loop {
            ctx.check()?;
            match outside(|| answers.recv_timeout(SLICE)) {
                Ok((Some(index), Ok(result))) => self.results[index] = Some(result),
                Ok((_, Ok(_))) => {}
                Ok((index, Err(failure))) => {
                    if self.failed.is_none() {
                        self.failed = Some((index, failure));
                        workers.iter().for_each(|worker| worker.stop());
                    }
                }
                Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => return Ok(()),
            }
        }
    }

    fn finish(self) -> Result<Dynamic> {
        if let Some((index, failure)) = self.failed {
            let mut error = failure.into_error();
            if let Some(index) = index {
                error.message = format!("item {index}: {}", error.message);
            }
            return Err(error);
        }
        let results: Option<Vec<Dynamic>> =
            self.results.into_iter().map(|result| result.map(Message::into_value)).collect();
        results.map(Dynamic::from_array).ok_or_else(|| {
            Error::new(
                Kind::Runtime,
                "worker.map(): the workers have ended before all items were done",
            )
        })
    }
}

fn map(args: &mut Args<'_>) -> Result<Dynamic> {
    let ctx = args.ctx();
    let Some(items) = ctx.items(args.get(0))? else {
        return Err(args.mismatch(0, "something to iterate over"));
    };
    let (mut work, folder) = Work::of(args)?;
    let most = i64::from(tch::get_num_threads());
    let workers = args.opt_int(2)?.unwrap_or(most);
    if !(1..=MOST_WORKERS).contains(&workers) {
        return Err(Error::value(format!(
            "worker.map(): workers must be 1 to {MOST_WORKERS}, not {workers}"
        )));
    }
    let workers = workers.min(items.len() as i64);
    let share = most.checked_div(workers).unwrap_or(1).max(1);
    let threads = threads(args, 3)?.unwrap_or(i32::try_from(share).unwrap_or(1));
    let (give, todo) = unbounded();
    for (index, item) in items.iter().enumerate() {
        // There is room, and `todo` lives.
        let _ = give.send((index, Message::new(item, &format!("items[{index}]"))?));
    }
    drop(give);
    let (answers, answered) = unbounded::<Answer>();
    let mut started = Vec::new();
    let mut variables = Vec::new();
    if !work.whole {
        for (name, value) in ctx.state().read_by_functions() {
            match Message::new(&value, &name) {
                Ok(_) => variables.push((name, value)),
                Err(error) => work.left_out.push((name, error.message)),
            }
        }
    }
    for _ in 0..workers {
        let sent = variables
            .iter()
            .map(|(name, value)| Message::new(value, name).map(|message| (name.clone(), message)));
        let sent = sent.collect::<Result<Vec<_>>>()?;
        let (work, todo, answers) = (work.clone(), todo.clone(), answers.clone());
        let lost = answers.clone();
        let run = move |session: &mut Session| {
            for (name, message) in sent {
                // They were variables there, so they can be here.
                let _ = session.set(&name, message.into_value());
            }
            let tasks = Tasks(Rc::new(Inner { todo, answers, current: Cell::new(None) }));
            if let Err(failure) = work.run(session, &tasks) {
                let _ = tasks.0.answers.send((tasks.0.current.take(), Err(failure)));
            }
        };
        let ended = move |outcome: std::result::Result<(), String>| {
            if let Err(panic) = outcome {
                let _ = lost.send((None, Err(Failure::panic(&panic))));
            }
        };
        let start = Start { name: "worker", folder: folder.clone(), threads };
        let worker = ctx.state().start_isolate(start, run, ended);
        // Those that have begun would do all the work of a call that has failed.
        started.push(worker.inspect_err(|_| {
            started.iter().for_each(|worker: &std::sync::Arc<Running>| worker.stop());
        })?);
    }
    drop((answers, todo));
    let mut collector = Collector { results: items.iter().map(|_| None).collect(), failed: None };
    collector.collect(ctx, &answered, &started)?;
    collector.finish()
}

pub(super) const FUNCTIONS: &[Function] = &[Function {
    schema: "worker.map(Any items, Any function, *, int? workers=None, int? threads=None) -> List",
    doc: "The results of a function for each item, in the order of the items, computed by several workers: threads with \
          an engine of their own, which take the next item when they have done one. The function is one that this \
          script defines with `fn`; it is compiled anew in each worker, with the script's other functions and its \
          imports, and finds the variables that functions read as they are now. Or it is a text \"FILE.rhai::FUNCTION\": \
          each worker then evaluates that file first. There are as many workers as threads of torch by default, and \
          they share these: an operator may use `threads` of them. The first error stops all workers and is raised \
          with the item's index and the calls in the worker. For what can cross see `worker.channel`; for many short \
          items, make an item of several.",
    example: "fn square(x) { x * x }\nprint(worker.map([1, 2, 3], square, workers: 2));",
    call: map,
}];
