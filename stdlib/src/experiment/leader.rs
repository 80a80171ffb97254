//! The way to whoever leads the run: lines of JSON over a socket.
//!
//! The run says `{"trial": 7}` first, and `{"trial": 7, "rung": 0, "value": 0.5}` where it has come to a rung; the answer
//! to that is `{"end": null}` or `{"end": "pruned"}`. At any time the leader may say `{"leave": true}`: then the run is to
//! end behind its next checkpoint.

use std::io::{BufRead, BufReader, ErrorKind, Write};
use std::os::unix::net::UnixStream;
use std::time::Duration;

use flambeau_experiments::metrics;
use flambeau_runtime::error::{Error, Kind, Result};
use flambeau_runtime::script::Context;
use serde_json::{Value, json};

use super::run::Leader;

/// How often an interrupt is looked for while an answer is waited for.
const LOOK: Duration = Duration::from_millis(20);

/// A connection to a leader.
pub(super) struct Connection {
    leader: Leader,
    stream: BufReader<UnixStream>,
    /// A line that has begun.
    line: String,
    /// Rungs that were told of.
    reached: usize,
    /// The metric as it was logged last.
    value: Option<f64>,
    leaves: bool,
}

impl Connection {
    /// Says who is there.
    ///
    /// # Errors
    /// An `IoError` where nobody listens.
    pub fn open(leader: Leader) -> Result<Connection> {
        let failed = |error: std::io::Error| {
            Error::io(&leader.socket, format!("nobody leads this run: {error}"))
        };
        let mut stream = UnixStream::connect(&leader.socket).map_err(failed)?;
        writeln!(stream, "{}", json!({"trial": leader.trial})).map_err(failed)?;
        stream.set_nonblocking(true).map_err(failed)?;
        let stream = BufReader::new(stream);
        Ok(Connection {
            leader,
            stream,
            line: String::new(),
            reached: 0,
            value: None,
            leaves: false,
        })
    }

    /// Tells of the rungs that a record has reached; why the run is to end, where it is.
    ///
    /// # Errors
    /// A `KeyError` where the metric has not been logged; an `IoError` where the leader is gone.
    pub fn logged(
        &mut self,
        step: f64,
        record: &flambeau_experiments::Map,
        ctx: &Context<'_>,
    ) -> Result<Option<String>> {
        let Some(metric) = self.leader.metric.clone() else { return Ok(None) };
        if let Some(value) = record.get(&metric).and_then(metrics::number) {
            self.value = Some(value);
        }
        while let Some(&rung) = self.leader.rungs.get(self.reached) {
            if step < rung as f64 {
                break;
            }
            let Some(value) = self.value else {
                let names: Vec<&str> = record.keys().map(String::as_str).collect();
                return Err(Error::key(format!(
                    "'{metric}' was not logged until step {step}, and the sweep compares by it at step {rung}"
                ))
                .help(format!("this record has {}", names.join(", "))));
            };
            let said = json!({
                "trial": self.leader.trial, "rung": self.reached, "value": metrics::value(value)
            });
            self.say(&said)?;
            self.reached += 1;
            if let Some(end) = self.answer(ctx)? {
                return Ok(Some(end));
            }
        }
        Ok(None)
    }

    fn say(&mut self, said: &Value) -> Result<()> {
        let mut stream = self.stream.get_ref();
        writeln!(stream, "{said}").map_err(|error| Error::io(&self.leader.socket, error))
    }

    /// Waits for the answer to a rung.
    fn answer(&mut self, ctx: &Context<'_>) -> Result<Option<String>> {
        loop {
            match self.read()? {
                Some(said) if said.get("end").is_some() => {
                    return Ok(said["end"].as_str().map(str::to_owned));
                }
                Some(_) => {}
                None => {
                    ctx.check()?;
                    std::thread::sleep(LOOK / 20);
                }
            }
        }
    }

    /// Whether the run is to end behind its next checkpoint.
    ///
    /// # Errors
    /// An `IoError` where the leader is gone.
    pub fn leaves(&mut self) -> Result<bool> {
        while self.read()?.is_some() {}
        Ok(self.leaves)
    }

    /// The next thing that was said, if there is one.
    fn read(&mut self) -> Result<Option<Value>> {
        match self.stream.read_line(&mut self.line) {
            Ok(0) => Err(Error::new(Kind::Ended, "whoever led this run has gone")),
            Ok(_) => {
                let said: Value =
                    serde_json::from_str(&std::mem::take(&mut self.line)).unwrap_or_default();
                self.leaves |= said["leave"] == json!(true);
                Ok(Some(said))
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(Error::io(&self.leader.socket, error)),
        }
    }
}
