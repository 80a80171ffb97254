//! Switches and counters of the whole process: defaults, seeds, CUDA, memory.

use std::ffi::CStr;
use std::path::{Path, PathBuf};

use super::check;
use super::ffi;
use crate::error::Result;
use crate::torch::dtype::Dtype;

/// The dtype of new float tensors.
pub fn default_dtype() -> Dtype {
    // SAFETY: reads a flag.
    Dtype(unsafe { ffi::fb_default_dtype() } as i8)
}

/// Sets the dtype of new float tensors.
pub(crate) fn set_default_dtype(dtype: Dtype) -> Result<()> {
    // SAFETY: libtorch checks the number.
    check(unsafe { ffi::fb_set_default_dtype(i32::from(dtype.0)) })
}

/// The folder of the torch package whose libtorch is loaded.
pub fn package_folder() -> Option<PathBuf> {
    // SAFETY: the text lives as long as the process.
    let path = unsafe { CStr::from_ptr(ffi::fb_library()) };
    let library = Path::new(path.to_str().ok()?);
    // …/torch/lib/libtorch_cpu.so
    library.canonicalize().ok()?.parent()?.parent().map(Path::to_owned)
}

/// Seeds the default generators of all devices.
pub fn manual_seed(seed: u64) -> Result<()> {
    // SAFETY: libtorch locks its generators.
    check(unsafe { ffi::fb_manual_seed(seed) })
}

/// How many threads an operator may use, or how many operators may run at once; 0 leaves a number as
/// it is.
///
/// # Errors
/// The second number can be set only before any work.
pub fn set_threads(within: i32, between: i32) -> Result<()> {
    // SAFETY: no pointers.
    check(unsafe { ffi::fb_set_threads(within, between) })
}

/// Whether libtorch_cuda is loaded.
pub fn cuda_built() -> bool {
    // SAFETY: reads a flag.
    unsafe { ffi::fb_cuda_built() }
}

/// Bytes on a CUDA device: allocated, its peak, reserved, its peak.
pub fn cuda_memory(index: i8) -> Result<[i64; 4]> {
    let mut out = [0; 4];
    // SAFETY: `out` has room for four numbers.
    check(unsafe { ffi::fb_cuda_memory(index, out.as_mut_ptr()) })?;
    Ok(out)
}

/// Gives cached CUDA memory back.
pub fn cuda_empty_cache() -> Result<()> {
    // SAFETY: no arguments.
    check(unsafe { ffi::fb_cuda_empty_cache() })
}

/// Starts the peaks of a CUDA device anew.
pub fn cuda_reset_peak(index: i8) -> Result<()> {
    // SAFETY: libtorch checks the index.
    check(unsafe { ffi::fb_cuda_reset_peak(index) })
}

/// Serves small CPU tensors from mimalloc from now on.
pub(crate) fn use_small_blocks() {
    // SAFETY: installs an allocator that lives as long as the process; done once.
    unsafe { ffi::fb_small_blocks() }
}

/// From now on counts the bytes of CPU tensors and refuses beyond `limit`, where one is given.
pub fn limit_memory(limit: Option<u64>) {
    let bytes = limit.map_or(-1, |limit| i64::try_from(limit).unwrap_or(i64::MAX));
    // SAFETY: installs an allocator that lives as long as the process.
    unsafe { ffi::fb_memory_limit(bytes) }
}

/// Bytes that CPU tensors hold, and the most they held, since [`limit_memory`].
pub fn memory() -> (i64, i64) {
    // SAFETY: reads two counters.
    unsafe { (ffi::fb_memory_used(), ffi::fb_memory_peak()) }
}
