//! Cells: from a request to its reply.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use flambeau_protocol::{Done, ErrorReport, Event, Language, Request, plain_text};
use serde_json::{Map, Value, json};

use super::command::Command;
use super::help::lines;
use super::publish::{bundle, parsed};
use super::sockets::Channel;
use super::wire::Message;
use super::{Current, Kernel, Started};
use crate::cells::name_of_part;
use crate::commands::{Evaluated, Step, steps};
use crate::prompt::question;

/// A cell that is being executed.
pub struct Execution {
    request: Message,
    /// What is still to be done.
    steps: VecDeque<Step>,
    /// The command under way.
    pub command: Option<Command>,
    name: String,
    number: u32,
    /// The number of the request to the engine that is under way.
    waits_for: u64,
    begun: usize,
    silent: bool,
    stored: bool,
    /// Expressions to be evaluated behind the cell, and what the earlier ones came to.
    expressions: VecDeque<(String, String)>,
    values: Map<String, Value>,
    expression: Option<String>,
    payload: Vec<Value>,
}

impl Execution {
    /// The request.
    pub fn request(&self) -> &Message {
        &self.request
    }

    /// What the next part is called.
    pub fn next_name(&mut self) -> String {
        self.begun += 1;
        name_of_part(&self.name, self.begun - 1)
    }

    /// Under which number values are kept, if they are.
    pub fn keeps(&self) -> Option<u64> {
        self.stored.then_some(u64::from(self.number))
    }

    /// Says something to the client beside the output.
    pub fn say_beside(&mut self, payload: Value) {
        self.payload.push(payload);
    }

    /// Shows a text beside the output.
    pub fn page(&mut self, text: &str) {
        self.say_beside(json!({"source": "page", "start": 0, "data": {"text/plain": lines(text)}}));
    }

    /// Whether the client takes questions.
    pub fn asks(&self) -> bool {
        flag(&self.request.content, "allow_stdin", true)
    }
}

fn flag(content: &Value, name: &str, default: bool) -> bool {
    content[name].as_bool().unwrap_or(default)
}

/// An error as clients show it.
fn described(error: &ErrorReport) -> Value {
    let traceback: Vec<&str> = error.coloured.trim_end().split('\n').collect();
    json!({"ename": error.kind, "evalue": error.message, "traceback": traceback})
}

fn with_status(mut content: Value, status: &str, count: u32) -> Value {
    content["status"] = json!(status);
    content["execution_count"] = json!(count);
    content
}

impl Kernel {
    /// Begins with a cell.
    pub(super) fn execute(&mut self, request: Message) {
        self.parent = request.header.clone();
        self.publish_status("busy", &request.header);
        let content = &request.content;
        let code = content["code"].as_str().unwrap_or_default().to_owned();
        let silent = flag(content, "silent", false);
        let stored = !silent && flag(content, "store_history", true) && !code.trim().is_empty();
        let number = if stored { self.history.begin(&code) } else { self.history.count() };
        if !silent {
            let content = json!({"code": code, "execution_count": number});
            self.publish("execute_input", content);
        }
        let expressions = content["user_expressions"].as_object().cloned().unwrap_or_default();
        let expressions = expressions
            .into_iter()
            .filter_map(|(name, code)| Some((name, code.as_str()?.to_owned())))
            .collect();
        let asked = question(code.trim());
        let execution = Execution {
            steps: match asked {
                Some(_) => VecDeque::new(),
                None => steps(&code, Language::Rhai).into(),
            },
            command: None,
            name: format!("cell {number}"),
            number,
            waits_for: 0,
            begun: 0,
            silent,
            stored,
            expressions,
            values: Map::new(),
            expression: None,
            payload: Vec::new(),
            request,
        };
        let (cell, count) = (execution.name.clone(), execution.steps.len());
        let name = asked.map(|question| question.name.to_owned());
        self.current = Some(Current::Execution(Box::new(execution)));
        self.say_parent();
        self.debug_cell(&cell, &code, count);
        match (name, &self.engine) {
            (_, Started::Failed(cause)) => {
                let cause = cause.clone();
                self.fail(&cause);
            }
            (Some(name), _) => {
                let id = self.send(|id| Request::Doc { id, name, language: Language::Rhai });
                if let Some(Current::Execution(execution)) = &mut self.current {
                    execution.waits_for = id;
                }
            }
            (None, _) => self.next_part(),
        }
    }

    /// Tells the engine what request it serves.
    pub(super) fn say_parent(&self) {
        if let Started::Running(engine) = &self.engine {
            let request = Request::Parent { header: self.parent.to_string() };
            engine.send(&self.subshells.route(request));
        }
    }

    /// Sends a request to the engine: its number.
    pub(super) fn send(&mut self, request: impl FnOnce(u64) -> Request) -> u64 {
        let id = self.number();
        self.send_as(request(id));
        id
    }

    /// A number for a request to the engine.
    pub(super) fn number(&self) -> u64 {
        self.asked.fetch_add(1, Ordering::SeqCst) + 1
    }

    /// Sends a request that has its number to the engine.
    pub(super) fn send_as(&mut self, request: Request) {
        let request = self.subshells.route(request);
        if let Started::Running(engine) = &self.engine
            && !engine.send(&request)
        {
            self.fail("it is gone");
        }
    }

    /// The number that the next request to the engine has.
    pub(super) fn next_number(&self) -> u64 {
        self.asked.load(Ordering::SeqCst) + 1
    }

    /// Has the engine evaluate what comes next of the cell; with nothing left the cell has ended.
    pub(super) fn next_part(&mut self) {
        let Some(Current::Execution(execution)) = &mut self.current else { return };
        let (code, language, source_name, keep) = match execution.steps.pop_front() {
            Some(Step::Code(part)) => {
                (part.code, part.language, execution.next_name(), execution.keeps())
            }
            Some(Step::Command { name, argument, language }) => {
                return self.command(name, argument, language);
            }
            None => match execution.expressions.pop_front() {
                Some((name, code)) => {
                    execution.expression = Some(name);
                    (code, Language::Rhai, "user expression".to_owned(), None)
                }
                None => return self.finish(None),
            },
        };
        let id = self.send(|id| Request::Evaluate {
            id,
            source_name,
            code,
            keep,
            language,
            width: None,
        });
        if let Some(Current::Execution(execution)) = &mut self.current {
            execution.waits_for = id;
        }
    }

    /// Takes an answer of the engine to something of the cell.
    pub(super) fn executed(&mut self, event: Event) {
        let Some(Current::Execution(execution)) = &mut self.current else { return };
        if let Some(command) = &execution.command {
            return command.answer(event);
        }
        match event {
            Event::Done(done) if done.id == execution.waits_for => {
                if let Some(name) = execution.expression.take() {
                    execution.values.insert(name, value_of(done));
                    return self.next_part();
                }
                self.part_done(done);
            }
            Event::Documentation { id, text, near } if id == execution.waits_for => {
                let text = text.unwrap_or_else(|| match near {
                    Some(near) => format!("nothing has that name; did you mean {near}?"),
                    None => "nothing has that name".to_owned(),
                });
                execution.page(&text);
                self.next_part();
            }
            // Answers to what was asked before.
            _ => {}
        }
    }

    fn part_done(&mut self, done: Done) {
        let Some(Current::Execution(execution)) = &mut self.current else { return };
        if let Some(error) = done.error {
            return self.finish(Some(error));
        }
        if execution.steps.is_empty() {
            self.show(done, true);
        }
        self.next_part();
    }

    /// Shows what an evaluation came to; whether it is the cell's own value, or something on the way.
    pub(super) fn show(&mut self, done: Done, own: bool) {
        let Some(Current::Execution(execution)) = &self.current else { return };
        let Some(result) = done.result.filter(|_| !execution.silent) else { return };
        let (count, stored) = (execution.number, execution.stored);
        if stored && own {
            self.history.result(count, plain_text(&result));
        }
        let data = bundle(result);
        let metadata = parsed(done.metadata.as_deref().unwrap_or("{}"));
        let mut content = json!({"data": data, "metadata": metadata});
        if own {
            content["execution_count"] = json!(count);
            self.publish("execute_result", content);
        } else {
            content["transient"] = json!({});
            self.publish("display_data", content);
        }
    }

    /// The engine cannot go on.
    pub(super) fn fail(&mut self, cause: &str) {
        match &self.current {
            Some(Current::Execution(_)) => {
                self.finish(Some(ErrorReport::without_place("EngineError", cause)));
            }
            Some(Current::Question(..)) => self.unanswered(),
            Some(Current::Comm(..)) => self.comm_ended(),
            None => {}
        }
    }

    /// Answers the request.
    pub(super) fn finish(&mut self, error: Option<ErrorReport>) {
        let Some(Current::Execution(execution)) = self.current.take() else { return };
        self.question = None;
        let Execution { request, number, silent, stored, values, payload, .. } = *execution;
        if stored {
            let code = request.content["code"].as_str().unwrap_or_default().to_owned();
            let (number, succeeded) = (u64::from(number), error.is_none());
            let cell = Evaluated { number, code, language: Language::Rhai, succeeded };
            Arc::make_mut(&mut self.cells).push(cell);
        }
        let content = match &error {
            None => {
                let content = json!({"user_expressions": values, "payload": payload});
                with_status(content, "ok", number)
            }
            Some(error) => {
                let content = described(error);
                if !silent {
                    self.publish("error", content.clone());
                }
                with_status(content, "error", number)
            }
        };
        let interrupted = std::mem::take(&mut self.aborts);
        let stops = flag(&request.content, "stop_on_error", true) || interrupted;
        // Before anybody knows: what is sent in answer to the error is meant.
        let waiting = match error.is_some() && stops {
            true => self.take_cells(),
            false => VecDeque::new(),
        };
        self.reply(Channel::Shell, &request, content);
        self.publish_status("idle", &request.header);
        self.abort(&waiting);
    }
}

/// What an expression came to.
fn value_of(done: Done) -> Value {
    match &done.error {
        Some(error) => {
            let mut content = described(error);
            content["status"] = json!("error");
            content
        }
        None => {
            let data = bundle(done.result.unwrap_or_default());
            json!({"status": "ok", "data": data, "metadata": {}})
        }
    }
}
