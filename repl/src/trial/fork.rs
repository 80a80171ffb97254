//! Forks this process: the only code of a sweep that is not checked by the compiler.
//!
//! # Soundness
//!
//! A fork copies the calling thread and no other, so locks that others hold would stay locked for ever in the child. It is
//! only done while this process has one thread, which the system is asked for. What the child goes on with is then as the
//! parent left it: the Rust program, libtorch and the engine library, none of which has begun anything. Environment
//! variables are set by such a child too, before it has a second thread.

#![allow(unsafe_code)]

use std::io;

use rustix::process::Pid;

/// How many threads this process has. Source: proc(5).
fn threads() -> io::Result<usize> {
    Ok(std::fs::read_dir("/proc/self/task")?.count())
}

/// Whether this process may be forked.
pub fn is_possible() -> bool {
    threads().is_ok_and(|threads| threads == 1)
}

/// Splits this process in two: the child's number in the parent, `None` in the child.
///
/// # Errors
/// More than one thread; what the system says.
pub fn fork() -> io::Result<Option<Pid>> {
    if !is_possible() {
        return Err(io::Error::other("a process with several threads cannot be forked"));
    }
    // SAFETY: this is the only thread, see the module's note.
    match unsafe { libc::fork() } {
        -1 => Err(io::Error::last_os_error()),
        child => Ok(Pid::from_raw(child)),
    }
}

/// Sets an environment variable.
///
/// # Errors
/// More than one thread.
pub fn set_variable(name: &str, value: &str) -> io::Result<()> {
    if !is_possible() {
        return Err(io::Error::other("variables are set before there is a second thread"));
    }
    // SAFETY: this is the only thread, so nobody reads the environment meanwhile.
    unsafe { std::env::set_var(name, value) };
    Ok(())
}
