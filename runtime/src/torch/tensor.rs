//! The tensor that scripts hold: a handle to libtorch's own, by tch.

use std::ops::Deref;

use super::dtype::{Device, Dtype};
pub(crate) use super::shim::Mark;
use super::shim::Shared;
use crate::error::Result;

/// A handle to a tensor. A clone is the same tensor (same storage, same autograd graph).
/// Everything that tch's tensor can do is there through `Deref`.
///
/// Scripts clone handles all the time (every use of a variable is one), so a clone only counts up:
/// tch's own `shallow_clone` allocates and asks C++.
#[derive(Debug, Clone)]
pub struct Tensor(Shared);

impl Deref for Tensor {
    type Target = tch::Tensor;

    fn deref(&self) -> &tch::Tensor {
        &self.0
    }
}

impl From<tch::Tensor> for Tensor {
    fn from(tensor: tch::Tensor) -> Self {
        Tensor(Shared::from(tensor))
    }
}

impl From<Shared> for Tensor {
    fn from(shared: Shared) -> Self {
        Tensor(shared)
    }
}

impl AsRef<tch::Tensor> for Tensor {
    fn as_ref(&self) -> &tch::Tensor {
        &self.0
    }
}

impl Tensor {
    /// The tch tensor, owned: it can cross to another thread.
    pub fn into_tch(self) -> tch::Tensor {
        self.0.into_tch()
    }

    /// A tensor for another thread: a leaf of its own on the same elements, which requires gradients where this one does.
    /// From now on the storage keeps its size, so that neither thread takes the elements away from the other.
    ///
    /// # Errors
    /// What libtorch reports.
    pub fn for_thread(&self) -> Result<tch::Tensor> {
        if !self.0.defined() {
            return Ok(tch::Tensor::new());
        }
        super::shim::fix_storage(&self.0);
        let mut other = self.0.f_detach()?;
        Ok(if self.0.requires_grad() { other.f_requires_grad_(true)? } else { other })
    }

    /// Another handle, as tch's type: its in-place methods need an owned value.
    pub fn tch(&self) -> tch::Tensor {
        self.0.shallow_clone()
    }

    /// A number that only this tensor has while it lives: Python's `id`.
    pub fn identity(&self) -> i64 {
        super::shim::identity(&self.0)
    }

    /// A mark by which [`Tensor::is`] knows this handle and its clones again.
    pub(crate) fn mark(&self) -> Mark {
        self.0.mark()
    }

    /// Whether this is the handle, or a clone of it, that `mark` was made from.
    pub(crate) fn is(&self, mark: &Mark) -> bool {
        self.0.is(mark)
    }

    /// Whether there is no clone of this handle.
    pub(crate) fn is_only_handle(&self) -> bool {
        self.0.is_only()
    }

    /// This as what `nn.Parameter` gives: the handle and its clones are Python's `torch.nn.Parameter` there.
    pub fn into_parameter(self) -> Tensor {
        self.0.set_parameter();
        self
    }

    /// Whether the handle came from [`Tensor::into_parameter`].
    pub fn is_parameter(&self) -> bool {
        self.0.is_parameter()
    }

    /// Whether it is nested: a list of tensors of different shapes, without a shape of its own.
    pub fn is_nested(&self) -> bool {
        super::shim::is_nested(&self.0)
    }

    /// The element type.
    pub fn dtype(&self) -> Dtype {
        super::shim::dtype(&self.0)
    }

    /// Where the storage is.
    pub fn device_of(&self) -> Device {
        super::shim::device(&self.0)
    }

    /// `float32[2, 3]`, with the device where that is not the CPU: for error messages.
    pub fn describe(&self) -> String {
        if !self.0.defined() {
            return "undefined tensor".to_owned();
        }
        let shape: Vec<String> = super::shim::sizes(&self.0).iter().map(i64::to_string).collect();
        let device = self.device_of();
        let place = if device.kind == 0 { String::new() } else { format!(" on {device}") };
        format!("{}[{}]{place}", self.dtype().name(), shape.join(", "))
    }
}
