//! `import flambeau`: the engine library as an extension module of an interpreter that was there first.
//!
//! Output, `sys.path`, signals and the end of the process stay that interpreter's own.

use std::ffi::{c_int, c_void};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

use flambeau_runtime::Result;
use flambeau_runtime::script::{Interrupt, Library, State, end_isolates, on_signal};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::callback::detached;
use crate::errors::to_error;
use crate::handle::Handle;
use crate::interpreter::{self, helper, outside};
use crate::runtime::Runtime;

/// What sessions are made with.
static LIBRARIES: OnceLock<fn() -> Vec<Library>> = OnceLock::new();

/// The session that evaluates on Python's main thread: the one that a signal is for.
static SIGNALLED: AtomicPtr<Interrupt> = AtomicPtr::new(std::ptr::null_mut());
/// The handler of SIGINT that was there before ours, and is called by it.
static BEFORE: AtomicUsize = AtomicUsize::new(0);

/// Whether an interpreter has imported us.
pub(crate) fn is_host() -> bool {
    LIBRARIES.get().is_some()
}

/// The libraries of a session, those of Python among them.
pub(crate) fn libraries() -> Vec<Library> {
    let mut libraries = LIBRARIES.get().map_or_else(Vec::new, |libraries| libraries());
    libraries.push(crate::library());
    libraries
}

/// The extension module, a new reference to it, or null with an exception set: what `PyInit_…` returns.
/// `libraries` are those of every session. Called by an interpreter, with the GIL.
pub fn module(libraries: fn() -> Vec<Library>) -> *mut c_void {
    // Imported once per process; a second time finds the first.
    let _ = LIBRARIES.set(libraries);
    Python::attach(|py| match make(py) {
        Ok(module) => module.into_ptr().cast(),
        Err(error) => {
            error.restore(py);
            std::ptr::null_mut()
        }
    })
}

fn make(py: Python<'_>) -> PyResult<Bound<'_, PyModule>> {
    interpreter::adopt(py)?;
    on_signal(|| {
        Python::attach(|py| {
            outside(py, || py.check_signals()).map_err(|error| to_error(py, error.into()))
        })
    });
    // Python takes no module whose definition it cannot see; this one lives as long as the process.
    let definition = Box::leak(Box::new(ffi::PyModuleDef {
        m_base: ffi::PyModuleDef_HEAD_INIT,
        m_name: c"_engine".as_ptr(),
        m_doc: std::ptr::null(),
        m_size: -1,
        m_methods: std::ptr::null_mut(),
        m_slots: std::ptr::null_mut(),
        m_traverse: None,
        m_clear: None,
        m_free: None,
    }));
    // SAFETY: the definition is complete and never freed; the result is a new reference or null.
    let module = unsafe {
        let module = ffi::PyModule_Create(definition);
        Bound::from_owned_ptr_or_err(py, module)?.cast_into::<PyModule>()?
    };
    module.add_class::<Runtime>()?;
    // Workers of sessions that live until the end must not outlive libtorch.
    let end = wrap_pyfunction!(end_workers, &module)?;
    py.import("atexit")?.call_method1("register", (end,))?;
    module.add_class::<Handle>()?;
    module.add("__version__", env!("CARGO_PKG_VERSION"))?;
    module.add("RhaiError", helper(py, "RhaiError")?)?;
    module.add("Function", helper(py, "Function")?)?;
    for class in helper(py, "CLASSES")?.call_method0("values")?.try_iter()? {
        let class = class?;
        module.add(class.getattr("__name__")?.extract::<String>()?.as_str(), class)?;
    }
    Ok(module)
}

#[pyfunction]
fn end_workers(py: Python<'_>) {
    detached(py, end_isolates);
}

/// Runs a function of the script's session as an evaluation, or as part of the one that is under way. Ctrl-C stops
/// it wherever it was called from.
///
/// # Errors
/// As [`flambeau_runtime::script::State::evaluation`].
pub(crate) fn evaluation<R>(state: &State, run: impl FnOnce() -> Result<R>) -> Result<R> {
    let interrupt = state.interrupt();
    let _listening = is_host().then(|| Listening::new(&interrupt));
    state.evaluation(run)
}

thread_local! {
    /// Whether this is Python's main thread.
    // SAFETY: both only ask for numbers. A process's main thread has its number, and is Python's.
    static MAIN: bool = unsafe { libc::getpid() == libc::gettid() };
}

/// While one lives, a Ctrl-C also stops the script that runs on Python's main thread. Nested ones are for the
/// innermost script.
pub(crate) struct Listening(Option<*mut Interrupt>);

impl Listening {
    /// For the session of `interrupt`, which outlives the result.
    pub(crate) fn new(interrupt: &Interrupt) -> Listening {
        // SAFETY: what is there is set while its session evaluates on this thread, so it lives.
        let listens = || unsafe { SIGNALLED.load(Ordering::SeqCst).as_ref() };
        if !MAIN.with(|main| *main) || listens().is_some_and(|there| there.is(interrupt)) {
            return Listening(None);
        }
        chain();
        let interrupt = std::ptr::from_ref(interrupt).cast_mut();
        Listening(Some(SIGNALLED.swap(interrupt, Ordering::SeqCst)))
    }
}

impl Drop for Listening {
    fn drop(&mut self) {
        if let Some(before) = self.0 {
            SIGNALLED.store(before, Ordering::SeqCst);
        }
    }
}

/// Puts our handler before the one that Python has, unless it is there. Python's own then decides what a
/// signal means: its code runs when the script next asks.
fn chain() {
    // SAFETY: a `sigaction` may be all zeros and is filled before it is read. The handler that is put in does
    // what a handler may, and calls the one that was there.
    unsafe {
        let mut now: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGINT, std::ptr::null(), &mut now);
        let ours = signalled as extern "C" fn(c_int) as usize;
        let silent = [libc::SIG_DFL, libc::SIG_IGN, ours].contains(&now.sa_sigaction);
        if silent || now.sa_flags & libc::SA_SIGINFO != 0 {
            return;
        }
        BEFORE.store(now.sa_sigaction, Ordering::SeqCst);
        now.sa_sigaction = ours;
        libc::sigaction(libc::SIGINT, &now, std::ptr::null_mut());
    }
}

extern "C" fn signalled(signal: c_int) {
    let interrupt = SIGNALLED.load(Ordering::SeqCst);
    // SAFETY: set while the session evaluates, so it lives; the store is async-signal-safe.
    if let Some(interrupt) = unsafe { interrupt.as_ref() } {
        interrupt.signal();
    }
    let before = BEFORE.load(Ordering::SeqCst);
    if before != 0 {
        // SAFETY: a handler that takes the signal's number, as the flags said when it was replaced.
        unsafe { std::mem::transmute::<usize, extern "C" fn(c_int)>(before)(signal) };
    }
}
