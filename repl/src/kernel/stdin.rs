//! Questions to the user: the client that has sent the cell is asked for a line.

use flambeau_protocol::{Answer, Request};
use serde_json::json;

use super::sockets::Channel;
use super::{Current, Kernel, Started};

impl Kernel {
    /// Asks the client, where the cell may.
    pub(super) fn question(&mut self, id: u64, prompt: &str, secret: bool) {
        let request = match &self.current {
            Some(Current::Execution(execution)) if execution.asks() => execution.request().clone(),
            _ => return self.answer_question(id, Answer::Refused),
        };
        // What was typed for an earlier question is no answer to this one.
        while self.sockets.receive(Channel::Stdin).is_some() {}
        self.question = Some(id);
        let content = json!({"prompt": prompt, "password": secret});
        let mut message = self.session.message("input_request", &request.header, content);
        message.identities.clone_from(&request.identities);
        self.sockets.reply(Channel::Stdin, self.session.encode(&message));
    }

    /// Takes what clients say to questions.
    pub(super) fn stdin(&mut self) {
        while let Some(message) = self.receive(Channel::Stdin) {
            if message.kind() != "input_reply" {
                continue;
            }
            if let Some(id) = self.question.take() {
                let line = message.content["value"].as_str().unwrap_or_default();
                self.answer_question(id, Answer::Line(line.to_owned()));
            }
        }
    }

    fn answer_question(&self, id: u64, answer: Answer) {
        if let Started::Running(engine) = &self.engine {
            engine.send(&Request::Answer { id, answer });
        }
    }
}
