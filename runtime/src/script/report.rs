//! An error as people see it: the line, a caret, the values, a hint, and the calls that led there.

use miette::{GraphicalReportHandler, GraphicalTheme, LabeledSpan, MietteDiagnostic, NamedSource};
use rhai::{EvalAltResult, Position};

use super::errors::{self, IMPORT};
use super::sugar::{CALL, written_name};
use crate::error::{Call, Error, Frame, Kind};

/// The line of `text`, counted from 1.
fn line_of(text: &str, line: usize) -> Vec<char> {
    text.split('\n').nth(line.saturating_sub(1)).unwrap_or("").chars().collect()
}

fn is_part(c: &char) -> bool {
    c.is_alphanumeric() || *c == '_'
}

/// Where the name stands that a position of Rhai's is about: a call of a value is placed at its bracket, a
/// chain of names at its first dot.
fn named(text: &str, line: usize, column: usize) -> usize {
    let chars = line_of(text, line);
    let Some(at) = column.checked_sub(1) else { return column };
    match chars.get(at) {
        Some('(') => at - chars[..at].iter().rev().take_while(|c| is_part(c)).count() + 1,
        Some('.') if chars.get(at + 1).is_some_and(is_part) => column + 1,
        _ => column,
    }
}

/// Finds the text of a source by name, and maps a position in it to what the user wrote.
pub(crate) type Place<'a> = dyn Fn(&str, Position) -> Option<(String, Position)> + 'a;

/// The name of a function as the script has it; empty for a file that is imported.
fn plain(name: &str) -> String {
    if name.starts_with("anon$") || name == CALL {
        return "closure".to_owned();
    }
    if name == IMPORT {
        return String::new();
    }
    let name = ["get$", "set$"].iter().find_map(|get| name.strip_prefix(get)).unwrap_or(name);
    if name.contains('$') { "[]".to_owned() } else { written_name(name).to_owned() }
}

/// The script's own calls behind an error, outermost first and each with the line that was reached in it, as
/// tracebacks of other languages have them. `function` and `source` are what was called first.
pub(crate) fn trace(error: &Error, function: &str, source: &str, place: &Place<'_>) -> Vec<Frame> {
    let mut frames = Vec::new();
    let (mut function, mut at) = (plain(function), source.to_owned());
    let mut reached = |function: &str, at: &str, position: Position| {
        let (text, position) = place(at, position).unwrap_or((String::new(), position));
        let Some(line) = position.line() else { return };
        let text = text.lines().nth(line.wrapping_sub(1)).map(|text| text.trim().to_owned());
        frames.push(Frame { function: function.to_owned(), source: at.to_owned(), line, text });
    };
    let trace = error.trace.as_deref();
    let mut last: Option<&Call> = None;
    for call in trace.iter().flat_map(|trace| &trace.calls) {
        if let Some(source) = &call.source {
            at.clone_from(source);
        }
        // What native code calls is at no place of a script, or at that of the native call.
        let by_native = call.position.is_none()
            || last.is_some_and(|last| {
                last.position == call.position && last.function != call.function
            });
        if !by_native {
            reached(&function, &at, call.position);
        }
        function = plain(&call.function);
        last = Some(call);
    }
    // The place of an error that came out of another language is in that one's frames.
    let inside = trace.is_some_and(|trace| !trace.frames.is_empty() && !trace.below);
    if !inside || error.foreign.as_ref().is_some_and(|foreign| !foreign.of_script) {
        let source = trace.and_then(|trace| trace.source.as_deref()).unwrap_or(&at);
        reached(&function, source, error.position);
    }
    frames
}

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
    /// The calls that led to it, outermost first and each at the line that was reached in it: the script's, then
    /// those of another language. Empty where there is only the place of the error.
    pub calls: Vec<Frame>,
    /// The script's own, each with the text of its line: for another language.
    pub frames: Vec<Frame>,
}

impl Report {
    /// Reads what Rhai raised. `place` maps positions and finds the texts of sources by name.
    pub(crate) fn new(raised: &EvalAltResult, source: &str, place: &Place<'_>) -> Report {
        let mut error = errors::from_rhai(raised);
        let frames = trace(&error, "", source, place);
        let trace = error.trace.take().unwrap_or_default();
        let at = trace.source.unwrap_or_else(|| match frames.last() {
            Some(frame) => frame.source.clone(),
            None => source.to_owned(),
        });
        let placed = place(&at, error.position).or_else(|| place(source, error.position));
        let (text, position) = placed.unwrap_or((String::new(), Position::NONE));
        let line = position.line().unwrap_or(0);
        let column = position.position().unwrap_or(0).max(usize::from(line > 0));
        let mut calls = frames.clone();
        calls.extend(trace.frames);
        // The report shows that line itself; alone it says nothing more.
        for call in calls.iter_mut().filter(|call| call.line == line && call.source == at) {
            call.text = None;
        }
        if calls.len() == 1 {
            calls.clear();
        }
        Report { line, column: named(&text, line, column), error, source: at, text, calls, frames }
    }

    /// The report of an error of another language that no session evaluates, at a line and a column of `code`.
    pub fn elsewhere(
        error: Error,
        source: &str,
        code: &str,
        place: Option<(usize, usize)>,
    ) -> Report {
        let raised = errors::to_rhai(error, Position::NONE);
        let mut report = Report::new(&raised, source, &|_, _| None);
        if let Some(place) = place {
            report.put_at(source, code, place);
        }
        report
    }

    /// Says that the error is at a line and a column of a text.
    pub(crate) fn put_at(&mut self, source: &str, text: &str, (line, column): (usize, usize)) {
        text.clone_into(&mut self.text);
        (self.source, self.line, self.column) = (source.to_owned(), line, column);
        // As in reports of scripts: that line is shown, and alone it says nothing more.
        for call in self.calls.iter_mut().filter(|c| c.line == line && c.source == source) {
            call.text = None;
        }
        if self.calls.len() == 1 {
            self.calls.clear();
        }
    }

    /// The kind's name, such as `ShapeError`.
    pub fn kind(&self) -> Kind {
        self.error.kind
    }

    /// The report as text, coloured for a terminal or not. A deep recursion is told by its ends.
    pub fn rendered(&self, color: bool) -> String {
        self.rendered_with(color, 8)
    }

    /// As [`Report::rendered`], with all calls.
    pub fn rendered_in_full(&self, color: bool) -> String {
        self.rendered_with(color, self.calls.len())
    }

    /// The report with so many calls of each end.
    fn rendered_with(&self, color: bool, shown: usize) -> String {
        let theme =
            if color { GraphicalTheme::unicode() } else { GraphicalTheme::unicode_nocolor() };
        let handler = GraphicalReportHandler::new_themed(theme)
            .with_width(usize::from(u16::MAX))
            .with_context_lines(1)
            .with_links(false);
        let mut title = format!("{}: {}", self.error.kind_name(), self.error.message);
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
            for (i, frame) in self.calls.iter().enumerate() {
                if self.calls.len() > 2 * shown && i == shown {
                    let hidden = self.calls.len() - 2 * shown;
                    out.push_str(&format!("  … {hidden} more calls\n"));
                }
                if self.calls.len() > 2 * shown && i >= shown && i < self.calls.len() - shown {
                    continue;
                }
                out.push_str(&format!("  {}:{}", frame.source, frame.line));
                if !frame.function.is_empty() {
                    out.push_str(&format!(" in {}", frame.function));
                }
                out.push('\n');
                if let Some(text) = &frame.text {
                    out.push_str(&format!("    {text}\n"));
                }
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
