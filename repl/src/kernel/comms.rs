//! Comms: channels between code of the session and code in the client, such as widgets have. Which there are is known
//! here, so that `comm_info_request` is answered at once; what they say is between the two ends.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::prelude::BASE64_STANDARD;
use flambeau_protocol::{Comm, Done, Request};
use serde_json::{Map, Value, json};

use super::publish::parsed;
use super::wire::Message;
use super::{Current, Kernel, Started};

/// The channels that are open, and who answers at the client's end.
#[derive(Default)]
pub struct Comms(BTreeMap<String, String>);

impl Comms {
    /// The answer to a `comm_info_request`.
    pub fn info(&self, request: &Value) -> Value {
        let wanted = request["target_name"].as_str();
        let found = self.0.iter().filter(|(_, target)| wanted.is_none_or(|name| name == *target));
        let comms: Map<String, Value> =
            found.map(|(id, target)| (id.clone(), json!({"target_name": target}))).collect();
        json!({"status": "ok", "comms": comms})
    }

    fn heard(&mut self, kind: &str, id: &str, target: &str) {
        match kind {
            "comm_open" => drop(self.0.insert(id.to_owned(), target.to_owned())),
            "comm_close" => drop(self.0.remove(id)),
            _ => {}
        }
    }
}

impl Kernel {
    /// Says what code of the session says over a channel.
    pub(super) fn comm_said(&mut self, comm: Comm) {
        let Comm { kind, id, target, data, metadata, buffers } = comm;
        self.comms.heard(&kind, &id, target.as_deref().unwrap_or_default());
        let mut content = json!({"comm_id": id, "data": parsed(&data)});
        if let Some(target) = target {
            content["target_name"] = json!(target);
        }
        let parent = self.parent.clone();
        let mut message = self.session.message(&kind, &parent, content);
        message.metadata = parsed(&metadata);
        message.buffers =
            buffers.iter().map(|b| BASE64_STANDARD.decode(b).unwrap_or_default()).collect();
        self.say(&format!("comm-{id}"), &message);
    }

    /// Hands the engine what a client says over a channel.
    pub(super) fn comm(&mut self, request: Message) {
        self.parent = request.header.clone();
        self.publish_status("busy", &request.header);
        let id = request.content["comm_id"].as_str().unwrap_or_default().to_owned();
        let target = request.content["target_name"].as_str().map(str::to_owned);
        self.comms.heard(request.kind(), &id, target.as_deref().unwrap_or_default());
        if !matches!(self.engine, Started::Running(_)) {
            return self.publish_status("idle", &request.header);
        }
        let comm = Comm {
            kind: request.kind().to_owned(),
            id,
            target,
            data: request.content["data"].to_string(),
            metadata: request.metadata.to_string(),
            buffers: request.buffers.iter().map(|b| BASE64_STANDARD.encode(b)).collect(),
        };
        let message = json!({
            "header": request.header,
            "parent_header": request.parent,
            "metadata": request.metadata,
            "content": request.content,
        });
        let id = self.number();
        self.current = Some(Current::Comm(id, request));
        self.say_parent();
        let message = message.to_string();
        self.send_as(Request::Comm { id, comm, message });
    }

    /// What a message has led to is over. There is no reply: an error is shown as text.
    pub(super) fn comm_done(&mut self, done: &Done) {
        match &self.current {
            Some(Current::Comm(waits_for, _)) if *waits_for == done.id => {}
            _ => return,
        }
        if let Some(error) = &done.error {
            let text = format!("{}\n", error.coloured.trim_end());
            self.publish("stream", json!({"name": "stderr", "text": text}));
        }
        self.comm_ended();
    }

    /// The message under way is dealt with.
    pub(super) fn comm_ended(&mut self) {
        if let Some(Current::Comm(_, request)) = self.current.take() {
            self.publish_status("idle", &request.header);
        }
    }
}
