//! Puts positional and keyword arguments into the order of a signature.

use rhai::{Array, Dynamic, ImmutableString, Map};

use super::convert;
use crate::error::{Error, Result};
use crate::torch::{Argument, Arity, Schema, Type};

/// Second names that PyTorch accepts for arguments.
const ALIASES: &[(&str, &str)] = &[
    ("input", "self"),
    ("self", "input"),
    ("x", "self"),
    ("a", "self"),
    ("axis", "dim"),
    ("keepdims", "keepdim"),
    ("x2", "other"),
    ("target", "other"),
];

/// The argument that `name` means in `schema`.
pub(crate) fn argument_position(schema: &Schema, name: &str) -> Option<usize> {
    schema.position(name).or_else(|| {
        ALIASES
            .iter()
            .filter(|(alias, _)| *alias == name)
            .find_map(|(_, canonical)| schema.position(canonical))
    })
}

/// Binds the arguments of a declared function; missing ones get their default.
///
/// # Errors
/// A `TypeError` that names the argument that is missing, unknown, doubled or too many.
pub(crate) fn bind(schema: &Schema, mut positional: Vec<Dynamic>) -> Result<Vec<Dynamic>> {
    let keywords = split_keywords(schema, &mut positional);
    let arguments = &schema.arguments;
    let mut bound: Vec<Option<Dynamic>> = vec![None; arguments.len()];
    let mut rest = Array::new();
    let places: Vec<usize> = (0..arguments.len())
        .filter(|&i| !arguments[i].keyword_only && arguments[i].arity == Arity::One)
        .collect();
    let takes_rest = arguments.iter().position(|a| a.arity == Arity::Rest);
    for (i, value) in positional.into_iter().enumerate() {
        match (places.get(i), takes_rest) {
            (Some(&place), _) => bound[place] = Some(value),
            (None, Some(_)) => rest.push(value),
            (None, None) => {
                return Err(Error::type_(format!(
                    "{}() takes {} positional argument{} but more were given",
                    schema.short_name(),
                    places.len(),
                    if places.len() == 1 { "" } else { "s" },
                ))
                .help(schema.to_string()));
            }
        }
    }
    let mut others = Map::new();
    for (name, value) in keywords {
        match argument_position(schema, &name) {
            Some(i) if arguments[i].arity == Arity::One => {
                if bound[i].is_some() {
                    return Err(Error::type_(format!(
                        "{}() got several values for argument '{name}'",
                        schema.short_name()
                    ))
                    .help(schema.to_string()));
                }
                bound[i] = Some(value);
            }
            _ if arguments.iter().any(|a| a.arity == Arity::Keywords) => {
                others.insert(name, value);
            }
            _ => {
                let signature = schema.to_string();
                let function = schema.short_name();
                return Err(unexpected_keyword(function, &schema.arguments, &name, &signature));
            }
        }
    }
    arguments
        .iter()
        .zip(bound)
        .map(|(argument, value)| match (argument.arity, value) {
            (Arity::Rest, _) => Ok(Dynamic::from_array(std::mem::take(&mut rest))),
            (Arity::Keywords, _) => Ok(Dynamic::from_map(std::mem::take(&mut others))),
            (Arity::One, Some(value)) => Ok(value),
            (Arity::One, None) => match &argument.default {
                Some(default) => Ok(default_value(argument, default)),
                None => Err(Error::type_(format!(
                    "{}() misses argument '{}'",
                    schema.short_name(),
                    argument.name
                ))
                .help(schema.to_string())),
            },
        })
        .collect()
}

/// The error for a keyword that no signature has.
pub(crate) fn unexpected_keyword<'a>(
    function: &str,
    arguments: impl IntoIterator<Item = &'a Argument>,
    name: &str,
    signatures: &str,
) -> Error {
    let names = arguments.into_iter().map(|argument| argument.name.as_str());
    let error = Error::type_(format!("{function}() got an unexpected keyword argument '{name}'"));
    match super::near::nearest(name, names) {
        Some(near) => error.help(format!("did you mean '{near}'? {signatures}")),
        None => error.help(signatures),
    }
}

/// Takes a trailing map off as keyword arguments, unless it is itself the value of an argument.
fn split_keywords(schema: &Schema, positional: &mut Vec<Dynamic>) -> Map {
    let Some(last) = positional.last() else { return Map::new() };
    let Some(map) = last.read_lock::<Map>() else { return Map::new() };
    let known = |name: &str| schema.position(name).is_some();
    let place = schema
        .arguments
        .iter()
        .filter(|a| !a.keyword_only && a.arity != Arity::Keywords)
        .nth(positional.len() - 1)
        .or_else(|| schema.arguments.iter().find(|a| a.arity == Arity::Rest));
    // Behind `*args`, a map holds keywords where the signature takes any.
    let any_keyword = place.is_some_and(|a| a.arity == Arity::Rest)
        && schema.arguments.iter().any(|a| a.arity == Arity::Keywords);
    let takes_map = !any_keyword
        && place.is_some_and(|argument| matches!(argument.ty.required(), Type::Map | Type::Any));
    // A map in the place of a map is that argument, unless its keys are all names of arguments.
    let keywords =
        if takes_map { !map.is_empty() && map.keys().all(|name| known(name)) } else { true };
    if !keywords {
        return Map::new();
    }
    drop(map);
    positional.pop().and_then(|last| last.try_cast::<Map>()).unwrap_or_default()
}

/// A default as Python writes it, as a value.
fn default_value(argument: &Argument, text: &str) -> Dynamic {
    if matches!(argument.ty.required(), Type::Float)
        && let Ok(float) = text.parse::<f64>()
    {
        return Dynamic::from_float(float);
    }
    literal(text)
}

/// A Python literal as a value: `None`, `True`, `1e-3`, `'mean'`, `[0, 1]`.
fn literal(text: &str) -> Dynamic {
    let text = text.trim();
    match text {
        "None" | "" => return Dynamic::UNIT,
        "True" => return Dynamic::TRUE,
        "False" => return Dynamic::FALSE,
        "inf" => return Dynamic::from_float(f64::INFINITY),
        "-inf" => return Dynamic::from_float(f64::NEG_INFINITY),
        _ => {}
    }
    if let Ok(int) = text.parse::<i64>() {
        return Dynamic::from_int(int);
    }
    if let Ok(float) = text.parse::<f64>() {
        return Dynamic::from_float(float);
    }
    for quote in ['\'', '"'] {
        if let Some(inner) = text.strip_prefix(quote).and_then(|t| t.strip_suffix(quote)) {
            return Dynamic::from(ImmutableString::from(inner));
        }
    }
    for (open, close) in [('[', ']'), ('(', ')')] {
        if let Some(inner) = text.strip_prefix(open).and_then(|t| t.strip_suffix(close)) {
            let items = inner.split(',').filter(|item| !item.trim().is_empty());
            return Dynamic::from_array(items.map(literal).collect());
        }
    }
    Dynamic::from(ImmutableString::from(text))
}

/// Whether `value` can stand for an argument of type `ty`, and how far that is from an exact fit
/// (0: exact).
pub(crate) fn fit(value: &Dynamic, ty: &Type, numbers_as_tensors: bool) -> Option<u32> {
    use crate::torch::{Device, Dtype, Generator, Layout, MemoryFormat, Tensor};
    match ty {
        Type::Optional(inner) => {
            if value.is_unit() {
                Some(0)
            } else {
                fit(value, inner, numbers_as_tensors)
            }
        }
        Type::Tensor => {
            if value.is::<Tensor>() {
                Some(0)
            } else if numbers_as_tensors && is_number(value) {
                Some(20)
            } else {
                None
            }
        }
        Type::Int => {
            if value.is_int() {
                Some(0)
            } else {
                (value.is::<Tensor>() && convert::int(value).is_some()).then_some(5)
            }
        }
        Type::Float => {
            if value.is_float() {
                Some(0)
            } else if value.is_int() {
                Some(1)
            } else {
                (value.is::<Tensor>() && convert::float(value).is_some()).then_some(5)
            }
        }
        Type::Bool => value.is_bool().then_some(0),
        Type::Complex => {
            if value.is::<super::value::Complex>() {
                Some(0)
            } else {
                is_number(value).then_some(2)
            }
        }
        Type::Scalar => {
            if is_number(value) {
                Some(0)
            } else {
                (value.is::<Tensor>() && convert::float(value).is_some()).then_some(6)
            }
        }
        Type::Str => value.is_string().then_some(0),
        Type::Dtype => value.is::<Dtype>().then_some(0),
        Type::Device => {
            if value.is::<Device>() {
                Some(0)
            } else {
                value.is_string().then_some(1)
            }
        }
        Type::Layout => value.is::<Layout>().then_some(0),
        Type::MemoryFormat => value.is::<MemoryFormat>().then_some(0),
        Type::Generator => value.is::<Generator>().then_some(0),
        Type::Any => Some(0),
        Type::Map => value.is_map().then_some(0),
        Type::Function | Type::Named(_) => None,
        Type::List(inner, size) => {
            if let Some(items) = value.read_lock::<Array>() {
                if size.is_some_and(|n| n > 1 && items.len() != n && items.len() != 1)
                    && **inner == Type::Bool
                {
                    return None;
                }
                let mut worst = 0;
                for item in items.iter() {
                    worst = worst.max(fit(item, inner, false)?);
                }
                return Some(worst);
            }
            if let Some(items) = convert::items(value) {
                return items
                    .iter()
                    .try_fold(2, |worst, item| Some(worst.max(fit(item, inner, false)?)));
            }
            // One value stands for a list of it where the schema gives the list's size.
            let one = fit(value, inner, false)?;
            match size {
                Some(_) => Some(one + 1),
                None if **inner == Type::Int || **inner == Type::Tensor => Some(one + 4),
                None => None,
            }
        }
    }
}

/// An int, float, bool or complex number.
pub(crate) fn is_number(value: &Dynamic) -> bool {
    value.is_int() || value.is_float() || value.is_bool() || value.is::<super::value::Complex>()
}
