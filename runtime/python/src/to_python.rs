//! A value of a script as Python's.
//!
//! | script | Python |
//! | --- | --- |
//! | `()`, bool, int, float, string | `None`, `bool`, `int`, `float`, `str` |
//! | blob, array, map, range | `bytes`, `list`, `dict`, `range`: copies |
//! | complex, `slice(…)` | `complex`, `slice` |
//! | several results | a `tuple`, a named one where they have names |
//! | a tensor, a `torch.Generator` | the same |
//! | `torch.float32`, `torch.device("cpu")` | `torch.dtype`, `torch.device` |
//! | `torch.strided`, `torch.channels_last` | `torch.layout`, `torch.memory_format` |
//! | a function | a callable |
//! | a module | a `torch.nn.Module` |
//! | a state dict | an `OrderedDict`: a copy |
//! | anything else | an object that comes back as it was |

use std::ops::{Range, RangeInclusive};

use flambeau_runtime::script::{Complex, Context, NewAxis, Results, Slice};
use flambeau_runtime::torch::{Device, Dtype, Generator, Layout, MemoryFormat, Tensor};
use pyo3::IntoPyObjectExt;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyComplex, PyDict, PyList, PyTuple};
use rhai::{Array, Blob, Dynamic, FnPtr, ImmutableString, Map};

use crate::errors::Attempt;
use crate::object::PyObject;
use crate::{handle, interpreter, module, tensor};

/// The object for a value.
pub(crate) fn object<'py>(py: Python<'py>, value: &Dynamic) -> Attempt<Bound<'py, PyAny>> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return tensor::wrap(py, &tensor);
    }
    if let Some(object) = value.read_lock::<PyObject>() {
        return object.get(py);
    }
    if value.is_unit() {
        return Ok(py.None().into_bound(py));
    }
    if let Ok(flag) = value.as_bool() {
        return Ok(flag.into_bound_py_any(py)?);
    }
    if let Ok(number) = value.as_int() {
        return Ok(number.into_bound_py_any(py)?);
    }
    if let Ok(number) = value.as_float() {
        return Ok(number.into_bound_py_any(py)?);
    }
    if let Some(text) = value.read_lock::<ImmutableString>() {
        return Ok(text.as_str().into_bound_py_any(py)?);
    }
    if let Ok(letter) = value.as_char() {
        return Ok(letter.into_bound_py_any(py)?);
    }
    if let Some(items) = value.read_lock::<Array>() {
        return list(py, &items);
    }
    if let Some(map) = value.read_lock::<Map>() {
        let dict = PyDict::new(py);
        for (name, item) in map.iter() {
            dict.set_item(name.as_str(), object(py, item)?)?;
        }
        return Ok(dict.into_any());
    }
    if let Some(bytes) = value.read_lock::<Blob>() {
        return Ok(PyBytes::new(py, &bytes).into_any());
    }
    if let Some(function) = value.read_lock::<FnPtr>() {
        let name = function.fn_name();
        let name = if function.is_anonymous() { "closure" } else { name };
        return callable(py, value.flatten_clone(), name);
    }
    small(py, value)
}

/// Values of rarer types.
fn small<'py>(py: Python<'py>, value: &Dynamic) -> Attempt<Bound<'py, PyAny>> {
    if let Some(range) = value.read_lock::<Range<i64>>() {
        return counted(py, range.start, range.end);
    }
    if let Some(range) = value.read_lock::<RangeInclusive<i64>>() {
        return counted(py, *range.start(), range.end() + 1);
    }
    if let Some(part) = value.read_lock::<Slice>() {
        return slice(py, part.start, part.end, part.step);
    }
    if value.is::<NewAxis>() {
        return Ok(py.None().into_bound(py));
    }
    if let Some(number) = value.read_lock::<Complex>() {
        return Ok(PyComplex::from_doubles(py, number.re, number.im).into_any());
    }
    if let Some(results) = value.read_lock::<Results>() {
        let items =
            results.values.iter().map(|item| object(py, item)).collect::<Attempt<Vec<_>>>()?;
        let items = PyTuple::new(py, items)?;
        if results.names.is_empty() {
            return Ok(items.into_any());
        }
        let names = PyTuple::new(py, results.names.iter())?;
        return Ok(interpreter::helper(py, "results")?.call1((&*results.name, names, items))?);
    }
    if let Some(dtype) = value.read_lock::<Dtype>() {
        return constant(py, dtype.name());
    }
    if let Some(layout) = value.read_lock::<Layout>() {
        return constant(py, &layout.to_string());
    }
    if let Some(format) = value.read_lock::<MemoryFormat>() {
        return constant(py, &format.to_string());
    }
    if let Some(device) = value.read_lock::<Device>() {
        return Ok(interpreter::helper(py, "device")?.call1((device.to_string(),))?);
    }
    if let Some(generator) = value.read_lock::<Generator>() {
        return tensor::wrap_generator(py, &generator);
    }
    if let Some(entries) = Context::current(|ctx| ctx.entries(value).transpose())? {
        return ordered(py, &entries);
    }
    if let Some(members) = Context::current(|ctx| Ok(ctx.members(value))).unwrap_or_default() {
        return module::object(py, value, &*members);
    }
    let callable_ = Context::current(|ctx| Ok(ctx.is_callable(value))).unwrap_or(false);
    let text = Context::current(|ctx| Ok(ctx.display(value))).unwrap_or_default();
    let value = value.flatten_clone();
    if callable_ {
        return callable(py, value, &text);
    }
    Ok(interpreter::helper(py, "Value")?.call1((handle::keep(value)?, text))?)
}

/// `torch.NAME`, also by its name with the prefix.
fn constant<'py>(py: Python<'py>, name: &str) -> Attempt<Bound<'py, PyAny>> {
    let name = name.strip_prefix("torch.").unwrap_or(name);
    Ok(interpreter::helper(py, "constant")?.call1((name,))?)
}

fn callable<'py>(py: Python<'py>, value: Dynamic, name: &str) -> Attempt<Bound<'py, PyAny>> {
    let text = Context::current(|ctx| Ok(ctx.display(&value))).unwrap_or_default();
    Ok(interpreter::helper(py, "Function")?.call1((handle::keep(value)?, text, name))?)
}

/// An `OrderedDict`, as state dicts are.
fn ordered<'py>(py: Python<'py>, entries: &[(String, Dynamic)]) -> Attempt<Bound<'py, PyAny>> {
    let pairs = entries.iter().map(|(name, value)| Ok((name, object(py, value)?)));
    let pairs = pairs.collect::<Attempt<Vec<_>>>()?;
    Ok(py.import("collections")?.getattr("OrderedDict")?.call1((pairs,))?)
}

/// A list of the items.
pub(crate) fn list<'py>(py: Python<'py>, items: &[Dynamic]) -> Attempt<Bound<'py, PyAny>> {
    // Collecting into a `Result` would not reserve.
    let mut objects = Vec::with_capacity(items.len());
    for item in items {
        objects.push(object(py, item)?);
    }
    Ok(PyList::new(py, objects)?.into_any())
}

fn counted(py: Python<'_>, start: i64, end: i64) -> Attempt<Bound<'_, PyAny>> {
    Ok(py.import("builtins")?.getattr("range")?.call1((start, end))?)
}

/// `slice(start, end, step)`.
pub(crate) fn slice(
    py: Python<'_>,
    start: Option<i64>,
    end: Option<i64>,
    step: i64,
) -> Attempt<Bound<'_, PyAny>> {
    let step = Some(step).filter(|&step| step != 1);
    Ok(py.import("builtins")?.getattr("slice")?.call1((start, end, step))?)
}
