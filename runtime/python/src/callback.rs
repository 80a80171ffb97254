//! A function of a script that Python calls, on any thread.

use flambeau_runtime::script::{Context, Kept};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};
use rhai::{Dynamic, Map};

use crate::errors::{Attempt, Failure, to_exception, to_traced_exception};
use crate::{from_python, host, to_python};

/// Calls what is kept; keyword arguments become a map behind the others.
pub(crate) fn call(
    function: &Kept<Dynamic>,
    args: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> PyResult<Py<PyAny>> {
    let py = args.py();
    // With the GIL held until the function is called: waiting for the session's turn lets go of it.
    let outcome = function.with(|function| Ok(run(py, function, args, keywords)));
    outcome.map_err(Failure::Ours).flatten().map_err(|failure| to_pyerr(py, failure))
}

/// What Python sees of a failure.
pub(crate) fn to_pyerr(py: Python<'_>, failure: Failure) -> PyErr {
    match failure {
        Failure::Python(error) => error,
        Failure::Ours(error) => to_exception(py, error),
    }
}

fn run(
    py: Python<'_>,
    function: &Dynamic,
    args: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> Attempt<Py<PyAny>> {
    let values = arguments(args, keywords)?;
    let mut frames = Vec::new();
    let result = detached(py, || {
        Context::current(|ctx| {
            host::evaluation(ctx.state(), || ctx.call_traced(function, values, &mut frames))
        })
    });
    let result = result.map_err(|error| to_traced_exception(py, error, frames))?;
    Ok(to_python::object(py, &result)?.unbind())
}

/// The arguments of a call, the named ones as a map at the end.
pub(crate) fn arguments(
    args: &Bound<'_, PyTuple>,
    keywords: Option<&Bound<'_, PyDict>>,
) -> Attempt<Vec<Dynamic>> {
    let mut values =
        args.iter().map(|value| from_python::value(&value)).collect::<Attempt<Vec<_>>>()?;
    if let Some(named) = keywords.filter(|named| !named.is_empty()) {
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
