//! Requests that are answered at once, whatever the engine is busy with.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::children::interrupt_children;
use super::sockets::Channel;
use super::subshells::subshell_of;
use super::wire::{Message, VERSION};
use super::{Current, Kernel, Started};
use crate::cells::{self, spans};
use crate::prompt::{indentation, is_open, is_wrong};
use flambeau_protocol::Language;

/// How long a message may be under way.
const UNDER_WAY: Duration = Duration::from_millis(200);

/// What clients learn of the kernel.
fn info() -> Value {
    json!({
        "status": "ok",
        "protocol_version": VERSION,
        "implementation": "flambeau",
        "implementation_version": env!("CARGO_PKG_VERSION"),
        "language_info": {
            "name": "rhai",
            "version": "1.27",
            "mimetype": "text/x-rhai",
            "file_extension": ".rhai",
            "pygments_lexer": "rhai",
            // The nearest that editors have. It goes from word to word: modes with a grammar, such as those of Rust and
            // JavaScript, lose the beginning of a text behind what they do not know, named arguments above all.
            "codemirror_mode": "swift",
            "nbconvert_exporter": "script",
        },
        "banner": concat!("Flambeau ", env!("CARGO_PKG_VERSION"), ": Rhai over PyTorch"),
        "help_links": [
            {"text": "PyTorch", "url": "https://docs.pytorch.org/docs/stable/"},
            {"text": "Rhai", "url": "https://rhai.rs/book/"},
        ],
        "supported_features": ["debugger", "kernel subshells"],
        "debugger": true,
    })
}

impl Kernel {
    /// Takes a request of the control channel.
    pub(super) fn control(&mut self, request: Message) {
        match request.kind() {
            "interrupt_request" => {
                self.interrupt();
                // As Ctrl-C would be, it is told to what cells have started; a signal to us was told to them already.
                interrupt_children();
                self.answer_at_once(Channel::Control, &request, json!({"status": "ok"}));
            }
            "debug_request" => self.debug(request),
            _ => match self.subshells(&request) {
                Some(content) => self.answer_at_once(Channel::Control, &request, content),
                None => self.at_once(Channel::Control, request),
            },
        }
    }

    /// Takes a request of the shell channel.
    pub(super) fn shell(&mut self, request: Message) {
        match subshell_of(&request) {
            Some(name) => self.subshell(&name, request),
            None => self.shell_of_line(request),
        }
    }

    /// Takes a request of the main line, or of the subshell that is served: what needs the engine waits for it.
    pub(super) fn shell_of_line(&mut self, request: Message) {
        match request.kind() {
            "execute_request" if self.comes_late(&request) => self.answer_aborted(&request),
            "execute_request" | "complete_request" | "inspect_request" | "comm_open"
            | "comm_msg" | "comm_close" => {
                self.queue.push_back(request);
            }
            _ => self.at_once(Channel::Shell, request),
        }
    }

    fn at_once(&mut self, channel: Channel, request: Message) {
        let content = match request.kind() {
            "kernel_info_request" => info(),
            "is_complete_request" => is_complete(&request.content),
            "history_request" => self.history.answer(&request.content),
            "comm_info_request" => self.comms.info(&request.content),
            "shutdown_request" => {
                self.ended = true;
                json!({"status": "ok", "restart": request.content["restart"] == true})
            }
            // What nobody knows is nothing that anybody waits for.
            _ => return,
        };
        self.answer_at_once(channel, &request, content);
    }

    pub(super) fn answer_at_once(&mut self, channel: Channel, request: &Message, content: Value) {
        self.publish_status("busy", &request.header);
        self.reply(channel, request, content);
        self.publish_status("idle", &request.header);
    }

    /// Stops what runs; what waits is answered without being begun.
    pub(super) fn interrupt(&mut self) {
        match (&self.current, &self.engine) {
            (Some(Current::Execution(execution)), Started::Running(engine)) => {
                // Before: what it has asked for meanwhile is stopped by itself.
                if let Some(command) = &execution.command {
                    command.interrupt();
                }
                engine.interrupt();
                self.aborts = true;
            }
            (current, engine) => {
                if let (Some(Current::Comm(..)), Started::Running(engine)) = (current, engine) {
                    engine.interrupt();
                }
                let cells = self.take_cells();
                self.abort(&cells);
            }
        }
    }

    /// Takes every cell that waits out of the queue. Those that were sent before this moment and come later are not
    /// begun either.
    pub(super) fn take_cells(&mut self) -> VecDeque<Message> {
        // Some may still lie in the socket. Where a subshell is served they come later, and are known by their date.
        while self.subshells.is_main()
            && let Some(request) = self.receive(Channel::Shell)
        {
            self.shell(request);
        }
        self.failed = Some((Instant::now(), OffsetDateTime::now_utc()));
        let (cells, kept) = std::mem::take(&mut self.queue)
            .into_iter()
            .partition(|request| request.kind() == "execute_request");
        self.queue = kept;
        cells
    }

    /// Answers cells that are not executed.
    pub(super) fn abort(&mut self, cells: &VecDeque<Message>) {
        cells.iter().for_each(|request| self.answer_aborted(request));
    }

    fn answer_aborted(&mut self, request: &Message) {
        // Without a number: clients would put it before the cell, as if that had run.
        let content =
            json!({"status": "aborted", "ename": "aborted", "evalue": "", "traceback": []});
        self.answer_at_once(Channel::Shell, request, content);
    }

    /// Whether a cell was sent before another failed, and was under way when that happened. Clocks of other machines
    /// may be wrong, but nobody answers an error by hand as soon as this.
    fn comes_late(&self, request: &Message) -> bool {
        let Some((failed, at)) = self.failed else { return false };
        let sent = request.header["date"].as_str();
        let sent = sent.and_then(|date| OffsetDateTime::parse(date, &Rfc3339).ok());
        failed.elapsed() < UNDER_WAY && sent.is_some_and(|sent| sent < at)
    }
}

fn is_complete(content: &Value) -> Value {
    let code = content["code"].as_str().unwrap_or_default();
    let spans = spans(code, Language::Rhai);
    let Some(last) = spans.last() else { return json!({"status": "complete"}) };
    // A notebook's cell has no prompt behind it: a mark is not waited for.
    let last = cells::Span { marked: false, ..last.clone() };
    let part = &code[last.range.clone()];
    if is_open(code, &last) {
        let indent = " ".repeat(indentation(part, last.language));
        json!({"status": "incomplete", "indent": indent})
    } else if is_wrong(part, last.language) {
        json!({"status": "invalid"})
    } else {
        json!({"status": "complete"})
    }
}
