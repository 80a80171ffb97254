//! The connection file: where a client expects the kernel to listen, and the key that both sign with.
//!
//! Source: <https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files>.

use std::path::Path;

use serde::Deserialize;
use zmq::Socket;

use crate::problem::Problem;

/// What a connection file says.
#[derive(Clone, Debug, Deserialize)]
pub struct Connection {
    pub transport: Transport,
    /// An address, or for `ipc` the beginning of the sockets' paths.
    pub ip: String,
    pub shell_port: u16,
    pub control_port: u16,
    pub stdin_port: u16,
    pub iopub_port: u16,
    pub hb_port: u16,
    /// Empty where messages are not signed.
    #[serde(default)]
    pub key: String,
    #[serde(default = "scheme")]
    pub signature_scheme: String,
    /// The kernel's secret key, in Z85, where what is sent is encrypted by CurveZMQ.
    pub curve_secretkey: Option<String>,
}

/// How sockets are reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Transport {
    Tcp,
    Ipc,
}

/// The only one that clients use.
const SCHEME: &str = "hmac-sha256";

/// Bytes of a key.
const CURVE_KEY: usize = 32;

fn scheme() -> String {
    SCHEME.to_owned()
}

impl Connection {
    /// Reads a connection file.
    ///
    /// # Errors
    /// What is wrong with it.
    pub fn read(path: &Path) -> Result<Connection, Problem> {
        let wrong = |cause: String| Problem::Connection { path: path.to_owned(), cause };
        let text = std::fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
        let connection: Connection =
            serde_json::from_str(&text).map_err(|error| wrong(error.to_string()))?;
        if connection.signature_scheme != SCHEME && !connection.key.is_empty() {
            let found = &connection.signature_scheme;
            return Err(wrong(format!(
                "signature_scheme '{found}' is not known; it is '{SCHEME}'"
            )));
        }
        if let Some(key) = &connection.curve_secretkey {
            let decoded = zmq::z85_decode(key);
            if !decoded.is_ok_and(|key| key.len() == CURVE_KEY) {
                return Err(wrong("curve_secretkey is no key of CurveZMQ".to_owned()));
            }
        }
        Ok(connection)
    }

    /// Has a socket take only what is encrypted, where the file says so.
    /// Source: <https://rfc.zeromq.org/spec/26/>.
    ///
    /// # Errors
    /// What ZeroMQ says.
    pub fn secure(&self, socket: &Socket) -> zmq::Result<()> {
        let Some(key) = &self.curve_secretkey else { return Ok(()) };
        let key = zmq::z85_decode(key).map_err(|_| zmq::Error::EINVAL)?;
        socket.set_curve_server(true)?;
        socket.set_curve_secretkey(&key)
    }

    /// Where the socket of a port is.
    pub fn endpoint(&self, port: u16) -> String {
        match self.transport {
            Transport::Tcp => format!("tcp://{}:{port}", self.ip),
            Transport::Ipc => format!("ipc://{}-{port}", self.ip),
        }
    }
}
