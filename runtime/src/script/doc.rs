//! Signature, description and example of anything that has a name: from the same tables that calls use.

use std::rc::Rc;

use super::dispatch::{self, Target};
use super::function::Function;
use super::state::{State, canonical};
use crate::torch::Operator;

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
    let short = operator.short_name();
    let link = match name.rsplit_once('.') {
        Some(("Tensor", _)) => format!("torch.Tensor.{short}"),
        Some(("torch.nn.functional", _)) => format!("torch.nn.functional.{short}"),
        _ => name.to_owned(),
    };
    text.push_str(&format!("\nhttps://pytorch.org/docs/stable/generated/{link}.html\n"));
    text
}
