//! Words that may stand at the cursor, as the editor wants them: commands from here, all else from the engine.

use rustyline::completion::Pair;

use super::mode::Mode;
use super::remote::Remote;
use crate::commands;
use crate::picture::size;

/// Up to so many words are shown with what they are.
const DESCRIBED: usize = 24;
/// More words than this are not offered; the editor counts them with 16 bits.
const MOST: usize = 10_000;
/// How much of that is shown, where the terminal is wide enough.
const DETAIL: usize = 60;

/// Where the word at the cursor begins, and what may stand there.
pub fn complete(remote: &Remote, mode: &Mode, line: &str, cursor: usize) -> (usize, Vec<Pair>) {
    if let Some((start, commands)) = commands::beginning(line, cursor) {
        let pair = |command: &commands::Command| Pair {
            display: command.signature.to_owned(),
            replacement: format!("{} ", command.name()),
        };
        return (start, commands.into_iter().map(pair).collect());
    }
    let span = mode.span_at(line, cursor);
    let part = &line[span.range.clone()];
    let Some(at) = cursor.checked_sub(span.range.start) else { return (cursor, Vec::new()) };
    let (start, items) = remote.complete(part, at, span.language);
    let start = start + span.range.start;
    let described = items.len() <= DESCRIBED;
    let columns = usize::from(size().columns);
    let pairs = items.into_iter().take(MOST).map(|item| {
        let room = columns.saturating_sub(item.text.chars().count() + 4).min(DETAIL);
        let display = match &item.detail {
            Some(detail) if described => format!("{}  {}", item.text, cut(detail, room)),
            _ => item.text.clone(),
        };
        Pair { display, replacement: item.text }
    });
    (start.min(cursor), pairs.collect())
}

/// The first line, not too long.
fn cut(detail: &str, room: usize) -> String {
    let line = detail.lines().next().unwrap_or("");
    match line.char_indices().nth(room) {
        Some((at, _)) => format!("{}…", &line[..at]),
        None => line.to_owned(),
    }
}
