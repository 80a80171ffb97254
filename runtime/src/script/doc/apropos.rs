//! A search in names and descriptions.

use std::rc::Rc;

use super::docstrings;
use crate::script::complete::Completion;
use crate::script::state::State;

/// How much of a description is shown.
const DETAIL: usize = 80;

/// What all of `words` are found in, names before descriptions.
pub(crate) fn apropos(state: &Rc<State>, words: &str) -> Vec<Completion> {
    let words: Vec<String> = words.split_whitespace().map(str::to_lowercase).collect();
    if words.is_empty() {
        return Vec::new();
    }
    let mut found: Vec<(bool, Completion)> = Vec::new();
    let mut look = |name: &str, kind: &'static str, doc: &str| {
        let (lower, text) = (name.to_lowercase(), doc.to_lowercase());
        if !words.iter().all(|word| lower.contains(word.as_str()) || text.contains(word.as_str())) {
            return;
        }
        let only_described = !words.iter().any(|word| lower.contains(word.as_str()));
        let detail = Some(first_sentence(doc)).filter(|text| !text.is_empty());
        found.push((only_described, Completion::new(name, kind, detail)));
    };
    for (name, function) in &state.functions {
        look(name, "function", function.function.doc);
    }
    for property in state.properties.values() {
        look(property.name, "attribute", property.doc);
    }
    for constant in state.constants.values() {
        look(constant.name, "constant", constant.doc);
    }
    let mut described = std::collections::HashSet::new();
    for (name, text) in docstrings::all() {
        if !state.functions.contains_key(name) {
            described.insert(name.rsplit('.').next().unwrap_or(name));
            look(name, "operator", text);
        }
    }
    for name in crate::torch::operator_names("aten") {
        let full = format!("torch.{name}");
        let public = !name.starts_with('_') && !name.ends_with("_backward");
        if public && !described.contains(name.as_str()) && !state.functions.contains_key(&full) {
            look(&full, "operator", "");
        }
    }
    found.sort_by(|(a, x), (b, y)| a.cmp(b).then(x.text.cmp(&y.text)));
    found.dedup_by(|(_, a), (_, b)| a.text == b.text);
    found.into_iter().map(|(_, item)| item).collect()
}

/// The beginning of a description on one line: past the signature that docstrings begin with.
fn first_sentence(doc: &str) -> String {
    let lines = doc.lines().map(str::trim).filter(|line| !line.is_empty());
    let mut lines = lines.skip_while(|line| line.contains("->"));
    let text = lines.next().unwrap_or("");
    let text = text.split_inclusive(". ").next().unwrap_or("").trim_end();
    match text.char_indices().nth(DETAIL) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}
