//! Leads running trials: hears when one has come to a rung, and asks them to end behind their next checkpoint.

use std::collections::HashMap;
use std::io::{BufRead, BufReader, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use flambeau_experiments::metrics;
use serde_json::{Value, json};
use tempfile::TempDir;

use super::Happening;

/// Those who are connected, by trial, and whether new ones are to leave.
#[derive(Default)]
struct Led {
    trials: HashMap<i64, UnixStream>,
    leave: bool,
}

/// The socket that trials find.
pub struct Leading {
    socket: PathBuf,
    led: Arc<Mutex<Led>>,
    _folder: TempDir,
}

fn lock(led: &Mutex<Led>) -> MutexGuard<'_, Led> {
    led.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Says a line; a trial that has gone hears nothing.
fn say(mut to: &UnixStream, said: &Value) {
    let _ = to.write_all(format!("{said}\n").as_bytes());
}

impl Leading {
    /// Listens in a folder of its own: the path of a socket must be short.
    ///
    /// # Errors
    /// What the system says.
    pub fn start(happenings: Sender<Happening>) -> std::io::Result<Leading> {
        let folder = tempfile::Builder::new().prefix("flambeau-sweep-").tempdir()?;
        let socket = folder.path().join("leader");
        let listener = UnixListener::bind(&socket)?;
        let led: Arc<Mutex<Led>> = Arc::default();
        let known = led.clone();
        let accept = move || {
            for stream in listener.incoming().flatten() {
                let (led, happenings) = (known.clone(), happenings.clone());
                // Without a thread the trial is not led, and goes on alone.
                let _ = thread::Builder::new()
                    .name("flambeau leader".to_owned())
                    .spawn(move || hear(stream, &led, &happenings));
            }
        };
        thread::Builder::new().name("flambeau leader".to_owned()).spawn(accept)?;
        Ok(Leading { socket, led, _folder: folder })
    }

    /// Where it listens.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// Answers a trial that has come to a rung: why it is to end, if it is.
    pub fn answer(&self, trial: i64, end: Option<&str>) {
        if let Some(stream) = lock(&self.led).trials.get(&trial) {
            say(stream, &json!({"end": end}));
        }
    }

    /// Asks all trials to end behind their next checkpoint.
    pub fn leave(&self) {
        let mut led = lock(&self.led);
        led.leave = true;
        led.trials.values().for_each(|stream| say(stream, &json!({"leave": true})));
    }
}

/// Hears one trial until it goes.
fn hear(stream: UnixStream, led: &Mutex<Led>, happenings: &Sender<Happening>) {
    let Ok(writer) = stream.try_clone() else { return };
    let mut writer = Some(writer);
    for line in BufReader::new(stream).lines().map_while(Result::ok) {
        let Ok(said) = serde_json::from_str::<Value>(&line) else { return };
        let Some(trial) = said["trial"].as_i64() else { return };
        if let Some(writer) = writer.take() {
            let mut led = lock(led);
            if led.leave {
                say(&writer, &json!({"leave": true}));
            }
            led.trials.insert(trial, writer);
        }
        if let Some(rung) = said["rung"].as_u64() {
            let value = metrics::number(&said["value"]).unwrap_or(f64::NAN);
            let reached = Happening::Reached { trial, rung: rung as usize, value };
            if happenings.send(reached).is_err() {
                return;
            }
        }
    }
}
