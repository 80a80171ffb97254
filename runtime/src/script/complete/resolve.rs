//! What the text before a dot means, found without evaluating anything: variables, what they plainly hold,
//! namespaces, and the declared results of calls.

use std::rc::Rc;

use rhai::{Dynamic, Map};

use super::Names;
use super::cursor::Receiver;
use crate::script::dispatch::{self, Target, object_type, type_of};
use crate::script::function::CallHelp;
use crate::script::state::canonical;
use crate::script::value::{Namespace, Results};
use crate::torch::{Schema, Tensor, Type};

/// Properties of a tensor that are tensors.
const TENSORS: &[&str] = &["grad", "data", "T", "mT", "H", "mH", "real", "imag"];

/// What something means.
pub(super) enum Meaning {
    Value(Dynamic),
    Namespace(String),
    /// A value of this type that is not there yet.
    Type(String),
}

/// What stands before the dot.
pub(super) fn meaning(receiver: &Receiver, names: &Names<'_>) -> Option<Meaning> {
    match receiver {
        Receiver::Chain(chain) => of_chain(chain, names),
        Receiver::CallOf(chain) => {
            let (target, _) = target(chain, names)?;
            let schema = schemas(&target).into_iter().next()?;
            of_type(&schema.returns.first()?.0)
        }
        Receiver::Text => Some(Meaning::Type("String".to_owned())),
        Receiver::List => Some(Meaning::Type("Array".to_owned())),
        Receiver::Unknown => None,
    }
}

fn of_type(result: &Type) -> Option<Meaning> {
    let name = match result {
        Type::Tensor => "Tensor",
        Type::Named(name) => name,
        Type::List(..) => "Array",
        Type::Str => "String",
        Type::Map => "Map",
        _ => return None,
    };
    Some(Meaning::Type(name.to_owned()))
}

fn of_chain(chain: &[String], names: &Names<'_>) -> Option<Meaning> {
    let (first, rest) = chain.split_first()?;
    if let Some((_, value)) = names.variables.iter().find(|(name, _)| name == first) {
        let value = Meaning::Value(value.flatten_clone());
        return rest.iter().try_fold(value, |of, name| within(&of, name, names));
    }
    let full = chain.join(".");
    if let Some(namespace) = names.state.namespace(&full) {
        return Some(Meaning::Namespace(namespace));
    }
    let constant = names.state.constants.get(canonical(&full).as_str())?;
    Some(Meaning::Value((constant.value)()))
}

/// What `of.name` plainly is.
fn within(of: &Meaning, name: &str, names: &Names<'_>) -> Option<Meaning> {
    let value = match of {
        Meaning::Namespace(namespace) => {
            return names.state.namespace(&format!("{namespace}.{name}")).map(Meaning::Namespace);
        }
        Meaning::Type(_) => return None,
        Meaning::Value(value) => value,
    };
    if let Some(namespace) = value.read_lock::<Namespace>() {
        return within(&Meaning::Namespace(namespace.0.to_string()), name, names);
    }
    if let Some(map) = value.read_lock::<Map>() {
        return map.get(name).map(|value| Meaning::Value(value.flatten_clone()));
    }
    if let Some(results) = value.read_lock::<Results>() {
        return results.get(name).map(|value| Meaning::Value(value.clone()));
    }
    if value.is::<Tensor>() {
        return TENSORS.contains(&name).then(|| Meaning::Type("Tensor".to_owned()));
    }
    let object = object_type(value, names.state)?;
    (object.plain_attribute)(value, name).map(Meaning::Value)
}

/// What a call of these names reaches, and whether its first argument stands before the dot.
pub(super) fn target(chain: &[String], names: &Names<'_>) -> Option<(Target, bool)> {
    let state = names.state;
    let (name, receiver) = chain.split_last()?;
    if receiver.is_empty() {
        let function = state.functions.get(name)?;
        return Some((Target::Function(Rc::clone(function)), false));
    }
    let on_type = |of: &str| match of {
        "Tensor" => dispatch::on_tensor(state, name),
        _ => state.functions.get(&format!("{of}.{name}")).map(|f| Target::Function(Rc::clone(f))),
    };
    match of_chain(receiver, names)? {
        Meaning::Namespace(namespace) => {
            dispatch::in_namespace(state, &namespace, name).map(|target| (target, false))
        }
        Meaning::Type(of) => on_type(&of).map(|target| (target, true)),
        Meaning::Value(value) => match value.read_lock::<Namespace>() {
            Some(namespace) => {
                dispatch::in_namespace(state, &namespace.0, name).map(|target| (target, false))
            }
            None => on_type(type_of(&value, state)).map(|target| (target, true)),
        },
    }
}

/// What a call reaches.
pub(super) enum Callee {
    /// A function of the library or an operator; with `method` its first argument stands before the dot.
    Declared { target: Target, method: bool },
    /// A value that is called.
    Object(CallHelp),
    /// A function of the script, by its parameters.
    Script(Vec<String>),
}

/// What a call of these names reaches.
pub(super) fn callee(chain: &[String], names: &Names<'_>) -> Option<Callee> {
    if let [name] = chain
        && let Some(parameters) = names.state.signatures(name).into_iter().next()
    {
        return Some(Callee::Script(parameters));
    }
    if let Some((target, method)) = target(chain, names) {
        return Some(Callee::Declared { target, method });
    }
    let Meaning::Value(value) = of_chain(chain, names)? else { return None };
    let object = object_type(&value, names.state)?;
    (object.call_help)(&value).map(Callee::Object)
}

/// The signatures of what is called, without those that write into a given tensor.
pub(super) fn schemas(target: &Target) -> Vec<Schema> {
    match target {
        Target::Function(function) => vec![Schema::clone(function.schema())],
        Target::Operator(operator) => {
            let overloads = operator.overloads.iter().filter(|overload| !overload.is_out);
            let mut schemas: Vec<Schema> =
                overloads.map(|overload| overload.schema.clone()).collect();
            // Those that take names of dimensions are seldom meant.
            schemas.sort_by_key(|schema| schema.overload.contains("Dimname"));
            schemas
        }
    }
}
