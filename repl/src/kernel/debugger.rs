//! The debugger: requests on the control channel, answered at once or when the engine has answered; what stops and
//! goes on is an event that all clients hear.
//!
//! Clients know a cell by a file whose name is worked out of the cell's text; there is no such file.

use std::collections::{BTreeMap, HashMap};

use flambeau_protocol::debug::Reason;
use flambeau_protocol::{Language, Request, Told};
use serde_json::{Value, json};

use super::dap::{self, THREAD};
use super::murmur::murmur2;
use super::sockets::Channel;
use super::wire::Message;
use super::{Kernel, Started};
use crate::cells::name_of_part;
use crate::commands::{Step, steps};

/// What the hash of a cell's text begins with: the one that clients know from other kernels.
const SEED: u32 = 0xC70F_6907;
/// The end of the name of a cell's file.
const SUFFIX: &str = ".rhai";

/// The debugger's state.
pub struct Debugger {
    /// Whether a client has begun to debug.
    started: bool,
    attached: bool,
    /// Whether a script stands.
    stopped: bool,
    /// The number of the last event or answer.
    said: u64,
    /// What the names of cells' files begin with.
    prefix: String,
    /// The texts of cells that were evaluated or dumped, by their files.
    texts: HashMap<String, String>,
    /// The lines of breakpoints, by files.
    breakpoints: BTreeMap<String, Vec<usize>>,
    /// Requests that the engine was asked for, by the numbers of the questions.
    asked: HashMap<u64, Message>,
    /// Requests that came before the engine was there.
    early: Vec<Message>,
}

impl Default for Debugger {
    fn default() -> Debugger {
        let folder = std::env::temp_dir().join(format!("flambeau_{}", std::process::id()));
        Debugger {
            started: false,
            attached: false,
            stopped: false,
            said: 0,
            prefix: format!("{}/", folder.display()),
            texts: HashMap::new(),
            breakpoints: BTreeMap::new(),
            asked: HashMap::new(),
            early: Vec::new(),
        }
    }
}

impl Debugger {
    /// The file that a cell is known by.
    fn file(&self, code: &str) -> String {
        format!("{}{}{SUFFIX}", self.prefix, murmur2(code.as_bytes(), SEED))
    }

    /// The text of a file: of a cell, or of a file that a script has imported.
    fn text(&self, file: &str) -> Option<String> {
        let known = self.texts.get(file).cloned();
        known.or_else(|| std::fs::read_to_string(file).ok())
    }

    /// The scripts in a file.
    fn scripts(&self, file: &str) -> Vec<String> {
        let text = self.text(file).unwrap_or_default();
        let script = |step| match step {
            Step::Code(part) if part.language == Language::Rhai => Some(part.code),
            _ => None,
        };
        steps(&text, Language::Rhai).into_iter().filter_map(script).collect()
    }

    fn info(&self) -> Value {
        let breakpoints = |(file, lines): (&String, &Vec<usize>)| {
            let lines: Vec<Value> = lines.iter().map(|line| json!({"line": line})).collect();
            json!({"source": file, "breakpoints": lines})
        };
        json!({
            "isStarted": self.started,
            "hashMethod": "Murmur2",
            "hashSeed": SEED,
            "tmpFilePrefix": self.prefix,
            "tmpFileSuffix": SUFFIX,
            "breakpoints": self.breakpoints.iter().map(breakpoints).collect::<Vec<_>>(),
            "stoppedThreads": if self.stopped { vec![THREAD] } else { Vec::new() },
            "richRendering": true,
            "exceptionPaths": [],
            "copyToGlobals": true,
        })
    }

    /// A message of the debug adapter protocol.
    fn message(&mut self, kind: &str) -> Value {
        self.said += 1;
        json!({"seq": self.said, "type": kind})
    }

    fn response(&mut self, request: &Value, outcome: Result<Value, String>) -> Value {
        let mut content = self.message("response");
        content["request_seq"] = request["seq"].clone();
        content["command"] = request["command"].clone();
        content["success"] = json!(outcome.is_ok());
        content["body"] = match outcome {
            Ok(body) => body,
            Err(why) => {
                content["message"] = json!(why);
                json!({})
            }
        };
        content
    }
}

impl Kernel {
    /// Takes a request of a debugger.
    pub(super) fn debug(&mut self, request: Message) {
        let arguments = request.content["arguments"].clone();
        let command = request.content["command"].as_str().unwrap_or_default();
        let outcome = match command {
            "debugInfo" => Ok(self.debugger.info()),
            "initialize" => {
                self.debugger.started = true;
                Ok(dap::capabilities())
            }
            "attach" | "launch" => {
                self.attach(true);
                self.debug_event("initialized", json!({}));
                Ok(json!({}))
            }
            "disconnect" | "terminate" => {
                self.disconnect();
                Ok(json!({}))
            }
            "dumpCell" => {
                let code = arguments["code"].as_str().unwrap_or_default();
                let file = self.debugger.file(code);
                self.debugger.texts.insert(file.clone(), code.to_owned());
                Ok(json!({"sourcePath": file}))
            }
            "source" => {
                let file = arguments["source"]["path"].as_str().unwrap_or_default();
                let text = self.debugger.text(file);
                text.map(|text| json!({"content": text, "mimeType": "text/x-rhai"}))
                    .ok_or_else(|| "the source is not known".to_owned())
            }
            "threads" => Ok(json!({"threads": [{"id": THREAD, "name": "session"}]})),
            "modules" => Ok(json!({"modules": [], "totalModules": 0})),
            "configurationDone" => Ok(json!({})),
            "setExceptionBreakpoints" => {
                let filters = arguments["filters"].as_array().is_some_and(|all| !all.is_empty());
                match filters {
                    true => Err("the debugger does not stop at errors".to_owned()),
                    false => Ok(json!({"breakpoints": []})),
                }
            }
            _ => return self.ask_engine(request, &arguments),
        };
        self.answer_debug(&request, outcome);
    }

    /// Hands a request on as a question, as soon as there is an engine.
    fn ask_engine(&mut self, request: Message, arguments: &Value) {
        match &self.engine {
            Started::Not => return self.debugger.early.push(request),
            Started::Failed(cause) => {
                let cause = cause.clone();
                return self.answer_debug(&request, Err(cause));
            }
            Started::Running(_) => {}
        }
        let command = request.content["command"].as_str().unwrap_or_default();
        match dap::ask(command, arguments, |file| self.debugger.scripts(file)) {
            Some(ask) => {
                let id = self.send(|id| Request::Debug { id, ask });
                self.debugger.asked.insert(id, request);
            }
            None => {
                let why = format!("the debugger knows no request '{command}'");
                self.answer_debug(&request, Err(why));
            }
        }
    }

    fn answer_debug(&mut self, request: &Message, outcome: Result<Value, String>) {
        let content = self.debugger.response(&request.content, outcome);
        self.answer_at_once(Channel::Control, request, content);
    }

    /// The engine is there, or will not be: what has waited for it goes on.
    pub(super) fn debug_started(&mut self) {
        if self.debugger.attached {
            self.attach(true);
        }
        for request in std::mem::take(&mut self.debugger.early) {
            self.debug(request);
        }
    }

    /// The engine cannot go on.
    pub(super) fn debug_failed(&mut self, cause: &str) {
        for (_, request) in std::mem::take(&mut self.debugger.asked) {
            self.answer_debug(&request, Err(cause.to_owned()));
        }
    }

    fn attach(&mut self, attached: bool) {
        self.debugger.attached = attached;
        if let Started::Running(engine) = &self.engine {
            engine.send(&Request::Attach { attached });
        }
    }

    /// The client has gone, and with it its breakpoints.
    fn disconnect(&mut self) {
        self.debugger.started = false;
        for (file, _) in std::mem::take(&mut self.debugger.breakpoints) {
            let ask =
                flambeau_protocol::Ask::Breakpoints { file, parts: Vec::new(), lines: Vec::new() };
            if matches!(self.engine, Started::Running(_)) {
                self.send(|id| Request::Debug { id, ask });
            }
        }
        self.attach(false);
    }

    /// A cell is about to be evaluated, in so many parts.
    pub(super) fn debug_cell(&mut self, name: &str, code: &str, count: usize) {
        let file = self.debugger.file(code);
        if let Started::Running(engine) = &self.engine {
            for index in 0..count {
                let source_name = name_of_part(name, index);
                engine.send(&Request::File { source_name, file: file.clone() });
            }
        }
        self.debugger.texts.insert(file, code.to_owned());
    }

    /// Takes the engine's answer.
    pub(super) fn debug_told(&mut self, id: u64, told: Told) {
        let Some(request) = self.debugger.asked.remove(&id) else { return };
        let arguments = &request.content["arguments"];
        let command = request.content["command"].as_str().unwrap_or_default();
        if let (Told::Lines(meant), Some(file)) = (&told, arguments["source"]["path"].as_str()) {
            let asked = dap::lines(arguments).into_iter().zip(meant);
            let mut lines: Vec<usize> = asked.map(|(line, meant)| meant.unwrap_or(line)).collect();
            lines.sort_unstable();
            lines.dedup();
            match lines.is_empty() {
                true => self.debugger.breakpoints.remove(file),
                false => self.debugger.breakpoints.insert(file.to_owned(), lines),
            };
        }
        let outcome = dap::body(command, arguments, told);
        self.answer_debug(&request, outcome);
    }

    /// A script stands, or does not any more.
    pub(super) fn debug_stopped(&mut self, reason: Option<Reason>) {
        self.debugger.stopped = reason.is_some();
        match reason {
            Some(reason) => self.debug_event("stopped", dap::stopped(reason)),
            None => {
                let body = json!({"threadId": THREAD, "allThreadsContinued": true});
                self.debug_event("continued", body);
            }
        }
    }

    fn debug_event(&mut self, event: &str, body: Value) {
        let mut content = self.debugger.message("event");
        content["event"] = json!(event);
        content["body"] = body;
        self.publish("debug_event", content);
    }
}
