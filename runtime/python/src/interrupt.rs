//! Ctrl-C in Python code.
//!
//! CPython looks between two bytecodes, and in calls that wait, whether a signal has come. Its own handler
//! for SIGINT is not installed, so we tell it: by a signal of our own on the session's thread, where that is
//! Python's main thread, because CPython hears signals on no other. Inside an interpreter that was there
//! before us it is not; there another thread sets an exception for it.

use std::ffi::{c_int, c_long};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicPtr, AtomicUsize, Ordering};
use std::time::Duration;

use flambeau_runtime::script::{is_stopping, on_interrupt};
use pyo3::prelude::*;
use pyo3::types::PyModule;
use pyo3::{PyErr, ffi};

/// How deep the session's thread is inside Python.
static DEPTH: AtomicUsize = AtomicUsize::new(0);
/// Whether CPython was told of a Ctrl-C that it has not raised.
static TOLD: AtomicBool = AtomicBool::new(false);
/// Whether the handler of our signal is still to tell it; it is sent more than once.
static UNTOLD: AtomicBool = AtomicBool::new(false);
/// Whether one may have come that found no Python code to tell.
static MISSED: AtomicBool = AtomicBool::new(false);
static LISTENER: OnceLock<Listener> = OnceLock::new();
/// What wakes the thread that sees to it that the interrupt arrives; null before there is one.
static BELL: AtomicPtr<libc::sem_t> = AtomicPtr::new(std::ptr::null_mut());

/// The thread that is to hear of it.
#[derive(Clone, Copy)]
struct Listener {
    thread: libc::pthread_t,
    /// Its number in Python, where it is not the main thread.
    ident: Option<c_long>,
}

/// Ends a system call that waits, and tells CPython.
const WAKE: c_int = libc::SIGURG;

/// While one lives, Python code may run on this thread.
pub(crate) struct Inside(bool);

impl Inside {
    pub(crate) fn enter() -> Inside {
        // SAFETY: asks for the calling thread's own number.
        let this = unsafe { libc::pthread_self() };
        let listener = LISTENER.get().filter(|listener| listener.thread == this);
        if let Some(listener) = listener
            && DEPTH.fetch_add(1, Ordering::SeqCst) == 0
            && (TOLD.load(Ordering::SeqCst) || MISSED.load(Ordering::SeqCst))
        {
            begin(listener);
        }
        Inside(listener.is_some())
    }
}

/// What is left of interrupts that came when no Python code ran.
fn begin(listener: &Listener) {
    if TOLD.swap(false, Ordering::SeqCst) {
        // It came when the last call had ended, and has stopped the script since.
        Python::attach(|py| match listener.ident {
            None => drop(py.check_signals()),
            Some(ident) => set_exception(ident, std::ptr::null_mut()),
        });
    }
    // It came between the script's last look and this call, or while Python started: it is still to be followed.
    if MISSED.swap(false, Ordering::SeqCst) && is_stopping() {
        tell();
    }
}

impl Drop for Inside {
    fn drop(&mut self) {
        if self.0 {
            DEPTH.fetch_sub(1, Ordering::SeqCst);
        }
    }
}

/// An interrupt has arrived as an exception.
pub(crate) fn raised() {
    TOLD.store(false, Ordering::SeqCst);
}

/// Has this thread, Python's main one, raise KeyboardInterrupt; the program's own handler of Ctrl-C stays.
pub(crate) fn listen(module: &Bound<'_, PyModule>) -> PyResult<()> {
    extern "C" fn told(_: c_int) {
        if DEPTH.load(Ordering::SeqCst) > 0 && UNTOLD.swap(false, Ordering::SeqCst) {
            // SAFETY: made to be called by signal handlers; it only sets flags.
            unsafe { ffi::PyErr_SetInterrupt() };
        }
    }
    // SAFETY: a `sigaction` may be all zeros; the handler of Ctrl-C is read and put back as it was. That of
    // `WAKE` does only what may be done in one.
    unsafe {
        let mut ours: libc::sigaction = std::mem::zeroed();
        libc::sigaction(libc::SIGINT, std::ptr::null(), &mut ours);
        let outcome: Result<_, PyErr> = module.call_method0("listen");
        libc::sigaction(libc::SIGINT, &ours, std::ptr::null_mut());
        outcome?;
        let mut wake: libc::sigaction = std::mem::zeroed();
        wake.sa_sigaction = told as extern "C" fn(c_int) as usize;
        libc::sigaction(WAKE, &wake, std::ptr::null_mut());
    }
    watch(None, wake_again)
}

/// As [`listen`], for a thread that is not Python's main one.
pub(crate) fn listen_elsewhere(module: &Bound<'_, PyModule>) -> PyResult<()> {
    let ident: c_long = module.call_method0("listen_elsewhere")?.extract()?;
    watch(Some(ident), |listener| {
        Python::attach(|py| {
            if DEPTH.load(Ordering::SeqCst) > 0
                && let Some(ident) = listener.ident
            {
                let class = py.get_type::<pyo3::exceptions::PyKeyboardInterrupt>();
                set_exception(ident, class.as_ptr());
            }
        });
    })
}

/// Makes this thread the one that hears of Ctrl-C; another answers each by `act`.
fn watch(ident: Option<c_long>, act: fn(Listener)) -> PyResult<()> {
    // SAFETY: asks for the calling thread's own number.
    let listener = Listener { thread: unsafe { libc::pthread_self() }, ident };
    // SAFETY: a semaphore may be all zeros until it is initialised; it is never freed.
    let bell = unsafe {
        let bell = Box::into_raw(Box::new(std::mem::zeroed::<libc::sem_t>()));
        libc::sem_init(bell, 0, 0);
        bell
    };
    let _ = LISTENER.set(listener);
    BELL.store(bell, Ordering::SeqCst);
    std::thread::Builder::new().name("flambeau python".to_owned()).spawn(move || {
        loop {
            // SAFETY: the semaphore lives for ever.
            let woken = unsafe { libc::sem_wait(BELL.load(Ordering::SeqCst)) } == 0;
            if woken {
                act(listener);
            }
        }
    })?;
    on_interrupt(tell);
    MISSED.store(true, Ordering::SeqCst);
    Ok(())
}

/// A signal that comes when CPython has looked for one and has not yet begun to wait does not end that wait, so
/// it is sent again until the exception has arrived, or has been caught for long enough.
fn wake_again(listener: Listener) {
    let mut pause = Duration::from_millis(10);
    while pause < Duration::from_secs(1) {
        std::thread::sleep(pause);
        if DEPTH.load(Ordering::SeqCst) == 0 || !TOLD.load(Ordering::SeqCst) {
            return;
        }
        // SAFETY: the thread is the session's, which Python's code keeps busy.
        unsafe { libc::pthread_kill(listener.thread, WAKE) };
        pause *= 2;
    }
}

/// Sets the exception that a thread raises next, or takes it back. The GIL is held.
fn set_exception(ident: c_long, class: *mut ffi::PyObject) {
    // SAFETY: the class is null or a live exception class; a thread that is gone is not found.
    unsafe { ffi::PyThreadState_SetAsyncExc(ident, class) };
}

/// Stops Python code that runs on the listening thread; async-signal-safe.
fn tell() {
    if DEPTH.load(Ordering::SeqCst) == 0 {
        MISSED.store(true, Ordering::SeqCst);
        // Had it begun in between, it has not seen that.
        if DEPTH.load(Ordering::SeqCst) == 0 {
            return;
        }
    }
    TOLD.store(true, Ordering::SeqCst);
    UNTOLD.store(true, Ordering::SeqCst);
    if let Some(listener) = LISTENER.get()
        && listener.ident.is_none()
    {
        // SAFETY: the thread is the session's, which Python's code keeps busy.
        unsafe { libc::pthread_kill(listener.thread, WAKE) };
    }
    let bell = BELL.load(Ordering::SeqCst);
    if !bell.is_null() {
        // SAFETY: the semaphore lives for ever.
        unsafe { libc::sem_post(bell) };
    }
}
