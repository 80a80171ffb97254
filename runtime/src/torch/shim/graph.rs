//! Autograd: backward, gradients, hooks, nodes of our own, modes.

use std::ffi::{CString, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use torch_sys::C_tensor;

use super::ffi;
use super::{check, own};
use crate::error::Result;

fn pointers(tensors: &[&tch::Tensor]) -> Vec<*mut C_tensor> {
    tensors.iter().map(|tensor| tensor.as_ptr().cast_mut()).collect()
}

fn opt_pointers(tensors: &[Option<&tch::Tensor>]) -> Vec<*mut C_tensor> {
    tensors
        .iter()
        .map(|tensor| tensor.map_or(std::ptr::null_mut(), |t| t.as_ptr().cast_mut()))
        .collect()
}

/// `torch.autograd.backward`: `grads` has one entry per root.
pub(crate) fn backward(
    roots: &[&tch::Tensor],
    grads: &[Option<&tch::Tensor>],
    retain: bool,
    create: bool,
    inputs: &[&tch::Tensor],
) -> Result<()> {
    let (r, g, i) = (pointers(roots), opt_pointers(grads), pointers(inputs));
    // SAFETY: all pointers are of live tensors; `grads` is as long as `roots`.
    check(unsafe {
        ffi::fb_backward(
            r.as_ptr(),
            r.len() as u32,
            g.as_ptr(),
            retain,
            create,
            i.as_ptr(),
            i.len() as u32,
        )
    })
}

/// What `torch.autograd.grad` is asked.
#[derive(Clone, Copy)]
pub(crate) struct GradOptions {
    pub retain: bool,
    pub create: bool,
    pub allow_unused: bool,
}

/// `torch.autograd.grad`: one gradient per input, `None` for unused ones.
pub(crate) fn grad(
    roots: &[&tch::Tensor],
    grads: &[Option<&tch::Tensor>],
    inputs: &[&tch::Tensor],
    options: GradOptions,
) -> Result<Vec<Option<tch::Tensor>>> {
    let (r, g, i) = (pointers(roots), opt_pointers(grads), pointers(inputs));
    let mut out = vec![std::ptr::null_mut(); i.len()];
    // SAFETY: all pointers are of live tensors; `out` has room for one per input, each owned once.
    unsafe {
        check(ffi::fb_grad(
            r.as_ptr(),
            r.len() as u32,
            g.as_ptr(),
            i.as_ptr(),
            i.len() as u32,
            options.retain,
            options.create,
            options.allow_unused,
            out.as_mut_ptr(),
        ))?;
        Ok(out.into_iter().map(|t| (!t.is_null()).then(|| own(t))).collect())
    }
}

/// A backward function: gradients of the outputs in, gradients of the inputs out. libtorch calls and drops it on
/// whatever thread it likes.
pub(crate) type Backward =
    Box<dyn Fn(Vec<Option<tch::Tensor>>) -> Result<Vec<Option<tch::Tensor>>> + Send + Sync>;

unsafe extern "C" fn run_backward(
    data: *mut c_void,
    grads: *const *mut C_tensor,
    n: u32,
    out: *mut *mut C_tensor,
    m: u32,
) -> i32 {
    let outcome = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `data` is the boxed closure that `attach` or `register_hook` gave, alive until its
        // drop callback; `grads` holds `n` borrowed tensors or nulls.
        let (backward, grads) =
            unsafe { (&*data.cast::<Backward>(), std::slice::from_raw_parts(grads, n as usize)) };
        let grads = grads
            .iter()
            .map(|&g| {
                // SAFETY: a borrowed live tensor; the clone is another handle to it.
                (!g.is_null()).then(|| unsafe { tch::Tensor::clone_from_ptr(g) })
            })
            .collect();
        backward(grads)
    }));
    match outcome {
        Ok(Ok(results)) => {
            for (i, result) in results.into_iter().take(m as usize).enumerate() {
                if let Some(tensor) = result {
                    // SAFETY: `out` has room for `m` pointers; ownership goes to the shim.
                    unsafe { *out.add(i) = leak(tensor) };
                }
            }
            0
        }
        // The function keeps its error for those who ask.
        Ok(Err(_)) | Err(_) => 1,
    }
}

/// Gives a tensor's pointer away.
fn leak(tensor: tch::Tensor) -> *mut C_tensor {
    let mut tensor = std::mem::ManuallyDrop::new(tensor);
    tensor.as_mut_ptr()
}

unsafe extern "C" fn drop_backward(data: *mut c_void) {
    let _ = catch_unwind(AssertUnwindSafe(|| {
        // SAFETY: `data` came from `Box::into_raw` and C++ drops it once.
        drop(unsafe { Box::from_raw(data.cast::<Backward>()) });
    }));
}

/// Gives `outputs`, computed without a graph, one autograd node called `label` whose backward is
/// `backward`.
pub(crate) fn attach(
    label: &str,
    inputs: &[&tch::Tensor],
    outputs: &[&tch::Tensor],
    backward: Backward,
) -> Result<()> {
    let label = CString::new(label).unwrap_or_default();
    let (i, o) = (pointers(inputs), pointers(outputs));
    let data = Box::into_raw(Box::new(backward)).cast::<c_void>();
    // SAFETY: all pointers are live; the shim calls `drop_backward` exactly once, also on failure.
    check(unsafe {
        ffi::fb_attach_node(
            label.as_ptr(),
            i.as_ptr(),
            i.len() as u32,
            o.as_ptr(),
            o.len() as u32,
            run_backward,
            drop_backward,
            data,
        )
    })
}

/// Registers a hook on a tensor's gradient; returns its number.
pub(crate) fn register_hook(tensor: &tch::Tensor, hook: Backward) -> Result<u32> {
    let data = Box::into_raw(Box::new(hook)).cast::<c_void>();
    let mut id = 0;
    // SAFETY: as for `attach`.
    check(unsafe {
        ffi::fb_register_hook(tensor.as_ptr(), run_backward, drop_backward, data, &mut id)
    })?;
    Ok(id)
}

/// Removes a hook.
pub(crate) fn remove_hook(tensor: &tch::Tensor, id: u32) -> Result<()> {
    // SAFETY: the tensor is live.
    check(unsafe { ffi::fb_remove_hook(tensor.as_ptr(), id) })
}

/// Whether operations record a graph on this thread.
pub fn grad_enabled() -> bool {
    // SAFETY: reads a thread-local.
    unsafe { ffi::fb_grad_enabled() }
}

/// Turns the recording of a graph on or off on this thread.
pub fn set_grad_enabled(on: bool) {
    // SAFETY: sets a thread-local.
    unsafe { ffi::fb_set_grad_enabled(on) }
}

/// Whether inference mode is on.
pub fn inference_enabled() -> bool {
    // SAFETY: reads a thread-local.
    unsafe { ffi::fb_inference_enabled() }
}

/// Inference mode until dropped. Guards must be dropped in the reverse order of their making.
pub(crate) struct InferenceGuard(*mut c_void);

impl InferenceGuard {
    /// Enters (or, with `false`, leaves) inference mode.
    pub(crate) fn new(on: bool) -> Self {
        // SAFETY: makes a guard that `drop` frees.
        InferenceGuard(unsafe { ffi::fb_inference_enter(on) })
    }
}

impl Drop for InferenceGuard {
    fn drop(&mut self) {
        // SAFETY: made by `new`, freed once.
        unsafe { ffi::fb_inference_leave(self.0) }
    }
}

/// Whether anomaly mode is on.
pub(crate) fn anomaly_enabled() -> bool {
    // SAFETY: reads a flag.
    unsafe { ffi::fb_anomaly_enabled() }
}

/// Turns anomaly mode on or off.
pub(crate) fn set_anomaly(on: bool) {
    // SAFETY: sets a flag.
    unsafe { ffi::fb_set_anomaly(on) }
}
