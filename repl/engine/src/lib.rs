//! The library that the program opens at run time: runtime and stdlib behind a handful of C functions
//! that carry serialised messages ([`flambeau_protocol`]).
//!
//! # Soundness
//!
//! What crosses the boundary is numbers, pointers to bytes and one opaque handle, so program and
//! library may be built by different compilers. The promises that the caller makes are at each
//! function; in short: bytes are readable for the length given, a handle comes from
//! [`flambeau_engine_start`] and is not used after [`flambeau_engine_stop`], and the callback may be
//! called from any thread until then. In return no panic leaves the library: every function catches
//! them, and a panic of a script's evaluation becomes an error report. The price is that messages
//! are written and read as text; an event costs about a microsecond.
//!
//! libtorch must have been opened before, with its symbols global: the library names `libtorch_cpu`
//! and `libc10` as needed, but says not where they are.

mod beside;
mod convert;
mod debugger;
mod faults;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
mod glibc;
mod handle;
mod panics;
mod questions;
mod session;

use std::ffi::{c_int, c_void};

use flambeau_protocol::{ABI, Event, Request};

use handle::{Callback, Handle, Sink};
use panics::guard;

#[global_allocator]
static ALLOCATOR: flambeau_runtime::memory::Counting = flambeau_runtime::memory::Counting;

/// The message was taken.
const SENT: c_int = 0;
/// The bytes are no message of this version.
const NOT_UNDERSTOOD: c_int = 1;
/// The session has ended.
const ENDED: c_int = 2;

/// The library as an extension module of Python: `import flambeau` opens it. Returns a new reference, or null
/// with an exception set.
#[unsafe(no_mangle)]
pub extern "C" fn PyInit__engine() -> *mut c_void {
    guard(std::ptr::null_mut(), || flambeau_python::module(flambeau_stdlib::libraries))
}

/// The version of these functions and of the messages; the caller compares it with its own.
#[unsafe(no_mangle)]
pub extern "C" fn flambeau_engine_abi() -> u32 {
    ABI
}

/// Starts a session on a thread of its own. `config` is a [`Request::Configure`] as JSON; `callback` is
/// called with every [`Event`] as JSON, one at a time. Returns null where `config` is not understood
/// or no thread can be had, after an [`Event::Failed`].
///
/// # Safety
/// `config` points to `len` readable bytes. `callback` may be called with `user` from any thread until
/// [`flambeau_engine_stop`] returns.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flambeau_engine_start(
    config: *const u8,
    len: usize,
    callback: Callback,
    user: *mut c_void,
) -> *mut Handle {
    guard(std::ptr::null_mut(), || {
        // SAFETY: the caller promises that `callback` takes `user` from any thread while the handle lives.
        let sink = unsafe { Sink::new(callback, user) };
        // SAFETY: the caller promises `len` readable bytes.
        let config = unsafe { bytes(config, len) };
        let configure = match serde_json::from_slice(config) {
            Ok(Request::Configure(configure)) => configure,
            Ok(_) => return fail(sink, "the first message must be 'configure'"),
            Err(error) => return fail(sink, &format!("'configure' is not understood: {error}")),
        };
        match Handle::start(configure, sink) {
            Ok(handle) => Box::into_raw(Box::new(handle)),
            Err(error) => fail(sink, &format!("no thread for the session: {error}")),
        }
    })
}

fn fail(sink: Sink, message: &str) -> *mut Handle {
    sink.emit(&Event::Failed(message.to_owned()));
    std::ptr::null_mut()
}

/// Queues a [`Request`] given as JSON. Returns 0, or 1 where it is not understood, or 2 where the session
/// has ended.
///
/// # Safety
/// `handle` comes from [`flambeau_engine_start`] and was not stopped; `data` points to `len` readable
/// bytes.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flambeau_engine_send(
    handle: *const Handle,
    data: *const u8,
    len: usize,
) -> c_int {
    guard(ENDED, || {
        // SAFETY: the caller promises a living handle; it is only ever used by shared reference.
        let Some(handle) = (unsafe { handle.as_ref() }) else { return ENDED };
        // SAFETY: the caller promises `len` readable bytes.
        let Ok(request) = serde_json::from_slice::<Request>(unsafe { bytes(data, len) }) else {
            return NOT_UNDERSTOOD;
        };
        if handle.send(request) { SENT } else { ENDED }
    })
}

/// Stops what runs and what waits, as Ctrl-C does; the session lives on. Does nothing where nothing runs.
/// Async-signal-safe: it reads and writes atomics and nothing else.
///
/// # Safety
/// `handle` comes from [`flambeau_engine_start`] and was not stopped.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flambeau_engine_interrupt(handle: *const Handle) {
    // SAFETY: the caller promises a living handle; it is only ever used by shared reference.
    if let Some(handle) = unsafe { handle.as_ref() } {
        handle.interrupt();
    }
}

/// Interrupts what runs, ends the session and waits until it has ended; the handle is gone afterwards.
///
/// # Safety
/// `handle` comes from [`flambeau_engine_start`], was not stopped, and no other thread uses it any more.
/// Not to be called from within the callback.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn flambeau_engine_stop(handle: *mut Handle) {
    guard((), || {
        if !handle.is_null() {
            // SAFETY: the pointer comes from `Box::into_raw` in `flambeau_engine_start` and is used for
            // the last time.
            unsafe { Box::from_raw(handle) }.stop();
        }
    });
}

/// The caller's bytes; none for a null pointer.
///
/// # Safety
/// `data` is null or points to `len` bytes that stay readable and unchanged while the result is used.
unsafe fn bytes<'a>(data: *const u8, len: usize) -> &'a [u8] {
    if data.is_null() {
        return &[];
    }
    // SAFETY: this function's own contract.
    unsafe { std::slice::from_raw_parts(data, len) }
}
