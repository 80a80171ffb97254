//! What a tensor is: shape, dtype, place, identity, elements.

use std::ffi::CStr;

use super::calls::Output;
use super::check;
use super::ffi::{self, Value};
use crate::error::Result;
use crate::torch::dtype::{Device, Dtype};

/// The element type; float32 for an undefined tensor.
pub(crate) fn dtype(tensor: &tch::Tensor) -> Dtype {
    // SAFETY: the tensor is live; the shim accepts undefined ones.
    let code = unsafe { ffi::fb_dtype(tensor.as_ptr()) };
    Dtype(if code < 0 { Dtype::FLOAT32.0 } else { code as i8 })
}

/// The number of the layout.
pub(crate) fn layout(tensor: &tch::Tensor) -> i8 {
    // SAFETY: the tensor is live.
    unsafe { ffi::fb_layout(tensor.as_ptr()) as i8 }
}

/// Where the tensor is.
pub(crate) fn device(tensor: &tch::Tensor) -> Device {
    let mut device = Device::CPU;
    // SAFETY: the tensor is live; both outputs are valid.
    unsafe { ffi::fb_device(tensor.as_ptr(), &mut device.kind, &mut device.index) };
    device
}

/// The number of dimensions.
pub(crate) fn dim(tensor: &tch::Tensor) -> usize {
    // SAFETY: the tensor is live.
    unsafe { ffi::fb_dim(tensor.as_ptr()) as usize }
}

/// The shape; empty where a layout has none.
pub(crate) fn sizes(tensor: &tch::Tensor) -> Vec<i64> {
    let mut sizes = vec![0; dim(tensor)];
    // SAFETY: `sizes` has room for `dim` numbers.
    let status = unsafe { ffi::fb_sizes(tensor.as_ptr(), sizes.as_mut_ptr()) };
    if status != 0 {
        sizes.clear();
    }
    sizes
}

/// The strides, in elements.
pub(crate) fn strides(tensor: &tch::Tensor) -> Result<Vec<i64>> {
    let mut strides = vec![0; dim(tensor)];
    // SAFETY: `strides` has room for `dim` numbers.
    check(unsafe { ffi::fb_strides(tensor.as_ptr(), strides.as_mut_ptr()) })?;
    Ok(strides)
}

macro_rules! tensor_facts {
    ($($(#[$doc:meta])* $name:ident => $shim:ident -> $ty:ty;)*) => {$(
        $(#[$doc])*
        pub(crate) fn $name(tensor: &tch::Tensor) -> $ty {
            // SAFETY: the tensor is live and the shim only reads it.
            unsafe { ffi::$shim(tensor.as_ptr()) }
        }
    )*};
}

tensor_facts! {
    /// The address of the TensorImpl: the tensor's identity.
    identity => fb_impl -> i64;
    /// How often the storage was written in place.
    version => fb_version -> i64;
    /// Whether it is a list of tensors of different shapes, without a shape of its own.
    is_nested => fb_is_nested -> bool;
    /// Whether no operator with a graph made it.
    is_leaf => fb_is_leaf -> bool;
    /// Whether `retain_grad` was asked for.
    retains_grad => fb_retains_grad -> bool;
    /// Which output of its node it is.
    output_nr => fb_output_nr -> i64;
}

/// Whether both are the same tensor, not merely equal.
pub(crate) fn same(a: &tch::Tensor, b: &tch::Tensor) -> bool {
    // SAFETY: both are live.
    unsafe { ffi::fb_same(a.as_ptr(), b.as_ptr()) }
}

/// The name of the autograd node that made the tensor, such as `AddBackward0`.
pub fn grad_fn_name(tensor: &tch::Tensor) -> Option<String> {
    // SAFETY: the shim returns null or a malloc'ed C string, which is copied and freed.
    unsafe {
        let name = ffi::fb_grad_fn_name(tensor.as_ptr());
        if name.is_null() {
            return None;
        }
        let text = CStr::from_ptr(name).to_string_lossy().into_owned();
        ffi::fb_free(name.cast());
        Some(text)
    }
}

/// `tensor.data = data`.
pub(crate) fn set_data(tensor: &tch::Tensor, data: &tch::Tensor) -> Result<()> {
    // SAFETY: both are live; libtorch checks that they fit.
    check(unsafe { ffi::fb_set_data(tensor.as_ptr().cast_mut(), data.as_ptr()) })
}

/// `tensor.grad = grad`; `None` clears it.
pub(crate) fn set_grad(tensor: &tch::Tensor, grad: Option<&tch::Tensor>) -> Result<()> {
    let grad = grad.map_or(std::ptr::null(), tch::Tensor::as_ptr);
    // SAFETY: both are live or null.
    check(unsafe { ffi::fb_set_grad(tensor.as_ptr().cast_mut(), grad) })
}

/// The only element.
pub(crate) fn item(tensor: &tch::Tensor) -> Result<Output> {
    let mut value = Value { tag: 0, len: 0, a: 0, b: 0 };
    // SAFETY: on success the shim wrote one value, taken once.
    unsafe {
        check(ffi::fb_item(tensor.as_ptr(), &mut value))?;
        Ok(Output::take(value))
    }
}

/// The address of the first element.
///
/// # Errors
/// Where a layout has no storage.
pub(crate) fn data_address(tensor: &tch::Tensor) -> Result<i64> {
    let mut address = 0;
    // SAFETY: the tensor is live; `address` has room for one number.
    check(unsafe { ffi::fb_data_address(tensor.as_ptr(), &mut address) })?;
    Ok(address)
}

/// A copy of the elements of a tensor, as raw bytes in row-major order (native endian).
pub fn bytes(tensor: &tch::Tensor) -> Result<Vec<u8>> {
    let tensor = tensor.f_detach()?.f_to_device(tch::Device::Cpu)?.f_contiguous()?;
    let elements: i64 = sizes(&tensor).iter().product();
    let len = elements as usize * dtype(&tensor).itemsize();
    let mut data = std::ptr::null();
    // SAFETY: the tensor is contiguous, on the CPU, and lives through the copy of its `len` bytes.
    unsafe {
        check(ffi::fb_data(tensor.as_ptr(), &mut data))?;
        if data.is_null() || len == 0 {
            return Ok(Vec::new());
        }
        Ok(std::slice::from_raw_parts(data.cast::<u8>(), len).to_vec())
    }
}
