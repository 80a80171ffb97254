//! The extension form: the program inside a Python interpreter.
//!
//! The engine library needs the names of libpython. Where the environment's Python has no shared library
//! (Debian without python3-dev, pyenv's default build), its executable has them: the program replaces itself
//! by that interpreter, which opens the program's own library and runs it. Nothing changes for the user.
//!
//! # Soundness
//!
//! The interpreter calls [`flambeau_program`] by ctypes, without the GIL, on its main thread, which stays in
//! that call until the process ends.

#![allow(unsafe_code)]

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::Command;
use std::sync::OnceLock;

use crate::environment::{Environment, Places, search};
use crate::installed;
use crate::problem::Problem;

/// The file name of the program as a library.
const LIBRARY: &str = "libflambeau_program.so";

/// What the interpreter runs: nothing but the standard library is in reach until the program has begun.
const CODE: &str = "import sys\n\
    sys.path[:] = [folder for folder in sys.path if folder]\n\
    import ctypes\n\
    ctypes.CDLL(sys.argv[1]).flambeau_program()\n";

/// How many arguments the interpreter has before those of the program: its name, `-c`, the code.
const BEFORE: usize = 3;

/// Where the library is, inside an interpreter.
static INSIDE: OnceLock<PathBuf> = OnceLock::new();

/// The program's library, where it runs inside an interpreter.
pub fn library() -> Option<&'static PathBuf> {
    INSIDE.get()
}

/// Goes on inside the environment's interpreter; returns at once where that is so already.
///
/// # Errors
/// Why that cannot be.
pub fn move_in(environment: &Environment) -> Result<(), Problem> {
    if library().is_some() {
        return Ok(());
    }
    let python = &environment.python.executable;
    let problem = |cause: String| Problem::Static { python: python.clone(), cause };
    let library =
        installed::find(LIBRARY).map_err(|tried| problem(format!("there is no {tried}")))?;
    let error = Command::new(python)
        .args(["-c", CODE])
        .arg(library)
        .args(std::env::args_os().skip(1))
        .exec();
    Err(problem(error.to_string()))
}

/// [`move_in`] where the environment that will be used asks for it. What is wrong with the environment is
/// told later, in its turn.
///
/// # Errors
/// As [`move_in`].
pub fn move_in_if_needed(places: &Places) -> Result<(), Problem> {
    match search(places).result {
        Ok(environment) if environment.python.library().is_none() => move_in(&environment),
        _ => Ok(()),
    }
}

/// The program, called by the interpreter with its own arguments behind the library's path.
#[unsafe(no_mangle)]
pub extern "C" fn flambeau_program() {
    let mut arguments = std::env::args_os().skip(BEFORE);
    let library = PathBuf::from(arguments.next().unwrap_or_default());
    // Set once: the process runs one program.
    let _ = INSIDE.set(library);
    let name = OsString::from("flambeau");
    // A panic must not unwind into the interpreter; the message has been printed by then.
    let outcome = std::panic::catch_unwind(|| crate::main(std::iter::once(name).chain(arguments)));
    let Err(_) = outcome;
    std::process::abort();
}
