//! The five sockets. One thread, the kernel's, uses them.

use std::os::fd::AsRawFd;
use std::os::unix::net::UnixStream;
use std::time::Duration;

use zmq::{Context, DONTWAIT, POLLIN, PollItem, Socket, SocketType};

use super::connection::Connection;
use super::iopub::Iopub;

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
    pub iopub: Iopub,
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
        let cannot = |port: u16| {
            let endpoint = connection.endpoint(port);
            move |error: zmq::Error| format!("cannot listen at {endpoint}: {error}")
        };
        let router = |port: u16| {
            let made = || {
                let socket = context.socket(SocketType::ROUTER)?;
                socket.set_linger(LINGER)?;
                socket.set_router_handover(true)?;
                connection.secure(&socket)?;
                socket.bind(&connection.endpoint(port))?;
                Ok(socket)
            };
            made().map_err(cannot(port))
        };
        let iopub = || {
            let socket = context.socket(SocketType::XPUB)?;
            socket.set_linger(LINGER)?;
            connection.secure(&socket)?;
            let iopub = Iopub::new(socket)?;
            iopub.socket().bind(&connection.endpoint(connection.iopub_port))?;
            Ok(iopub)
        };
        Ok(Sockets {
            shell: router(connection.shell_port)?,
            control: router(connection.control_port)?,
            stdin: router(connection.stdin_port)?,
            iopub: iopub().map_err(cannot(connection.iopub_port))?,
            heartbeat: router(connection.hb_port)?,
        })
    }

    /// Waits until something comes or `bell` rings, at most so long.
    pub fn wait(&self, bell: &UnixStream, patience: Duration) -> Arrived {
        let mut items = [
            self.shell.as_poll_item(POLLIN),
            self.control.as_poll_item(POLLIN),
            self.stdin.as_poll_item(POLLIN),
            self.iopub.socket().as_poll_item(POLLIN),
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

    /// Sends every heartbeat back.
    pub fn beat(&self) {
        while let Ok(frames) = self.heartbeat.recv_multipart(DONTWAIT) {
            let _ = self.heartbeat.send_multipart(frames, DONTWAIT);
        }
    }
}
