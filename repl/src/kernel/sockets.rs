//! The five sockets. One thread, the kernel's, uses them.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use zmq::{Context, DONTWAIT, POLLIN, PollItem, Socket, SocketType};

use super::connection::Connection;

/// How many messages wait for a client that does not read before it misses some.
const WAITING: i32 = 100_000;
/// How long what was said last may take to get out when the kernel ends.
const LINGER: i32 = 1000;

/// What a client asks for comes by one of these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Channel {
    Shell,
    Control,
    /// For answers to what the kernel asks.
    Stdin,
}

/// The sockets, bound.
pub struct Sockets {
    shell: Socket,
    control: Socket,
    stdin: Socket,
    iopub: Socket,
    heartbeat: Socket,
}

/// What has come.
#[derive(Clone, Copy, Debug, Default)]
pub struct Arrived {
    pub shell: bool,
    pub control: bool,
    pub stdin: bool,
    pub subscription: bool,
    pub heartbeat: bool,
}

impl Sockets {
    /// Binds what a connection file names.
    ///
    /// # Errors
    /// The endpoint that cannot be bound, and why.
    pub fn bind(connection: &Connection) -> Result<Sockets, String> {
        let context = Context::new();
        let bind = |kind: SocketType, port: u16| {
            let endpoint = connection.endpoint(port);
            let cannot = |error: zmq::Error| format!("cannot listen at {endpoint}: {error}");
            let socket = context.socket(kind).map_err(cannot)?;
            socket.set_linger(LINGER).map_err(cannot)?;
            match kind {
                SocketType::ROUTER => socket.set_router_handover(true).map_err(cannot)?,
                SocketType::XPUB => {
                    // Each subscription is told, also the second of the same client: each gets its welcome.
                    socket.set_xpub_verbose(true).map_err(cannot)?;
                    socket.set_sndhwm(WAITING).map_err(cannot)?;
                }
                _ => {}
            }
            socket.bind(&endpoint).map_err(cannot)?;
            Ok::<Socket, String>(socket)
        };
        Ok(Sockets {
            shell: bind(SocketType::ROUTER, connection.shell_port)?,
            control: bind(SocketType::ROUTER, connection.control_port)?,
            stdin: bind(SocketType::ROUTER, connection.stdin_port)?,
            iopub: bind(SocketType::XPUB, connection.iopub_port)?,
            heartbeat: bind(SocketType::ROUTER, connection.hb_port)?,
        })
    }

    /// Waits until something comes or `bell` rings, at most so long.
    pub fn wait(&self, bell: &UnixStream, patience: Duration) -> Arrived {
        let mut items = [
            self.shell.as_poll_item(POLLIN),
            self.control.as_poll_item(POLLIN),
            self.stdin.as_poll_item(POLLIN),
            self.iopub.as_poll_item(POLLIN),
            self.heartbeat.as_poll_item(POLLIN),
            PollItem::from_fd(bell.as_raw_fd(), POLLIN),
        ];
        // Rounded up, lest it spins within the last millisecond.
        let timeout = i64::try_from(patience.as_micros().div_ceil(1000)).unwrap_or(i64::MAX);
        // An interrupted wait is looked at again by the caller.
        if zmq::poll(&mut items, timeout).is_err() {
            return Arrived::default();
        }
        let [shell, control, stdin, subscription, heartbeat] =
            [0, 1, 2, 3, 4].map(|i| items[i].is_readable());
        Arrived { shell, control, stdin, subscription, heartbeat }
    }

    /// The next message of a channel, where there is one.
    pub fn receive(&self, channel: Channel) -> Option<Vec<Vec<u8>>> {
        self.of(channel).recv_multipart(DONTWAIT).ok()
    }

    fn of(&self, channel: Channel) -> &Socket {
        match channel {
            Channel::Shell => &self.shell,
            Channel::Control => &self.control,
            Channel::Stdin => &self.stdin,
        }
    }

    /// Answers; a client that has gone hears nothing.
    pub fn reply(&self, channel: Channel, frames: Vec<Vec<u8>>) {
        let _ = self.of(channel).send_multipart(frames, DONTWAIT);
    }

    /// Says something to all clients.
    pub fn publish(&self, frames: Vec<Vec<u8>>) {
        let _ = self.iopub.send_multipart(frames, DONTWAIT);
    }

    /// The topic of the next new subscription.
    pub fn subscription(&self) -> Option<Vec<u8>> {
        loop {
            let mut message = self.iopub.recv_bytes(DONTWAIT).ok()?;
            // 1 begins one, 0 ends it; what else clients send means nothing.
            if message.first() == Some(&1) {
                message.remove(0);
                return Some(message);
            }
        }
    }

    /// Sends every heartbeat back.
    pub fn beat(&self) {
        while let Ok(frames) = self.heartbeat.recv_multipart(DONTWAIT) {
            let _ = self.heartbeat.send_multipart(frames, DONTWAIT);
        }
    }
}
