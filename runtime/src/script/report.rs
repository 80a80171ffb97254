//! An error as people see it: the line, a caret, the values, a hint, and the calls that led there.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};
use rhai::{EvalAltResult, Position};

use super::errors;
use crate::error::{Error, Kind};

/// One call on the way to an error, outermost first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    /// The function's name.
    pub function: String,
    /// Where it was called: the source's name and line.
    pub source: String,
    /// Line, counted from 1; 0 where unknown.
    pub line: usize,
}

/// Finds the text of a source by name, and maps a position in it to what the user wrote.
pub(crate) type Place<'a> = dyn Fn(&str, Position) -> Option<(String, Position)> + 'a;

/// What is told of an error that ended an evaluation.
#[derive(Clone, Debug)]
pub struct Report {
    /// The error.
    pub error: Error,
    /// The name of the source, such as a path.
    pub source: String,
    /// The text of the source.
    pub text: String,
    /// Line of the failing call, counted from 1; 0 where unknown.
    pub line: usize,
    /// Column of the failing call in characters, counted from 1; 0 where unknown.
    pub column: usize,
    /// The script's calls, outermost first.
    pub calls: Vec<Frame>,
}

impl Report {
    /// Reads what Rhai raised. `place` maps positions and finds the texts of sources by name.
    pub(crate) fn new(raised: &EvalAltResult, source: &str, place: &Place<'_>) -> Report {
        let mut calls = Vec::new();
        let mut at = source.to_owned();
        let mut error = raised;
        loop {
            match error {
                EvalAltResult::ErrorInFunctionCall(name, where_, inner, position) => {
                    let line = place(&at, *position).and_then(|(_, p)| p.line()).unwrap_or(0);
                    let function =
                        if name.starts_with("anon$") { "closure".to_owned() } else { name.clone() };
                    calls.push(Frame { function, source: at.clone(), line });
                    if !where_.is_empty() {
                        at.clone_from(where_);
                    }
                    error = inner;
                }
                EvalAltResult::ErrorInModule(path, inner, _) => {
                    if !path.is_empty() {
                        at.clone_from(path);
                    }
                    error = inner;
                }
                _ => break,
            }
        }
        let mut ours = errors::from_rhai(error);
        let position = error.position();
        if ours.position.is_none() {
            ours.position = position;
        }
        let placed = place(&at, ours.position).or_else(|| place(source, ours.position));
        let (text, position) = placed.unwrap_or((String::new(), Position::NONE));
        Report {
            line: position.line().unwrap_or(0),
            column: position.position().unwrap_or(0).max(usize::from(position.line().is_some())),
            error: ours,
            source: at,
            text,
            calls,
        }
    }

    /// The kind's name, such as `ShapeError`.
    pub fn kind(&self) -> Kind {
        self.error.kind
    }

    /// The report as text, coloured for a terminal or not.
    pub fn rendered(&self, color: bool) -> String {
        let theme =
            if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(usize::from(u16::MAX))
            .with_context_lines(1)
            .with_links(false);
        let mut title = format!("{}: {}", self.error.kind, self.error.message);
        if !self.error.operands.is_empty() {
            title.push_str(&format!("\n  with {}", self.error.operands.join(", ")));
        }
        let mut diagnostic = MietteDiagnostic::new(title);
        if let Some(help) = &self.error.help {
            diagnostic = diagnostic.with_help(help.clone());
        }
        let mut out = String::new();
        if !self.calls.is_empty() {
            out.push_str("Calls, outermost first:\n");
            // A deep recursion is told by its ends.
            let shown = 8;
            for (i, frame) in self.calls.iter().enumerate() {
                if self.calls.len() > 2 * shown && i == shown {
                    let hidden = self.calls.len() - 2 * shown;
                    out.push_str(&format!("  … {hidden} more calls\n"));
                }
                if self.calls.len() > 2 * shown && i >= shown && i < self.calls.len() - shown {
                    continue;
                }
                out.push_str(&format!("  {}:{} in {}\n", frame.source, frame.line, frame.function));
            }
        }
        let mut rendered = String::new();
        let outcome = match self.span() {
            Some((start, length)) => {
                diagnostic = diagnostic
                    .with_label(LabeledSpan::new_primary_with_span(None, (start, length)));
                let report = miette::Report::new(diagnostic)
                    .with_source_code(NamedSource::new(&self.source, self.text.clone()));
                handler.render_report(&mut rendered, report.as_ref())
            }
            None => handler.render_report(&mut rendered, &diagnostic),
        };
        if outcome.is_err() {
            rendered = format!("{}\n", self.error);
        }
        out.push_str(rendered.trim_start_matches('\n'));
        out
    }

    /// The failing word: byte offset and length in the text.
    fn span(&self) -> Option<(usize, usize)> {
        if self.line == 0 {
            return None;
        }
        let mut start = 0;
        for (i, line) in self.text.split('\n').enumerate() {
            if i + 1 == self.line {
                let at = line.char_indices().nth(self.column - 1).map_or(line.len(), |(at, _)| at);
                let word = line[at..]
                    .chars()
                    .take_while(|c| c.is_alphanumeric() || *c == '_')
                    .map(char::len_utf8)
                    .sum::<usize>();
                let length = if at < line.len() { word.max(1) } else { 0 };
                // A span must not end inside a character.
                let length = if word == 0 && at < line.len() {
                    line[at..].chars().next().map_or(0, char::len_utf8)
                } else {
                    length
                };
                return Some((start + at, length));
            }
            start += line.len() + 1;
        }
        None
    }
}
