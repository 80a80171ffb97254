//! An error on its way from a worker to who waits for it.

use flambeau_runtime::error::{Error, Frame, Kind, Trace};
use flambeau_runtime::script::Report;
use rhai::Dynamic;

use super::message::Message;

/// What went wrong in a worker.
pub(super) struct Failure {
    pub kind: Kind,
    pub message: String,
    pub help: Option<String>,
    operands: Vec<String>,
    /// What was thrown, where it can cross.
    value: Option<Message>,
    /// The calls in the worker, outermost first.
    pub frames: Vec<Frame>,
    /// The report, for the case that nobody asks.
    pub rendered: String,
}

impl Failure {
    /// The error of a worker's evaluation. What stands below line `lines` of `source` is not the user's.
    pub(super) fn of(report: &Report, source: &str, lines: usize) -> Box<Failure> {
        let error = &report.error;
        let calls = if report.calls.is_empty() { &report.frames } else { &report.calls };
        let ours = |frame: &&Frame| frame.source != source || frame.line <= lines;
        let mut frames: Vec<Frame> = calls.iter().filter(ours).cloned().collect();
        // The report shows the last line itself; here it is one of many.
        for frame in frames.iter_mut().filter(|f| f.text.is_none() && f.source == report.source) {
            let text = report.text.lines().nth(frame.line.wrapping_sub(1));
            frame.text = text.map(|text| text.trim().to_owned());
        }
        let thrown = error.value.as_ref().map(|value| Message::new(value, "what was thrown"));
        Box::new(Failure {
            kind: error.kind,
            message: error.message.clone(),
            help: error.help.clone(),
            operands: error.operands.clone(),
            value: thrown.and_then(Result::ok),
            frames,
            rendered: report.rendered(false),
        })
    }

    /// An error of a worker that is at no place of its script.
    pub(super) fn plain(error: &Error) -> Box<Failure> {
        Box::new(Failure {
            kind: error.kind,
            message: error.message.clone(),
            help: error.help.clone(),
            operands: error.operands.clone(),
            value: None,
            frames: Vec::new(),
            rendered: format!("{error}\n"),
        })
    }

    /// What a worker panicked with.
    pub(super) fn panic(text: &str) -> Box<Failure> {
        let message =
            format!("a worker panicked: {text}; this is a fault of Flambeau, not of the script");
        Failure::plain(&Error::new(Kind::Runtime, message))
    }

    /// The error in the session that waits.
    pub(super) fn into_error(self) -> Error {
        let mut error = Error::new(self.kind, self.message);
        error.help = self.help;
        error.operands = self.operands;
        if self.kind == Kind::Thrown {
            let text = || Dynamic::from(error.message.clone());
            error.value = Some(self.value.map_or_else(text, Message::into_value));
        }
        if !self.frames.is_empty() {
            let trace = Trace { frames: self.frames, below: true, ..Trace::default() };
            error.trace = Some(Box::new(trace));
        }
        error
    }
}
