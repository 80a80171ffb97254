//! Completion and inspection.

use flambeau_protocol::{Completion, Event, Language, Request};
use serde_json::{Value, json};

use super::cursor::{byte_at, character_at, names_at};
use super::help::lines;
use super::sockets::Channel;
use super::wire::Message;
use super::{Current, Kernel, Started};
use crate::cells::spans;
use crate::commands::{Command, beginning};

/// The number of the answer that is known here.
const COMMANDS: u64 = 0;

/// A question of a client's that the engine is asked.
pub struct Question {
    waits_for: u64,
    request: Message,
    /// What help is wanted of if nothing is known by the name at the cursor.
    else_of: Option<(String, Language)>,
}

/// The part of a cell that a place is in: where it begins, its text, its language.
fn part_at(code: &str, at: usize) -> (usize, &str, Language) {
    let spans = spans(code, Language::Rhai);
    let found = spans.iter().find(|span| at <= span.range.end).or(spans.last());
    match found {
        Some(span) => (span.range.start.min(at), &code[span.range.clone()], span.language),
        None => (0, code, Language::Rhai),
    }
}

fn described(command: &Command) -> Completion {
    Completion {
        text: command.name().to_owned(),
        kind: "magic".to_owned(),
        detail: Some(command.description.to_owned()),
    }
}

impl Kernel {
    /// Hands a question to the engine.
    pub(super) fn ask(&mut self, request: Message) {
        self.publish_status("busy", &request.header);
        let code = request.content["code"].as_str().unwrap_or_default().to_owned();
        let completes = request.kind() == "complete_request";
        let cursor = request.content["cursor_pos"].as_u64().and_then(|at| usize::try_from(at).ok());
        let question = Question { waits_for: self.next_number(), request, else_of: None };
        self.current = Some(Current::Question(question));
        if matches!(self.engine, Started::Failed(_)) {
            return self.unanswered();
        }
        let cursor = byte_at(&code, cursor.unwrap_or(usize::MAX));
        if completes && let Some((start, commands)) = beginning(&code, cursor) {
            if let Some(Current::Question(question)) = &mut self.current {
                question.waits_for = COMMANDS;
            }
            let items = commands.into_iter().map(described).collect();
            return self.answered(Event::Completions { id: COMMANDS, start, items });
        }
        let (start, text, language) = part_at(&code, cursor);
        let within = cursor - start;
        if completes {
            let code = text.to_owned();
            self.send(|id| Request::Complete { id, code, cursor: within, language });
            return;
        }
        let (here, around) = names_at(text, within);
        let mut names =
            [here, around].into_iter().flatten().map(|name| (name.to_owned(), language));
        match names.next() {
            Some(name) => self.ask_help(name, names.next()),
            None => self.unanswered(),
        }
    }

    /// Asks for the help of a name, and of another if there is none.
    fn ask_help(
        &mut self,
        (name, language): (String, Language),
        other: Option<(String, Language)>,
    ) {
        let number = self.next_number();
        if let Some(Current::Question(question)) = &mut self.current {
            (question.waits_for, question.else_of) = (number, other);
        }
        self.send(|id| Request::Doc { id, name, language });
    }

    /// Takes the engine's answer.
    pub(super) fn answered(&mut self, event: Event) {
        let Some(Current::Question(Question { waits_for, request, else_of })) = &mut self.current
        else {
            return;
        };
        let content = match event {
            Event::Completions { id, start, items } if id == *waits_for => {
                let code = request.content["code"].as_str().unwrap_or_default();
                let cursor = request.content["cursor_pos"].as_u64().unwrap_or(u64::MAX);
                let cursor = byte_at(code, usize::try_from(cursor).unwrap_or(usize::MAX));
                // Commands are offered by their place in the cell.
                let part = if id == COMMANDS { 0 } else { part_at(code, cursor).0 };
                let begin = character_at(code, part + start);
                let end = character_at(code, cursor);
                let typed = |item: &Completion| {
                    json!({
                        "text": item.text,
                        "type": item.kind,
                        "signature": item.detail.clone().unwrap_or_default(),
                        "start": begin,
                        "end": end,
                    })
                };
                let types: Vec<Value> = items.iter().map(typed).collect();
                let matches: Vec<&str> = items.iter().map(|item| item.text.as_str()).collect();
                json!({
                    "status": "ok",
                    "matches": matches,
                    "cursor_start": begin,
                    "cursor_end": end,
                    "metadata": {"_jupyter_types_experimental": types},
                })
            }
            Event::Documentation { id, text, .. } if id == *waits_for => match else_of.take() {
                Some(other) if text.is_none() => return self.ask_help(other, None),
                _ => inspected(text),
            },
            _ => return,
        };
        self.answer(content);
    }

    /// Answers that there is nothing.
    pub(super) fn unanswered(&mut self) {
        let Some(Current::Question(Question { request, .. })) = &self.current else { return };
        let at = request.content["cursor_pos"].clone();
        let content = match request.kind() {
            "complete_request" => json!({
                "status": "ok", "matches": [], "cursor_start": at, "cursor_end": at, "metadata": {},
            }),
            _ => inspected(None),
        };
        self.answer(content);
    }

    fn answer(&mut self, content: Value) {
        let Some(Current::Question(Question { request, .. })) = self.current.take() else { return };
        self.reply(Channel::Shell, &request, content);
        self.publish_status("idle", &request.header);
    }
}

fn inspected(text: Option<String>) -> Value {
    let data = text.as_ref().map_or_else(|| json!({}), |text| json!({"text/plain": lines(text)}));
    json!({"status": "ok", "found": text.is_some(), "data": data, "metadata": {}})
}
