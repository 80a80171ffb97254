//! `worker.channel`: a queue between sessions.

use std::rc::Rc;
use std::sync::atomic::{Ordering, fence};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use crossbeam_channel::{Receiver, RecvTimeoutError, SendTimeoutError, Sender, bounded, unbounded};
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::{Args, Context, Function, Items, Object, Property, outside};
use rhai::Dynamic;

use super::message::Message;

/// How long a wait goes on before it looks for Ctrl-C, limits and whether anybody else is left.
pub(super) const SLICE: Duration = Duration::from_millis(10);

/// The most messages for which a channel can have room.
const LARGEST: i64 = 1 << 24;

/// A queue. Sessions that hold it count, so that one which is left alone is told instead of waiting for ever.
pub(super) struct Pipe {
    /// Taken away to close it.
    sender: Mutex<Option<Sender<Message>>>,
    receiver: Receiver<Message>,
}

/// What a wait came to where no message did.
pub(super) enum Empty {
    /// It is closed.
    Closed,
    /// Nobody else holds it.
    Alone,
    /// The time is over.
    Late,
}

impl Pipe {
    pub(super) fn new(capacity: Option<usize>) -> Arc<Pipe> {
        let (sender, receiver) = capacity.map_or_else(unbounded, bounded);
        Arc::new(Pipe { sender: Mutex::new(Some(sender)), receiver })
    }

    fn sender(&self) -> Option<Sender<Message>> {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn close(&self) {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).take();
    }

    fn is_closed(&self) -> bool {
        self.sender.lock().unwrap_or_else(PoisonError::into_inner).is_none()
    }

    fn is_alone(self: &Arc<Self>) -> bool {
        let alone = Arc::strong_count(self) == 1;
        // What others have sent before they let go is seen behind this.
        fence(Ordering::Acquire);
        alone
    }

    /// The next message. Ctrl-C and limits end the wait.
    pub(super) fn recv(
        self: &Arc<Self>,
        ctx: &Context<'_>,
        timeout: Option<Duration>,
    ) -> Result<std::result::Result<Message, Empty>> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            ctx.check()?;
            let alone = self.is_alone();
            if let Ok(message) = self.receiver.try_recv() {
                return Ok(Ok(message));
            }
            if alone && !self.is_closed() {
                return Ok(Err(Empty::Alone));
            }
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            match outside(|| self.receiver.recv_timeout(slice)) {
                Ok(message) => return Ok(Ok(message)),
                Err(RecvTimeoutError::Disconnected) => return Ok(Err(Empty::Closed)),
                Err(RecvTimeoutError::Timeout) if left.is_some_and(|left| left.is_zero()) => {
                    return Ok(Err(Empty::Late));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
        }
    }

    /// Puts a message in; waits for room. Ctrl-C and limits end the wait.
    pub(super) fn send(
        self: &Arc<Self>,
        ctx: &Context<'_>,
        mut message: Message,
        timeout: Option<Duration>,
    ) -> Result<()> {
        let deadline = timeout.and_then(|timeout| Instant::now().checked_add(timeout));
        loop {
            let Some(sender) = self.sender() else {
                return Err(Error::value("the channel is closed: nothing more can be sent"));
            };
            let left = deadline.map(|at| at.saturating_duration_since(Instant::now()));
            let slice = left.map_or(SLICE, |left| left.min(SLICE));
            match outside(|| sender.send_timeout(message, slice)) {
                Ok(()) => return Ok(()),
                Err(SendTimeoutError::Timeout(back) | SendTimeoutError::Disconnected(back)) => {
                    message = back;
                }
            }
            ctx.check()?;
            if left.is_some_and(|left| left.is_zero()) {
                return Err(late("found no room", timeout));
            }
            if self.is_alone() {
                return Err(Error::new(
                    Kind::Runtime,
                    "the channel is full and nobody else holds it",
                )
                .help("give it to a worker first, or take something out"));
            }
        }
    }
}

fn late(what: &str, timeout: Option<Duration>) -> Error {
    let seconds = timeout.unwrap_or_default().as_secs_f64();
    Error::new(Kind::Runtime, format!("the channel {what} within {seconds} s"))
}

/// What is told where no message came.
fn told(empty: Empty, timeout: Option<Duration>) -> Error {
    match empty {
        Empty::Closed => Error::new(Kind::Runtime, "the channel is closed, and all was taken out")
            .help("for x in channel { … } ends there by itself"),
        Empty::Alone => Error::new(Kind::Runtime, "the channel is empty and nobody else holds it")
            .help("whoever sends must hold it; close() says that nothing more comes"),
        Empty::Late => late("was empty", timeout),
    }
}

/// A script's handle to a channel.
#[derive(Clone)]
pub(super) struct Channel(Rc<End>);

/// What a session holds of a channel: it counts once, however many handles there are.
struct End {
    pipe: Arc<Pipe>,
}

impl Channel {
    pub(super) fn of(pipe: Arc<Pipe>) -> Channel {
        Channel(Rc::new(End { pipe }))
    }

    pub(super) fn pipe(&self) -> Arc<Pipe> {
        self.0.pipe.clone()
    }
}

impl Object for Channel {
    const TYPE: &'static str = "Channel";

    fn display(&self) -> String {
        let receiver = &self.0.pipe.receiver;
        let room = receiver.capacity().map_or(String::new(), |n| format!(" of {n}"));
        let closed = if self.0.pipe.is_closed() { ", closed" } else { "" };
        format!("<Channel: {}{room} waiting{closed}>", receiver.len())
    }

    fn length(&self) -> Option<usize> {
        Some(self.0.pipe.receiver.len())
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let channel = self.clone();
        Some(Ok(Box::new(std::iter::from_fn(move || {
            let next = Context::current(|ctx| match channel.0.pipe.recv(ctx, None)? {
                Ok(message) => Ok(Some(message.into_value())),
                Err(Empty::Closed) => Ok(None),
                Err(empty) => Err(told(empty, None)),
            });
            next.transpose()
        }))))
    }
}

/// The seconds at `i`, as how long to wait.
pub(super) fn timeout(args: &Args<'_>, i: usize) -> Result<Option<Duration>> {
    let Some(seconds) = args.opt_float(i)? else { return Ok(None) };
    Duration::try_from_secs_f64(seconds)
        .map(Some)
        .map_err(|_| Error::value(format!("timeout must be 0 seconds or more, not {seconds}")))
}

/// `recv` of a channel that is called by this name.
pub(super) fn receive(
    pipe: &Arc<Pipe>,
    ctx: &Context<'_>,
    timeout: Option<Duration>,
) -> Result<Dynamic> {
    match pipe.recv(ctx, timeout)? {
        Ok(message) => Ok(message.into_value()),
        Err(empty) => Err(told(empty, timeout)),
    }
}

pub(super) const FUNCTIONS: &[Function] = &[
    Function {
        schema: "worker.channel(int? capacity=None) -> Channel",
        doc: "A queue that may be given to workers, in the map for `worker.spawn` or by another channel. With a \
              capacity whoever sends waits for room in it; 0 is a meeting. What can be sent: (), bools, numbers, \
              strings, chars, blobs, ranges, dtypes, devices, channels, tensors, and arrays, maps and state dicts of \
              these. A tensor arrives as another one on the same elements, without a copy: a leaf that requires grad \
              stays one, without its grad; a tensor with a graph is refused. Its storage can no longer be resized.",
        example: "let c = worker.channel(2);\nc.send(#{step: 1, x: torch.zeros([2])});\nprint(c.recv().step);",
        call: |args| {
            let capacity = match args.opt_int(0)? {
                None => None,
                Some(capacity @ 0..=LARGEST) => usize::try_from(capacity).ok(),
                Some(other) => {
                    return Err(Error::value(format!(
                        "worker.channel(): capacity must be 0 to {LARGEST}, not {other}"
                    )));
                }
            };
            Ok(Dynamic::from(Channel::of(Pipe::new(capacity))))
        },
    },
    Function {
        schema: "Channel.send(Channel self, Any value, *, float? timeout=None) -> None",
        doc: "Puts a value in; waits for room, at most `timeout` seconds. A ValueError where the channel is closed.",
        example: "let c = worker.channel();\nc.send([1, 2]);",
        call: |args| {
            let message = Message::new(args.get(1), "the value")?;
            args.object::<Channel>(0)?.0.pipe.send(args.ctx(), message, timeout(args, 2)?)?;
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Channel.recv(Channel self, *, float? timeout=None) -> Any",
        doc: "Takes the next value out; waits for one, at most `timeout` seconds. A RuntimeError where none came, where \
              the channel is closed and empty, and where it is empty and nobody else holds it.",
        example: "let c = worker.channel();\nc.send(1);\nprint(c.recv(timeout: 0.5));",
        call: |args| receive(&args.object::<Channel>(0)?.0.pipe, args.ctx(), timeout(args, 1)?),
    },
    Function {
        schema: "Channel.try_recv(Channel self) -> Any",
        doc: "The next value, or () where there is none now.",
        example: "print(type_of(worker.channel().try_recv()));",
        call: |args| {
            args.ctx().check()?;
            let message = args.object::<Channel>(0)?.0.pipe.receiver.try_recv();
            Ok(message.map_or(Dynamic::UNIT, Message::into_value))
        },
    },
    Function {
        schema: "Channel.close(Channel self) -> None",
        doc: "Says that nothing more comes: `for x in channel` ends when all is taken out, `recv` fails, and so does \
              `send`.",
        example: "let c = worker.channel();\nc.send(1);\nc.close();\nfor x in c { print(x); }",
        call: |args| {
            args.object::<Channel>(0)?.0.pipe.close();
            Ok(Dynamic::UNIT)
        },
    },
    Function {
        schema: "Channel.len(Channel self) -> int",
        doc: "How many values wait in it.",
        example: "print(worker.channel().len());",
        call: |args| Ok(Dynamic::from_int(args.object::<Channel>(0)?.0.pipe.receiver.len() as i64)),
    },
];

pub(super) const PROPERTIES: &[Property] = &[
    Property {
        name: "Channel.is_closed",
        doc: "Whether nothing more can be sent.",
        get: |value, _| {
            let closed =
                value.read_lock::<Channel>().is_some_and(|channel| channel.0.pipe.is_closed());
            Ok(Dynamic::from_bool(closed))
        },
        set: None,
    },
    Property {
        name: "Channel.capacity",
        doc: "For how many values there is room, or () where there is no bound.",
        get: |value, _| {
            let capacity = value.read_lock::<Channel>().and_then(|c| c.0.pipe.receiver.capacity());
            Ok(capacity.map_or(Dynamic::UNIT, |n| Dynamic::from_int(n as i64)))
        },
        set: None,
    },
];
