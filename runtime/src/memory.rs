//! The allocator of Rust code in this library: mimalloc, because a script allocates a few small blocks
//! per operation; counted, for `--max-memory`.
//!
//! The engine library installs [`Counting`] as its global allocator. Nothing is counted until
//! [`start`]: two atomic additions per value would cost more than the rest of an allocation. Tensors
//! are counted by libtorch's side, see `torch::limit_memory`.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use mimalloc::MiMalloc;

static COUNTING: AtomicBool = AtomicBool::new(false);
static USED: AtomicI64 = AtomicI64::new(0);

/// Counts from now on.
pub fn start() {
    COUNTING.store(true, Ordering::Relaxed);
}

/// Bytes allocated since [`start`] and not freed by Rust code. Blocks from before that were freed since
/// count as negative, so this is never more than what is held.
pub fn used() -> u64 {
    u64::try_from(USED.load(Ordering::Relaxed)).unwrap_or(0)
}

/// Adds to the count, where anybody asked for it.
fn count(bytes: i64) {
    if COUNTING.load(Ordering::Relaxed) {
        USED.fetch_add(bytes, Ordering::Relaxed);
    }
}

/// mimalloc, counted.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every call goes to mimalloc unchanged; only a counter is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let pointer = unsafe { MiMalloc.alloc(layout) };
        if !pointer.is_null() {
            count(layout.size() as i64);
        }
        pointer
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { MiMalloc.dealloc(pointer, layout) };
        count(-(layout.size() as i64));
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let pointer = unsafe { MiMalloc.alloc_zeroed(layout) };
        if !pointer.is_null() {
            count(layout.size() as i64);
        }
        pointer
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let new = unsafe { MiMalloc.realloc(pointer, layout, size) };
        if !new.is_null() {
            count(size as i64 - layout.size() as i64);
        }
        new
    }
}
