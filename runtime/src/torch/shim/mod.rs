//! The only door to the C++ shim: declarations and safe faces for them.
//!
//! Soundness: tensors cross as `*mut C_tensor`, which is `at::Tensor*` on the other side. Going in they
//! are borrowed from a live [`tch::Tensor`]; coming out they are new and tch, or a [`Shared`], takes them over at
//! once, so each is freed exactly once. Lists and strings that come out are copied and freed at once. The shim
//! catches every C++ exception and a callback catches every panic, so neither crosses the border.
//! Limits: an operator that reads out of bounds in C++ is beyond what can be checked here.

mod calls;
mod ffi;
mod generator;
mod graph;
mod process;
mod profile;
mod python;
mod slot;
mod tensors;

use torch_sys::C_tensor;

use crate::error::Result;

pub(crate) use calls::{Handle, Output, binary, binary_scalar, call, operators, schema};
pub(crate) use ffi::{Value, tag};
pub use generator::Generator;
pub(crate) use graph::{
    Backward, GradOptions, InferenceGuard, anomaly_enabled, attach, backward, grad, register_hook,
    remove_hook, set_anomaly,
};
pub use graph::{grad_enabled, inference_enabled, set_grad_enabled};
pub use process::set_threads;
pub use process::{
    cuda_built, cuda_empty_cache, cuda_memory, cuda_reset_peak, default_dtype, limit_memory,
    manual_seed, memory, package_folder,
};
pub(crate) use process::{set_default_dtype, use_small_blocks};
pub use profile::{OperatorTime, profile};
pub(crate) use profile::{fix_storage, storage};
pub(crate) use python::fail_with;
pub use python::{
    Exceptions, borrowed, borrowed_generator, on_python_error, python_generator, python_object,
};
pub(crate) use slot::{Mark, Shared};
pub use tensors::{bytes, grad_fn_name};
pub(crate) use tensors::{
    data_address, device, dim, dtype, identity, is_leaf, is_nested, item, layout, numel, output_nr,
    retains_grad, same, set_data, set_grad, sizes, strides, version,
};

/// `FB_PYTHON_ERROR`.
const PYTHON_ERROR: i32 = 10;

/// Turns a status of the shim into an error with libtorch's message.
fn check(status: i32) -> Result<()> {
    if status == 0 {
        return Ok(());
    }
    if status == PYTHON_ERROR
        && let Some(error) = python::pending()
    {
        return Err(error);
    }
    let mut len = 0;
    // SAFETY: the shim returns its thread-local message, valid until its next call on this thread.
    let bytes = unsafe {
        let text = ffi::fb_message(&mut len);
        std::slice::from_raw_parts(text.cast::<u8>(), len)
    };
    Err(super::message::error(status, &String::from_utf8_lossy(bytes)))
}

/// Takes over a tensor that the shim made.
///
/// # Safety
/// `pointer` is a new `at::Tensor*` that nothing else frees.
unsafe fn own(pointer: *mut C_tensor) -> tch::Tensor {
    // SAFETY: the caller hands the only ownership over.
    unsafe { tch::Tensor::from_ptr(pointer) }
}
