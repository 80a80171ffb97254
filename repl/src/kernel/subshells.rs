//! Subshells: further lines of requests that are served beside the main one, so that a slider moves while a cell
//! trains. Source: <https://jupyter.org/enhancement-proposals/91-kernel-subshells/kernel-subshells.html>.
//!
//! A session has one thread for scripts. What a subshell asks of Python alone (cells in Python, messages of widgets) runs
//! in a lane of the engine; all else waits in the main line, behind what is there already.

use std::collections::{BTreeMap, VecDeque};
use std::time::Instant;

use flambeau_protocol::{Event, Language, Request};
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::outbox::Stream;
use super::sockets::Channel;
use super::wire::Message;
use super::{Current, Kernel, Started};
use crate::commands::{Step, steps};
use crate::prompt::question;

/// A line of requests beside the main one.
struct Subshell {
    /// The lane in which its Python runs.
    lane: u64,
    queue: VecDeque<Message>,
    current: Option<Current>,
    parent: Value,
    failed: Option<(Instant, OffsetDateTime)>,
}

/// All that there are, by the names that clients know them by.
#[derive(Default)]
pub struct Subshells {
    known: BTreeMap<String, Subshell>,
    /// The number of the last lane.
    lanes: u64,
    /// The lane of the subshell that is served at the moment; `None` for the main line.
    lane: Option<u64>,
}

impl Subshells {
    /// Whether the main line is served at the moment.
    pub fn is_main(&self) -> bool {
        self.lane.is_none()
    }

    fn name_of(&self, lane: u64) -> Option<String> {
        self.known.iter().find(|(_, subshell)| subshell.lane == lane).map(|(name, _)| name.clone())
    }

    /// A request as it goes to the engine: in its lane, where it is a subshell's.
    pub fn route(&self, request: Request) -> Request {
        match self.lane {
            Some(lane) => Request::Beside { lane, work: Box::new(request) },
            None => request,
        }
    }
}

/// The subshell that a request is for.
pub fn subshell_of(request: &Message) -> Option<String> {
    request.header["subshell_id"].as_str().map(str::to_owned)
}

/// Whether Python alone can do what is asked.
fn is_pythons(request: &Message) -> bool {
    match request.kind() {
        "comm_open" | "comm_msg" | "comm_close" => true,
        "execute_request" => {
            let content = &request.content;
            let expressions = content["user_expressions"].as_object();
            let code = content["code"].as_str().unwrap_or_default();
            let steps = steps(code, Language::Rhai);
            let python =
                |step: &Step| matches!(step, Step::Code(part) if part.language == Language::Python);
            expressions.is_none_or(serde_json::Map::is_empty)
                && question(code.trim()).is_none()
                && !steps.is_empty()
                && steps.iter().all(python)
        }
        _ => false,
    }
}

impl Kernel {
    /// Answers what is asked of subshells themselves; `None` for other requests.
    pub(super) fn subshells(&mut self, request: &Message) -> Option<Value> {
        let name = request.content["subshell_id"].as_str().unwrap_or_default();
        Some(match request.kind() {
            "create_subshell_request" => {
                self.subshells.lanes += 1;
                let subshell = Subshell {
                    lane: self.subshells.lanes,
                    queue: VecDeque::new(),
                    current: None,
                    parent: json!({}),
                    failed: None,
                };
                let name = uuid::Uuid::new_v4().to_string();
                self.subshells.known.insert(name.clone(), subshell);
                json!({"status": "ok", "subshell_id": name})
            }
            "delete_subshell_request" => match self.subshells.known.remove(name) {
                Some(subshell) => {
                    if let Started::Running(engine) = &self.engine {
                        engine.send(&Request::EndLane { lane: subshell.lane });
                    }
                    json!({"status": "ok"})
                }
                None => refused(name),
            },
            "list_subshell_request" => {
                let names: Vec<&String> = self.subshells.known.keys().collect();
                json!({"status": "ok", "subshell_id": names})
            }
            _ => return None,
        })
    }

    /// Takes a request of a subshell's.
    pub(super) fn subshell(&mut self, name: &str, request: Message) {
        if !self.subshells.known.contains_key(name) {
            return self.answer_at_once(Channel::Shell, &request, refused(name));
        }
        if is_pythons(&request) {
            self.within(name, |kernel| kernel.shell_of_line(request));
        } else {
            self.shell_of_line(request);
        }
    }

    /// Gives every subshell its next work.
    pub(super) fn go_on_beside(&mut self) {
        let names: Vec<String> = self.subshells.known.keys().cloned().collect();
        for name in names {
            self.within(&name, Kernel::go_on);
        }
    }

    /// Takes what a lane of the engine says.
    pub(super) fn lane_said(&mut self, lane: u64, event: Event) {
        // Of a subshell that is gone nothing is heard.
        if let Some(name) = self.subshells.name_of(lane) {
            self.within(&name, |kernel| kernel.event(event));
        }
    }

    /// Takes what code in a lane prints.
    pub(super) fn lane_wrote(&mut self, lane: u64, stream: Stream, text: String) {
        if let Some(name) = self.subshells.name_of(lane) {
            self.within(&name, |kernel| kernel.wrote(stream, text));
        }
    }

    /// Serves a subshell as the main line is served otherwise.
    fn within(&mut self, name: &str, serve: impl FnOnce(&mut Kernel)) {
        let Some(mut subshell) = self.subshells.known.remove(name) else { return };
        self.exchange(&mut subshell);
        self.subshells.lane = Some(subshell.lane);
        serve(self);
        self.subshells.lane = None;
        self.exchange(&mut subshell);
        self.subshells.known.insert(name.to_owned(), subshell);
    }

    fn exchange(&mut self, subshell: &mut Subshell) {
        std::mem::swap(&mut self.queue, &mut subshell.queue);
        std::mem::swap(&mut self.current, &mut subshell.current);
        std::mem::swap(&mut self.parent, &mut subshell.parent);
        std::mem::swap(&mut self.failed, &mut subshell.failed);
    }
}

fn refused(name: &str) -> Value {
    let evalue = format!("there is no subshell '{name}'");
    json!({"status": "error", "ename": "SubshellError", "evalue": evalue, "traceback": []})
}
