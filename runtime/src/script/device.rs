//! The device of new tensors, and devices that a machine does not have.

use std::sync::atomic::{AtomicU16, Ordering};

use crate::error::{Error, Kind, Result};
use crate::torch::Device;

/// The default device of the whole process: its kind and its index, plus one; 0 where none was set.
static DEFAULT: AtomicU16 = AtomicU16::new(0);

/// Where tensors are made that are made nowhere else; `None` until it is set.
pub fn default_device() -> Option<Device> {
    let packed = DEFAULT.load(Ordering::Relaxed).checked_sub(1)?;
    let [kind, index] = packed.to_le_bytes();
    Some(Device { kind: kind as i8, index: index as i8 })
}

/// Sets where tensors are made; the CPU is what it is without.
///
/// # Errors
/// A `DeviceError` for a device that this machine does not have.
pub(crate) fn set_default_device(device: Device) -> Result<()> {
    check_device(device)?;
    if device.kind == 1 {
        let count = i8::try_from(tch::Cuda::device_count()).unwrap_or(i8::MAX);
        if device.index >= count.max(1) || count <= 0 {
            return Err(Error::new(
                Kind::Device,
                format!("there is no device {device}: this machine has {count} CUDA devices"),
            )
            .help("use device \"cpu\", or test torch.cuda.device_count() first"));
        }
    }
    let plain = device.kind == Device::CPU.kind;
    let packed = u16::from_le_bytes([device.kind as u8, device.index as u8]);
    DEFAULT.store(if plain { 0 } else { packed.wrapping_add(1) }, Ordering::Relaxed);
    Ok(())
}

/// An error in one line for a device that this machine does not have.
///
/// # Errors
/// A `DeviceError`.
pub(crate) fn check_device(device: Device) -> Result<()> {
    if device.kind == 1 && !crate::torch::cuda_built() {
        return Err(Error::new(
            Kind::Device,
            "no CUDA device: there is no NVIDIA driver on this machine",
        )
        .help("use device \"cpu\", or test torch.cuda.is_available() first"));
    }
    Ok(())
}
