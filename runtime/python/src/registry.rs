//! Values of scripts that Python holds by number: closures, modules, errors. They stay on their session's
//! thread; elsewhere a number means nothing.

use std::cell::RefCell;
use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};

use flambeau_runtime::{Error, Kind};
use rhai::Dynamic;

thread_local! {
    static VALUES: RefCell<HashMap<u64, Dynamic>> = RefCell::default();
}

static NEXT: AtomicU64 = AtomicU64::new(1);
/// Numbers that Python has dropped, on whichever thread that was.
static FORGOTTEN: Mutex<Vec<u64>> = Mutex::new(Vec::new());

/// Keeps a value until [`forget`].
pub(crate) fn keep(value: Dynamic) -> u64 {
    let forgotten = std::mem::take(&mut *FORGOTTEN.lock().unwrap_or_else(PoisonError::into_inner));
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    let (dropped, others) = VALUES.with_borrow_mut(|values| {
        values.insert(number, value);
        let mut dropped = Vec::new();
        let mut others = Vec::new();
        for number in forgotten {
            match values.remove(&number) {
                Some(value) => dropped.push(value),
                // Another session's.
                None => others.push(number),
            }
        }
        (dropped, others)
    });
    if !others.is_empty() {
        FORGOTTEN.lock().unwrap_or_else(PoisonError::into_inner).extend(others);
    }
    // Dropping may run anything, so only now.
    drop(dropped);
    number
}

/// The value of a number, on the thread that kept it.
pub(crate) fn get(number: u64) -> Option<Dynamic> {
    VALUES.with_borrow(|values| values.get(&number).cloned())
}

/// The error for a number that [`get`] does not know.
pub(crate) fn elsewhere() -> Error {
    Error::new(Kind::Runtime, "a value of a script was used on another thread than its session's")
        .help("use it on the thread that runs the script")
}

/// Nobody asks for this number any more.
pub(crate) fn forget(number: u64) {
    FORGOTTEN.lock().unwrap_or_else(PoisonError::into_inner).push(number);
}
