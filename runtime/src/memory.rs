//! The allocator of Rust code in this library: mimalloc, because a script allocates a few small blocks
//! per operation; counted, for `--max-memory`.
//!
//! The engine library installs [`Counting`] as its global allocator. Nothing is counted until
//! [`start`]: two atomic additions per value would cost more than the rest of an allocation. Tensors
//! are counted by libtorch's side, see `torch::limit_memory`.

use std::alloc::{GlobalAlloc, Layout};
use std::sync::atomic::{AtomicBool, AtomicI64, Ordering};

use libmimalloc_sys as mimalloc;

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

/// Whether mimalloc aligns blocks of that kind without being told: asking for it costs as much as the rest.
fn is_natural(layout: Layout) -> bool {
    layout.align() <= size_of::<usize>()
}

/// mimalloc, counted.
#[derive(Debug)]
pub struct Counting;

// SAFETY: every call goes to mimalloc, which aligns every block to a word and others as it is told; only a counter
// is kept beside it.
unsafe impl GlobalAlloc for Counting {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let pointer = unsafe {
            match is_natural(layout) {
                true => mimalloc::mi_malloc(layout.size()),
                false => mimalloc::mi_malloc_aligned(layout.size(), layout.align()),
            }
        };
        if !pointer.is_null() {
            count(layout.size() as i64);
        }
        pointer.cast()
    }

    unsafe fn dealloc(&self, pointer: *mut u8, layout: Layout) {
        // SAFETY: the caller's promise is passed on.
        unsafe { mimalloc::mi_free(pointer.cast()) };
        count(-(layout.size() as i64));
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let pointer = unsafe { mimalloc::mi_zalloc_aligned(layout.size(), layout.align()) };
        if !pointer.is_null() {
            count(layout.size() as i64);
        }
        pointer.cast()
    }

    unsafe fn realloc(&self, pointer: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller's promise is passed on.
        let new = unsafe { mimalloc::mi_realloc_aligned(pointer.cast(), size, layout.align()) };
        if !new.is_null() {
            count(size as i64 - layout.size() as i64);
        }
        new.cast()
    }
}
