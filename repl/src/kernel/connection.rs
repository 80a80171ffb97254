//! The connection file: where a client expects the kernel to listen, and the key that both sign with.
//!
//! Source: <https://jupyter-client.readthedocs.io/en/stable/kernels.html#connection-files>.

use std::path::Path;

use serde::Deserialize;

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
        Ok(connection)
    }

    /// Where the socket of a port is.
    pub fn endpoint(&self, port: u16) -> String {
        match self.transport {
            Transport::Tcp => format!("tcp://{}:{port}", self.ip),
            Transport::Ipc => format!("ipc://{}-{port}", self.ip),
        }
    }
}
