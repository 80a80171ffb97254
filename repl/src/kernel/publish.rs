//! What all clients hear: status, output, pictures, progress.

use std::collections::HashMap;
use std::time::{Duration, Instant};

use flambeau_protocol::{Bundle, Event, Progress};
use serde_json::{Value, json};

use super::outbox::Stream;
use super::sockets::Channel;
use super::wire::Message;
use super::{Current, Kernel};
use crate::progress;

/// How often a progress bar is drawn.
const REDRAW: Duration = Duration::from_millis(100);

/// Stands where a client that does not read has lost text.
const LOST: &str = "\n[output was lost here: it came faster than it was read]\n";

/// The bars that clients show: when each was drawn last.
#[derive(Default)]
pub struct Bars(HashMap<u64, Instant>);

/// A bundle of representations by MIME type: JSON as such, all else as text.
pub fn bundle(items: Bundle) -> Value {
    let item = |(mime, data): (String, String)| {
        let json = mime == "application/json" || mime.ends_with("+json");
        let value = match json.then(|| serde_json::from_str(&data)) {
            Some(Ok(value)) => value,
            _ => Value::String(data),
        };
        (mime, value)
    };
    Value::Object(items.into_iter().map(item).collect())
}

/// The object that a text holds; an empty one where it holds none.
pub fn parsed(text: &str) -> Value {
    serde_json::from_str(text).ok().filter(Value::is_object).unwrap_or_else(|| json!({}))
}

impl Kernel {
    /// Says something that belongs to the request under way, or to the last one.
    pub(super) fn publish(&mut self, kind: &str, content: Value) {
        let parent = self.parent.clone();
        self.publish_to(&parent, kind, content);
    }

    /// Says something that belongs to a request.
    pub(super) fn publish_to(&mut self, parent: &Value, kind: &str, content: Value) {
        let message = self.session.message(kind, parent, content);
        self.say(&format!("kernel.{kind}"), &message);
    }

    /// Says something to all who have asked for the topic.
    pub(super) fn say(&mut self, topic: &str, message: &Message) {
        let frames = self.session.encode(message);
        self.sockets.iopub.publish(topic.as_bytes(), frames, message.kind() == "stream");
        if self.sockets.iopub.is_full() {
            let content = json!({"name": "stderr", "text": LOST});
            let notice = self.session.message("stream", &message.parent, content);
            self.sockets.iopub.shorten(self.session.encode(&notice));
        }
    }

    /// Says what was written to a stream.
    pub(super) fn wrote(&mut self, stream: Stream, text: String) {
        self.publish("stream", json!({"name": stream.name(), "text": text}));
    }

    pub(super) fn publish_status(&mut self, status: &str, parent: &Value) {
        self.publish_to(parent, "status", json!({"execution_state": status}));
    }

    /// Greets new subscriptions, so that clients know when they miss nothing any more.
    pub(super) fn welcome(&mut self) {
        while let Some((listener, topic)) = self.sockets.iopub.subscribed() {
            let subscription = String::from_utf8_lossy(&topic).into_owned();
            let content = json!({"subscription": subscription});
            let message = self.session.message("iopub_welcome", &json!({}), content);
            self.sockets.iopub.tell(listener, self.session.encode(&message));
        }
    }

    /// Answers a request.
    pub(super) fn reply(&mut self, channel: Channel, request: &Message, content: Value) {
        let kind = request.kind().replace("_request", "_reply");
        let mut message = self.session.message(&kind, &request.header, content);
        message.identities.clone_from(&request.identities);
        self.sockets.reply(channel, self.session.encode(&message));
    }

    /// Takes what the engine says.
    pub(super) fn event(&mut self, event: Event) {
        match event {
            Event::Display(shown) => {
                let kind = if shown.update { "update_display_data" } else { "display_data" };
                let transient = match &shown.id {
                    Some(id) => json!({"display_id": id}),
                    None => json!({}),
                };
                let metadata = parsed(shown.metadata.as_deref().unwrap_or("{}"));
                let data = bundle(shown.data);
                let content = json!({"data": data, "metadata": metadata, "transient": transient});
                self.publish(kind, content);
            }
            Event::Clear { wait } => self.publish("clear_output", json!({"wait": wait})),
            Event::Question { id, prompt, secret } => self.question(id, &prompt, secret),
            Event::Comm(comm) => self.comm_said(comm),
            Event::Progress(state) => self.progress(&state),
            Event::Debug { id, told } => self.debug_told(id, told),
            Event::Halted { reason } => self.debug_stopped(Some(reason)),
            Event::Resumed => self.debug_stopped(None),
            Event::Beside { lane, event } => self.lane_said(lane, *event),
            Event::Failed(cause) => {
                self.engine = super::Started::Failed(cause.clone());
                self.debug_failed(&cause);
                self.fail(&cause);
            }
            event => match &self.current {
                Some(Current::Execution(_)) => self.executed(event),
                Some(Current::Question(..)) => self.answered(event),
                Some(Current::Comm(..)) => {
                    if let Event::Done(done) = event {
                        self.comm_done(&done);
                    }
                }
                None => {}
            },
        }
    }

    /// Shows how far something is.
    fn progress(&mut self, state: &Progress) {
        let now = Instant::now();
        let known = self.bars.0.get(&state.id).copied();
        let soon = known.is_some_and(|last| now.duration_since(last) < REDRAW);
        if soon && !state.finished {
            return;
        }
        let kind = if known.is_some() { "update_display_data" } else { "display_data" };
        if state.finished {
            self.bars.0.remove(&state.id);
        } else {
            self.bars.0.insert(state.id, now);
        }
        let id = format!("progress-{}", state.id);
        let data = json!({"text/plain": progress::line(state), "text/html": progress::html(state)});
        let content = json!({"data": data, "metadata": {}, "transient": {"display_id": id}});
        self.publish(kind, content);
    }
}
