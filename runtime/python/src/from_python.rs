//! A value of Python as a script's: `to_python.rs` the other way round.
//!
//! Only what is exactly of one of Python's plain types crosses by value: an `IntEnum` or a named tuple stays
//! the object that it is, as do integers beyond 64 bits, sets, dates and instances of classes. Beside the
//! plain types these cross: tensors (also parameters), generators of random numbers, NumPy's scalars as numbers, `torch.Size` as an array,
//! slices of integers, `torch.dtype`, `torch.device`, `torch.layout`, `torch.memory_format`; a coroutine is run
//! to its end.

use std::cell::RefCell;
use std::collections::HashMap;

use flambeau_runtime::script::{Complex, Slice};
use flambeau_runtime::torch::{Device, Dtype, Layout, MemoryFormat};
use pyo3::prelude::*;
use pyo3::types::{
    PyBool, PyBytes, PyComplex, PyDict, PyFloat, PyInt, PyList, PyRange, PyString, PyTuple, PyType,
};
use rhai::{Dynamic, Map};

use crate::errors::Attempt;
use crate::object::PyObject;
use crate::{handle, interpreter, tensor};

/// What `bridge.py` says of types that are not plain.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Rule {
    Object,
    Scalar,
    Sequence,
    Tensor,
    Dtype,
    Device,
    Awaitable,
    Value,
    Slice,
    Layout,
    MemoryFormat,
    Generator,
}

thread_local! {
    /// The rule of each type that was met, by its address; the type is kept so that no other gets that.
    static RULES: RefCell<HashMap<usize, (Rule, Py<PyType>)>> = RefCell::default();
}

/// The script's value for an object.
pub(crate) fn value(object: &Bound<'_, PyAny>) -> Attempt<Dynamic> {
    convert(object, false)
}

/// As [`value`], but a list or dict stays the object that it is: what an attribute holds belongs to its
/// owner, and `sys.path.append(…)` is meant to change it.
pub(crate) fn attribute(object: &Bound<'_, PyAny>) -> Attempt<Dynamic> {
    convert(object, true)
}

/// The object itself, whatever it is.
pub(crate) fn kept(object: Bound<'_, PyAny>) -> Dynamic {
    Dynamic::from(PyObject::from(object.unbind()))
}

/// Whether a callable object is, for a script, the object itself: nothing of it needs to cross before the call.
pub(crate) fn is_callable_as_it_is(object: &Bound<'_, PyAny>) -> Attempt<bool> {
    // What crosses by value or as a tensor cannot be called, but for what the rules know.
    Ok(object.is_callable() && rule(&object.get_type())? == Rule::Object)
}

fn convert(object: &Bound<'_, PyAny>, owned: bool) -> Attempt<Dynamic> {
    if tensor::is_plain(object) {
        return Ok(Dynamic::from(tensor::unwrap(object)));
    }
    if object.is_none() {
        return Ok(Dynamic::UNIT);
    }
    if object.is_exact_instance_of::<PyBool>() {
        return Ok(Dynamic::from_bool(object.is_truthy()?));
    }
    if object.is_exact_instance_of::<PyInt>() {
        return Ok(match object.extract::<i64>() {
            Ok(int) => Dynamic::from_int(int),
            // Too large for ours.
            Err(_) => kept(object.clone()),
        });
    }
    if object.is_exact_instance_of::<PyFloat>() {
        return Ok(Dynamic::from_float(object.extract()?));
    }
    if object.is_exact_instance_of::<PyString>() {
        // Half a surrogate pair is no text elsewhere.
        return Ok(match object.extract::<String>() {
            Ok(text) => Dynamic::from(text),
            Err(_) => kept(object.clone()),
        });
    }
    if object.is_exact_instance_of::<PyBytes>() {
        return Ok(Dynamic::from_blob(object.extract::<Vec<u8>>()?));
    }
    if object.is_exact_instance_of::<PyTuple>() {
        return sequence(object);
    }
    if object.is_exact_instance_of::<PyList>() {
        return if owned { Ok(kept(object.clone())) } else { sequence(object) };
    }
    if object.is_exact_instance_of::<PyDict>() {
        return if owned { Ok(kept(object.clone())) } else { map(object) };
    }
    if object.is_exact_instance_of::<PyComplex>() {
        let (re, im) = (object.getattr("real")?.extract()?, object.getattr("imag")?.extract()?);
        return Ok(Dynamic::from(Complex { re, im }));
    }
    if object.is_exact_instance_of::<PyRange>() && object.getattr("step")?.extract::<i64>()? == 1 {
        let (start, stop) =
            (object.getattr("start")?.extract()?, object.getattr("stop")?.extract()?);
        return Ok(Dynamic::from::<std::ops::Range<i64>>(start..stop));
    }
    by_rule(object)
}

fn by_rule(object: &Bound<'_, PyAny>) -> Attempt<Dynamic> {
    Ok(match rule(&object.get_type())? {
        Rule::Object => kept(object.clone()),
        Rule::Scalar => return convert(&object.call_method0("item")?, false),
        Rule::Sequence => return sequence(object),
        Rule::Tensor => Dynamic::from(tensor::unwrap(object)),
        Rule::Dtype => {
            Dtype::parse(&last_name(object)?).map_or_else(|| kept(object.clone()), Dynamic::from)
        }
        Rule::Layout => {
            let number = numbered(Layout::ALL, object)?;
            number.map_or_else(|| kept(object.clone()), |number| Dynamic::from(Layout(number)))
        }
        Rule::MemoryFormat => {
            let number = numbered(MemoryFormat::ALL, object)?;
            number
                .map_or_else(|| kept(object.clone()), |number| Dynamic::from(MemoryFormat(number)))
        }
        Rule::Generator => Dynamic::from(tensor::unwrap_generator(object)),
        Rule::Slice => slice(object)?.map_or_else(|| kept(object.clone()), Dynamic::from),
        Rule::Device => Dynamic::from(Device::parse(&object.str()?.to_string())?),
        Rule::Awaitable => {
            let wait = interpreter::helper(object.py(), "wait")?;
            let result = interpreter::outside(object.py(), || wait.call1((object,)))?;
            return if result.is(object) { Ok(kept(result)) } else { convert(&result, false) };
        }
        // One of another session stays what it is there.
        Rule::Value => handle::get(object).unwrap_or_else(|| kept(object.clone())),
    })
}

/// `float32` of `torch.float32`.
fn last_name(object: &Bound<'_, PyAny>) -> Attempt<String> {
    let name = object.str()?.to_string();
    Ok(name.rsplit('.').next().unwrap_or(&name).to_owned())
}

/// The number of a constant of torch, by its name.
fn numbered(all: &[(i8, &str)], object: &Bound<'_, PyAny>) -> Attempt<Option<i8>> {
    let name = last_name(object)?;
    Ok(all.iter().find(|(_, known)| *known == name).map(|(number, _)| *number))
}

/// A slice whose parts are integers or absent.
fn slice(object: &Bound<'_, PyAny>) -> Attempt<Option<Slice>> {
    let part = |name| object.getattr(name)?.extract::<Option<i64>>();
    Ok(match (part("start"), part("stop"), part("step")) {
        (Ok(start), Ok(end), Ok(step)) => Some(Slice { start, end, step: step.unwrap_or(1) }),
        _ => None,
    })
}

fn rule(kind: &Bound<'_, PyType>) -> Attempt<Rule> {
    let address = kind.as_ptr() as usize;
    if let Some(rule) = RULES.with_borrow(|rules| rules.get(&address).map(|(rule, _)| *rule)) {
        return Ok(rule);
    }
    let number: usize = interpreter::helper(kind.py(), "rule")?.call1((kind,))?.extract()?;
    const ALL: [Rule; 12] = [
        Rule::Object,
        Rule::Scalar,
        Rule::Sequence,
        Rule::Tensor,
        Rule::Dtype,
        Rule::Device,
        Rule::Awaitable,
        Rule::Value,
        Rule::Slice,
        Rule::Layout,
        Rule::MemoryFormat,
        Rule::Generator,
    ];
    let rule = ALL.get(number).copied().unwrap_or(Rule::Object);
    // A class that has not finished its import may turn out to be another one's child only later; no class
    // changes into one of those, though, so the answer stays.
    RULES.with_borrow_mut(|rules| rules.insert(address, (rule, kind.clone().unbind())));
    Ok(rule)
}

fn sequence(object: &Bound<'_, PyAny>) -> Attempt<Dynamic> {
    // Collecting into a `Result` would not reserve.
    let mut items = Vec::new();
    let tuple = match object.cast_exact::<PyList>() {
        // Its items are looked at one by one without being counted up and down.
        Ok(list) => Some(list.to_tuple()),
        Err(_) => object.cast_exact::<PyTuple>().ok().cloned(),
    };
    if let Some(tuple) = tuple {
        items.reserve(tuple.len());
        for item in tuple.iter_borrowed() {
            items.push(value(&item)?);
        }
    } else {
        for item in object.try_iter()? {
            items.push(value(&item?)?);
        }
    }
    Ok(Dynamic::from_array(items))
}

/// A map where all keys are strings, else the dict itself.
fn map(object: &Bound<'_, PyAny>) -> Attempt<Dynamic> {
    let dict = object.cast::<PyDict>()?;
    let mut map = Map::new();
    for (key, item) in dict.iter() {
        if !key.is_exact_instance_of::<PyString>() {
            return Ok(kept(object.clone()));
        }
        map.insert(key.extract::<String>()?.into(), value(&item)?);
    }
    Ok(Dynamic::from_map(map))
}
