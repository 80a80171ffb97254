//! Opens torch's libraries and the engine library, and speaks with the engine: the only code of the
//! program that is not checked by the compiler.
//!
//! # Soundness
//!
//! Opening a library runs its initialisers; they are torch's and ours, from the folders that the user
//! chose. No library is ever closed, so a function that was found stays where it is. The engine's
//! functions have the signatures written here when the version that `flambeau_engine_abi` returns is
//! this program's, and it is asked before any other is called. The handle is only used by functions that
//! take it by shared reference, until [`Engine`] is dropped and nothing can use it any more.

#![allow(unsafe_code)]

use std::ffi::{c_int, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};

use libloading::os::unix::{Library, RTLD_GLOBAL, RTLD_LAZY, RTLD_LOCAL};

use flambeau_protocol::{ABI, Configure, ENGINE_LIBRARY, Event, Request};

use crate::installed;
use crate::problem::Problem;

/// Whether the loader finds a library of this name; it stays loaded.
pub fn can_open(name: &str) -> bool {
    // SAFETY: asked of the NVIDIA driver's library only, whose initialisers are made for this.
    let library = unsafe { Library::open(Some(name), RTLD_LAZY | RTLD_LOCAL) };
    library.map(std::mem::forget).is_ok()
}

/// Opens libpython: the engine library refers to its names. No interpreter starts by that.
///
/// # Errors
/// What the loader says.
pub fn open_python(library: &Path) -> Result<(), Problem> {
    open_global(library, |path, cause| Problem::Python { path, cause })
}

/// Opens libtorch for the engine library, which is opened after it and names it without a folder.
///
/// `libtorch.so` itself is an empty shell that would pull in the CUDA libraries; it stays closed.
///
/// # Errors
/// What the loader says.
pub fn open_torch(lib: &Path, cuda: bool) -> Result<(), Problem> {
    let problem = |path, cause| Problem::Torch { path, cause };
    open_global(&lib.join("libtorch_cpu.so"), problem)?;
    let with_cuda = lib.join("libtorch_cuda.so");
    if cuda && with_cuda.is_file() {
        open_global(&with_cuda, problem)?;
    }
    Ok(())
}

/// Opens a library for good, with its symbols visible to those opened later.
fn open_global(path: &Path, problem: fn(PathBuf, String) -> Problem) -> Result<(), Problem> {
    // SAFETY: see the module's soundness note.
    match unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_GLOBAL) } {
        Ok(library) => {
            std::mem::forget(library);
            Ok(())
        }
        Err(error) => Err(problem(path.to_owned(), one_line(&error))),
    }
}

/// The engine library.
///
/// # Errors
/// Says where it was looked for.
pub fn find_library() -> Result<PathBuf, Problem> {
    installed::find(ENGINE_LIBRARY)
        .map_err(|tried| Problem::NoEngine { name: ENGINE_LIBRARY, tried })
}

/// What the engine calls with every event.
type Callback = unsafe extern "C" fn(user: *mut c_void, data: *const u8, len: usize);
type OnEvent = Box<dyn Fn(Event) + Send + Sync>;

/// The engine's functions.
struct Functions {
    start: unsafe extern "C" fn(*const u8, usize, Callback, *mut c_void) -> *mut c_void,
    send: unsafe extern "C" fn(*const c_void, *const u8, usize) -> c_int,
    interrupt: unsafe extern "C" fn(*const c_void),
    stop: unsafe extern "C" fn(*mut c_void),
}

impl Functions {
    fn open(path: &Path) -> Result<Functions, Problem> {
        let cannot = |cause: String| Problem::Engine { path: path.to_owned(), cause };
        // SAFETY: see the module's soundness note.
        let library = unsafe { Library::open(Some(path), RTLD_LAZY | RTLD_LOCAL) }
            .map_err(|error| cannot(one_line(&error)))?;
        // Never closed: threads of it may outlive us.
        let library: &'static Library = Box::leak(Box::new(library));
        let missing = |error: libloading::Error| cannot(one_line(&error));
        // SAFETY: this function has had this signature in every version.
        let abi = unsafe { library.get::<extern "C" fn() -> u32>(b"flambeau_engine_abi\0") };
        let found = (*abi.map_err(missing)?)();
        if found != ABI {
            let path = path.to_owned();
            return Err(Problem::EngineVersion { path, found, expected: ABI });
        }
        // SAFETY: of the version just checked, these are the signatures.
        unsafe {
            Ok(Functions {
                start: *library.get(b"flambeau_engine_start\0").map_err(missing)?,
                send: *library.get(b"flambeau_engine_send\0").map_err(missing)?,
                interrupt: *library.get(b"flambeau_engine_interrupt\0").map_err(missing)?,
                stop: *library.get(b"flambeau_engine_stop\0").map_err(missing)?,
            })
        }
    }
}

/// Opens the engine library, for processes that are forked from this one.
///
/// # Errors
/// When it cannot be opened or is of another version.
pub fn preload(library: &Path) -> Result<(), Problem> {
    Functions::open(library).map(drop)
}

/// A running engine.
pub struct Engine {
    functions: Functions,
    handle: *mut c_void,
    /// What `handle`'s callback points to; freed after the engine has stopped.
    on_event: *mut OnEvent,
}

// SAFETY: the engine's functions take the handle by shared reference from any thread; the callback is
// `Send + Sync`.
unsafe impl Send for Engine {}
// SAFETY: as above.
unsafe impl Sync for Engine {}

impl Engine {
    /// Opens the library at `path` and starts a session. `on_event` is called on the engine's thread,
    /// one event at a time.
    ///
    /// # Errors
    /// When the library cannot be opened or is of another version.
    pub fn start(
        path: &Path,
        configure: Configure,
        on_event: impl Fn(Event) + Send + Sync + 'static,
    ) -> Result<Engine, Problem> {
        let functions = Functions::open(path)?;
        let config = to_json(&Request::Configure(configure))
            .map_err(|cause| Problem::Engine { path: path.to_owned(), cause })?;
        let on_event: *mut OnEvent = Box::into_raw(Box::new(Box::new(on_event)));
        // SAFETY: the bytes live for the call; `take_event` takes `on_event` from any thread, and it
        // lives until `drop` has stopped the engine.
        let handle = unsafe {
            (functions.start)(config.as_ptr(), config.len(), take_event, on_event.cast())
        };
        let engine = Engine { functions, handle, on_event };
        if handle.is_null() {
            let cause = "it does not take the configuration".to_owned();
            return Err(Problem::Engine { path: path.to_owned(), cause });
        }
        Ok(engine)
    }

    /// Queues a request; false when the session has ended.
    pub fn send(&self, request: &Request) -> bool {
        let Ok(json) = to_json(request) else { return false };
        // SAFETY: the handle lives as long as `self`; the bytes live for the call.
        unsafe { (self.functions.send)(self.handle, json.as_ptr(), json.len()) == 0 }
    }

    /// Stops what runs; the session lives on.
    pub fn interrupt(&self) {
        // SAFETY: the handle lives as long as `self`.
        unsafe { (self.functions.interrupt)(self.handle) }
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        // SAFETY: nothing else holds the handle any more, and `stop` takes null as well. Once it returns
        // the callback is not called again, so what it points to can go.
        unsafe {
            (self.functions.stop)(self.handle);
            drop(Box::from_raw(self.on_event));
        }
    }
}

/// The callback: reads the event and hands it to the closure behind `user`.
unsafe extern "C" fn take_event(user: *mut c_void, data: *const u8, len: usize) {
    // SAFETY: `user` is what `start` passed, alive until the engine has stopped.
    let on_event = unsafe { &*user.cast::<OnEvent>() };
    // SAFETY: the engine promises `len` readable bytes for the duration of the call.
    let bytes = unsafe { std::slice::from_raw_parts(data, len) };
    // A panic must not unwind into the engine; the message has been printed by then.
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        if let Ok(event) = serde_json::from_slice(bytes) {
            on_event(event);
        }
    }));
    if outcome.is_err() {
        std::process::abort();
    }
}

/// Fails for a path that is not UTF-8; all else can be written.
fn to_json(request: &Request) -> Result<Vec<u8>, String> {
    serde_json::to_vec(request).map_err(|error| error.to_string())
}

/// The loader's words on one line.
fn one_line(error: &libloading::Error) -> String {
    let text =
        std::error::Error::source(error).map_or_else(|| error.to_string(), |e| e.to_string());
    text.trim().replace('\n', " ")
}
