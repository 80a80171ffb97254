//! Questions for the history, which prompts and kernels share.

use serde_json::{Value, json};

use super::Kernel;
use super::outbox::Stream;
use crate::history::{Line, Wanted};

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

fn entry(line: Line, output: bool) -> Value {
    match output {
        true => json!([line.session, line.number, [line.code, line.output]]),
        false => json!([line.session, line.number, line.code]),
    }
}

impl Kernel {
    /// The answer to a `history_request`.
    pub(super) fn history(&self, content: &Value) -> Value {
        let Some(wanted) = wanted(content) else { return json!({"status": "ok", "history": []}) };
        match self.cells.lines(&wanted) {
            Ok(lines) => {
                let output = content["output"] == true;
                let lines: Vec<Value> = lines.into_iter().map(|line| entry(line, output)).collect();
                json!({"status": "ok", "history": lines})
            }
            Err(error) => json!({
                "status": "error",
                "ename": "HistoryError",
                "evalue": error.to_string(),
                "traceback": [],
                "history": [],
            }),
        }
    }

    /// Says, once, what is wrong with the history; the session goes on without it.
    pub(super) fn complain_of_history(&mut self, outcome: rusqlite::Result<()>) {
        if let Err(error) = outcome
            && !std::mem::replace(&mut self.complained, true)
        {
            let text = format!("the history cannot be written: {error}\n");
            self.outbox.write(Stream::Stderr, &text);
        }
    }
}
