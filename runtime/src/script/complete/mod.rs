//! What may stand at the cursor: names in scope, members of values and namespaces, arguments of the call at
//! hand, files. From the tables that calls use and from the values that variables hold; no code of a script
//! runs for it.

mod cursor;
mod files;
mod matching;
mod members;
mod resolve;

use std::rc::Rc;

use rhai::Dynamic;

use super::convert;
use super::state::State;
use cursor::{Call, Place};
pub use matching::matching;

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
            let keys = of.map(|of| members::keys(&of)).unwrap_or_default();
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
            let mut found = cursor.call.map(|call| arguments(&call, names)).unwrap_or_default();
            found.extend(in_scope(names));
            (cursor.start, matching(word, found, |item| &item.text))
        }
    }
}

/// Names that stand by themselves, the session's own first.
fn in_scope(names: &Names<'_>) -> Vec<Completion> {
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
    for name in names.state.top_level_names() {
        found.push(members::named(&name, &name, names));
    }
    found.extend(WORDS.iter().map(|word| Completion::new(*word, "keyword", None)));
    let mut seen = std::collections::HashSet::new();
    found.retain(|item| seen.insert(item.text.clone()));
    found
}

/// Named arguments of a call that it does not have yet.
fn arguments(call: &Call, names: &Names<'_>) -> Vec<Completion> {
    let Some((target, method)) = resolve::target(&call.function, names) else { return Vec::new() };
    let mut found: Vec<Completion> = Vec::new();
    for schema in resolve::schemas(&target) {
        for argument in schema.arguments.iter().skip(usize::from(method)) {
            let text = format!("{}: ", argument.name);
            let known = found.iter().any(|item| item.text == text);
            if known || call.given.contains(&argument.name) {
                continue;
            }
            let detail = match &argument.default {
                Some(default) => format!("{} = {default}", argument.ty),
                None => argument.ty.to_string(),
            };
            found.push(Completion::new(text, "argument", Some(detail)));
        }
    }
    found
}
