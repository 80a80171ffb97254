//! What Python holds of a value of a script: it works on every thread, and comes back as the same value.

use flambeau_runtime::script::Kept;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rhai::Dynamic;

use crate::callback;
use crate::errors::Attempt;

/// The base of the classes for values of scripts in `bridge.py`.
#[pyclass(frozen, subclass, weakref, module = "flambeau", name = "Handle")]
#[derive(Clone)]
pub(crate) struct Handle(Kept<Dynamic>);

#[pymethods]
impl Handle {
    /// For the classes below this one: another handle to what `of` has.
    #[new]
    #[pyo3(signature = (of, *_args))]
    fn new(of: &Handle, _args: &Bound<'_, PyTuple>) -> Handle {
        of.clone()
    }

    #[pyo3(signature = (*args, **keywords))]
    fn __call__(
        &self,
        args: &Bound<'_, PyTuple>,
        keywords: Option<&Bound<'_, PyDict>>,
    ) -> PyResult<Py<PyAny>> {
        callback::call(&self.0, args, keywords)
    }
}

/// A handle to `value`, which lives in the session that evaluates on this thread.
pub(crate) fn keep(value: Dynamic) -> Attempt<Handle> {
    Ok(Handle(Kept::new(value)?))
}

impl Handle {
    /// What it holds.
    pub(crate) fn kept(&self) -> &Kept<Dynamic> {
        &self.0
    }
}

/// The value behind a handle, or behind the one that an object has as `_flambeau`, where that is of the session
/// that evaluates on this thread.
pub(crate) fn get(object: &Bound<'_, PyAny>) -> Option<Dynamic> {
    let value = match object.cast::<Handle>() {
        Ok(handle) => handle.get().0.get()?,
        Err(_) => object.getattr("_flambeau").ok()?.cast::<Handle>().ok()?.get().0.get()?,
    };
    Some(Dynamic::clone(&value))
}
