//! The interpreter: started once per process, on the first use of `py`, and entered for every call.

use std::ffi::{CString, c_char, c_void};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use flambeau_runtime::script::{Context, Input, Output, in_isolate};
use flambeau_runtime::torch::Exceptions;
use flambeau_runtime::{Error, Kind, Result};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyModule;

use crate::errors::{self, Attempt, to_error};
use crate::handle::Handle;
use crate::{front_end, host, interrupt, turns};

/// What the interpreter is told before it starts.
#[derive(Clone, Default)]
pub struct Setup {
    /// The environment's `python3`: from its place the interpreter finds the packages.
    pub executable: Option<PathBuf>,
    /// The script's folder, from which Python imports first.
    pub script_dir: Option<PathBuf>,
    /// The arguments after the script's own name: `sys.argv[1:]`.
    pub args: Vec<String>,
    /// Gets what threads of Python's own print, which evaluate nothing, until [`end`]; the process's streams by default.
    pub output: Option<Output>,
    /// The way to the user, where the front end is a notebook: Python then finds what it expects there.
    pub notebook: Option<Arc<dyn Input>>,
}

static SETUP: Mutex<Option<Setup>> = Mutex::new(None);

/// What the interpreter was told.
pub(crate) fn setup() -> MutexGuard<'static, Option<Setup>> {
    SETUP.lock().unwrap_or_else(PoisonError::into_inner)
}

static STARTED: OnceLock<std::result::Result<Bridge, String>> = OnceLock::new();

/// What Python holds for us: the module made of `bridge.py`.
struct Bridge {
    module: Py<PyModule>,
}

/// Says how the interpreter is to start; without effect once it has.
pub fn configure(setup: Setup) {
    *self::setup() = Some(setup);
}

/// Runs what Python would run at its end. Does nothing where no script used it.
pub fn end() {
    if let Some(Ok(bridge)) = STARTED.get() {
        Python::attach(|py| {
            if let Err(error) = bridge.module.bind(py).call_method0("end") {
                error.print(py);
            }
        });
        flush();
    }
    // Whoever took it may be gone from now on.
    if let Some(setup) = &mut *setup() {
        setup.output = None;
    }
}

/// Runs `run` with the GIL held, in an interpreter that has started. The session's turn is held too: what
/// may run Python code goes through [`outside`].
///
/// # Errors
/// What `run` fails with; a `PermissionError` in a sandbox; why the interpreter cannot start.
pub(crate) fn with<R>(run: impl FnOnce(Python<'_>) -> Attempt<R>) -> Result<R> {
    if in_isolate() {
        return Err(Error::new(Kind::NotImplemented, "a worker cannot use Python").help(
            "call Python in the main script, and exchange tensors, arrays and maps with the worker",
        ));
    }
    start()?;
    if host::is_host() {
        // One process has several sessions then, each with its own sandbox.
        Context::current(|ctx| ctx.state().permissions.python())?;
    }
    let _inside = interrupt::Inside::enter();
    let outcome = Python::attach(|py| run(py).map_err(|failure| to_error(py, failure)));
    flush();
    outcome
}

/// Runs Python code. Other threads may have the session's turn meanwhile, so that none waits for one that
/// waits for it.
pub(crate) fn outside<R>(_py: Python<'_>, run: impl FnOnce() -> R) -> R {
    flambeau_runtime::script::outside(run)
}

/// The function `name` of `bridge.py`.
pub(crate) fn helper<'py>(py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
    match STARTED.get() {
        Some(Ok(bridge)) => bridge.module.bind(py).getattr(name),
        _ => Err(pyo3::exceptions::PyRuntimeError::new_err("Python has not started")),
    }
}

/// What C code has printed so far goes out before anything else does.
fn flush() {
    // SAFETY: null means all streams that are open for writing.
    unsafe { libc::fflush(std::ptr::null_mut()) };
}

/// Whether it has started.
pub(crate) fn is_started() -> bool {
    matches!(STARTED.get(), Some(Ok(_)))
}

/// Whether the front end is a notebook.
pub(crate) fn is_notebook() -> bool {
    setup().as_ref().is_some_and(|setup| setup.notebook.is_some())
}

fn start() -> Result<()> {
    match STARTED.get() {
        Some(Ok(_)) => return Ok(()),
        Some(Err(cause)) => return Err(cannot_start(cause)),
        None => {}
    }
    Context::current(|ctx| ctx.state().permissions.python())?;
    let setup = setup().clone().unwrap_or_default();
    let outcome = initialise(&setup).and_then(|main_thread| {
        Python::attach(|py| program(py, &setup, main_thread).map_err(|error| error.to_string()))
    });
    match STARTED.get_or_init(|| outcome) {
        Ok(_) => Ok(()),
        Err(cause) => Err(cannot_start(cause)),
    }
}

/// Makes the interpreter that has imported us the one that sessions use.
pub(crate) fn adopt(py: Python<'_>) -> PyResult<()> {
    if !is_started() {
        // Only we set it from here on: the GIL is held.
        let _ = STARTED.set(Ok(bridge(py)?));
    }
    Ok(())
}

fn cannot_start(cause: &str) -> Error {
    Error::new(Kind::Runtime, format!("Python cannot start: {cause}"))
        .help("flambeau env shows which Python was found")
}

/// Starts CPython unless it runs already; whether this is then its main thread.
fn initialise(setup: &Setup) -> std::result::Result<bool, String> {
    // SAFETY: may be asked at any time.
    if unsafe { ffi::Py_IsInitialized() } != 0 {
        // SAFETY: the interpreter runs. The thread keeps the state that it is given here: libtorch_python
        // remembers it, and would wait for ever for one that every call makes anew.
        unsafe {
            ffi::PyGILState_Ensure();
            ffi::PyEval_SaveThread();
        }
        return Ok(false);
    }
    if let Some(executable) = &setup.executable {
        name_program(executable)?;
    }
    // SAFETY: done once, before any other use of Python; 0: Ctrl-C stays with the program. The thread that
    // started lets go of the GIL, and takes it again for every call.
    unsafe {
        ffi::Py_InitializeEx(0);
        ffi::PyEval_SaveThread();
    }
    Ok(true)
}

/// Tells CPython which executable it is; the stable ABI has a function for it that later versions will
/// drop.
fn name_program(executable: &std::path::Path) -> std::result::Result<(), String> {
    type Decode = unsafe extern "C" fn(*const c_char, *mut usize) -> *mut c_void;
    type SetName = unsafe extern "C" fn(*const c_void);
    let path = CString::new(executable.to_string_lossy().as_bytes()).map_err(|e| e.to_string())?;
    // SAFETY: both have had these signatures in every version that has them; the decoded text must
    // outlive the interpreter, so it is never freed.
    unsafe {
        let decode = libc::dlsym(libc::RTLD_DEFAULT, c"Py_DecodeLocale".as_ptr());
        let set_name = libc::dlsym(libc::RTLD_DEFAULT, c"Py_SetProgramName".as_ptr());
        if decode.is_null() || set_name.is_null() {
            return Err("this version of Python cannot be told where it is".to_owned());
        }
        let decode = std::mem::transmute::<*mut c_void, Decode>(decode);
        let set_name = std::mem::transmute::<*mut c_void, SetName>(set_name);
        let wide = decode(path.as_ptr(), std::ptr::null_mut());
        if wide.is_null() {
            return Err(format!("{} is no text", executable.display()));
        }
        set_name(wide);
    }
    Ok(())
}

/// Runs `bridge.py`, `shown.py`, `assistance.py` and `display.py`, in one module.
fn bridge(py: Python<'_>) -> PyResult<Bridge> {
    let module = PyModule::new(py, "_flambeau")?;
    module.add_class::<Handle>()?;
    front_end::add(&module)?;
    let parts = [
        include_str!("bridge.py"),
        include_str!("shown.py"),
        include_str!("assistance.py"),
        include_str!("display.py"),
    ];
    for code in parts {
        execute(&module, code)?;
    }
    flambeau_runtime::torch::on_python_error(Exceptions {
        to_error: errors::from_parts,
        from_error: errors::to_parts,
        drop: errors::drop_part,
    });
    turns::listen();
    Ok(Bridge { module: module.unbind() })
}

/// Runs code in a module's names.
pub(crate) fn execute(module: &Bound<'_, PyModule>, code: &str) -> PyResult<()> {
    let builtins = module.py().import("builtins")?;
    let code = builtins.getattr("compile")?.call1((code, "<flambeau>", "exec"))?;
    builtins.getattr("exec")?.call1((code, module.dict())).map(drop)
}

/// Sets up an interpreter that is the program's own: output, the search path, Ctrl-C.
fn program(py: Python<'_>, setup: &Setup, main_thread: bool) -> PyResult<Bridge> {
    let bridge = bridge(py)?;
    let module = bridge.module.bind(py);
    let folder = setup.script_dir.as_ref().map(|folder| folder.to_string_lossy().into_owned());
    let mut argv = vec![String::new()];
    argv.extend(setup.args.iter().cloned());
    module.call_method1("start", (libtorch(), folder, argv))?;
    if setup.notebook.is_some() {
        execute(module, include_str!("notebook.py"))?;
        module.call_method0("serve")?;
    }
    match main_thread {
        true => interrupt::listen(module)?,
        false => interrupt::listen_elsewhere(module)?,
    }
    Ok(bridge)
}

/// Where the libtorch that this process has loaded lies.
fn libtorch() -> Option<String> {
    // SAFETY: the function is only looked up; `Dl_info` may be all zeros, and on success its file name is a C
    // string that lives as long as the library.
    unsafe {
        let place = libc::dlsym(libc::RTLD_DEFAULT, c"aoti_torch_empty_strided".as_ptr());
        let mut info: libc::Dl_info = std::mem::zeroed();
        if libc::dladdr(place, &mut info) == 0 || info.dli_fname.is_null() {
            return None;
        }
        Some(std::ffi::CStr::from_ptr(info.dli_fname).to_string_lossy().into_owned())
    }
}
