//! The calls that are under way, as the debugger follows them: Rhai shows a callback its own scope and no other, so
//! what the calls around it have is noted while they are the innermost.

use rhai::{Array, Blob, Dynamic, Map, Scope};

use super::statements::Statement;
use crate::script::session::is_kept;

/// Of a value that holds more items than this no copy is made for who waits further out: lists are copied item by
/// item.
const MOST: usize = 10_000;
/// Bytes of a blob that count as much as an item.
const BYTES: usize = 100;

/// A variable of a frame; `None` is a value that was too large to be noted.
pub(super) type Variables = Vec<(String, Option<Dynamic>)>;

/// A call, or the cell itself.
pub(super) struct Frame {
    /// How many calls, those of native functions among them, it is inside of.
    pub depth: usize,
    /// What is called; the source's name for the cell itself.
    pub function: String,
    /// The name of the source that the statement stands in.
    pub source: String,
    /// The statement under way.
    pub at: Statement,
    /// What it could see when that statement began, where it called something.
    pub variables: Option<Variables>,
}

/// The calls under way, outermost first.
#[derive(Default)]
pub(super) struct Frames(pub Vec<Frame>);

impl Frames {
    /// The depth of what a new evaluation inside of these begins with.
    pub(super) fn base(&self) -> usize {
        self.0.last().map_or(0, |frame| frame.depth + 1)
    }

    /// The call at `depth` is over: what was noted of it. Dropping that may run anything, so it is left to who can.
    pub(super) fn left(&mut self, depth: usize) -> Vec<Variables> {
        let outside = self.0.iter().rposition(|frame| frame.depth < depth);
        let over = self.0.split_off(outside.map_or(0, |last| last + 1));
        over.into_iter().filter_map(|frame| frame.variables).collect()
    }

    /// A statement of the call at `depth` begins: whether its line does, and what was noted and is over.
    pub(super) fn reached(
        &mut self,
        depth: usize,
        function: Option<&str>,
        source: &str,
        at: Statement,
    ) -> (bool, Vec<Variables>) {
        let mut over = self.left(depth + 1);
        if let Some(last) = self.0.last_mut().filter(|frame| frame.depth == depth)
            && last.source == source
        {
            // Also where a loop has come round to it.
            let begins = last.at.line != at.line || at.column <= last.at.column;
            last.at = at;
            over.extend(last.variables.take());
            return (begins, over);
        }
        over.append(&mut self.left(depth));
        let function = function.unwrap_or(source).to_owned();
        let source = source.to_owned();
        self.0.push(Frame { depth, function, source, at, variables: None });
        (true, over)
    }
}

/// The variables of a scope, oldest first; of those of one name the one that is seen.
pub(super) fn seen(scope: &Scope<'_>) -> Vec<(String, Dynamic)> {
    let mut found: Vec<(String, Dynamic)> = Vec::new();
    for (name, _, value) in scope.iter_raw() {
        if !is_kept(name) && !found.iter().any(|(known, _)| known == name) {
            found.push((name.to_owned(), value.clone()));
        }
    }
    found.reverse();
    found
}

/// The same, without the values that would take long to copy.
pub(super) fn noted(scope: &Scope<'_>) -> Variables {
    let mut found = Variables::new();
    for (name, _, value) in scope.iter_raw() {
        if !is_kept(name) && !found.iter().any(|(known, _)| known == name) {
            let small = is_small(value, &mut { MOST });
            found.push((name.to_owned(), small.then(|| value.clone())));
        }
    }
    found.reverse();
    found
}

/// Whether a value holds no more items than are left; those that it holds are taken off.
fn is_small(value: &Dynamic, left: &mut usize) -> bool {
    let mut takes = |items: usize| {
        let rest = left.checked_sub(items);
        *left = rest.unwrap_or(0);
        rest.is_some()
    };
    // A copy of what is shared is a handle.
    if value.is_shared() {
        return true;
    }
    if let Some(items) = value.read_lock::<Array>() {
        return takes(items.len()) && items.iter().all(|item| is_small(item, left));
    }
    if let Some(entries) = value.read_lock::<Map>() {
        return takes(entries.len()) && entries.values().all(|item| is_small(item, left));
    }
    value.read_lock::<Blob>().is_none_or(|bytes| takes(bytes.len() / BYTES))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(line: usize, column: usize) -> Statement {
        Statement { line, column, calls: false }
    }

    #[test]
    fn calls_come_and_go() {
        let mut frames = Frames::default();
        assert!(frames.reached(0, None, "cell 1", at(1, 1)).0);
        assert!(!frames.reached(0, None, "cell 1", at(1, 9)).0, "the same line goes on");
        assert!(frames.reached(2, Some("f"), "cell 1", at(1, 5)).0, "a call begins on it");
        assert_eq!(frames.base(), 3);
        frames.left(2);
        assert!(frames.reached(0, None, "cell 1", at(1, 9)).0, "a loop comes round");
        assert!(frames.reached(0, None, "cell 1", at(2, 1)).0);
        assert_eq!(frames.0.len(), 1);
        assert_eq!(frames.0[0].function, "cell 1");
    }

    #[test]
    fn the_youngest_variable_of_a_name_is_seen() {
        let mut scope = Scope::new();
        scope.push("a", 1_i64).push("b", 2_i64).push("a", 3_i64);
        let found: Vec<(String, i64)> = seen(&scope)
            .into_iter()
            .map(|(name, value)| (name, value.as_int().unwrap_or(0)))
            .collect();
        assert_eq!(found, [("b".to_owned(), 2), ("a".to_owned(), 3)]);
        scope.push("large", Dynamic::from(vec![Dynamic::UNIT; MOST + 1]));
        let many = vec![Dynamic::from(vec![Dynamic::UNIT; MOST / 2]); 3];
        scope.push("nested", Dynamic::from(many)).push("blob", vec![0_u8; BYTES * (MOST + 1)]);
        for (name, value) in noted(&scope) {
            assert_eq!(
                value.is_none(),
                ["large", "nested", "blob"].contains(&name.as_str()),
                "{name}"
            );
        }
    }
}
