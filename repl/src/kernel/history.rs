//! The history, which prompts and kernels share: written and read by a thread of its own, because the file is now and
//! then waited for.

use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread::{self, JoinHandle};

use serde_json::{Value, json};

use super::outbox::{Outbox, Stream};
use crate::history::{Cells, Line, Wanted};

/// What the thread is asked for.
enum Asked {
    Keep(u32, String),
    Result(u32, String),
    /// The content of a `history_request`, and where the answer goes.
    Lines(Value, Sender<Value>),
}

/// The cells of this kernel, and those of all others.
pub struct History {
    /// The number of the last cell.
    count: u32,
    asked: Option<Sender<Asked>>,
    thread: Option<JoinHandle<()>>,
}

impl History {
    /// Opens the file and keeps the last `kept` cells in it.
    ///
    /// # Errors
    /// What the system says when it refuses a thread.
    pub fn start(kept: usize, outbox: Arc<Outbox>) -> std::io::Result<History> {
        let (asked, asking) = channel();
        let thread = thread::Builder::new()
            .name("flambeau history".to_owned())
            .spawn(move || serve(kept, &asking, &outbox))?;
        Ok(History { count: 0, asked: Some(asked), thread: Some(thread) })
    }

    /// The number of the last cell.
    pub fn count(&self) -> u32 {
        self.count
    }

    /// The next cell's number from now on.
    pub fn begin(&mut self, code: &str) -> u32 {
        self.count += 1;
        self.ask(Asked::Keep(self.count, code.to_owned()));
        self.count
    }

    /// What a cell came to.
    pub fn result(&self, number: u32, text: &str) {
        self.ask(Asked::Result(number, text.to_owned()));
    }

    /// The answer to a `history_request`.
    pub fn answer(&self, content: &Value) -> Value {
        let (answer, answers) = channel();
        self.ask(Asked::Lines(content.clone(), answer));
        answers.recv().unwrap_or_else(|_| failed("it cannot be opened"))
    }

    fn ask(&self, asked: Asked) {
        if let Some(thread) = &self.asked {
            // Without a file there is nobody.
            let _ = thread.send(asked);
        }
    }
}

/// Waits until all is written.
impl Drop for History {
    fn drop(&mut self) {
        self.asked = None;
        if let Some(thread) = self.thread.take() {
            // Had it panicked, that was said.
            let _ = thread.join();
        }
    }
}

fn serve(kept: usize, asking: &Receiver<Asked>, outbox: &Outbox) {
    let say = |text: String| outbox.write(Stream::Stderr, &format!("{text}\n"), None);
    let mut cells = match Cells::open(kept) {
        Ok((cells, trouble)) => {
            if let Some(trouble) = trouble {
                say(trouble);
            }
            cells
        }
        Err(cause) => return say(format!("no history: {cause}")),
    };
    let mut told = false;
    for asked in asking {
        let outcome = match asked {
            Asked::Keep(number, code) => cells.keep(number, &code),
            Asked::Result(number, text) => cells.result(number, &text),
            Asked::Lines(content, answer) => {
                // Who asked may have gone.
                let _ = answer.send(lines(&cells, &content));
                Ok(())
            }
        };
        if let Err(error) = outcome
            && !std::mem::replace(&mut told, true)
        {
            say(format!("the history cannot be written: {error}"));
        }
    }
}

/// What a `history_request` wants; none for an access that nobody knows.
fn wanted(content: &Value) -> Option<Wanted<'_>> {
    let number = |name: &str| content[name].as_i64();
    match content["hist_access_type"].as_str()? {
        "range" => Some(Wanted::Range {
            session: number("session").unwrap_or(0),
            start: number("start").unwrap_or(0),
            stop: number("stop"),
        }),
        access @ ("tail" | "search") => {
            let pattern = content["pattern"].as_str().filter(|_| access == "search");
            Some(Wanted::Last {
                pattern: pattern.unwrap_or("*"),
                unique: access == "search" && content["unique"] == true,
                most: number("n"),
            })
        }
        _ => None,
    }
}

fn lines(cells: &Cells, content: &Value) -> Value {
    let Some(wanted) = wanted(content) else { return json!({"status": "ok", "history": []}) };
    match cells.lines(&wanted) {
        Ok(lines) => {
            let output = content["output"] == true;
            let lines: Vec<Value> = lines.into_iter().map(|line| entry(line, output)).collect();
            json!({"status": "ok", "history": lines})
        }
        Err(error) => failed(&error.to_string()),
    }
}

fn entry(line: Line, output: bool) -> Value {
    match output {
        true => json!([line.session, line.number, [line.code, line.output]]),
        false => json!([line.session, line.number, line.code]),
    }
}

fn failed(cause: &str) -> Value {
    json!({
        "status": "error",
        "ename": "HistoryError",
        "evalue": cause,
        "traceback": [],
        "history": [],
    })
}
