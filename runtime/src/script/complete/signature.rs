//! The call around the cursor: its signature, which argument is next, and a line of help.

use std::ops::Range;

use super::cursor::{self, OpenCall};
use super::resolve::{self, Callee};
use super::{Names, arguments};
use crate::script::doc;
use crate::script::function::CallHelp;
use crate::torch::{Argument, Arity, Schema};

/// What is shown of the call around the cursor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    /// `sum(dim: int[1]?, keepdim: bool = False) -> Tensor`.
    pub text: String,
    /// Where the argument at the cursor stands in the text, in bytes.
    pub active: Option<Range<usize>>,
    /// What the call does, in a sentence.
    pub help: Option<String>,
}

/// The signature of the innermost call that is open at the cursor.
pub(crate) fn signature(names: &Names<'_>, code: &str, at: usize) -> Option<Signature> {
    let call = cursor::open_call(code.get(..at)?)?;
    match resolve::callee(&call.function, names)? {
        Callee::Declared { target, method } => {
            let schemas = resolve::schemas(&target);
            let skipped = usize::from(method);
            // One that has room for the argument at the cursor, then one whose parentheses may stay empty.
            let fitting = |least| schemas.iter().find(|s| takes(s, &call, skipped, least));
            let schema = fitting(0).or_else(|| fitting(1));
            let schema = schema.or(schemas.first())?;
            let parts: Vec<Part> = schema.arguments.iter().skip(skipped).map(Part::of).collect();
            let result = returns(schema);
            let help = doc::sentence(&target, &call.function);
            Some(rendered(schema.short_name(), &parts, &result, &call, help))
        }
        Callee::Object(CallHelp { arguments, result, help }) => {
            let name = call.function.last()?;
            let parts: Vec<Part> = arguments.into_iter().map(Part::from).collect();
            let result = result.map(|result| format!(" -> {result}")).unwrap_or_default();
            Some(rendered(name, &parts, &result, &call, help))
        }
        Callee::Script(parameters) => {
            let plain = |name: String| Part { text: name.clone(), name, keyword_only: false };
            let parts: Vec<Part> = parameters.into_iter().map(plain).collect();
            Some(rendered(call.function.last()?, &parts, "", &call, None))
        }
    }
}

/// An argument as it is shown.
struct Part {
    name: String,
    text: String,
    keyword_only: bool,
}

impl Part {
    fn of(argument: &Argument) -> Part {
        let stars = match argument.arity {
            Arity::One => "",
            Arity::Rest => "*",
            Arity::Keywords => "**",
        };
        let default = argument.default.as_ref().map(|default| format!(" = {default}"));
        let text =
            format!("{stars}{}: {}{}", argument.name, argument.ty, default.unwrap_or_default());
        let keyword_only = argument.keyword_only && argument.arity == Arity::One;
        Part { name: argument.name.clone(), text, keyword_only }
    }
}

impl From<arguments::Named> for Part {
    fn from(named: arguments::Named) -> Part {
        Part { name: named.name, text: named.text, keyword_only: named.keyword_only }
    }
}

/// Whether a call that is written so far may mean this signature, which is taken to have `least` positional
/// arguments.
fn takes(schema: &Schema, call: &OpenCall, skipped: usize, least: usize) -> bool {
    let own = &schema.arguments[skipped.min(schema.arguments.len())..];
    if own.iter().any(|argument| argument.arity != Arity::One) {
        return true;
    }
    let positional = own.iter().filter(|argument| !argument.keyword_only).count();
    let known = |name: &String| own.iter().any(|argument| argument.name == *name);
    (call.named.is_some() || call.position < positional.max(least))
        && call.given.iter().chain(&call.named).all(known)
}

fn returns(schema: &Schema) -> String {
    let text = schema.to_string();
    text.rsplit_once(") -> ").map(|(_, result)| format!(" -> {result}")).unwrap_or_default()
}

fn rendered(
    name: &str,
    parts: &[Part],
    result: &str,
    call: &OpenCall,
    help: Option<String>,
) -> Signature {
    let mut text = format!("{name}(");
    let mut active = None;
    let mut keywords = false;
    for (i, part) in parts.iter().enumerate() {
        if i > 0 {
            text.push_str(", ");
        }
        if part.keyword_only && !keywords {
            text.push_str("*, ");
            keywords = true;
        }
        let start = text.len();
        text.push_str(&part.text);
        let here = match &call.named {
            Some(named) => *named == part.name,
            None => i == call.position && !part.keyword_only,
        };
        if here {
            active = Some(start..text.len());
        }
    }
    text.push(')');
    text.push_str(result);
    Signature { text, active, help }
}
