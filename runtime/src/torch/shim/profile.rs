//! torch's own profiler, and what a tensor's storage takes.

use std::ffi::{c_char, c_void};
use std::time::Duration;

use super::{check, ffi};
use crate::error::Result;

/// What the calls of one operator took.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OperatorTime {
    /// Such as `aten::mm`.
    pub name: String,
    /// Of its tensors, such as `[2, 3], [3, 4]`; empty where they were not asked for.
    pub shapes: String,
    /// How often it was called.
    pub calls: u64,
    /// Without the operators that it called.
    pub own: Duration,
    /// With them.
    pub total: Duration,
    /// On another device than the CPU.
    pub device: Duration,
}

/// Records the operators that `run` calls on this thread, and on others for it.
///
/// # Errors
/// What the profiler says, such as that another one is at work.
pub fn profile<R>(shapes: bool, run: impl FnOnce() -> R) -> Result<(R, Vec<OperatorTime>)> {
    /// Ends the recording, also after a panic.
    struct Recording;
    impl Recording {
        fn stop(self) -> Result<Vec<OperatorTime>> {
            std::mem::forget(self);
            stop()
        }
    }
    impl Drop for Recording {
        fn drop(&mut self) {
            // Nobody reads it any more.
            drop(stop());
        }
    }
    // SAFETY: no pointers.
    check(unsafe { ffi::fb_profile_start(shapes) })?;
    let recording = Recording;
    let outcome = run();
    Ok((outcome, recording.stop()?))
}

fn stop() -> Result<Vec<OperatorTime>> {
    unsafe extern "C" fn row(
        user: *mut c_void,
        name: *const c_char,
        name_len: usize,
        shapes: *const c_char,
        shapes_len: usize,
        numbers: *const i64,
    ) {
        // SAFETY: `user` is the vector below, which nobody else uses during the call; the texts have these lengths
        // and there are four numbers.
        let (rows, name, shapes, numbers) = unsafe {
            (
                &mut *user.cast::<Vec<OperatorTime>>(),
                std::slice::from_raw_parts(name.cast::<u8>(), name_len),
                std::slice::from_raw_parts(shapes.cast::<u8>(), shapes_len),
                std::slice::from_raw_parts(numbers, 4),
            )
        };
        let nanos = |i: usize| Duration::from_nanos(u64::try_from(numbers[i]).unwrap_or(0));
        rows.push(OperatorTime {
            name: String::from_utf8_lossy(name).into_owned(),
            shapes: String::from_utf8_lossy(shapes).into_owned(),
            calls: u64::try_from(numbers[0]).unwrap_or(0),
            own: nanos(1),
            total: nanos(2),
            device: nanos(3),
        });
    }
    let mut rows: Vec<OperatorTime> = Vec::new();
    // SAFETY: `row` takes the vector, which lives through the call.
    check(unsafe { ffi::fb_profile_stop((&raw mut rows).cast(), row) })?;
    Ok(rows)
}

/// Where the elements of a tensor are kept and how many bytes that takes; `None` where its layout has no such place.
pub(crate) fn storage(tensor: &tch::Tensor) -> Option<(i64, u64)> {
    let mut out = [0_i64; 2];
    // SAFETY: the tensor lives through the call, and `out` has room for two numbers.
    let found = unsafe { ffi::fb_storage(tensor.as_ptr(), out.as_mut_ptr()) };
    found.then(|| (out[0], u64::try_from(out[1]).unwrap_or(0)))
}

/// Has the place where a tensor's elements are kept keep its size.
pub(crate) fn fix_storage(tensor: &tch::Tensor) {
    // SAFETY: the tensor lives through the call.
    unsafe { ffi::fb_fix_storage(tensor.as_ptr()) }
}
