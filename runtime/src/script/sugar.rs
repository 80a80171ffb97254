//! The sugar, and the one rule about top-level names, as a pass over Rhai's own tokens.
//!
//! - `f(x, dim: 1)` becomes `f(x, #{dim: 1})`: named arguments at the end of a call.
//! - `f(x)` becomes `f.__call__(x)` where `f` is a variable in scope (let, const, parameter, loop,
//!   catch, session) and no function of the script; so do `a[0](x)` and `f(x)(y)`. Between a variable
//!   and a function of different cells, the younger one is meant.
//! - `model.eval()`: names behind a dot may be words that Rhai reserves.
//! - `catch (e) {` gets `e = error_of(e);`, so that all errors have one shape.
//! - A top-level `let x` that a function of the session reads is shared with it.
//! - `opt.step(|| … opt …)` becomes `__held__(|| opt).step(|| … opt …)`: what closures read is called
//!   through a copy of its handle, because Rhai locks a shared variable for the length of a call.
//! - `_` and `__` become `_last` and `__last` where the session has these variables.
//! - `no_grad { … }` as a statement ends with its brace, so that `[` or `(` may begin the next one.
//!
//! Nothing else changes: plain Rhai stays as it is. Text is only inserted, never with a line break, so
//! a position in the result maps back to what the user wrote.

mod definition;
mod names;
mod pass;
mod tokens;

use std::collections::HashSet;

use rhai::{Engine, Position, Token};

pub(crate) use definition::definitions;
use pass::Pass;
pub(crate) use tokens::ends_silently;
use tokens::{name_of, tokens};

/// The method that a call of a value becomes.
pub(crate) const CALL: &str = "__call__";

/// The function that shares a top-level variable.
pub(crate) const SHARE: &str = "__share__";

/// The function that takes a value out of the variable that closures share.
pub(crate) const HELD: &str = "__held__";

/// The function that gives caught errors their shape.
pub(crate) const ERROR_OF: &str = "__error_of__";

/// What `_` stands for where a session keeps the value of the last cell.
pub(crate) const LAST: &str = "_last";

/// What `__` stands for: the value before that.
pub(crate) const LAST_BUT_ONE: &str = "__last";

/// Words before a block that has a mode.
pub(crate) const MODES: [&str; 3] = ["no_grad", "enable_grad", "inference_mode"];

/// The word before a block that an object begins and ends.
pub(crate) const WITH: &str = "with";

/// Put before names of methods and attributes that are words of Rhai's own, such as `model.eval()`.
const ESCAPE: &str = "__word_";

/// The name that a script wrote, without the escape that this pass may have given it.
pub(crate) fn written_name(name: &str) -> &str {
    name.strip_prefix(ESCAPE).unwrap_or(name)
}

/// Words that Rhai lets stand behind a dot.
const METHOD_WORDS: &[&str] = &["call", "curry", "type_of", "is_shared", "this"];

/// Text that was inserted before a position of the original, in characters.
#[derive(Clone, Debug)]
struct Insertion {
    line: usize,
    column: usize,
    text: String,
}

/// A script with its sugar taken out.
#[derive(Clone, Debug, Default)]
pub(crate) struct Desugared {
    /// What Rhai compiles.
    pub text: String,
    insertions: Vec<Insertion>,
    /// Names that functions read and that are not their own.
    pub free: HashSet<String>,
    /// Variables that are declared outside of all blocks.
    pub variables: HashSet<String>,
    /// Names of variables that closures capture.
    pub captured: HashSet<String>,
}

impl Desugared {
    /// A text without sugar, such as one in another language.
    pub(crate) fn plain(text: &str) -> Desugared {
        Desugared { text: text.to_owned(), ..Desugared::default() }
    }

    /// The position in the user's text of a position in [`Desugared::text`].
    pub(crate) fn original(&self, position: Position) -> Position {
        let (Some(line), Some(column)) = (position.line(), position.position()) else {
            return position;
        };
        let mut shift = 0;
        for insertion in self.insertions.iter().filter(|insertion| insertion.line == line) {
            let length = insertion.text.chars().count();
            // Where the insertion begins in the new text.
            let start = insertion.column + shift;
            if column < start {
                break;
            }
            if column < start + length {
                return Position::new(line as u16, insertion.column as u16);
            }
            shift += length;
        }
        Position::new(line as u16, (column - shift) as u16)
    }

    /// Whether the character before a place in [`Desugared::text`] was inserted.
    pub(crate) fn follows_insertion(&self, line: usize, column: usize) -> bool {
        let mut shift = 0;
        for insertion in self.insertions.iter().filter(|insertion| insertion.line == line) {
            let (start, length) = (insertion.column + shift, insertion.text.chars().count());
            if (start + 1..=start + length).contains(&column) {
                return true;
            }
            shift += length;
        }
        false
    }
}

/// What earlier cells of a session have left.
#[derive(Default)]
pub(crate) struct Earlier {
    /// Top-level variables.
    pub variables: HashSet<String>,
    /// Functions that are younger than any variable of their name.
    pub functions: HashSet<String>,
    /// Names that functions read and that are not their own.
    pub read: HashSet<String>,
    /// Names of variables that closures capture.
    pub captured: HashSet<String>,
}

/// Takes the sugar out of `source`.
pub(crate) fn desugar(engine: &Engine, source: &str, earlier: &Earlier) -> Desugared {
    let items = tokens(engine, source);
    let functions: HashSet<String> = items
        .windows(2)
        .filter(|pair| pair[0].token == Token::Fn)
        .filter_map(|pair| name_of(&pair[1].token).map(str::to_owned))
        .collect();
    let known = earlier.captured.union(&earlier.read).cloned().collect();
    let mut pass = Pass::over(&items, earlier, &functions, known);
    // What closures and functions further down share is known at the end only.
    let found: HashSet<String> = pass.captured.union(&pass.free).cloned().collect();
    if !found.is_subset(&pass.shared) {
        let shared = pass.shared.union(&found).cloned().collect();
        pass = Pass::over(&items, earlier, &functions, shared);
    }
    let Pass { mut insertions, free, lets, variables, captured, .. } = pass;
    for (name, line, column) in lets {
        if free.contains(&name) || earlier.read.contains(&name) {
            insertions.push(Insertion {
                line,
                column,
                text: format!(" {SHARE}(\"{name}\", || {name});"),
            });
        }
    }
    insertions.sort_by_key(|insertion| (insertion.line, insertion.column));
    let text = apply(source, &insertions);
    Desugared { text, insertions, free, variables, captured }
}

/// Inserts all texts in one walk over the source.
fn apply(source: &str, insertions: &[Insertion]) -> String {
    if insertions.is_empty() {
        return source.to_owned();
    }
    let mut out = String::with_capacity(source.len() + insertions.len() * 12);
    let mut next = insertions.iter().peekable();
    for (i, line) in source.split('\n').enumerate() {
        if i > 0 {
            out.push('\n');
        }
        for (column, c) in (1..).zip(line.chars()) {
            while let Some(insertion) = next.next_if(|n| n.line == i + 1 && n.column == column) {
                out.push_str(&insertion.text);
            }
            out.push(c);
        }
        while let Some(insertion) = next.next_if(|n| n.line == i + 1) {
            out.push_str(&insertion.text);
        }
    }
    out
}

#[cfg(test)]
mod tests;
