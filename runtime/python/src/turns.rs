//! The GIL and the turns of sessions: who waits for a session's turn lets go of the GIL, so that a thread that
//! has the turn and wants the GIL gets it. The other way round nobody waits.

use std::ffi::c_int;
use std::sync::atomic::{AtomicUsize, Ordering};

use flambeau_runtime::script::on_wait;
use pyo3::ffi;

/// `PyGILState_Check`, which every Python has and the stable ABI does not name; 0 before it was looked up.
static HAS_GIL: AtomicUsize = AtomicUsize::new(0);

/// Has waits for turns let go of the GIL.
pub(crate) fn listen() {
    // SAFETY: only looks a name up.
    let function = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"PyGILState_Check".as_ptr()) };
    HAS_GIL.store(function as usize, Ordering::Release);
    on_wait(wait);
}

fn wait(until: &mut dyn FnMut()) {
    let function = HAS_GIL.load(Ordering::Acquire);
    if function == 0 {
        return until();
    }
    // SAFETY: the address is that of `PyGILState_Check`, which takes nothing and may always be called.
    let held =
        unsafe { std::mem::transmute::<usize, unsafe extern "C" fn() -> c_int>(function)() != 0 };
    if !held {
        return until();
    }
    // SAFETY: this thread has the GIL; it gets it back before anything of Python's is touched.
    unsafe {
        let state = ffi::PyEval_SaveThread();
        until();
        ffi::PyEval_RestoreThread(state);
    }
}
