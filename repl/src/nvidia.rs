//! Whether there is an NVIDIA driver to speak of. Only then are torch's CUDA libraries opened: they cost
//! a tenth of a second and some hundred megabytes of address space.

use std::path::Path;

use crate::engine;

/// What is known of the driver.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Driver {
    /// There is none.
    Absent,
    /// There is one, but `$CUDA_VISIBLE_DEVICES` hides every device.
    Hidden,
    /// There is one; its version where the kernel says it.
    Present(Option<String>),
}

/// Looks for the driver.
pub fn driver() -> Driver {
    const VERSION: &str = "/proc/driver/nvidia/version";
    // The kernel's side: a module's file, a control device, or that of WSL.
    if ![VERSION, "/dev/nvidiactl", "/dev/dxg"].iter().any(|path| Path::new(path).exists()) {
        return Driver::Absent;
    }
    let visible = std::env::var("CUDA_VISIBLE_DEVICES");
    if visible.is_ok_and(|devices| devices.trim().is_empty() || devices.trim() == "-1") {
        return Driver::Hidden;
    }
    // The user's side. A container may show the one without the other.
    if !engine::can_open("libcuda.so.1") {
        return Driver::Absent;
    }
    let text = std::fs::read_to_string(VERSION).unwrap_or_default();
    Driver::Present(version_in(&text))
}

/// The version in the kernel module's own line.
fn version_in(text: &str) -> Option<String> {
    text.lines().next()?.split_whitespace().find(|word| is_version(word)).map(str::to_owned)
}

fn is_version(word: &str) -> bool {
    word.contains('.') && word.split('.').all(|part| part.parse::<u32>().is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_version_is_read_from_the_modules_line() {
        let text = "NVRM version: NVIDIA UNIX Open Kernel Module for x86_64  580.159.04  Release \
                    Build  (dvs-builder)\nGCC version:  gcc version 13.3.0";
        assert_eq!(version_in(text).as_deref(), Some("580.159.04"));
        assert_eq!(version_in(""), None);
    }
}
