//! Keeps what it is linked into loadable with glibc 2.34, whatever glibc that was built with: the engine library, and the
//! program.
//!
//! glibc 2.35 gave `hypot` and `hypotf` new versions, which a library linked there asks for; the older ones
//! are in every glibc. What is here only jumps to those. The build script has the linker send calls of `hypot` to `__wrap_hypot`, and so on.

#![allow(unsafe_code)]

use std::arch::global_asm;

global_asm!(
    ".symver hypot_of_every_glibc, hypot@GLIBC_2.2.5",
    ".globl __wrap_hypot",
    ".hidden __wrap_hypot",
    ".type __wrap_hypot, @function",
    "__wrap_hypot:",
    "jmp hypot_of_every_glibc@PLT",
    ".size __wrap_hypot, . - __wrap_hypot",
);

global_asm!(
    ".symver hypotf_of_every_glibc, hypotf@GLIBC_2.2.5",
    ".globl __wrap_hypotf",
    ".hidden __wrap_hypotf",
    ".type __wrap_hypotf, @function",
    "__wrap_hypotf:",
    "jmp hypotf_of_every_glibc@PLT",
    ".size __wrap_hypotf, . - __wrap_hypotf",
);
