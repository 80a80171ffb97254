//! `flambeau.Runtime`: a session of scripts in a Python program.

use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, TryLockError};

use flambeau_runtime::script::{Event, Home, Interrupt, Limits, Options, Permissions, Session};
use flambeau_runtime::{Error, Kind};
use pyo3::exceptions::{PyKeyError, PyValueError};
use pyo3::prelude::*;
use rhai::Dynamic;

use crate::callback::{detached, to_pyerr};
use crate::errors::{Attempt, Failure, to_traced_exception};
use crate::host::{self, Listening};
use crate::interpreter::outside;
use crate::{from_python, to_python};

/// How deep calls may nest, as in Python; short stacks end earlier.
const CALL_LEVELS: usize = 1000;

/// A session of scripts. Every thread may use it; one at a time evaluates.
#[pyclass(frozen, weakref, module = "flambeau")]
pub(crate) struct Runtime {
    session: Mutex<Moved>,
    home: Arc<Home>,
    interrupt: Interrupt,
    /// The thread that uses the session, as `pthread_self` numbers it; 0 for none.
    user: AtomicUsize,
}

/// A session that goes from thread to thread.
struct Moved(Option<Session>);

// SAFETY: used and dropped only with the turn of its home, see there.
unsafe impl Send for Moved {}

impl Drop for Moved {
    fn drop(&mut self) {
        if let Some(session) = self.0.take() {
            let home = session.home().clone();
            let _turn = home.turn();
            // What workers print goes to Python, so they are waited for without the GIL.
            if session.has_isolates() {
                Python::try_attach(|py| detached(py, || session.end_isolates()));
            }
            drop(session);
        }
    }
}

fn this_thread() -> usize {
    // SAFETY: asks for the calling thread's own number.
    unsafe { libc::pthread_self() as usize }
}

impl Runtime {
    /// Runs `run` with the session, its turn and the GIL. Waits where another thread uses it.
    fn with<R>(&self, py: Python<'_>, run: impl FnOnce(&mut Session) -> Attempt<R>) -> PyResult<R> {
        struct Used<'a>(&'a AtomicUsize);
        impl Drop for Used<'_> {
            fn drop(&mut self) {
                self.0.store(0, Ordering::SeqCst);
            }
        }
        if self.user.load(Ordering::SeqCst) == this_thread() {
            let error = Error::new(Kind::Runtime, "this Runtime is evaluating on this thread")
                .help("call one of its functions instead, or use a second Runtime");
            return Err(to_pyerr(py, error.into()));
        }
        let mut session = match self.session.try_lock() {
            Ok(session) => session,
            Err(TryLockError::Poisoned(poisoned)) => poisoned.into_inner(),
            Err(TryLockError::WouldBlock) => {
                detached(py, || self.session.lock().unwrap_or_else(PoisonError::into_inner))
            }
        };
        self.user.store(this_thread(), Ordering::SeqCst);
        let _used = Used(&self.user);
        let _turn = self.home.turn();
        let Some(session) = &mut session.0 else {
            return Err(PyValueError::new_err("the Runtime is gone"));
        };
        self.home.with(|| run(session)).map_err(|failure| to_pyerr(py, failure))
    }

    fn evaluate(&self, py: Python<'_>, name: &str, code: &str) -> PyResult<Py<PyAny>> {
        self.with(py, |session| {
            let _listening = Listening::new(&self.interrupt);
            let outcome = detached(py, || session.evaluate(name, code));
            match outcome {
                Ok(value) => Ok(to_python::object(py, &value)?.unbind()),
                Err(report) => {
                    let report = *report;
                    Err(Failure::Python(to_traced_exception(py, report.error, report.frames)))
                }
            }
        })
    }
}

/// What a session prints goes to `sys.stdout` and `sys.stderr`.
fn emit(event: Event) {
    let (stream, text) = match event {
        Event::Stdout(text) => ("stdout", text),
        Event::Stderr(text) => ("stderr", text),
        // Nothing here could draw them.
        _ => return,
    };
    Python::attach(|py| {
        let written = outside(py, || {
            let stream = py.import("sys")?.getattr(stream)?;
            if stream.is_none() { Ok(()) } else { stream.call_method1("write", (text,)).map(drop) }
        });
        if let Err(error) = written {
            error.write_unraisable(py, None);
        }
    });
}

#[pymethods]
impl Runtime {
    #[new]
    #[pyo3(signature = (*, args=Vec::new(), script_dir=None, sandbox=false, allow_read=Vec::new(), allow_write=Vec::new(), allow_python=false, max_seconds=None, max_operations=None))]
    #[allow(clippy::too_many_arguments)]
    fn new(
        args: Vec<String>,
        script_dir: Option<PathBuf>,
        sandbox: bool,
        allow_read: Vec<PathBuf>,
        allow_write: Vec<PathBuf>,
        allow_python: bool,
        max_seconds: Option<f64>,
        max_operations: Option<u64>,
    ) -> PyResult<Runtime> {
        if max_seconds.is_some_and(|seconds| seconds.is_nan() || seconds < 0.0) {
            return Err(PyValueError::new_err("max_seconds must not be negative"));
        }
        let session = Session::new(Options {
            libraries: host::libraries(),
            permissions: Permissions {
                sandbox,
                read: allow_read,
                write: allow_write,
                python: allow_python,
            },
            limits: Limits {
                seconds: max_seconds,
                memory: None,
                operations: max_operations,
                call_levels: Some(CALL_LEVELS),
            },
            args,
            script_dir,
            output: Arc::new(emit),
            // Python code asks by itself.
            input: None,
            notebook: false,
            debugger: None,
        });
        Ok(Runtime {
            home: session.home().clone(),
            interrupt: session.interrupt_handle(),
            session: Mutex::new(Moved(Some(session))),
            user: AtomicUsize::new(0),
        })
    }

    /// Evaluates a cell and returns the value of its last expression; variables and functions stay.
    #[pyo3(signature = (code, name="<eval>"))]
    fn eval(&self, py: Python<'_>, code: &str, name: &str) -> PyResult<Py<PyAny>> {
        self.evaluate(py, name, code)
    }

    /// Evaluates a file.
    fn run(&self, py: Python<'_>, path: PathBuf) -> PyResult<Py<PyAny>> {
        let bytes = std::fs::read(&path)?;
        let code = String::from_utf8(bytes)
            .map_err(|_| PyValueError::new_err(format!("{} is no UTF-8 text", path.display())))?;
        self.evaluate(py, &path.to_string_lossy(), &code)
    }

    /// Stops what runs, from another thread.
    fn interrupt(&self) {
        if self.interrupt.is_evaluating() {
            self.interrupt.interrupt();
        }
    }

    /// What `flambeau doc NAME` prints; None for a name that is not known.
    fn doc(&self, py: Python<'_>, name: &str) -> PyResult<Option<String>> {
        self.with(py, |session| Ok(session.doc(name).ok()))
    }

    /// The names of the variables.
    fn keys(&self, py: Python<'_>) -> PyResult<Vec<String>> {
        self.with(py, |session| Ok(session.variables().into_iter().map(|(name, _)| name).collect()))
    }

    fn __getitem__(&self, py: Python<'_>, name: &str) -> PyResult<Py<PyAny>> {
        let found = self.with(py, |session| {
            let found = session.get(name).or_else(|| session.function(name));
            found.map(|value| Ok(to_python::object(py, &value)?.unbind())).transpose()
        })?;
        found.ok_or_else(|| PyKeyError::new_err(name.to_owned()))
    }

    fn __setitem__(&self, py: Python<'_>, name: &str, value: &Bound<'_, PyAny>) -> PyResult<()> {
        self.with(py, |session| {
            let value: Dynamic = from_python::value(value)?;
            Ok(session.set(name, value)?)
        })
    }

    fn __delitem__(&self, py: Python<'_>, name: &str) -> PyResult<()> {
        if self.with(py, |session| Ok(session.remove(name)))? {
            Ok(())
        } else {
            Err(PyKeyError::new_err(name.to_owned()))
        }
    }

    fn __contains__(&self, py: Python<'_>, name: &str) -> PyResult<bool> {
        self.with(py, |session| Ok(session.get(name).or_else(|| session.function(name)).is_some()))
    }

    fn __iter__(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        let keys = self.keys(py)?.into_pyobject(py)?;
        Ok(keys.try_iter()?.into_any().unbind())
    }

    fn __len__(&self, py: Python<'_>) -> PyResult<usize> {
        self.with(py, |session| Ok(session.variables().len()))
    }
}
