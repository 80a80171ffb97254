//! What all clients hear, each at its own speed.
//!
//! A ZeroMQ socket that publishes either loses what a slow client does not take, or makes all wait for the slowest, and
//! counts messages, however long they are. So every client gets an address of its own (`ZMQ_XPUB_MANUAL`,
//! <https://libzmq.readthedocs.io/en/latest/zmq_setsockopt.html>), and what one does not take waits here. Whoever reads,
//! if slowly, is waited for by those who print; a client that has stopped reading loses text, and nothing else, once
//! much of it waits.
//!
//! Soundness: the only call into C is `zmq_setsockopt` with an `int`, for two options that the `zmq` crate does not
//! know, on the live socket.

#![allow(unsafe_code)]

use std::collections::VecDeque;
use std::ffi::c_void;
use std::rc::Rc;
use std::time::{Duration, Instant};

use zmq::{DONTWAIT, Socket};
use zmq_sys::{ZMQ_XPUB_MANUAL, ZMQ_XPUB_NODROP};

/// How many messages ZeroMQ holds for a client.
const WITHIN: i32 = 64;
/// Bytes that wait for one client before those who print wait for it.
const BEHIND: usize = 16 << 20;
/// Bytes that wait for one client before it loses text.
const MOST: usize = 64 << 20;
/// How long a client that takes nothing is waited for.
const PATIENCE: Duration = Duration::from_secs(1);
/// How soon is tried again with a client that reads, and with one that does not.
const AGAIN: [Duration; 2] = [Duration::from_millis(1), Duration::from_millis(20)];

/// The socket and those who hear it.
pub struct Iopub {
    socket: Socket,
    listeners: Vec<Listener>,
    /// Subscriptions that have ended, of whom it is not known whose they were.
    gone: Vec<Vec<u8>>,
    /// How many there have been.
    count: u64,
}

struct Listener {
    /// What it has asked for: topics that begin so.
    topic: Vec<u8>,
    /// Where its messages go; begins with `topic`.
    address: Vec<u8>,
    waiting: VecDeque<Waiting>,
    /// Of `waiting`.
    bytes: usize,
    /// When it last took something.
    took: Instant,
}

struct Waiting {
    frames: Rc<[Vec<u8>]>,
    is_text: bool,
}

fn size(frames: &[Vec<u8>]) -> usize {
    frames.iter().map(Vec::len).sum()
}

impl Iopub {
    /// Makes ready a socket that is not bound yet.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn new(socket: Socket) -> zmq::Result<Iopub> {
        socket.set_sndhwm(WITHIN)?;
        let mut iopub = Iopub { socket, listeners: Vec::new(), gone: Vec::new(), count: 0 };
        iopub.switch_on(ZMQ_XPUB_MANUAL)?;
        iopub.switch_on(ZMQ_XPUB_NODROP)?;
        Ok(iopub)
    }

    fn switch_on(&mut self, option: u32) -> zmq::Result<()> {
        let on: i32 = 1;
        // SAFETY: the socket is live, and the value an `int` of that size, which is read during the call.
        let status = unsafe {
            zmq_sys::zmq_setsockopt(
                self.socket.as_mut_ptr(),
                option as i32,
                (&raw const on).cast::<c_void>(),
                size_of::<i32>(),
            )
        };
        match status {
            0 => Ok(()),
            // SAFETY: reads ZeroMQ's number of the last error on this thread.
            _ => Err(zmq::Error::from_raw(unsafe { zmq_sys::zmq_errno() })),
        }
    }

    /// The socket, to wait for subscriptions.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// The next new listener: its number and what it has asked for.
    pub fn subscribed(&mut self) -> Option<(usize, Vec<u8>)> {
        loop {
            let message = self.socket.recv_bytes(DONTWAIT).ok()?;
            // 1 begins one, 0 ends it; what else clients send means nothing.
            match message.split_first() {
                Some((1, topic)) => {
                    let topic = topic.to_vec();
                    self.count += 1;
                    // Of one length, so that none begins another.
                    let number = format!("\0{:016x}.", self.count);
                    let address = [&topic, number.as_bytes()].concat();
                    self.socket.set_subscribe(&address).ok()?;
                    self.listeners.push(Listener {
                        topic: topic.clone(),
                        address,
                        waiting: VecDeque::new(),
                        bytes: 0,
                        took: Instant::now(),
                    });
                    return Some((self.listeners.len() - 1, topic));
                }
                Some((0, topic)) => self.unsubscribed(topic),
                _ => {}
            }
        }
    }

    /// One of those with this topic has gone. Once all have, none is addressed any more.
    fn unsubscribed(&mut self, topic: &[u8]) {
        self.gone.push(topic.to_vec());
        let gone = self.gone.iter().filter(|gone| *gone == topic).count();
        let known = self.listeners.iter().filter(|listener| listener.topic == topic).count();
        if gone >= known {
            self.gone.retain(|gone| gone != topic);
            self.listeners.retain(|listener| listener.topic != topic);
        }
    }

    /// Says something to one listener.
    pub fn tell(&mut self, listener: usize, frames: Vec<Vec<u8>>) {
        let message = Waiting { frames: frames.into(), is_text: false };
        if let Some(listener) = self.listeners.get_mut(listener) {
            listener.add(&self.socket, message);
        }
    }

    /// Says something to all who have asked for the topic. Text is lost first.
    pub fn publish(&mut self, topic: &[u8], frames: Vec<Vec<u8>>, is_text: bool) {
        let frames: Rc<[Vec<u8>]> = frames.into();
        for listener in &mut self.listeners {
            if topic.starts_with(&listener.topic) {
                listener.add(&self.socket, Waiting { frames: frames.clone(), is_text });
            }
        }
    }

    /// Hands on what has waited.
    pub fn flush(&mut self) {
        self.listeners.iter_mut().for_each(|listener| listener.flush(&self.socket));
    }

    /// How soon [`Iopub::flush`] is due; none where nothing waits.
    pub fn due(&self) -> Option<Duration> {
        let behind = self.listeners.iter().filter(|listener| !listener.waiting.is_empty());
        behind.map(|listener| AGAIN[usize::from(listener.took.elapsed() > AGAIN[1])]).min()
    }

    /// Whether a client that reads is so far behind that those who print must wait.
    pub fn is_behind(&self) -> bool {
        let mut listeners = self.listeners.iter();
        listeners.any(|listener| listener.bytes > BEHIND && listener.took.elapsed() < PATIENCE)
    }

    /// Whether so much waits for a client that it must lose text.
    pub fn is_full(&self) -> bool {
        self.listeners.iter().any(|listener| listener.bytes > MOST && listener.has_text())
    }

    /// Takes text away from those for whom too much waits; `notice` stands in its place.
    pub fn shorten(&mut self, notice: Vec<Vec<u8>>) {
        let notice: Rc<[Vec<u8>]> = notice.into();
        for listener in self.listeners.iter_mut().filter(|listener| listener.bytes > MOST) {
            listener.shorten(&notice);
        }
    }
}

impl Listener {
    fn add(&mut self, socket: &Socket, message: Waiting) {
        if self.waiting.is_empty() {
            if self.send(socket, &message.frames) {
                return;
            }
            self.took = Instant::now();
        }
        self.bytes += size(&message.frames);
        self.waiting.push_back(message);
        self.flush(socket);
    }

    fn flush(&mut self, socket: &Socket) {
        while let Some(message) = self.waiting.pop_front() {
            if !self.send(socket, &message.frames) {
                self.waiting.push_front(message);
                return;
            }
            self.bytes -= size(&message.frames);
        }
    }

    /// Whether ZeroMQ has room for it.
    fn send(&mut self, socket: &Socket, frames: &[Vec<u8>]) -> bool {
        let parts = std::iter::once(&self.address).chain(frames);
        // Only for want of room is it tried again.
        let sent = !matches!(socket.send_multipart(parts, DONTWAIT), Err(zmq::Error::EAGAIN));
        if sent {
            self.took = Instant::now();
        }
        sent
    }

    fn has_text(&self) -> bool {
        self.waiting.iter().any(|message| message.is_text)
    }

    fn shorten(&mut self, notice: &Rc<[Vec<u8>]>) {
        let mut excess = self.bytes.saturating_sub(MOST / 2);
        let Some(first) = self.waiting.iter().position(|message| message.is_text) else { return };
        self.waiting.retain(|message| {
            let lost = message.is_text && excess > 0;
            if lost {
                excess = excess.saturating_sub(size(&message.frames));
            }
            !lost
        });
        self.waiting.insert(first, Waiting { frames: notice.clone(), is_text: false });
        self.bytes = self.waiting.iter().map(|message| size(&message.frames)).sum();
    }
}
