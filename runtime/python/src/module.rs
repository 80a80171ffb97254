//! Modules of scripts for Python: instances of `torch.nn.Module`, made by `module.py`, whose state stays in
//! the script's module.

use std::ffi::CString;
use std::rc::Rc;
use std::sync::OnceLock;

use flambeau_runtime::Error;
use flambeau_runtime::script::{Context, Members, Part};
use pyo3::exceptions::PyKeyError;
use pyo3::prelude::*;
use pyo3::types::{PyCFunction, PyDict, PyModule, PyTuple};
use rhai::Dynamic;

use crate::callback::{arguments, detached, to_pyerr};
use crate::errors::{Attempt, Failure, to_traced_exception};
use crate::handle::{self, Handle};
use crate::{from_python, host, to_python};

/// What `module.py` defines, once torch has been imported.
static MODULE: OnceLock<Py<PyModule>> = OnceLock::new();

/// The object for a module of a script: the one that Python holds already, or a new one.
pub(crate) fn object<'py>(
    py: Python<'py>,
    value: &Dynamic,
    members: &dyn Members,
) -> Attempt<Bound<'py, PyAny>> {
    if let Some(origin) = members.origin() {
        return to_python::object(py, &origin);
    }
    let module = load(py)?;
    let identity = members.identity();
    let known = module.getattr("find")?.call1((identity,))?;
    if !known.is_none() {
        return Ok(known);
    }
    let held = handle::keep(value.flatten_clone())?;
    let companion = members.companion();
    let kept = companion.as_ref().map(|kept| to_python::object(py, kept)).transpose()?;
    let named = (members.class(), members.name());
    let made = module.getattr("make")?.call1((held, identity, named.0, named.1, kept))?;
    if companion.is_none() {
        members.set_companion(from_python::kept(made.getattr("__dict__")?));
    }
    Ok(made)
}

fn load(py: Python<'_>) -> PyResult<&Bound<'_, PyModule>> {
    if let Some(module) = MODULE.get() {
        return Ok(module.bind(py));
    }
    let code = CString::new(include_str!("module.py"))?;
    let module = PyModule::from_code(py, &code, c"<flambeau>", c"_flambeau_module")?;
    let ask = PyCFunction::new_closure(py, Some(c"ask"), None, ask)?;
    module.setattr("ask", ask)?;
    Ok(MODULE.get_or_init(|| module.unbind()).bind(py))
}

/// `ask(handle, what, …)` for `module.py`, on any thread.
fn ask(args: &Bound<'_, PyTuple>, _: Option<&Bound<'_, PyDict>>) -> PyResult<Py<PyAny>> {
    let py = args.py();
    let handle = args.get_item(0)?.cast_into::<Handle>()?;
    let outcome = handle.get().kept().with(|value| Ok(answer(py, args, value)));
    let outcome = outcome.map_err(Failure::Ours).flatten();
    outcome.map(Bound::unbind).map_err(|failure| to_pyerr(py, failure))
}

fn answer<'py>(
    py: Python<'py>,
    args: &Bound<'py, PyTuple>,
    value: &Dynamic,
) -> Attempt<Bound<'py, PyAny>> {
    let what: String = args.get_item(1)?.extract()?;
    let members = members(value)?;
    let name = || -> PyResult<String> { args.get_item(2)?.extract() };
    match what.as_str() {
        "items" | "has" | "get" | "set" | "remove" => return member(py, &what, args, &*members),
        "run" => return run(py, args, members),
        _ => {}
    }
    let given = |at: usize| -> Attempt<Dynamic> { from_python::value(&args.get_item(at)?) };
    let found = match what.as_str() {
        "persistent" => Dynamic::from_bool(members.is_persistent(&name()?)?),
        "set persistent" => {
            members.set_persistent(&name()?, args.get_item(3)?.is_truthy()?)?;
            Dynamic::UNIT
        }
        "training" => Dynamic::from_bool(members.training()?),
        "set training" => {
            members.set_training(args.get_item(2)?.is_truthy()?)?;
            Dynamic::UNIT
        }
        "attribute" => match members.attribute(&name()?)? {
            Some(value) => value,
            None => return Err(PyKeyError::new_err(name()?).into()),
        },
        "set attribute" => {
            members.set_attribute(&name()?, given(3)?)?;
            Dynamic::UNIT
        }
        "remove attribute" => Dynamic::from_bool(members.remove_attribute(&name()?)?),
        "attributes" => {
            Dynamic::from_array(members.attributes().into_iter().map(Dynamic::from).collect())
        }
        "display" => Dynamic::from(members.display()),
        "blank" => members.blank()?,
        "outer" => {
            let outer = args.get_item(2)?;
            members.set_outer((!outer.is_none()).then(|| from_python::kept(outer)));
            Dynamic::UNIT
        }
        other => return Err(Error::value(format!("a module is not asked for {other}")).into()),
    };
    to_python::object(py, &found)
}

fn members(value: &Dynamic) -> Attempt<Rc<dyn Members>> {
    let members = Context::current(|ctx| Ok(ctx.members(value)))?;
    Ok(members.ok_or_else(|| Error::type_("a value that Python holds as a module is none"))?)
}

/// Reads and writes one part.
fn member<'py>(
    py: Python<'py>,
    what: &str,
    args: &Bound<'py, PyTuple>,
    members: &dyn Members,
) -> Attempt<Bound<'py, PyAny>> {
    let part = match args.get_item(2)?.extract::<usize>()? {
        0 => Part::Parameter,
        1 => Part::Buffer,
        _ => Part::Child,
    };
    if what == "items" {
        let items = members.items(part)?.into_iter().map(|(name, value)| {
            Ok(PyTuple::new(
                py,
                [to_python::object(py, &name.into())?, to_python::object(py, &value)?],
            )?)
        });
        let items = items.collect::<Attempt<Vec<_>>>()?;
        return Ok(PyTuple::new(py, items)?.into_any());
    }
    let name: String = args.get_item(3)?.extract()?;
    let missing = || Failure::from(PyKeyError::new_err(name.clone()));
    match what {
        "has" => to_python::object(py, &members.get(part, &name)?.is_some().into()),
        "get" => to_python::object(py, &members.get(part, &name)?.ok_or_else(missing)?),
        "set" => {
            members.set(part, &name, from_python::value(&args.get_item(4)?)?)?;
            Ok(py.None().into_bound(py))
        }
        _ if members.remove(part, &name)? => Ok(py.None().into_bound(py)),
        _ => Err(missing()),
    }
}

/// The forward pass: `ask(handle, "run", args, kwargs, hooks)`.
fn run<'py>(
    py: Python<'py>,
    args: &Bound<'py, PyTuple>,
    members: Rc<dyn Members>,
) -> Attempt<Bound<'py, PyAny>> {
    let (positional, named) = (args.get_item(2)?, args.get_item(3)?);
    let values = arguments(positional.cast()?, Some(named.cast()?))?;
    let hooks = args.get_item(4)?.is_truthy()?;
    let mut frames = Vec::new();
    let result = detached(py, || {
        Context::current(|ctx| {
            let run = || members.run(values, hooks, ctx);
            host::evaluation(ctx.state(), run).map_err(|mut error| {
                frames = ctx.take_trace(&mut error, "forward");
                error
            })
        })
    });
    let result = result.map_err(|error| to_traced_exception(py, error, frames))?;
    to_python::object(py, &result)
}
