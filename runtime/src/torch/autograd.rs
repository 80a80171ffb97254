//! Grad modes as guards, so that no way out of a block leaves the mode changed.

use super::shim;

/// Which mode a block runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Mode {
    /// `no_grad { }`
    NoGrad,
    /// `enable_grad { }`
    EnableGrad,
    /// `inference_mode { }`
    Inference,
}

/// Restores what was before when dropped.
pub(crate) struct ModeGuard {
    grad: Option<bool>,
    // Held for its drop.
    _inference: Option<shim::InferenceGuard>,
}

impl ModeGuard {
    /// Enters `mode` on this thread.
    pub(crate) fn enter(mode: Mode) -> ModeGuard {
        match mode {
            Mode::Inference => {
                ModeGuard { grad: None, _inference: Some(shim::InferenceGuard::new(true)) }
            }
            Mode::NoGrad | Mode::EnableGrad => {
                let before = shim::grad_enabled();
                shim::set_grad_enabled(mode == Mode::EnableGrad);
                ModeGuard { grad: Some(before), _inference: None }
            }
        }
    }
}

impl Drop for ModeGuard {
    fn drop(&mut self) {
        if let Some(before) = self.grad {
            shim::set_grad_enabled(before);
        }
    }
}
