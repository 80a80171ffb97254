//! What may stand at the cursor: names in scope, members of values and namespaces, arguments of the call at
//! hand, files. From the tables that calls use and from the values that variables hold; no code of a script
//! runs for it.

mod arguments;
mod cursor;
mod files;
mod matching;
mod members;
mod resolve;
mod signature;

use std::rc::Rc;

use rhai::Dynamic;

use super::convert;
use super::state::State;
use cursor::Place;
pub use matching::matching;

pub use arguments::Named;
pub use signature::Signature;
pub(crate) use signature::signature;

/// Words of the language that may begin or go on with an expression or a statement.
const WORDS: &[&str] = &[
    "break",
    "catch",
    "const",
    "continue",
    "do",
    "else",
    "enable_grad",
    "export",
    "false",
    "fn",
    "for",
    "if",
    "import",
    "in",
    "inference_mode",
    "let",
    "loop",
    "no_grad",
    "print",
    "return",
    "switch",
    "throw",
    "true",
    "try",
    "type_of",
    "until",
    "while",
    "with",
];

/// One thing that may stand at the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Completion {
    /// What is inserted in place of the word at the cursor.
    pub text: String,
    /// What it is: `variable`, `function`, `operator`, `namespace`, `constant`, `method`, `attribute`, `argument`,
    /// `key`, `file`, `keyword`.
    pub kind: &'static str,
    /// Its signature or type.
    pub detail: Option<String>,
}

impl Completion {
    pub(super) fn new(text: impl Into<String>, kind: &'static str, detail: Option<String>) -> Self {
        Completion { text: text.into(), kind, detail }
    }
}

/// What the session knows by name.
pub(crate) struct Names<'a> {
    pub(crate) state: &'a Rc<State>,
    pub(crate) variables: &'a [(String, Dynamic)],
}

/// Where the word at the cursor begins, in bytes, and what may stand there, best first.
pub(crate) fn complete(names: &Names<'_>, code: &str, at: usize) -> (usize, Vec<Completion>) {
    let Some(before) = code.get(..at) else { return (at, Vec::new()) };
    let cursor = cursor::cursor(before);
    let word = &before[cursor.start..];
    match &cursor.place {
        Place::Nothing => (at, Vec::new()),
        Place::Text(indexed) => {
            let of = indexed.as_ref().and_then(|of| resolve::meaning(of, names));
            let keys = of.map(|of| members::keys(&of, names)).unwrap_or_default();
            if keys.is_empty() {
                return files::files(names.state, word, cursor.start);
            }
            (cursor.start, matching(word, keys, |key| &key.text))
        }
        Place::Member(of) => {
            let found = resolve::meaning(of, names);
            (cursor.start, found.map(|of| members::members(&of, word, names)).unwrap_or_default())
        }
        Place::Name => {
            let in_call = cursor.call.map(|call| arguments::arguments(&call, names));
            let arguments = in_call.unwrap_or_default();
            // Behind the first letters an argument's name and the session's own come before the library's.
            if !word.is_empty() && !arguments.is_empty() {
                let mut near = arguments.clone();
                near.extend(own(names));
                near.retain(|item| item.text.to_lowercase().starts_with(&word.to_lowercase()));
                if !near.is_empty() {
                    return (cursor.start, matching(word, near, |item| &item.text));
                }
            }
            let found = arguments.into_iter().chain(in_scope(names)).collect();
            (cursor.start, matching(word, found, |item| &item.text))
        }
    }
}

/// The session's variables and functions.
fn own(names: &Names<'_>) -> Vec<Completion> {
    let mut found: Vec<Completion> = names
        .variables
        .iter()
        .rev()
        .map(|(name, value)| Completion::new(name, "variable", Some(convert::type_name(value))))
        .collect();
    for name in names.state.script_functions() {
        let signature = names.state.signatures(&name);
        let detail = signature.first().map(|names| format!("fn {name}({})", names.join(", ")));
        found.push(Completion::new(name, "function", detail));
    }
    found
}

/// Names that stand by themselves, the session's own first.
fn in_scope(names: &Names<'_>) -> Vec<Completion> {
    let mut found = own(names);
    for name in names.state.top_level_names() {
        found.push(members::named(&name, &name, names));
    }
    found.extend(WORDS.iter().map(|word| Completion::new(*word, "keyword", None)));
    let mut seen = std::collections::HashSet::new();
    found.retain(|item| seen.insert(item.text.clone()));
    found
}
