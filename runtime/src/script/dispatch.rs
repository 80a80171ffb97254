//! From a name and its receiver to what is called: a method of a tensor, a function or operator of a
//! namespace, a method of an object, a bare function.

use std::any::TypeId;
use std::cell::{OnceCell, RefCell};
use std::rc::Rc;

use rhai::{Dynamic, Engine, FnPtr, ImmutableString, Map, NativeCallContext};

use super::bind::bind;
use super::context::Context;
use super::convert;
use super::errors::{self, raised};
use super::function::{Args, Declared, Object, ObjectType};
use super::members::with_lists;
use super::missing;
use super::operator_call::{self, Recent};
use super::state::State;
use super::value::{Held, Namespace, Results};
use crate::error::{Error, Kind, Result};
use crate::torch::{self, Operator, Tensor};

/// Types of values that are no [`Object`]: functions named `Type.method` belong to them.
pub(crate) const BUILT_IN_TYPES: &[&str] =
    &["Tensor", "Generator", "dtype", "device", "complex", "Error", "Array", "Map", "String"];

/// What a call reaches.
#[derive(Clone)]
pub(crate) enum Target {
    Function(Rc<Declared>),
    Operator(&'static Operator),
}

/// How operators are named in a namespace: prefixes that are tried in order.
fn operator_prefixes(namespace: &str) -> Option<(&str, &'static [&'static str])> {
    Some(match namespace {
        "torch" | "torch.nn.functional" => ("aten", &[""]),
        "torch.linalg" => ("aten", &["linalg_"]),
        "torch.fft" => ("aten", &["fft_"]),
        "torch.special" => ("aten", &["special_"]),
        "torch.sparse" => ("aten", &["sparse_", "_sparse_"]),
        "torch.nested" => ("aten", &["nested_", "_nested_"]),
        other => (other.strip_prefix("torch.ops.")?, &[""]),
    })
}

/// The operator that `namespace.name` means.
pub(crate) fn namespace_operator(namespace: &str, name: &str) -> Option<&'static Operator> {
    // `torch.ops.aten.sum.dim_IntList`: one overload.
    if let Some((library, operator)) =
        namespace.strip_prefix("torch.ops.").and_then(|rest| rest.split_once('.'))
    {
        return torch::operator_overload(library, operator, name);
    }
    let (library, prefixes) = operator_prefixes(namespace)?;
    prefixes.iter().find_map(|prefix| torch::operator(library, &format!("{prefix}{name}")))
}

/// The names of all operators of a namespace.
pub(crate) fn operator_names_under(namespace: &str) -> Vec<String> {
    let Some((library, prefixes)) = operator_prefixes(namespace) else { return Vec::new() };
    let names = torch::operator_names(library);
    names
        .iter()
        .filter_map(|name| prefixes.iter().find_map(|prefix| name.strip_prefix(prefix)))
        .filter(|name| !name.starts_with('_') || library != "aten")
        .map(str::to_owned)
        .collect()
}

/// What `namespace.name(…)` calls.
pub(crate) fn in_namespace(state: &State, namespace: &str, name: &str) -> Option<Target> {
    if let Some(function) = state.functions.get(&format!("{namespace}.{name}")) {
        return Some(Target::Function(function.clone()));
    }
    namespace_operator(namespace, name).map(Target::Operator)
}

/// What `tensor.name(…)` calls.
pub(crate) fn on_tensor(state: &State, name: &str) -> Option<Target> {
    if let Some(function) = state.functions.get(&format!("Tensor.{name}")) {
        return Some(Target::Function(function.clone()));
    }
    if let Some(operator) = torch::operator("aten", name) {
        return Some(Target::Operator(operator));
    }
    state.functions.get(&format!("torch.{name}")).map(|f| Target::Function(f.clone()))
}

/// The name under which methods of `value` are declared.
pub(crate) fn type_of<'a>(value: &Dynamic, state: &'a State) -> &'a str {
    if value.is::<Tensor>() {
        return "Tensor";
    }
    if let Some(object) = object_type(value, state) {
        return object.name;
    }
    if value.is::<torch::Generator>() {
        return "Generator";
    }
    if value.is::<torch::Dtype>() {
        return "dtype";
    }
    if value.is::<torch::Device>() {
        return "device";
    }
    if value.is::<super::value::Complex>() {
        return "complex";
    }
    if value.is::<Error>() {
        return "Error";
    }
    match value.type_name() {
        "array" => "Array",
        "map" => "Map",
        "string" => "String",
        _ => "",
    }
}

/// The object type of a value, looking through shared cells.
pub(crate) fn object_type<'a>(value: &Dynamic, state: &'a State) -> Option<&'a ObjectType> {
    if value.is_shared() {
        let inner = value.flatten_clone();
        return state.types.get(&inner.type_id());
    }
    state.types.get(&value.type_id())
}

/// Calls what was found.
pub(crate) fn call_target(
    target: &Target,
    args: &mut [&mut Dynamic],
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    match target {
        Target::Operator(operator) => operator_call::call(operator, args)
            .or_else(|error| with_lists(operator, args, error, &ctx.state)),
        Target::Function(function) => {
            let values = args.iter_mut().map(|arg| take_argument(arg)).collect();
            call_declared(function, values, ctx)
        }
    }
}

/// The value of an argument: the receiver may be a variable, so it is never moved out.
fn take_argument(arg: &mut Dynamic) -> Dynamic {
    arg.flatten_clone()
}

/// Binds and calls a declared function.
pub(crate) fn call_declared(
    function: &Declared,
    values: Vec<Dynamic>,
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    let schema = function.schema();
    let values = bind(schema, values)?;
    let mut args = Args { schema, values, ctx };
    (function.function.call)(&mut args).map_err(|mut error| {
        // What came from a callback of the script has its place there.
        if error.operands.is_empty() && error.position.is_none() {
            error.operands = args.describe();
        }
        error
    })
}

/// Calls an operator by its name in the dispatcher.
pub(crate) fn call_operator(
    namespace: &str,
    name: &str,
    mut args: Vec<Dynamic>,
) -> Result<Dynamic> {
    let operator = torch::operator(namespace, name)
        .ok_or_else(|| Error::name(format!("libtorch has no operator {namespace}::{name}")))?;
    let mut args: Vec<&mut Dynamic> = args.iter_mut().collect();
    operator_call::call(operator, &mut args)
}

/// Calls a declared function by its dotted name.
pub(crate) fn call_function(name: &str, args: Vec<Dynamic>, ctx: &Context<'_>) -> Result<Dynamic> {
    if let Some(function) = ctx.state.functions.get(name) {
        return call_declared(function, args, ctx);
    }
    let (namespace, short) = name.rsplit_once('.').unwrap_or(("torch", name));
    let operator = namespace_operator(namespace, short)
        .ok_or_else(|| Error::name(format!("there is no function {name}")))?;
    let mut args = args;
    let mut args: Vec<&mut Dynamic> = args.iter_mut().collect();
    operator_call::call(operator, &mut args)
}

/// `value(args)`.
pub(crate) fn call_value(
    callable: &Dynamic,
    mut args: Vec<Dynamic>,
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    if let Some(function) = callable.read_lock::<FnPtr>() {
        let function = function.clone();
        return missing::call_closure(&function, ctx.native, &mut args)
            .map_err(|error| errors::from_rhai(&error));
    }
    if let Some(object) = object_type(callable, &ctx.state) {
        return (object.call)(callable, args, ctx);
    }
    if let Some(operator) = held_operator(callable) {
        let mut args: Vec<&mut Dynamic> = args.iter_mut().collect();
        return operator_call::call(operator, &mut args);
    }
    Err(Error::type_(format!("{} cannot be called", convert::a_type(callable))))
}

/// The operator that a value such as `torch.ops.aten.sum` is.
fn held_operator(value: &Dynamic) -> Option<&'static Operator> {
    let namespace = value.read_lock::<Namespace>()?;
    let (library, name) = namespace.0.strip_prefix("torch.ops.")?.split_once('.')?;
    torch::operator(library, name)
}

/// Whether `value(…)` makes sense.
pub(crate) fn is_callable(value: &Dynamic, state: &State) -> bool {
    value.is::<FnPtr>()
        || held_operator(value).is_some()
        || object_type(value, state).is_some_and(|object| (object.is_callable)(value))
}

/// Calls `name` with `args`, of which the first is the receiver where there is one.
pub(crate) fn call_name(
    name: &str,
    args: &mut [&mut Dynamic],
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    let state = ctx.state.clone();
    let held = args.first().and_then(|first| first.read_lock::<Held>().map(|held| held.cell()));
    if let Some(mut cell) = held {
        return call_on_variable(&mut cell, name, &mut args[1..], ctx);
    }
    if let Some((receiver, rest)) = args.split_first_mut()
        && let Some(object) = object_type(receiver, &state).copied().filter(|o| o.own_names)
    {
        return call_own_name(receiver, object, name, rest, ctx);
    }
    if let Some(receiver) = args.first() {
        let namespace = receiver.read_lock::<Namespace>().map(|namespace| namespace.0.clone());
        if let Some(namespace) = namespace {
            return match in_namespace(&state, &namespace, name) {
                Some(target) => call_target(&target, &mut args[1..], ctx),
                None => Err(missing::in_namespace(&state, &namespace, name)),
            };
        }
        if receiver.is::<Tensor>()
            && let Some(target) = on_tensor(&state, name)
        {
            return call_target(&target, args, ctx);
        }
        let type_name = type_of(receiver, &state);
        if !type_name.is_empty()
            && let Some(function) = state.functions.get(&format!("{type_name}.{name}"))
        {
            return call_target(&Target::Function(function.clone()), args, ctx);
        }
    }
    if let Some(function) = state.functions.get(name) {
        return call_target(&Target::Function(function.clone()), args, ctx);
    }
    if let Some((receiver, rest)) = args.split_first_mut() {
        if name == "len"
            && rest.is_empty()
            && let Some(length) = object_type(receiver, &state).and_then(|o| (o.length)(receiver))
        {
            return Ok(Dynamic::from_int(length as i64));
        }
        if name == "len"
            && let Some(results) = receiver.read_lock::<Results>()
        {
            return Ok(Dynamic::from_int(results.values.len() as i64));
        }
        // A submodule or another callable attribute: `this.fc1(x)`.
        let attribute = attribute_of(receiver, name, ctx)?;
        if let Some(attribute) = attribute {
            let values = rest.iter_mut().map(|arg| take_argument(arg)).collect();
            return call_value(&attribute, values, ctx);
        }
    }
    // A function called it before there was a variable of this name.
    let variable = state.globals.borrow().get(name).map(Dynamic::flatten_clone);
    if let Some(variable) = variable.filter(|value| is_callable(value, &state)) {
        let values = args.iter_mut().map(|arg| take_argument(arg)).collect();
        return call_value(&variable, values, ctx);
    }
    Err(missing::function(name, args, ctx))
}

/// Calls a method on a variable that closures share, as Rhai would: it is locked meanwhile.
fn call_on_variable(
    cell: &mut Dynamic,
    name: &str,
    rest: &mut [&mut Dynamic],
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    let mut value = cell
        .write_lock::<Dynamic>()
        .ok_or_else(|| Error::new(Kind::Runtime, "a variable is already in use"))?;
    let method = value
        .read_lock::<Map>()
        .and_then(|map| map.get(name).and_then(|value| value.clone().try_cast::<FnPtr>()));
    if let Some(method) = method {
        let args = rest.iter_mut().map(|arg| take_argument(arg)).collect();
        return ctx.call_with_this(&method, &mut value, args);
    }
    let mut args: Vec<&mut Dynamic> = Vec::with_capacity(rest.len() + 1);
    args.push(&mut value);
    args.extend(rest.iter_mut().map(|arg| &mut **arg));
    ctx.native.call_fn_raw(name, true, true, &mut args).map_err(|error| errors::from_rhai(&error))
}

/// `object.name(…)` where the object's own attributes come before functions of that name; those it does
/// not have are functions after all: `len(object)`, `item in object`.
fn call_own_name(
    receiver: &Dynamic,
    object: ObjectType,
    name: &str,
    rest: &mut [&mut Dynamic],
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    let values = || -> Vec<Dynamic> { rest.iter().map(|arg| arg.flatten_clone()).collect() };
    let missing = match (object.call_attribute)(receiver, name, values(), ctx) {
        Ok(Some(outcome)) => return outcome,
        Ok(None) => None,
        Err(error) => Some(error),
    };
    if name == "len"
        && rest.is_empty()
        && let Some(length) = (object.length)(receiver)
    {
        return Ok(Dynamic::from_int(length as i64));
    }
    if name == "contains"
        && let [item] = &rest[..]
        && let Some(found) = (object.contains)(receiver, item)
    {
        return found.map(Dynamic::from_bool);
    }
    let declared = format!("{}.{name}", object.name);
    let function =
        ctx.state.functions.get(&declared).or_else(|| ctx.state.functions.get(name)).cloned();
    if let Some(function) = function {
        let mut all = vec![receiver.flatten_clone()];
        all.extend(values());
        return call_declared(&function, all, ctx);
    }
    // A function called it before there was a variable of this name.
    let variable = ctx.state.globals.borrow().get(name).map(Dynamic::flatten_clone);
    if let Some(variable) = variable.filter(|value| is_callable(value, &ctx.state)) {
        let mut all = vec![receiver.flatten_clone()];
        all.extend(values());
        return call_value(&variable, all, ctx);
    }
    Err(missing.unwrap_or_else(|| missing::attribute(receiver, name, &ctx.state)))
}

/// `receiver.name` for objects and maps, `None` where there is no such attribute.
fn attribute_of(receiver: &Dynamic, name: &str, ctx: &Context<'_>) -> Result<Option<Dynamic>> {
    if let Some(map) = receiver.read_lock::<Map>() {
        return Ok(map.get(name).filter(|value| is_callable(value, &ctx.state)).cloned());
    }
    match object_type(receiver, &ctx.state) {
        Some(object) => (object.attribute)(receiver, name, ctx),
        None => Ok(None),
    }
}

/// A name that a script calls, with what it meant last on a tensor.
pub(crate) struct CallSite {
    name: String,
    on_tensor: OnceCell<Option<Target>>,
    in_namespace: RefCell<Option<(Rc<str>, Target)>>,
    recent: Recent,
}

impl CallSite {
    pub(crate) fn new(name: &str) -> CallSite {
        CallSite {
            name: name.to_owned(),
            on_tensor: OnceCell::new(),
            in_namespace: RefCell::new(None),
            recent: Recent::default(),
        }
    }

    /// Calls the name; the first argument is the receiver where there is one.
    pub(crate) fn call(&self, args: &mut [&mut Dynamic], ctx: &Context<'_>) -> Result<Dynamic> {
        let Some(receiver) = args.first() else { return call_name(&self.name, args, ctx) };
        if receiver.is::<Tensor>() {
            let target = self.on_tensor.get_or_init(|| on_tensor(&ctx.state, &self.name));
            match target {
                Some(Target::Operator(operator)) => {
                    return operator_call::call_at(operator, args, &self.recent)
                        .or_else(|error| with_lists(operator, args, error, &ctx.state));
                }
                Some(target) => return call_target(target, args, ctx),
                None => {}
            }
        } else if let Some(namespace) = receiver.read_lock::<Namespace>().map(|n| n.0.clone()) {
            let known = self
                .in_namespace
                .borrow()
                .as_ref()
                .filter(|(known, _)| *known == namespace)
                .map(|(_, target)| target.clone());
            let target = match known {
                Some(target) => target,
                None => {
                    let target = in_namespace(&ctx.state, &namespace, &self.name)
                        .ok_or_else(|| missing::in_namespace(&ctx.state, &namespace, &self.name))?;
                    *self.in_namespace.borrow_mut() = Some((namespace, target.clone()));
                    target
                }
            };
            return match target {
                Target::Operator(operator) => {
                    operator_call::call_at(operator, &mut args[1..], &self.recent)
                        .or_else(|error| with_lists(operator, &mut args[1..], error, &ctx.state))
                }
                target => call_target(&target, &mut args[1..], ctx),
            };
        }
        call_name(&self.name, args, ctx)
    }
}

/// Reads `value.name`.
pub(crate) fn get_attribute(value: &Dynamic, name: &str, ctx: &Context<'_>) -> Result<Dynamic> {
    let state = &ctx.state;
    if let Some(namespace) = value.read_lock::<Namespace>() {
        return namespace_attribute(state, &namespace.0, name);
    }
    let type_name = type_of(value, state);
    if !type_name.is_empty()
        && let Some(property) = state.properties.get(format!("{type_name}.{name}").as_str())
    {
        return (property.get)(value, ctx);
    }
    if let Some(object) = object_type(value, state)
        && let Some(found) = (object.attribute)(value, name, ctx)?
    {
        return Ok(found);
    }
    if let Some(results) = value.read_lock::<Results>()
        && let Some(found) = results.get(name)
    {
        return Ok(found.clone());
    }
    // A method without its call is a bound function, as in Python.
    let method = if type_name == "Tensor" {
        on_tensor(state, name)
    } else {
        state.functions.get(&format!("{type_name}.{name}")).map(|f| Target::Function(f.clone()))
    };
    if let Some(target) = method {
        let receiver = value.flatten_clone();
        return bound_function(name, Some(receiver), target, state);
    }
    Err(missing::attribute(value, name, state))
}

/// Writes `value.name = new`.
pub(crate) fn set_attribute(
    value: &mut Dynamic,
    name: &str,
    new: Dynamic,
    ctx: &Context<'_>,
) -> Result<()> {
    let state = ctx.state.clone();
    let type_name = type_of(value, &state).to_owned();
    if let Some(property) = state.properties.get(format!("{type_name}.{name}").as_str()) {
        return match property.set {
            Some(set) => set(value, new, ctx),
            None => Err(Error::type_(format!("{type_name}.{name} cannot be set"))),
        };
    }
    if let Some(object) = object_type(value, &state)
        && (object.set_attribute)(value, name, new, ctx)?
    {
        return Ok(());
    }
    Err(missing::attribute(value, name, &state))
}

/// `torch.float32`, `torch.linalg`, `torch.relu` as a value.
fn namespace_attribute(state: &Rc<State>, namespace: &str, name: &str) -> Result<Dynamic> {
    let full = format!("{namespace}.{name}");
    if let Some(constant) = state.constants.get(full.as_str()) {
        return Ok((constant.value)());
    }
    if let Some(found) = state.namespace(&full) {
        return Ok(Dynamic::from(Namespace(found.into())));
    }
    match in_namespace(state, namespace, name) {
        Some(target) => bound_function(name, None, target, state),
        None => Err(missing::in_namespace(state, namespace, name)),
    }
}

/// A target as a value that can be called and handed over.
fn bound_function(
    name: &str,
    receiver: Option<Dynamic>,
    target: Target,
    state: &Rc<State>,
) -> Result<Dynamic> {
    let state = state.clone();
    let call = move |native: NativeCallContext<'_>, args: &mut [&mut Dynamic]| {
        let ctx = Context::new(&native, state.clone());
        // A call through a map, `m.f(x)`, puts the map in front; no operator begins with one.
        let through_map = receiver.is_none()
            && args.len() > 1
            && args[0].is_map()
            && matches!(target, Target::Operator(_));
        let args = if through_map { &mut args[1..] } else { args };
        let mut receiver = receiver.clone();
        let mut all: Vec<&mut Dynamic> = Vec::with_capacity(args.len() + 1);
        all.extend(receiver.as_mut());
        all.extend(args.iter_mut().map(|arg| &mut **arg));
        call_target(&target, &mut all, &ctx).map_err(|error| raised(error, &native))
    };
    #[allow(deprecated)]
    let function = FnPtr::from_fn(ImmutableString::from(name), call)
        .map_err(|error| errors::from_rhai(&error))?;
    Ok(Dynamic::from(function))
}

/// What a name without a prefix means: a namespace, or a declared function as a value.
pub(crate) fn top_level(state: &Rc<State>, name: &str) -> Option<Dynamic> {
    if name == "args" {
        let args = state.args.iter().map(|arg| Dynamic::from(arg.clone())).collect();
        return Some(Dynamic::from_array(args));
    }
    if let Some(namespace) = state.namespace(name) {
        return Some(Dynamic::from(Namespace(namespace.into())));
    }
    if let Some(constant) = state.constants.get(name) {
        return Some((constant.value)());
    }
    let function = state.functions.get(name)?;
    bound_function(name, None, Target::Function(function.clone()), state).ok()
}

/// Names of the methods and properties of a type.
pub(crate) fn member_names(type_name: &str, state: &State) -> Vec<String> {
    let prefix = format!("{type_name}.");
    let mut names: Vec<String> = state
        .functions
        .keys()
        .map(String::as_str)
        .chain(state.properties.keys().copied())
        .filter_map(|name| name.strip_prefix(&prefix))
        .map(str::to_owned)
        .collect();
    if type_name == "Tensor" {
        names.extend(torch::operator_names("aten"));
    }
    names.sort();
    names.dedup();
    names
}

/// Makes an object type known to the engine: its name, for messages of Rhai's own.
pub(crate) fn register_object<T: Object>(engine: &mut Engine) {
    engine.register_type_with_name::<T>(T::TYPE);
}

/// The id of a type, for registration.
pub(crate) fn dynamic_id() -> TypeId {
    TypeId::of::<Dynamic>()
}
