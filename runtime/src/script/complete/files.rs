//! Files and folders between quotes.

use super::Completion;
use super::matching::matching;
use crate::script::state::State;

/// More than this nobody reads.
const MOST: usize = 1000;

/// What the part behind the last slash of `path` may be; `start` is where the path begins.
pub(super) fn files(state: &State, path: &str, start: usize) -> (usize, Vec<Completion>) {
    let split = path.rfind('/').map_or(0, |slash| slash + 1);
    let (folder, word) = path.split_at(split);
    let start = start + split;
    let folder = if folder.is_empty() { "." } else { folder };
    let entries = state.permissions.readable(folder).ok().and_then(|f| std::fs::read_dir(f).ok());
    let mut found: Vec<Completion> = entries
        .into_iter()
        .flatten()
        .flatten()
        .take(MOST)
        .filter_map(|entry| {
            let name = entry.file_name().into_string().ok()?;
            let end = if entry.path().is_dir() { "/" } else { "" };
            let hidden = name.starts_with('.') && !word.starts_with('.');
            (!hidden).then(|| Completion::new(format!("{name}{end}"), "file", None))
        })
        .collect();
    found.sort_by(|a, b| a.text.cmp(&b.text));
    (start, matching(word, found, |item| &item.text))
}
