//! What libtorch and libtorch_python have to do with one another: Python objects of tensors, and Python's
//! exceptions that travel through C++.

use std::cell::RefCell;
use std::ffi::c_void;
use std::sync::OnceLock;

use super::check;
use super::ffi;
use super::slot::Shared;
use crate::error::{Error, Result};
use crate::torch::shim::Generator;
use crate::torch::tensor::Tensor;

/// The Python object of a tensor: a new reference, by the `THPVariable_Wrap` of libtorch_python. Null
/// where Python has an exception to tell.
///
/// # Safety
/// `wrap` is that function of the libtorch_python that belongs to this libtorch, and the caller holds the
/// GIL.
pub unsafe fn python_object(wrap: *mut c_void, tensor: &Tensor) -> Result<*mut c_void> {
    // SAFETY: promised by the caller; the tensor is live.
    unsafe { wrapped(wrap, tensor.as_ptr().cast()) }
}

/// The Python object of a generator: a new reference, by the `THPGenerator_Wrap` of libtorch_python. Null where
/// Python has an exception to tell.
///
/// # Safety
/// As for [`python_object`].
pub unsafe fn python_generator(wrap: *mut c_void, generator: &Generator) -> Result<*mut c_void> {
    // SAFETY: promised by the caller; the generator is live.
    unsafe { wrapped(wrap, generator.as_ptr()) }
}

/// # Safety
/// `wrap` takes what `value` points to; the caller holds the GIL.
unsafe fn wrapped(wrap: *mut c_void, value: *const c_void) -> Result<*mut c_void> {
    let mut object = std::ptr::null_mut();
    // SAFETY: promised by the caller; `object` is valid.
    check(unsafe { ffi::fb_python_wrap(wrap, value, &mut object) })?;
    Ok(object)
}

/// Another handle to the tensor that a Python object holds.
///
/// # Safety
/// `tensor` points to a live `at::Tensor`.
pub unsafe fn borrowed(tensor: *const c_void) -> Tensor {
    // SAFETY: promised by the caller; the result is another handle, owned by what is made of it.
    Tensor::from(unsafe { Shared::own(ffi::fb_share(tensor.cast())) })
}

/// Another handle to the generator that a Python object holds.
///
/// # Safety
/// `generator` points to a live `at::Generator`.
pub unsafe fn borrowed_generator(generator: *const c_void) -> Generator {
    // SAFETY: promised by the caller.
    unsafe { Generator::share(generator) }
}

/// What libtorch asks of Python about exceptions.
#[derive(Clone, Copy)]
pub struct Exceptions {
    /// Of an exception that comes out of libtorch: its class, value and traceback, borrowed; each may be null.
    pub to_error: fn(*mut c_void, *mut c_void, *mut c_void) -> Error,
    /// Of an error that goes into libtorch: the exception's class and the exception, new references.
    pub from_error: fn(&Error) -> (*mut c_void, *mut c_void),
    /// Gives a reference back.
    pub drop: fn(*mut c_void),
}

static EXCEPTIONS: OnceLock<Exceptions> = OnceLock::new();

thread_local! {
    /// The exception that ended the call of libtorch which is about to report it.
    static PENDING: RefCell<Option<Error>> = const { RefCell::new(None) };
}

/// Has errors and exceptions of Python converted where they pass through libtorch (hooks, functions of autograd).
pub fn on_python_error(exceptions: Exceptions) {
    // Set once, by the one Python of the process.
    let _ = EXCEPTIONS.set(exceptions);
    // SAFETY: the functions live as long as the process.
    unsafe { ffi::fb_on_python_error(take, drop_object) };
}

/// Says what the callback of libtorch that is about to fail on this thread fails with: Python code that began
/// the backward pass sees that.
pub(crate) fn fail_with(error: &Error) {
    if let Some(exceptions) = EXCEPTIONS.get() {
        let (class, value) = (exceptions.from_error)(error);
        // SAFETY: both references are given away.
        unsafe { ffi::fb_fail_with(class, value) };
    }
}

unsafe extern "C" fn drop_object(object: *mut c_void) {
    // A panic must not unwind into C++; the object then lives on.
    let _ = std::panic::catch_unwind(|| {
        if let Some(exceptions) = EXCEPTIONS.get() {
            (exceptions.drop)(object);
        }
    });
}

/// The exception behind a call that has just failed on this thread.
pub(super) fn pending() -> Option<Error> {
    PENDING.take()
}

unsafe extern "C" fn take(kind: *mut c_void, value: *mut c_void, traceback: *mut c_void) {
    // A panic must not unwind into C++; the message of the exception is left.
    let made = std::panic::catch_unwind(|| {
        EXCEPTIONS.get().map(|exceptions| (exceptions.to_error)(kind, value, traceback))
    });
    PENDING.set(made.ok().flatten());
}
