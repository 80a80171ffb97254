//! How something is defined: the text of a script's function, the schemas of an operator, the signature of what is
//! written in Rust.

use std::rc::Rc;

use rhai::Engine;

use crate::script::dispatch::{self, Target};
use crate::script::state::{State, canonical};
use crate::script::sugar;

/// The text that defines `name`.
pub(crate) fn source(engine: &Engine, state: &Rc<State>, name: &str) -> Option<String> {
    let name = name.trim();
    if let Some(source) = state.definition(name) {
        let text = state.sources.borrow().get(&source).map(|(text, _)| text.clone())?;
        let found = sugar::definitions(engine, &text, name);
        return (!found.is_empty()).then(|| format!("// {source}\n{}", found.join("\n\n")));
    }
    let full = canonical(name);
    let target = match full.rsplit_once('.') {
        Some(("Tensor", short)) => dispatch::on_tensor(state, short),
        Some((prefix, short)) => dispatch::in_namespace(state, prefix, short),
        None => None,
    };
    let declared = state.functions.get(&full).map(|function| Target::Function(Rc::clone(function)));
    match declared.or(target)? {
        Target::Function(function) => {
            let signature = function.function.schema.split_whitespace().collect::<Vec<_>>();
            Some(format!("// A function of the library, written in Rust.\n{}", signature.join(" ")))
        }
        Target::Operator(operator) => {
            let mut text = "// An operator of libtorch; its schemas:".to_owned();
            for overload in &operator.overloads {
                text.push_str(&format!("\n{}", overload.schema));
            }
            Some(text)
        }
    }
}
