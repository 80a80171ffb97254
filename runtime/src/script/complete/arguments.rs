//! Named arguments of the call at hand.

use super::cursor::Call;
use super::resolve::{self, Callee};
use super::{Completion, Names};

/// An argument of something whose signature is not ours, such as of a Python function.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Named {
    /// Its name.
    pub name: String,
    /// As it is shown: `axis=None`.
    pub text: String,
    /// Whether it can be named in a call.
    pub keyword: bool,
    /// Whether it must be.
    pub keyword_only: bool,
}

/// Those that the call does not have yet.
pub(super) fn arguments(call: &Call, names: &Names<'_>) -> Vec<Completion> {
    let mut found: Vec<Completion> = Vec::new();
    let mut add = |name: &str, detail: String| {
        let text = format!("{name}: ");
        let known = found.iter().any(|item| item.text == text);
        if !known && !call.given.iter().any(|given| given == name) {
            found.push(Completion::new(text, "argument", Some(detail)));
        }
    };
    match resolve::callee(&call.function, names) {
        Some(Callee::Declared { target, method }) => {
            for schema in resolve::schemas(&target) {
                for argument in schema.arguments.iter().skip(usize::from(method)) {
                    let detail = match &argument.default {
                        Some(default) => format!("{} = {default}", argument.ty),
                        None => argument.ty.to_string(),
                    };
                    add(&argument.name, detail);
                }
            }
        }
        Some(Callee::Object(help)) => {
            for argument in help.arguments.into_iter().filter(|argument| argument.keyword) {
                add(&argument.name, argument.text);
            }
        }
        Some(Callee::Script(_)) | None => {}
    }
    found
}
