//! Between Python's exceptions and errors of scripts; what passes through the other language and back is
//! the same error, the same exception.

use std::ffi::c_void;
use std::rc::Rc;

use flambeau_runtime::script::Context;
use flambeau_runtime::{Error, Foreign, Frame, Kind};
use pyo3::exceptions::{PyBaseException, PyKeyboardInterrupt};
use pyo3::ffi;
use pyo3::prelude::*;
use rhai::Dynamic;

use crate::object::PyObject;
use crate::{handle, interpreter, interrupt};

/// What can go wrong while the GIL is held.
pub(crate) enum Failure {
    Python(PyErr),
    Ours(Error),
}

/// A result of something that is done with the GIL held.
pub(crate) type Attempt<T> = Result<T, Failure>;

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Failure::Python(error)
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        Failure::Ours(error)
    }
}

impl<'a, 'py> From<pyo3::CastError<'a, 'py>> for Failure {
    fn from(error: pyo3::CastError<'a, 'py>) -> Self {
        Failure::Python(error.into())
    }
}

/// The error that a script sees.
pub(crate) fn to_error(py: Python<'_>, failure: Failure) -> Error {
    match failure {
        Failure::Ours(error) => error,
        Failure::Python(error) => from_exception(py, error),
    }
}

/// The error for an exception that comes out of libtorch: its type, value and traceback, borrowed.
pub(crate) fn from_parts(kind: *mut c_void, value: *mut c_void, traceback: *mut c_void) -> Error {
    Python::attach(|py| {
        // What is still pending on this thread is the same exception, or one that led to it: it must not meet
        // the next call.
        let pending = PyErr::take(py);
        // SAFETY: libtorch's exception owns what it points to until it has been caught; null is none.
        let [kind, value, traceback] = [kind, value, traceback].map(|part| unsafe {
            Bound::from_borrowed_ptr_or_opt(py, part.cast::<ffi::PyObject>())
        });
        let error = match (value, kind) {
            (Some(value), _) if value.is_instance_of::<PyBaseException>() => {
                if let Some(traceback) = traceback {
                    // It may be there already.
                    let _ = value.setattr("__traceback__", traceback);
                }
                PyErr::from_value(value)
            }
            // Not made yet: Python before 3.12 keeps its class and its arguments.
            (value, Some(kind)) => match kind.call1((value,)) {
                Ok(exception) => PyErr::from_value(exception),
                Err(error) => error,
            },
            // Thrown as a mere mark: the exception itself was pending.
            (_, None) => pending.unwrap_or_else(|| {
                pyo3::exceptions::PySystemError::new_err("an exception of Python without a value")
            }),
        };
        from_exception(py, error)
    })
}

/// The exception for an error that goes through libtorch: its class and itself, new references.
pub(crate) fn to_parts(error: &Error) -> (*mut c_void, *mut c_void) {
    Python::attach(|py| {
        let exception = to_exception(py, error.clone()).into_value(py).into_bound(py);
        (exception.get_type().into_ptr().cast(), exception.into_ptr().cast())
    })
}

/// Gives back a reference that [`to_parts`] made.
pub(crate) fn drop_part(object: *mut c_void) {
    Python::attach(|py| {
        // SAFETY: the reference was given away by `to_parts`, and is given back once.
        drop(unsafe { Bound::from_owned_ptr_or_opt(py, object.cast::<ffi::PyObject>()) });
    });
}

fn from_exception(py: Python<'_>, error: PyErr) -> Error {
    if error.is_instance_of::<PyKeyboardInterrupt>(py) {
        interrupt::raised();
        // Takes the request back, which has been fulfilled.
        if let Err(error) = Context::current(|ctx| ctx.check()) {
            return error;
        }
        let error = converted(py, &error);
        // Without one it was raised by hand; what it stops is the same.
        let stopped = Context::current(|ctx| Ok(ctx.state().stop_with(error.clone())));
        return stopped.unwrap_or(error);
    }
    converted(py, &error)
}

fn converted(py: Python<'_>, error: &PyErr) -> Error {
    let exception = error.value(py).as_any();
    // Before Python 3.12 an exception that was fetched has its traceback beside it.
    if let Some(traceback) = error.traceback(py) {
        let _ = exception.setattr("__traceback__", traceback);
    }
    if let Some(mut original) = original(exception) {
        if let Ok(described) = describe(exception) {
            let frames = described.trace.map(|trace| trace.frames).unwrap_or_default();
            original.trace.get_or_insert_default().frames = frames;
            // Should it pass through Python once more, then as the same exception.
            let class = original.kind.name().to_owned();
            let object = Dynamic::from(PyObject::from(exception.clone().unbind()));
            original.foreign = Some(Rc::new(Foreign { class, object, of_script: true }));
        }
        return original;
    }
    describe(exception).unwrap_or_else(|_| Error::new(Kind::Runtime, error.to_string()))
}

/// The script's error that an exception stands for.
fn original(exception: &Bound<'_, PyAny>) -> Option<Error> {
    let held = exception.getattr_opt("_flambeau").ok()??;
    handle::get(&held)?.try_cast::<Error>()
}

type Described = (String, String, String, Option<String>, Vec<(String, String, usize, String)>);

fn describe(exception: &Bound<'_, PyAny>) -> PyResult<Error> {
    let described = interpreter::helper(exception.py(), "describe")?.call1((exception,))?;
    let (class, kind, message, help, frames): Described = described.extract()?;
    let mut error = Error::new(kind_of(&kind), message);
    error.help = help;
    error.trace.get_or_insert_default().frames = frames
        .into_iter()
        .map(|(function, source, line, text)| Frame {
            function,
            source,
            line,
            text: Some(text).filter(|text| !text.is_empty()),
        })
        .collect();
    let object = Dynamic::from(PyObject::from(exception.clone().unbind()));
    error.foreign = Some(Rc::new(Foreign { class, object, of_script: false }));
    Ok(error)
}

/// Our kind of a name that `bridge.py` gives.
fn kind_of(name: &str) -> Kind {
    const KINDS: &[Kind] = &[
        Kind::Name,
        Kind::Type,
        Kind::Index,
        Kind::Key,
        Kind::Value,
        Kind::OutOfMemory,
        Kind::Io,
        Kind::Permission,
        Kind::Syntax,
        Kind::Arithmetic,
        Kind::NotImplemented,
        Kind::Interrupt,
    ];
    KINDS.iter().copied().find(|kind| kind.name() == name).unwrap_or(Kind::Runtime)
}

/// The exception that Python code sees, with the script's calls in its traceback.
pub(crate) fn to_traced_exception(py: Python<'_>, error: Error, frames: Vec<Frame>) -> PyErr {
    let exception = to_exception(py, error);
    let frames: Vec<_> = frames
        .into_iter()
        .map(|frame| (frame.function, frame.source, frame.line, frame.text.unwrap_or_default()))
        .collect();
    let traced = interpreter::helper(py, "trace")
        .and_then(|trace| trace.call1((exception.value(py), frames)));
    traced.map_or(exception, PyErr::from_value)
}

/// The exception that Python code sees: the very one that it raised, where it did.
pub(crate) fn to_exception(py: Python<'_>, error: Error) -> PyErr {
    let theirs = error.foreign.as_ref().map(|foreign| foreign.object.clone());
    if let Some(object) = theirs.and_then(|object| object.try_cast::<PyObject>())
        && let Ok(exception) = object.get(py)
    {
        return PyErr::from_value(exception);
    }
    if error.kind == Kind::Interrupt {
        return PyKeyboardInterrupt::new_err(error.message);
    }
    let (kind, message, help) =
        (error.kind_name().to_owned(), error.message.clone(), error.help.clone());
    let nested = Context::current(|ctx| Ok(ctx.state().is_evaluating())).unwrap_or(false);
    // Nobody keeps it where its session is gone.
    let kept = handle::keep(Dynamic::from(error)).ok();
    let made = interpreter::helper(py, "rhai_error")
        .and_then(|make| make.call1((kind, message.as_str(), help, nested, kept)));
    match made {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}
