//! The handle by which a script holds an object of Python's.

use std::cell::OnceCell;
use std::rc::Rc;

use flambeau_runtime::script::{
    Bundle, CallHelp, Context, Entries, Items, Members, Named, Object, Side, State,
};
use flambeau_runtime::torch::Tensor;
use flambeau_runtime::{Error, Result};
use pyo3::basic::CompareOp;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyIterator, PyString, PyTuple};
use rhai::{Dynamic, Map};

use crate::errors::{Attempt, to_error};
use crate::interpreter::{self, outside, with};
use crate::members::PyMembers;
use crate::{from_python, index, tensor, to_python};

/// An object of Python's: a clone of the handle is the same object.
#[derive(Clone)]
pub struct PyObject(Rc<Held>);

/// The object; absent for the namespace of `py.eval` until somebody looks into it.
#[derive(Default)]
struct Held(OnceCell<Py<PyAny>>);

impl Drop for Held {
    fn drop(&mut self) {
        // At once, not when Python is entered next: what it holds may be large.
        if let Some(object) = self.0.take() {
            Python::try_attach(|py| object.drop_ref(py));
        }
    }
}

impl From<Py<PyAny>> for PyObject {
    fn from(object: Py<PyAny>) -> Self {
        PyObject(Rc::new(Held(OnceCell::from(object))))
    }
}

impl std::fmt::Debug for PyObject {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("<Python object>")
    }
}

impl PyObject {
    /// The names that `py.eval` and `py.exec` share.
    pub(crate) fn globals() -> PyObject {
        PyObject(Rc::default())
    }

    /// Whether both are handles of one object.
    pub(crate) fn is(&self, other: &PyObject) -> bool {
        Rc::ptr_eq(&self.0, &other.0)
            || self.0.0.get().zip(other.0.0.get()).is_some_and(|(a, b)| a.as_ptr() == b.as_ptr())
    }

    /// The object itself.
    pub(crate) fn get<'py>(&self, py: Python<'py>) -> Attempt<Bound<'py, PyAny>> {
        if let Some(object) = self.0.0.get() {
            return Ok(object.bind(py).clone());
        }
        let globals = interpreter::helper(py, "main")?;
        Ok(self.0.0.get_or_init(|| globals.unbind()).bind(py).clone())
    }

    /// Runs `run` with the object, the GIL held.
    pub(crate) fn with<R>(&self, run: impl FnOnce(Bound<'_, PyAny>) -> Attempt<R>) -> Result<R> {
        with(|py| run(self.get(py)?))
    }
}

/// Positional arguments and, where the last is a map, keyword arguments.
fn arguments<'py>(
    py: Python<'py>,
    mut args: Vec<Dynamic>,
) -> Attempt<(Bound<'py, PyTuple>, Option<Bound<'py, PyDict>>)> {
    let named = match args.pop_if(|last| last.is_map()) {
        None => None,
        Some(last) => {
            let dict = PyDict::new(py);
            for (name, value) in &last.try_cast::<Map>().unwrap_or_default() {
                dict.set_item(name.as_str(), to_python::object(py, value)?)?;
            }
            Some(dict)
        }
    };
    let values = args.iter().map(|arg| to_python::object(py, arg)).collect::<Attempt<Vec<_>>>()?;
    Ok((PyTuple::new(py, values)?, named))
}

/// `callable(args)`.
fn call(callable: &Bound<'_, PyAny>, args: Vec<Dynamic>) -> Attempt<Dynamic> {
    let py = callable.py();
    if args.is_empty() {
        return from_python::value(&outside(py, || callable.call0())?);
    }
    let (args, named) = arguments(py, args)?;
    from_python::value(&outside(py, || callable.call(args, named.as_ref()))?)
}

/// `object.name`. The name is Python's one string for it: only by that its caches of attributes find one.
fn attribute<'py>(object: &Bound<'py, PyAny>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    let name = PyString::intern(object.py(), name);
    outside(object.py(), || object.getattr(name))
}

impl Object for PyObject {
    const TYPE: &'static str = "PyObject";
    const OWN_NAMES: bool = true;
    const OPERATORS: bool = true;

    fn display(&self) -> String {
        self.with(|object| {
            Ok(outside(object.py(), || object.str())?.to_string_lossy().into_owned())
        })
        .unwrap_or_else(|error| format!("<an object whose str() fails: {error}>"))
    }

    fn representations(&self, state: &State) -> Option<Bundle> {
        let width = state.width.get();
        let found = self.with(|object| {
            let represent = interpreter::helper(object.py(), "represent")?;
            Ok(outside(object.py(), || represent.call1((object, width)))?.extract::<Bundle>()?)
        });
        Some(found.unwrap_or_else(|error| {
            vec![("text/plain".to_owned(), format!("<an object whose repr() fails: {error}>"))]
        }))
    }

    fn attribute(&self, name: &str, _ctx: &Context<'_>) -> Result<Option<Dynamic>> {
        self.with(|object| from_python::attribute(&attribute(&object, name)?)).map(Some)
    }

    fn set_attribute(&self, name: &str, value: Dynamic, _ctx: &Context<'_>) -> Result<bool> {
        self.with(|object| {
            let value = to_python::object(object.py(), &value)?;
            Ok(outside(object.py(), || object.setattr(name, value))?)
        })?;
        Ok(true)
    }

    fn attributes(&self) -> Vec<String> {
        self.with(|object| Ok(object.dir()?.extract::<Vec<String>>()?)).unwrap_or_default()
    }

    fn tensor(&self) -> Option<Result<Tensor>> {
        let made = self.with(|object| {
            let made = interpreter::helper(object.py(), "data")?.call1((object,))?;
            Ok((!made.is_none()).then(|| tensor::unwrap(&made)))
        });
        made.transpose()
    }

    fn entries(&self) -> Option<Entries> {
        let pairs = self.with(|object| {
            let pairs = interpreter::helper(object.py(), "entries")?.call1((object,))?;
            if pairs.is_none() {
                return Ok(None);
            }
            let pair = |pair: PyResult<Bound<'_, PyAny>>| {
                let (name, value): (String, Bound<'_, PyAny>) = pair?.extract()?;
                Ok((name, from_python::value(&value)?))
            };
            pairs.try_iter()?.map(pair).collect::<Attempt<Vec<_>>>().map(Some)
        });
        pairs.transpose()
    }

    /// What `getattr` would give without running code, as far as that can be known.
    fn plain_attribute(&self, name: &str) -> Option<Dynamic> {
        let found = self.with(|object| {
            let held = interpreter::helper(object.py(), "held")?.call1((object, name))?;
            match held.try_iter()?.next() {
                Some(value) => from_python::attribute(&value?).map(Some),
                None => Ok(None),
            }
        });
        found.ok().flatten()
    }

    fn keys(&self) -> Vec<String> {
        let keys = self.with(|object| {
            Ok(interpreter::helper(object.py(), "keys")?.call1((object,))?.extract()?)
        });
        keys.unwrap_or_default()
    }

    fn call_help(&self) -> Option<CallHelp> {
        type Parts = (Vec<(String, String, bool, bool)>, Option<String>, Option<String>);
        let parts = self.with(|object| {
            let helper = interpreter::helper(object.py(), "call_help")?;
            Ok(helper.call1((object,))?.extract::<Option<Parts>>()?)
        });
        let (arguments, result, help) = parts.ok().flatten()?;
        let named = arguments.into_iter().map(|(name, text, keyword, keyword_only)| Named {
            name,
            text,
            keyword,
            keyword_only,
        });
        Some(CallHelp { arguments: named.collect(), result, help })
    }

    fn members(&self) -> Option<Rc<dyn Members>> {
        PyMembers::of(self).map(|members| Rc::new(members) as Rc<dyn Members>)
    }

    fn call(&self, args: Vec<Dynamic>, _ctx: &Context<'_>) -> Result<Dynamic> {
        self.with(|object| call(&object, args))
    }

    /// Enters Python once for both where it can.
    fn call_attribute(
        &self,
        name: &str,
        args: Vec<Dynamic>,
        ctx: &Context<'_>,
    ) -> Result<Option<Result<Dynamic>>> {
        let found = self.with(|object| {
            let found = attribute(&object, name)?;
            if !from_python::is_callable_as_it_is(&found)? {
                return Ok(Err((from_python::attribute(&found)?, args)));
            }
            Ok(Ok(call(&found, args).map_err(|failure| to_error(found.py(), failure))))
        });
        Ok(Some(match found? {
            Ok(outcome) => outcome,
            Err((found, args)) => ctx.call(&found, args),
        }))
    }

    fn is_callable(&self) -> bool {
        self.with(|object| Ok(object.is_callable())).unwrap_or(false)
    }

    fn index(&self, index: &Dynamic, _ctx: &Context<'_>) -> Result<Dynamic> {
        self.with(|object| {
            let index = index::object(object.py(), index)?;
            from_python::attribute(&outside(object.py(), || object.get_item(index))?)
        })
    }

    fn set_index(&self, index: &Dynamic, value: Dynamic, _ctx: &Context<'_>) -> Result<()> {
        self.with(|object| {
            let py = object.py();
            let index = index::object(py, index)?;
            let value = to_python::object(py, &value)?;
            Ok(outside(py, || object.set_item(index, value))?)
        })
    }

    fn length(&self) -> Option<usize> {
        self.with(|object| Ok(outside(object.py(), || object.len())?)).ok()
    }

    fn iterate(&self) -> Option<Result<Items>> {
        let iterator = self.with(|object| Ok(outside(object.py(), || object.try_iter())?.unbind()));
        Some(iterator.map(|iterator| Box::new(Iteration(iterator)) as Items))
    }

    fn contains(&self, item: &Dynamic) -> Option<Result<bool>> {
        Some(self.with(|object| {
            let item = to_python::object(object.py(), item)?;
            Ok(outside(object.py(), || object.contains(item))?)
        }))
    }

    fn operate(&self, operator: &str, other: Option<(Side, &Dynamic)>) -> Result<Dynamic> {
        self.with(|object| {
            let Some((side, other)) = other else {
                let py = object.py();
                return match operator {
                    "!" => Ok(Dynamic::from_bool(!outside(py, || object.is_truthy())?)),
                    "-" => from_python::value(&outside(py, || object.neg())?),
                    _ => from_python::value(&outside(py, || object.pos())?),
                };
            };
            let other = to_python::object(object.py(), other)?;
            let (left, right) = match side {
                Side::Left => (object, other),
                Side::Right => (other, object),
            };
            from_python::value(&outside(left.py(), || binary(operator, &left, right))?)
        })
    }

    fn enter(&self) -> Result<Dynamic> {
        self.with(|object| {
            from_python::attribute(&outside(object.py(), || object.call_method0("__enter__"))?)
        })
    }

    fn exit(&self, error: Option<&Error>) -> Result<bool> {
        self.with(|object| {
            let py = object.py();
            let error =
                error.map(|error| crate::errors::to_exception(py, error.clone()).into_value(py));
            let leave = interpreter::helper(py, "leave")?;
            Ok(outside(py, || leave.call1((object, error))?.is_truthy())?)
        })
    }
}

fn binary<'py>(
    operator: &str,
    left: &Bound<'py, PyAny>,
    right: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let compare = |op| left.rich_compare(&right, op);
    match operator {
        "+" => left.add(right),
        "-" => left.sub(right),
        "*" => left.mul(right),
        "/" => left.div(right),
        "%" => left.rem(right),
        "**" => left.pow(right, left.py().None()),
        "@" => left.matmul(right),
        "&" => left.bitand(right),
        "|" => left.bitor(right),
        "^" => left.bitxor(right),
        "<<" => left.lshift(right),
        ">>" => left.rshift(right),
        "==" => compare(CompareOp::Eq),
        "!=" => compare(CompareOp::Ne),
        "<" => compare(CompareOp::Lt),
        "<=" => compare(CompareOp::Le),
        ">" => compare(CompareOp::Gt),
        _ => compare(CompareOp::Ge),
    }
}

/// `for x in object`.
struct Iteration(Py<PyIterator>);

impl Iterator for Iteration {
    type Item = Result<Dynamic>;

    fn next(&mut self) -> Option<Self::Item> {
        let item = with(|py| match outside(py, || self.0.bind(py).clone().next()) {
            None => Ok(None),
            Some(item) => from_python::attribute(&item?).map(Some),
        });
        item.transpose()
    }
}
