//! Tells `x[i] = v` from what Rhai does after `x[i].method()`.
//!
//! An index gives Rhai a copy of a value, so after a method call on it Rhai stores the copy again: for a
//! tensor that would copy a view onto itself, fail where the tensor is a leaf that requires grad, and turn
//! `x[mask].zero_()` into an assignment. Both come as the same call; what differs is the place in the
//! script, and that the stored value is the very handle that the index gave.

use std::cell::{Cell, RefCell};
use std::collections::HashSet;

use rhai::{Dynamic, Position};

use crate::torch::{Mark, Tensor};

/// How many nested indices, `x[0][1][2].method()`, are remembered.
const DEPTH: usize = 8;

/// What tells the two apart.
#[derive(Default)]
pub(crate) struct WriteBacks {
    /// Where scripts assign to an index. Cells and files share their line numbers, so a place may mean
    /// both.
    assigned: RefCell<HashSet<Position>>,
    /// Whether a script compiles text that nobody has looked through.
    evaluates: Cell<bool>,
    /// The last tensors that an index gave.
    given: RefCell<[Mark; DEPTH]>,
    next: Cell<usize>,
}

impl WriteBacks {
    /// Remembers where a script assigns, and whether it calls `eval`.
    pub(crate) fn learn(&self, assigned: impl IntoIterator<Item = Position>, evaluates: bool) {
        self.assigned.borrow_mut().extend(assigned);
        self.evaluates.set(self.evaluates.get() || evaluates);
    }

    /// Remembers what an index gave.
    pub(crate) fn gave(&self, tensor: &Tensor) {
        let at = self.next.get();
        self.given.borrow_mut()[at] = tensor.mark();
        self.next.set((at + 1) % DEPTH);
    }

    /// Whether storing `new` at an index, from this place of the script, changes nothing.
    pub(crate) fn is_write_back(&self, place: Position, new: &Dynamic) -> bool {
        // Copies of arrays and maps carry what the method changed.
        if new.is_array() || new.is_map() {
            return false;
        }
        if !self.evaluates.get() && !self.assigned.borrow().contains(&place) {
            return true;
        }
        let Some(tensor) = new.read_lock::<Tensor>() else { return false };
        tensor.is_only_handle() && self.given.borrow().iter().any(|given| tensor.is(given))
    }
}
