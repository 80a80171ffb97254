//! `flambeau kernel`: a session for Jupyter's clients. The owner of ZeroMQ.
//!
//! One thread has the sockets and all state; it waits for nothing but them and the [`outbox`]. The engine starts and
//! evaluates on threads of its own, so the kernel answers from the first moment and while a cell runs.

mod capture;
mod children;
mod command;
mod comms;
mod connection;
mod control;
mod cursor;
mod dap;
mod debugger;
mod execution;
mod help;
mod history;
mod iopub;
mod murmur;
mod outbox;
mod publish;
mod questions;
mod sockets;
pub mod spec;
mod stdin;
mod subshells;
mod wire;

use std::collections::VecDeque;
use std::os::unix::net::UnixStream;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::AtomicU64;
use std::thread;
use std::time::{Duration, Instant};

use flambeau_protocol::{Configure, Event};
use serde_json::{Value, json};
use signal_hook::consts::{SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use time::OffsetDateTime;

use crate::cli::Shared;
use crate::commands::Evaluated;
use crate::engine::Engine;
use crate::environment::{Places, own};
use crate::extension;
use crate::problem::{Problem, exit};
use crate::settings;
use crate::start::start_behind;

use capture::Capture;
use children::end_group;
use comms::Comms;
use connection::Connection;
use debugger::Debugger;
use execution::Execution;
use history::History;
use outbox::{Item, Outbox, Stream, heard};
use publish::Bars;
use questions::Question;
use sockets::{Channel, Sockets};
use subshells::Subshells;
use wire::{Message, Session};

/// How long text waits for more, so that what one print writes is one message and a loop of prints does not flood
/// clients: Jupyter's server cuts off at a thousand messages per second.
const TOGETHER: Duration = Duration::from_millis(10);
/// How often is looked whether the parent is still there.
const LOOK: Duration = Duration::from_secs(1);

/// Serves the clients of a connection file until one of them, or a signal, ends it. A kernel that was installed into an
/// environment is that environment's, wherever the notebook lies.
///
/// # Errors
/// What is wrong with the connection file, or with what it names.
pub fn kernel(file: &Path, shared: &Shared) -> Result<u8, Problem> {
    let env = shared.env.clone().or_else(own);
    let places = Places::around(env.as_deref(), None);
    extension::move_in_if_needed(&places)?;
    let connection = Connection::read(file)?;
    let wrong = |cause| Problem::Connection { path: file.to_owned(), cause };
    let sockets = Sockets::bind(&connection).map_err(wrong)?;
    let broken = |error: std::io::Error| Problem::EngineFailed(error.to_string());
    let (outbox, bell) = Outbox::new().map_err(broken)?;
    let capture = Capture::start(outbox.clone()).map_err(broken)?;
    watch(outbox.clone()).map_err(broken)?;
    let (started, events, written) = (outbox.clone(), outbox.clone(), capture.clone());
    let on_event = move |event| {
        // What was written before it comes before it.
        written.drain();
        match event {
            Event::Beside { lane, event } => said(&events, *event, Some(lane)),
            event => said(&events, event, None),
        }
    };
    let then = move |engine| started.push(Item::Started(engine));
    let configure = Configure { notebook: true, ..Configure::default() };
    start_behind(env, configure, on_event, then).map_err(broken)?;
    let (settings, _) = settings::read();
    let history = History::start(settings.editor.history, outbox.clone()).map_err(broken)?;
    let session = Session::new(&connection.key);
    let mut kernel =
        Kernel::new(sockets, session, (outbox, capture), bell, history, shared.clone());
    kernel.serve();
    Ok(exit::OK)
}

/// Puts what the engine says, in a lane or as itself, where the kernel's thread finds it.
fn said(outbox: &Outbox, event: Event, lane: Option<u64>) {
    match (event, lane) {
        (Event::Stdout(text), lane) => outbox.write(Stream::Stdout, &text, lane),
        (Event::Stderr(text), lane) => outbox.write(Stream::Stderr, &text, lane),
        (event, Some(lane)) => {
            outbox.push(Item::Event(Event::Beside { lane, event: Box::new(event) }));
        }
        (event, None) => outbox.push(Item::Event(event)),
    }
}

/// Has signals told to the kernel; none ends the process by itself.
fn watch(outbox: Arc<Outbox>) -> std::io::Result<()> {
    let mut signals = Signals::new([SIGINT, SIGTERM])?;
    thread::Builder::new().name("flambeau signals".to_owned()).spawn(move || {
        for signal in signals.forever() {
            let interrupted = signal == SIGINT;
            outbox.push(if interrupted { Item::Interrupted } else { Item::Terminated });
        }
    })?;
    Ok(())
}

/// What the engine is busy with.
enum Current {
    Execution(Box<Execution>),
    /// A question and what it is answered with: waits for the event of this number.
    Question(Question),
    /// A message over a channel, and the number of the request to the engine that it became.
    Comm(u64, Message),
}

/// The engine, as far as it is there.
enum Started {
    Not,
    Running(Arc<Engine>),
    Failed(String),
}

/// The kernel's state.
struct Kernel {
    sockets: Sockets,
    session: Session,
    outbox: Arc<Outbox>,
    capture: Capture,
    bell: UnixStream,
    engine: Started,
    /// Requests that wait for the engine.
    queue: VecDeque<Message>,
    current: Option<Current>,
    /// The header of the request that output belongs to.
    parent: Value,
    history: History,
    bars: Bars,
    comms: Comms,
    debugger: Debugger,
    subshells: Subshells,
    /// The question that the user has not answered.
    question: Option<u64>,
    /// The number of the last request to the engine; commands count on.
    asked: Arc<AtomicU64>,
    /// The cells of this session, for commands.
    cells: Arc<Vec<Evaluated>>,
    shared: Shared,
    /// When a cell failed last: what was sent before is not begun either, though it comes later.
    failed: Option<(Instant, OffsetDateTime)>,
    /// Whether the cell under way was interrupted: then those behind it are not begun.
    aborts: bool,
    ended: bool,
}

impl Kernel {
    fn new(
        sockets: Sockets,
        session: Session,
        (outbox, capture): (Arc<Outbox>, Capture),
        bell: UnixStream,
        history: History,
        shared: Shared,
    ) -> Kernel {
        Kernel {
            sockets,
            session,
            outbox,
            capture,
            bell,
            engine: Started::Not,
            queue: VecDeque::new(),
            current: None,
            parent: json!({}),
            history,
            bars: Bars::default(),
            comms: Comms::default(),
            debugger: Debugger::default(),
            subshells: Subshells::default(),
            question: None,
            asked: Arc::default(),
            cells: Arc::default(),
            shared,
            failed: None,
            aborts: false,
            ended: false,
        }
    }

    fn serve(&mut self) {
        let parent = std::env::var("JPY_PARENT_PID").ok().and_then(|pid| pid.parse::<u32>().ok());
        self.publish_status("starting", &json!({}));
        // Since when text waits for more.
        let mut waiting: Option<Instant> = None;
        while !self.ended {
            let patience = waiting.map_or(LOOK, |since| TOGETHER.saturating_sub(since.elapsed()));
            let patience = self.sockets.iopub.due().map_or(patience, |due| due.min(patience));
            let arrived = self.sockets.wait(&self.bell, patience);
            if arrived.heartbeat {
                self.sockets.beat();
            }
            if arrived.subscription {
                self.welcome();
            }
            heard(&self.bell);
            self.sockets.iopub.flush();
            let items = if self.sockets.iopub.is_behind() {
                self.outbox.take_urgent()
            } else {
                let text = waiting.is_some_and(|since| since.elapsed() >= TOGETHER);
                let (items, waits) = self.outbox.take(text);
                waiting = waits.then(|| waiting.unwrap_or_else(Instant::now));
                items
            };
            items.into_iter().for_each(|item| self.take(item));
            if arrived.control {
                while let Some(message) = self.receive(Channel::Control) {
                    self.control(message);
                }
            }
            if arrived.stdin {
                self.stdin();
            }
            if arrived.shell {
                while let Some(message) = self.receive(Channel::Shell) {
                    self.shell(message);
                }
            }
            self.go_on();
            self.go_on_beside();
            // Whoever started us has gone, and with it all who could ask for anything.
            if parent.is_some_and(|parent| std::os::unix::process::parent_id() != parent) {
                self.ended = true;
            }
        }
        self.end();
    }

    /// The next message of a channel that is one; others are as if they had not come.
    fn receive(&mut self, channel: Channel) -> Option<Message> {
        loop {
            if let Some(message) = self.session.decode(self.sockets.receive(channel)?) {
                return Some(message);
            }
        }
    }

    fn take(&mut self, item: Item) {
        match item {
            Item::Started(started) => {
                self.engine = match started {
                    Ok(engine) => Started::Running(engine),
                    Err(problem) => Started::Failed(problem.to_string()),
                };
                self.debug_started();
            }
            Item::Text { stream, text, lane: None } => self.wrote(stream, text),
            Item::Text { stream, text, lane: Some(lane) } => self.lane_wrote(lane, stream, text),
            Item::Event(event) => self.event(event),
            Item::Command(id, said) => self.command_said(id, said),
            Item::Interrupted => self.interrupt(),
            Item::Terminated => self.ended = true,
        }
    }

    /// Gives the engine its next work.
    fn go_on(&mut self) {
        while self.current.is_none() && !matches!(self.engine, Started::Not) {
            let Some(request) = self.queue.pop_front() else { return };
            match request.kind() {
                "execute_request" => self.execute(request),
                "comm_open" | "comm_msg" | "comm_close" => self.comm(request),
                _ => self.ask(request),
            }
        }
    }

    /// Ends the session, so that what it left open is written out.
    fn end(&mut self) {
        let engine = std::mem::replace(&mut self.engine, Started::Not);
        if let Started::Running(engine) = engine {
            engine.interrupt();
            // What it says meanwhile has nobody to hear it, but must not keep it from ending.
            let outbox = self.outbox.clone();
            let ending = thread::spawn(move || drop(engine));
            while !ending.is_finished() {
                outbox.take(true);
                thread::sleep(Duration::from_millis(1));
            }
        }
        end_group();
    }
}
