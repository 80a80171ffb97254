//! A tensor that lies in the very block that counts its handles.
//!
//! tch's tensor points to an `at::Tensor` that C++ allocated. A script makes and drops a few per line, so here
//! the `at::Tensor`, one pointer to a counted `TensorImpl`, lies beside the tch tensor that points to it: one
//! allocation, and dropping it only counts down.
//!
//! Soundness: [`Shared`] alone makes a [`Slot`] whose tensor points into itself, inside an `Rc`, whose block
//! never moves; it never moves one out. tch's own drop, which would free the `at::Tensor`, runs only for the
//! tensors that tch made.

use std::cell::{Cell, UnsafeCell};
use std::mem::ManuallyDrop;
use std::ops::Deref;
use std::rc::{Rc, Weak};

use super::ffi;

/// A tensor, and the place of the `at::Tensor` that it points to; null where tch made that elsewhere.
#[derive(Debug)]
struct Slot {
    tensor: ManuallyDrop<tch::Tensor>,
    here: UnsafeCell<usize>,
    /// What Python makes a class of its own: `nn.Parameter`.
    parameter: Cell<bool>,
}

impl Slot {
    fn is_here(&self) -> bool {
        self.tensor.as_ptr().cast() == self.here.get()
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        // SAFETY: each kind is freed once, in the way that it was made.
        unsafe {
            if self.is_here() {
                ffi::fb_release(self.tensor.as_mut_ptr());
            } else {
                ManuallyDrop::drop(&mut self.tensor);
            }
        }
    }
}

/// A counted handle to a tensor: a clone is the same one.
#[derive(Clone, Debug)]
pub(crate) struct Shared(Rc<Slot>);

/// What knows a handle again.
#[derive(Clone, Debug, Default)]
pub(crate) struct Mark(Weak<Slot>);

impl Deref for Shared {
    type Target = tch::Tensor;

    fn deref(&self) -> &tch::Tensor {
        &self.0.tensor
    }
}

impl From<tch::Tensor> for Shared {
    fn from(tensor: tch::Tensor) -> Self {
        Shared(Rc::new(Slot {
            tensor: ManuallyDrop::new(tensor),
            here: UnsafeCell::new(0),
            parameter: Cell::new(false),
        }))
    }
}

impl Shared {
    /// Takes over a reference to a `TensorImpl`.
    ///
    /// # Safety
    /// `tensor_impl` came out of the shim, which has given up one reference to it.
    pub(super) unsafe fn own(tensor_impl: usize) -> Shared {
        let block = Rc::into_raw(Rc::<Slot>::new_uninit()).cast_mut();
        // SAFETY: the block is ours alone until it is handed over, complete: `at::Tensor` is one pointer (the
        // shim asserts it), and tch keeps only where it is.
        unsafe {
            let slot = block.cast::<Slot>();
            let here = &raw mut (*slot).here;
            here.write(UnsafeCell::new(tensor_impl));
            let tensor = tch::Tensor::from_ptr(UnsafeCell::raw_get(here).cast());
            (&raw mut (*slot).tensor).write(ManuallyDrop::new(tensor));
            (&raw mut (*slot).parameter).write(Cell::new(false));
            Shared(Rc::from_raw(slot))
        }
    }

    /// The tch tensor, owned.
    pub(crate) fn into_tch(self) -> tch::Tensor {
        if self.0.is_here() {
            return self.shallow_clone();
        }
        match Rc::try_unwrap(self.0) {
            Ok(slot) => {
                let mut slot = ManuallyDrop::new(slot);
                // SAFETY: tch made it, and the slot is not dropped.
                unsafe { ManuallyDrop::take(&mut slot.tensor) }
            }
            Err(shared) => shared.tensor.shallow_clone(),
        }
    }

    /// A mark by which [`Shared::is`] knows this handle and its clones again.
    pub(crate) fn mark(&self) -> Mark {
        Mark(Rc::downgrade(&self.0))
    }

    /// Whether this is the handle, or a clone of it, that `mark` was made from.
    pub(crate) fn is(&self, mark: &Mark) -> bool {
        std::ptr::eq(Rc::as_ptr(&self.0), mark.0.as_ptr())
    }

    /// Marks the handle and its clones as a parameter.
    pub(crate) fn set_parameter(&self) {
        self.0.parameter.set(true);
    }

    /// Whether [`Shared::set_parameter`] was called.
    pub(crate) fn is_parameter(&self) -> bool {
        self.0.parameter.get()
    }

    /// Whether there is no clone of this handle.
    pub(crate) fn is_only(&self) -> bool {
        Rc::strong_count(&self.0) == 1
    }
}
