//! What waits for the kernel's thread: events of the engine and captured output, in order.
//!
//! Text that follows text is put together, so a loop of prints is a few messages. What else there is comes as it was.
//! Memory stays bounded because whoever writes text waits while much of it lies here.

use std::collections::VecDeque;
use std::io::{self, Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use flambeau_protocol::Event;

use super::command::Said;
use crate::engine::Engine;
use crate::problem::Problem;

/// Bytes of output that may wait.
const MOST: usize = 16 << 20;
/// Bytes of one message.
const MESSAGE: usize = 256 << 10;

/// One of the process's two streams.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    Stdout,
    Stderr,
}

impl Stream {
    /// As clients call it.
    pub fn name(self) -> &'static str {
        match self {
            Stream::Stdout => "stdout",
            Stream::Stderr => "stderr",
        }
    }
}

/// Something for the kernel's thread.
pub enum Item {
    /// The engine is there, or will not be.
    Started(Result<Arc<Engine>, Problem>),
    Text {
        stream: Stream,
        text: String,
        /// The lane of the engine that has written it, if one has.
        lane: Option<u64>,
    },
    Event(Event),
    /// What the command of this number says.
    Command(u64, Said),
    /// The process was asked to end.
    Terminated,
    /// The process was asked to stop what runs.
    Interrupted,
}

/// The queue.
pub struct Outbox {
    waiting: Mutex<Waiting>,
    taken: Condvar,
    bell: UnixStream,
}

#[derive(Default)]
struct Waiting {
    items: VecDeque<Item>,
    /// Bytes of output in `items`.
    bytes: usize,
    /// Whether the bell was rung since all was taken.
    rung: bool,
}

impl Outbox {
    /// An empty one, and what rings when something comes.
    ///
    /// # Errors
    /// What the system says.
    pub fn new() -> io::Result<(Arc<Outbox>, UnixStream)> {
        let (bell, heard) = UnixStream::pair()?;
        bell.set_nonblocking(true)?;
        heard.set_nonblocking(true)?;
        let outbox = Outbox { waiting: Mutex::default(), taken: Condvar::new(), bell };
        Ok((Arc::new(outbox), heard))
    }

    /// Adds an item; output waits while there is too much.
    pub fn push(&self, item: Item) {
        let bytes = item.bytes();
        let mut waiting = match bytes {
            0 => self.waiting.lock().unwrap_or_else(PoisonError::into_inner),
            _ => self.room(),
        };
        waiting.bytes += bytes;
        self.add(waiting, item);
    }

    /// Waits until there is room for output.
    fn room(&self) -> MutexGuard<'_, Waiting> {
        let waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let waiting = self.taken.wait_while(waiting, |waiting| waiting.bytes > MOST);
        waiting.unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds an item and rings, once for all that is taken together.
    fn add(&self, mut waiting: MutexGuard<'_, Waiting>, item: Item) {
        waiting.items.push_back(item);
        let rung = std::mem::replace(&mut waiting.rung, true);
        drop(waiting);
        if !rung {
            // Full means that it rings.
            let _ = (&self.bell).write(&[1]);
        }
    }

    /// Adds text; waits while there is too much.
    pub fn write(&self, stream: Stream, mut text: &str, lane: Option<u64>) {
        while !text.is_empty() {
            let (piece, rest) = text.split_at(text.floor_char_boundary(MESSAGE));
            self.write_piece(stream, piece, lane);
            text = rest;
        }
    }

    fn write_piece(&self, stream: Stream, text: &str, lane: Option<u64>) {
        let mut waiting = self.room();
        waiting.bytes += text.len();
        match waiting.items.back_mut() {
            // Who knows of the beginning comes back for it.
            Some(Item::Text { stream: last, text: held, lane: of })
                if (*last, *of) == (stream, lane) && held.len() < MESSAGE =>
            {
                held.push_str(text);
            }
            _ => self.add(waiting, Item::Text { stream, text: text.to_owned(), lane }),
        }
    }

    /// Takes what waits for no output.
    pub fn take_urgent(&self) -> VecDeque<Item> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let items = std::mem::take(&mut waiting.items);
        let (urgent, rest) = items.into_iter().partition(Item::is_urgent);
        waiting.items = rest;
        waiting.rung = false;
        urgent
    }

    /// Takes all, but without `text` no text at the end, so that more can be put to it; and whether some stays.
    pub fn take(&self, text: bool) -> (VecDeque<Item>, bool) {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let mut items = std::mem::take(&mut waiting.items);
        waiting.bytes = 0;
        waiting.rung = false;
        if !text && let Some(last) = items.pop_back() {
            match last {
                Item::Text { stream, text, lane } => {
                    waiting.bytes = text.len();
                    waiting.items.push_back(Item::Text { stream, text, lane });
                }
                other => items.push_back(other),
            }
        }
        let waits = !waiting.items.is_empty();
        drop(waiting);
        self.taken.notify_all();
        (items, waits)
    }
}

impl Item {
    /// How much output it is.
    fn bytes(&self) -> usize {
        match self {
            Item::Text { text, .. } => text.len(),
            Item::Event(Event::Display(display)) => {
                display.data.iter().map(|(_, text)| text.len()).sum()
            }
            _ => 0,
        }
    }

    /// Whether it waits for no output before it.
    fn is_urgent(&self) -> bool {
        matches!(self, Item::Started(_) | Item::Interrupted | Item::Terminated)
    }
}

/// Silences the bell; what comes from now on is taken, or rings again.
pub fn heard(mut bell: &UnixStream) {
    let mut rings = [0; 64];
    while let Ok(1..) = bell.read(&mut rings) {}
}
