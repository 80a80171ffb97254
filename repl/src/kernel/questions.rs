//! Completion and inspection.

use flambeau_protocol::{Completion, Event, Language, Request};
use serde_json::{Value, json};

use super::cursor::{byte_at, character_at, name_at};
use super::sockets::Channel;
use super::wire::Message;
use super::{Current, Kernel, Started};
use crate::cells::spans;
use crate::commands::{Command, beginning};

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
        if matches!(self.engine, Started::Failed(_)) {
            self.current = Some(Current::Question(0, request));
            return self.unanswered();
        }
        let code = request.content["code"].as_str().unwrap_or_default().to_owned();
        let cursor = request.content["cursor_pos"].as_u64().and_then(|at| usize::try_from(at).ok());
        let cursor = byte_at(&code, cursor.unwrap_or(usize::MAX));
        if request.kind() == "complete_request"
            && let Some((start, commands)) = beginning(&code, cursor)
        {
            self.current = Some(Current::Question(0, request));
            let items = commands.into_iter().map(described).collect();
            return self.answered(Event::Completions { id: 0, start, items });
        }
        let (start, text, language) = part_at(&code, cursor);
        let within = cursor - start;
        self.current = Some(Current::Question(self.next_number(), request.clone()));
        if request.kind() == "complete_request" {
            let code = text.to_owned();
            self.send(|id| Request::Complete { id, code, cursor: within, language });
        } else if let Some(name) = name_at(text, within) {
            let name = name.to_owned();
            self.send(|id| Request::Doc { id, name, language });
        } else {
            self.unanswered();
        }
    }

    /// Takes the engine's answer.
    pub(super) fn answered(&mut self, event: Event) {
        let Some(Current::Question(waits_for, request)) = &self.current else { return };
        let content = match event {
            Event::Completions { id, start, items } if id == *waits_for => {
                let code = request.content["code"].as_str().unwrap_or_default();
                let cursor = request.content["cursor_pos"].as_u64().unwrap_or(u64::MAX);
                let cursor = byte_at(code, usize::try_from(cursor).unwrap_or(usize::MAX));
                // Commands are offered by their place in the cell.
                let part = if id == 0 { 0 } else { part_at(code, cursor).0 };
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
            Event::Documentation { id, text, .. } if id == *waits_for => inspected(text),
            _ => return,
        };
        self.answer(content);
    }

    /// Answers that there is nothing.
    pub(super) fn unanswered(&mut self) {
        let Some(Current::Question(_, request)) = &self.current else { return };
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
        let Some(Current::Question(_, request)) = self.current.take() else { return };
        self.reply(Channel::Shell, &request, content);
        self.publish_status("idle", &request.header);
    }
}

fn inspected(text: Option<String>) -> Value {
    let data = text.as_ref().map_or_else(|| json!({}), |text| json!({"text/plain": text}));
    json!({"status": "ok", "found": text.is_some(), "data": data, "metadata": {}})
}
