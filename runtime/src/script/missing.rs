//! Errors for names that nobody knows, and for functions that do not take what they were given.

use std::collections::HashSet;
use std::rc::Rc;

use rhai::{Dynamic, Engine, EvalAltResult, FnPtr, NativeCallContext};

use super::context::{self, Context};
use super::convert;
use super::dispatch::{member_names, namespace_operator, object_type, type_of};
use super::near::nearest;
use super::state::State;
use super::value::{Namespace, Results};
use crate::error::Error;

/// How Rhai names closures; the rest is a hash.
const CLOSURE: &str = "anon$";

thread_local! {
    /// The functions of Rhai's standard packages by name; made when a first error asks for them.
    static RHAI: Rc<HashSet<String>> = Rc::new(
        Engine::new()
            .collect_fn_metadata(None, |f| Some(f.metadata.name.to_string()), true)
            .into_iter()
            .filter(|name| is_word(name))
            .collect(),
    );
}

fn rhai_functions() -> Rc<HashSet<String>> {
    RHAI.with(Rc::clone)
}

/// Whether a name is that of a function and not of an operator.
pub(crate) fn is_word(name: &str) -> bool {
    name.chars().all(|c| c.is_alphanumeric() || c == '_')
}

/// Adds the name that was perhaps meant.
fn suggest<'a>(error: Error, name: &str, known: impl IntoIterator<Item = &'a str>) -> Error {
    match nearest(name, known) {
        Some(near) => error.help(format!("did you mean '{near}'?")),
        None => error,
    }
}

/// `torch.name` where the namespace has no such name.
pub(crate) fn in_namespace(state: &State, namespace: &str, name: &str) -> Error {
    let known = state.names_under(namespace);
    let error = Error::name(format!("{namespace} has no '{name}'"));
    match nearest(name, known.iter().map(String::as_str)) {
        Some(near) => error.help(format!("did you mean {namespace}.{near}?")),
        None => error,
    }
}

/// `value.name` where the value has no such attribute.
pub(crate) fn attribute(value: &Dynamic, name: &str, state: &State) -> Error {
    let mut known = member_names(type_of(value, state), state);
    if let Some(object) = object_type(value, state) {
        known.extend((object.attributes)(value));
    }
    if let Some(results) = value.read_lock::<Results>() {
        known.extend(results.names.iter().cloned());
    }
    let error = Error::name(format!("{} has no attribute '{name}'", convert::type_name(value)));
    suggest(error, name, known.iter().map(String::as_str))
}

/// A call that reaches nothing: `name(args)`, or `args[0].name(args[1..])`.
pub(crate) fn function(name: &str, args: &[&mut Dynamic], ctx: &Context<'_>) -> Error {
    let types: Vec<String> = args.iter().map(|arg| convert::type_name(arg)).collect();
    match args.first() {
        Some(receiver) if ctx.called_behind_a_dot() => method(receiver, name, &types, &ctx.state),
        _ => bare(name, &types, Some(&ctx.state)),
    }
}

/// `receiver.name(…)`: `types` are those of the receiver and of the arguments.
fn method(receiver: &Dynamic, name: &str, types: &[String], state: &State) -> Error {
    let type_name = type_of(receiver, state);
    let object = object_type(receiver, state);
    let rhais = object.is_none()
        && (type_name.is_empty() || ["Array", "Map", "String"].contains(&type_name))
        && !receiver.is::<Namespace>()
        && !receiver.is::<Results>();
    if rhais && rhai_functions().contains(name) {
        return does_not_take(name, types);
    }
    let error = Error::name(format!("{} has no method '{name}'", convert::type_name(receiver)));
    if !state.signatures(name).is_empty() {
        let rest = if types.len() > 1 { ", …" } else { "" };
        return error.help(format!("'{name}' is a function: write {name}(x{rest})"));
    }
    let mut known = member_names(type_name, state);
    if let Some(object) = object {
        known.extend((object.attributes)(receiver));
    }
    if rhais {
        known.extend(rhai_functions().iter().cloned());
    }
    known.sort();
    suggest(error, name, known.iter().map(String::as_str))
}

/// `name(…)` with arguments of these types.
fn bare(name: &str, types: &[String], state: Option<&Rc<State>>) -> Error {
    let signatures = state.map(|state| state.signatures(name)).unwrap_or_default();
    if signatures.iter().any(|names| names.len() == types.len()) {
        // Only Rhai's `call` counts what it binds `this` to.
        let error = wrong_count(&format!("{name}()"), types.len() - 1, &signatures);
        let help =
            format!("value.call({name}) calls {name} on the value; value({name}) calls the value");
        return error.help(help);
    }
    if !signatures.is_empty() {
        return wrong_count(&format!("{name}()"), types.len(), &signatures)
            .help(written(name, &signatures));
    }
    if rhai_functions().contains(name) {
        return does_not_take(name, types);
    }
    let error = Error::name(format!("there is no function '{name}'"));
    if namespace_operator("torch", name).is_some() {
        return error.help(format!("did you mean torch.{name}?"));
    }
    let mut known: Vec<String> = rhai_functions().iter().cloned().collect();
    if let Some(state) = state {
        known.extend(state.top_level_names());
        known.extend(state.script_functions());
    }
    known.sort();
    suggest(error, name, known.iter().map(String::as_str))
}

fn does_not_take(name: &str, types: &[String]) -> Error {
    Error::type_(format!("{name}() does not take these arguments: ({})", types.join(", ")))
}

/// Signatures as a script writes them: `fn scale(x, factor)`.
fn written(name: &str, signatures: &[Vec<String>]) -> String {
    let all: Vec<String> =
        signatures.iter().map(|names| format!("fn {name}({})", names.join(", "))).collect();
    all.join(", ")
}

/// The error for a call with another number of arguments than the function has.
fn wrong_count(what: &str, given: usize, signatures: &[Vec<String>]) -> Error {
    let mut counts: Vec<usize> = signatures.iter().map(Vec::len).collect();
    counts.sort_unstable();
    counts.dedup();
    let takes: Vec<String> = counts.iter().map(usize::to_string).collect();
    let plural = if counts == [1] { "" } else { "s" };
    Error::type_(format!("{what} takes {} argument{plural}, not {given}", takes.join(" or ")))
}

/// The error for Rhai's own "function not found", which gives name and types in one text.
pub(crate) fn not_found(signature: &str) -> Error {
    let (name, types) = signature.split_once('(').unwrap_or((signature, ""));
    let (name, types) = (name.trim(), types.trim_end_matches(')').trim());
    let types: Vec<String> = types
        .split(',')
        .map(|name| super::errors::type_of_rhai(name.trim()).to_owned())
        .filter(|name| !name.is_empty())
        .collect();
    if name.starts_with(CLOSURE) {
        return Error::type_(format!("the closure does not take ({})", types.join(", ")));
    }
    if !is_word(name) {
        return Error::type_(format!("there is no operator '{name}' for {}", types.join(" and ")));
    }
    bare(name, &types, context::active_state().as_ref())
}

/// Calls a closure or a function that a value holds; says how many arguments it takes when it does not
/// take these.
pub(crate) fn call_closure(
    function: &FnPtr,
    native: &NativeCallContext<'_>,
    args: &mut [Dynamic],
) -> std::result::Result<Dynamic, Box<EvalAltResult>> {
    let given = args.len();
    function.call_raw(native, None, args).map_err(|error| match *error {
        EvalAltResult::ErrorFunctionNotFound(ref signature, position)
            if signature
                .split('(')
                .next()
                .is_some_and(|name| name.trim() == function.fn_name()) =>
        {
            match wrong_arguments(function, given) {
                Some(ours) => super::errors::to_rhai(ours, position),
                None => error,
            }
        }
        _ => error,
    })
}

fn wrong_arguments(function: &FnPtr, given: usize) -> Option<Error> {
    let name = function.fn_name();
    let captured = function.curry().len();
    let signatures: Vec<Vec<String>> = context::active_state()?
        .signatures(name)
        .into_iter()
        .map(|names| names.into_iter().skip(captured).collect())
        .collect();
    if signatures.is_empty() || signatures.iter().any(|names| names.len() == given) {
        return None;
    }
    Some(if name.starts_with(CLOSURE) {
        let shown: Vec<String> =
            signatures.iter().map(|names| format!("|{}| …", names.join(", "))).collect();
        wrong_count("the closure", given, &signatures).help(format!("it is {}", shown.join(", ")))
    } else {
        wrong_count(&format!("{name}()"), given, &signatures).help(written(name, &signatures))
    })
}

/// Adds the nearest known variable to the error for an unknown one.
pub(crate) fn variable(name: &str) -> Error {
    let error = Error::name(format!("there is no variable '{name}'"));
    if let Some(help) = super::hints::name(name) {
        return error.help(help);
    }
    let Some(state) = context::active_state() else { return error };
    let mut known = state.variables();
    known.extend(state.script_functions());
    known.extend(state.top_level_names());
    if let Some(near) = nearest(name, known.iter().map(String::as_str)) {
        return error.help(format!("did you mean '{near}'?"));
    }
    if namespace_operator("torch", name).is_some() {
        return error.help(format!("did you mean torch.{name}?"));
    }
    // Parameters and local variables: words of the script.
    let words = state.words();
    suggest(error, name, words.iter().map(String::as_str))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rhais_own_message_is_read() {
        let error = not_found("- (array, &str | ImmutableString | String)");
        assert_eq!(error.message, "there is no operator '-' for array and string");
        assert_eq!(not_found("nothing_at_all ()").kind.name(), "NameError");
        assert_eq!(not_found("push (i64)").kind.name(), "TypeError");
    }
}
