//! The states of what a script hands to `checkpoint` and `resume`.
//!
//! Whatever has a `state_dict` is saved by that; a generator by its state, an object of Python by what `torch.save` writes
//! of its `state_dict()`. Maps and arrays are gone through. All else is saved as `torch.save` of scripts saves it.

use flambeau_runtime::error::{Error, Result};
use flambeau_runtime::script::{Context, convert};
use flambeau_runtime::torch::Tensor;
use rhai::{Array, Blob, Dynamic, Map};

/// Deeper values are refused: they are more likely to be a cycle.
const MAX_DEPTH: usize = 32;

/// The state of an object of Python as bytes, and back.
const SAVE: &str = "lambda it: (lambda io, torch: (lambda out: (torch.save(it.state_dict(), out), \
     out.getvalue())[1])(io.BytesIO()))(__import__('io'), __import__('torch'))";
const LOAD: &str = "lambda it, state: (lambda io, torch: it.load_state_dict(torch.load(io.BytesIO(bytes(state)), \
     weights_only=False)))(__import__('io'), __import__('torch'))";
/// Objects of Python as scripts call their type.
const PYTHON: &str = "PyObject";

/// How a value keeps its state.
enum Kind {
    /// Methods `state_dict` and `load_state_dict`.
    Stateful,
    /// A random generator.
    Generator,
    /// An object of Python.
    Python,
    /// A tensor, which is loaded in place.
    Tensor,
    Map,
    Array,
    /// Numbers, texts and the like.
    Plain,
}

fn kind(value: &Dynamic, ctx: &Context<'_>) -> Kind {
    if ctx.has_method(value, "load_state_dict") {
        Kind::Stateful
    } else if ctx.has_method(value, "set_state") {
        Kind::Generator
    } else if ctx.is_of_type(value, PYTHON) {
        Kind::Python
    } else if value.is::<Tensor>() {
        Kind::Tensor
    } else if value.is_map() {
        Kind::Map
    } else if value.is_array() {
        Kind::Array
    } else {
        Kind::Plain
    }
}

fn too_deep(path: &str) -> Error {
    Error::value(format!("checkpoint(): '{path}' is nested deeper than {MAX_DEPTH} levels"))
}

/// What is saved of a value.
///
/// # Errors
/// What its `state_dict` raises.
pub(super) fn state(value: &Dynamic, path: &str, ctx: &Context<'_>) -> Result<Dynamic> {
    state_below(value, path, 0, ctx)
}

fn state_below(value: &Dynamic, path: &str, depth: usize, ctx: &Context<'_>) -> Result<Dynamic> {
    if depth > MAX_DEPTH {
        return Err(too_deep(path));
    }
    let below =
        |name: &str, value: &Dynamic| state_below(value, &format!("{path}.{name}"), depth + 1, ctx);
    match kind(value, ctx) {
        Kind::Stateful => ctx.call_method(value, "state_dict", Vec::new()),
        Kind::Generator => ctx.call_method(value, "get_state", Vec::new()),
        Kind::Python => {
            let save = ctx.function("py.eval", vec![SAVE.into()])?;
            bytes(&ctx.call(&save, vec![value.clone()])?)
        }
        Kind::Map => {
            let entries = value.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
            let states =
                entries.iter().map(|(name, value)| Ok((name.clone(), below(name, value)?)));
            states.collect::<Result<Map>>().map(Dynamic::from)
        }
        Kind::Array => {
            let items = value.read_lock::<Array>().map(|items| items.clone()).unwrap_or_default();
            let states = items.iter().enumerate().map(|(i, item)| below(&i.to_string(), item));
            states.collect::<Result<Array>>().map(Dynamic::from)
        }
        Kind::Tensor | Kind::Plain => Ok(value.clone()),
    }
}

/// Loads what was saved: into the value, where it has a state, and else in its place.
///
/// # Errors
/// A `ValueError` that names what does not fit; what `load_state_dict` raises.
pub(super) fn restore(
    value: &Dynamic,
    saved: &Dynamic,
    path: &str,
    ctx: &Context<'_>,
) -> Result<Dynamic> {
    let unfit = |expected: &str| {
        Error::value(format!(
            "resume(): '{path}' is {} in the checkpoint, and {expected} is wanted",
            convert::a_type(saved)
        ))
    };
    match kind(value, ctx) {
        Kind::Stateful => {
            let _ = ctx.call_method(value, "load_state_dict", vec![saved.clone()])?;
            Ok(value.clone())
        }
        Kind::Generator => {
            let _ = ctx.call_method(value, "set_state", vec![saved.clone()])?;
            Ok(value.clone())
        }
        Kind::Python => {
            let load = ctx.function("py.eval", vec![LOAD.into()])?;
            let _ = ctx.call(&load, vec![value.clone(), blob(saved)?])?;
            Ok(value.clone())
        }
        Kind::Tensor => {
            let (Some(own), Some(theirs)) = (convert::tensor(value), convert::tensor(saved)) else {
                return Err(unfit("a Tensor"));
            };
            if own.describe() != theirs.describe() {
                return Err(Error::value(format!(
                    "resume(): '{path}' is {} in the checkpoint and {} in the script",
                    theirs.describe(),
                    own.describe()
                )));
            }
            tch::no_grad(|| own.f_detach()?.f_copy_(&theirs).map(drop))?;
            Ok(value.clone())
        }
        Kind::Map => {
            let Some(saved) = saved.read_lock::<Map>().map(|map| map.clone()) else {
                return Err(unfit("a map"));
            };
            let entries = value.read_lock::<Map>().map(|map| map.clone()).unwrap_or_default();
            restore_map(&entries, &saved, path, ctx).map(Dynamic::from)
        }
        Kind::Array => {
            let items = value.read_lock::<Array>().map(|items| items.clone()).unwrap_or_default();
            let theirs = saved.read_lock::<Array>().map(|items| items.clone());
            let Some(theirs) = theirs else { return Err(unfit("an array")) };
            // A plain list may have grown.
            if items.iter().all(|item| matches!(kind(item, ctx), Kind::Plain)) {
                return Ok(saved.clone());
            }
            if items.len() != theirs.len() {
                return Err(unfit(&format!("an array of {} items", items.len())));
            }
            let pairs = items.iter().zip(&theirs).enumerate();
            let restored =
                pairs.map(|(i, (item, saved))| restore(item, saved, &format!("{path}.{i}"), ctx));
            restored.collect::<Result<Array>>().map(Dynamic::from)
        }
        Kind::Plain => Ok(saved.clone()),
    }
}

/// [`restore`] of each entry; what was saved besides is added.
///
/// # Errors
/// A `KeyError` for an object of which nothing was saved.
pub(super) fn restore_map(
    entries: &Map,
    saved: &Map,
    path: &str,
    ctx: &Context<'_>,
) -> Result<Map> {
    let mut restored = saved.clone();
    for (name, value) in entries {
        let below = if path.is_empty() { name.to_string() } else { format!("{path}.{name}") };
        let value = match saved.get(name) {
            Some(saved) => restore(value, saved, &below, ctx)?,
            // A number that was not there when the checkpoint was made keeps its default.
            None if matches!(kind(value, ctx), Kind::Plain) => value.clone(),
            None => {
                let names: Vec<&str> = saved.keys().map(|name| name.as_str()).collect();
                return Err(Error::key(format!("resume(): the checkpoint has no '{below}'"))
                    .help(format!("it has {}", names.join(", "))));
            }
        };
        restored.insert(name.clone(), value);
    }
    Ok(restored)
}

/// Bytes as they are saved: a tensor.
///
/// # Errors
/// A `TypeError` for what is no bytes.
pub(super) fn bytes(value: &Dynamic) -> Result<Dynamic> {
    let bytes = value.read_lock::<Blob>().ok_or_else(|| {
        Error::type_(format!("expected bytes of Python, found {}", convert::a_type(value)))
    })?;
    Ok(Dynamic::from(Tensor::from(tch::Tensor::f_from_slice(&bytes)?)))
}

/// What [`bytes`] made.
///
/// # Errors
/// A `TypeError` for what is no tensor of bytes.
pub(super) fn blob(value: &Dynamic) -> Result<Dynamic> {
    let tensor = convert::tensor(value).ok_or_else(|| {
        Error::type_(format!("expected a tensor of bytes, found {}", convert::a_type(value)))
    })?;
    Ok(Dynamic::from_blob(Vec::<u8>::try_from(&*tensor)?))
}
