//! Signature, description and example of anything that has a name: from the same tables that calls use.

mod apropos;
mod docstrings;
mod source;

use std::rc::Rc;

use super::dispatch::{self, Target};
use super::function::Function;
use super::near::nearest;
use super::state::{State, canonical};
use crate::torch::{Operator, Schema};

pub(crate) use apropos::apropos;
pub(crate) use source::source;

/// The text for `name`: `torch.sum`, `Tensor.sum`, `nn.Linear`, `sum`, `x.shape`'s `Tensor.shape`.
pub(crate) fn doc(state: &Rc<State>, name: &str) -> Option<String> {
    let full = canonical(name.trim());
    if let Some(function) = state.functions.get(&full) {
        return Some(of_function(&function.function));
    }
    if let Some(property) = state.properties.get(full.as_str()) {
        return Some(format!("{}\n\n{}\n", property.name, property.doc));
    }
    if let Some(constant) = state.constants.get(full.as_str()) {
        return Some(format!("{}\n\n{}\n", constant.name, constant.doc));
    }
    if let Some((prefix, short)) = full.rsplit_once('.') {
        let target = if prefix == "Tensor" {
            dispatch::on_tensor(state, short)
        } else {
            dispatch::in_namespace(state, prefix, short)
        };
        match target {
            Some(Target::Operator(operator)) => return Some(of_operator(operator, &full)),
            Some(Target::Function(function)) => {
                return Some(of_function(&function.function));
            }
            None => {}
        }
    }
    if let Some(namespace) = state.namespace(&full) {
        let names = state.names_under(&namespace);
        return Some(format!(
            "{namespace}: a namespace of {} names\n\n{}\n",
            names.len(),
            names.join(" ")
        ));
    }
    // A bare name may mean several things: tell them all.
    let suffix = format!(".{full}");
    let mut found: Vec<String> = state
        .functions
        .iter()
        .filter(|(known, _)| known.ends_with(&suffix))
        .map(|(_, function)| of_function(&function.function))
        .collect();
    found.sort();
    if let Some(operator) = dispatch::namespace_operator("torch", &full) {
        found.push(of_operator(operator, &format!("torch.{full}")));
    }
    (!found.is_empty()).then(|| found.join("\n"))
}

/// What a call of `target`, written by these names, does in a sentence.
pub(crate) fn sentence(target: &Target, names: &[String]) -> Option<String> {
    let text = match target {
        Target::Function(function) => function.function.doc.to_owned(),
        Target::Operator(operator) => {
            let short = operator.short_name();
            let written = canonical(&names.join("."));
            let known = [written, format!("torch.{short}"), format!("Tensor.{short}")];
            let known = known.into_iter().chain([format!("torch.nn.functional.{short}")]);
            known.into_iter().find_map(|name| docstrings::description(&name))?
        }
    };
    // PyTorch's begin with the signature.
    let mut paragraphs = text.split("\n\n").map(|part| part.trim());
    let said = paragraphs.find(|part| !part.is_empty() && !is_signature(part))?;
    let line = said.split_whitespace().collect::<Vec<_>>().join(" ");
    let end = line.find(". ").map_or(line.len(), |end| end + 1);
    Some(line[..end].to_owned())
}

/// `sum(input, *, dtype=None) -> Tensor`.
fn is_signature(text: &str) -> bool {
    let name = text.split('(').next().unwrap_or(text);
    name.len() < text.len() && name.chars().all(|c| c.is_alphanumeric() || "_.".contains(c))
}

/// The known name that is nearest to `name`.
pub(crate) fn near(state: &Rc<State>, name: &str) -> Option<String> {
    let full = canonical(name.trim());
    if let Some((prefix, short)) = full.rsplit_once('.') {
        let known = match state.namespace(prefix) {
            Some(namespace) => state.names_under(&namespace),
            None => {
                let start = format!("{prefix}.");
                let declared = state.functions.keys().map(String::as_str);
                let declared = declared.chain(state.properties.keys().copied());
                let mut known: Vec<String> =
                    declared.filter_map(|n| n.strip_prefix(&start)).map(str::to_owned).collect();
                if prefix == "Tensor" {
                    known.extend(crate::torch::operator_names("aten"));
                }
                known
            }
        };
        let found = nearest(short, known.iter().map(String::as_str))?;
        return Some(format!("{prefix}.{found}"));
    }
    let declared = state.functions.keys().map(|n| n.rsplit('.').next().unwrap_or(n).to_owned());
    let known: Vec<String> = declared.chain(crate::torch::operator_names("aten")).collect();
    nearest(&full, known.iter().map(String::as_str)).map(str::to_owned)
}

fn of_function(function: &Function) -> String {
    let signature = function.schema.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut text = format!("{signature}\n\n{}\n", function.doc);
    if !function.example.is_empty() {
        text.push_str("\nExample:\n");
        for line in function.example.lines() {
            text.push_str(&format!("    {line}\n"));
        }
    }
    text
}

fn of_operator(operator: &Operator, name: &str) -> String {
    let mut text = format!("{name}: an operator of libtorch ({})\n\n", operator.name);
    for overload in operator.overloads.iter().filter(|overload| !overload.is_out) {
        text.push_str(&format!("    {}\n", overload.schema));
    }
    let described = docstrings::description(name).or_else(|| {
        let (_, short) = name.rsplit_once('.')?;
        ["torch", "torch.nn.functional", "Tensor"]
            .iter()
            .find_map(|namespace| docstrings::description(&format!("{namespace}.{short}")))
    });
    match described {
        Some(description) => text.push_str(&format!("\n{description}\n")),
        None => text.push_str("\nPyTorch has no description of it.\n"),
    }
    if let Some(overload) = operator.overloads.iter().find(|overload| !overload.is_out) {
        text.push_str(&format!("\nIn a script:\n    {}\n", usage(&overload.schema, name)));
    }
    let short = operator.short_name();
    let link = match name.rsplit_once('.') {
        Some(("Tensor", _)) => format!("torch.Tensor.{short}"),
        Some(("torch.nn.functional", _)) => format!("torch.nn.functional.{short}"),
        _ => name.to_owned(),
    };
    text.push_str(&format!("\nhttps://pytorch.org/docs/stable/generated/{link}.html\n"));
    text
}

/// A call of an operator as a script writes it: `x.sum(dim, keepdim: false)`.
fn usage(schema: &Schema, name: &str) -> String {
    let mut arguments = schema.arguments.iter();
    let method = name.starts_with("Tensor.");
    let mut call = match arguments.clone().next() {
        Some(first) if method => {
            arguments.next();
            let receiver = if first.name == "self" { "x" } else { first.name.as_str() };
            format!("{receiver}.{}(", schema.short_name())
        }
        _ => format!("{name}("),
    };
    let parts: Vec<String> = arguments
        .map(|argument| {
            let shown = if argument.name == "self" { "x" } else { argument.name.as_str() };
            match &argument.default {
                None if argument.keyword_only => format!("{shown}: {shown}"),
                None => shown.to_owned(),
                Some(default) => format!("{shown}: {}", in_script(default)),
            }
        })
        .collect();
    call.push_str(&parts.join(", "));
    call.push(')');
    call
}

/// A default of a schema as a script writes it.
fn in_script(default: &str) -> String {
    match default {
        "None" => "()".to_owned(),
        "True" => "true".to_owned(),
        "False" => "false".to_owned(),
        other => other.replace('\'', "\""),
    }
}
