//! A function of a script that Python calls.

use flambeau_runtime::script::Context;
use flambeau_runtime::{Error, Kind};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rhai::{Dynamic, Map};

use crate::errors::{Attempt, Failure, to_exception, to_traced_exception};
use crate::{from_python, registry, to_python};

/// `call(number, args, kwargs)` for `bridge.py`.
pub(crate) fn call(
    args: &Bound<'_, PyTuple>,
    _keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Py<PyAny>> {
    let py = args.py();
    run(py, args).map_err(|failure| match failure {
        Failure::Python(error) => error,
        Failure::Ours(error) => to_exception(py, error),
    })
}

fn run(py: Python<'_>, args: &Bound<'_, PyTuple>) -> Attempt<Py<PyAny>> {
    let number: u64 = args.get_item(0)?.extract()?;
    let function = registry::get(number).ok_or_else(|| {
        Error::new(
            Kind::Runtime,
            "a function of a script was called on another thread than its session's",
        )
        .help("call it from the thread that runs the script")
    })?;
    let values = arguments(&args.get_item(1)?, &args.get_item(2)?)?;
    let mut frames = Vec::new();
    let result =
        detached(py, || Context::current(|ctx| ctx.call_traced(&function, values, &mut frames)));
    let result = result.map_err(|error| to_traced_exception(py, error, frames))?;
    Ok(to_python::object(py, &result)?.unbind())
}

/// The arguments of a call, the named ones as a map at the end.
pub(crate) fn arguments(
    positional: &Bound<'_, PyAny>,
    named: &Bound<'_, PyAny>,
) -> Attempt<Vec<Dynamic>> {
    let positional = positional.cast::<PyTuple>()?;
    let mut values =
        positional.iter().map(|value| from_python::value(&value)).collect::<Attempt<Vec<_>>>()?;
    let named = named.cast::<PyDict>()?;
    if !named.is_empty() {
        let mut map = Map::new();
        for (name, value) in named.iter() {
            map.insert(name.extract::<String>()?.into(), from_python::value(&value)?);
        }
        values.push(Dynamic::from_map(map));
    }
    Ok(values)
}

/// Runs `run` without the GIL. Scripts always run so: what they call in libtorch may need it on another
/// thread.
pub(crate) fn detached<R>(py: Python<'_>, run: impl FnOnce() -> R) -> R {
    struct Assert<T>(T);
    // SAFETY: `detach` asks for `Send` to keep values of Python away from code without the GIL. It runs the
    // closure on this very thread, and `run` reaches Python by `interpreter::with` only.
    unsafe impl<T> Send for Assert<T> {}
    impl<R, F: FnOnce() -> R> Assert<F> {
        fn call(self) -> Assert<R> {
            Assert((self.0)())
        }
    }
    let run = Assert(run);
    py.detach(move || run.call()).0
}
