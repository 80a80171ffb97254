//! Random generators.

use std::ffi::c_void;

use super::ffi;
use super::{check, own};
use crate::error::Result;
use crate::torch::dtype::Device;

/// `torch.Generator`: a clone is the same generator.
#[derive(Debug)]
pub struct Generator(*mut c_void);

impl Clone for Generator {
    fn clone(&self) -> Self {
        // SAFETY: its own is live.
        unsafe { Generator::share(self.0) }
    }
}

impl Drop for Generator {
    fn drop(&mut self) {
        // SAFETY: each handle is freed once.
        unsafe { ffi::fb_generator_free(self.0) }
    }
}

impl Generator {
    /// A new handle to the generator of another.
    ///
    /// # Safety
    /// `generator` points to a live `at::Generator`.
    pub(super) unsafe fn share(generator: *const c_void) -> Generator {
        // SAFETY: promised by the caller.
        Generator(unsafe { ffi::fb_generator_clone(generator) })
    }

    /// A new generator on `device`.
    pub fn new(device: Device) -> Result<Self> {
        let mut out = std::ptr::null_mut();
        // SAFETY: on success `out` is a new handle.
        check(unsafe { ffi::fb_generator(device.kind, device.index, &mut out) })?;
        Ok(Generator(out))
    }

    /// The default generator of `device`.
    pub fn default_of(device: Device) -> Result<Self> {
        let mut out = std::ptr::null_mut();
        // SAFETY: on success `out` is a new handle.
        check(unsafe { ffi::fb_default_generator(device.kind, device.index, &mut out) })?;
        Ok(Generator(out))
    }

    /// Starts it from `seed`.
    pub fn manual_seed(&self, seed: u64) -> Result<()> {
        // SAFETY: the handle is live; the shim locks it.
        check(unsafe { ffi::fb_generator_seed(self.0, seed) })
    }

    /// The seed that it was started from.
    pub fn initial_seed(&self) -> u64 {
        // SAFETY: the handle is live.
        unsafe { ffi::fb_generator_initial_seed(self.0) }
    }

    /// Its state as a byte tensor.
    pub fn state(&self) -> Result<tch::Tensor> {
        let mut out = std::ptr::null_mut();
        // SAFETY: on success `out` is a new tensor.
        unsafe {
            check(ffi::fb_generator_state(self.0, &mut out))?;
            Ok(own(out))
        }
    }

    /// Restores a state that [`Generator::state`] gave.
    pub fn set_state(&self, state: &tch::Tensor) -> Result<()> {
        // SAFETY: both are live; libtorch checks the state's size.
        check(unsafe { ffi::fb_generator_set_state(self.0, state.as_ptr()) })
    }

    /// Where it is.
    pub fn device(&self) -> Device {
        let mut device = Device::CPU;
        // SAFETY: the handle is live; both outputs are valid.
        unsafe { ffi::fb_generator_device(self.0, &mut device.kind, &mut device.index) };
        device
    }

    /// The raw `at::Generator*`, borrowed.
    pub(crate) fn as_ptr(&self) -> *const c_void {
        self.0
    }
}
