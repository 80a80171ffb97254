//! Python next door: CPython in the same process, with the same tensors. The only code that touches
//! pyo3.
//!
//! # How it is found
//!
//! pyo3 is built for the stable ABI of Python 3.10 and links no libpython, so one engine library serves
//! every Python. Its names (`PyObject_Call`, but also data such as `_Py_NoneStruct`) stay undefined in
//! the engine library until that is opened, and the loader resolves names of data at once, whatever
//! `RTLD_LAZY` says. So something must hold them by then: the program opens the environment's libpython
//! before the engine; inside a Python without a shared library it is the interpreter itself. Opening
//! libpython costs a script that does not use it about a millisecond and 2 MB; no interpreter is
//! initialised and libtorch_python is not mapped before a script says `py`.
//!
//! It is a crate of its own because an executable that linked pyo3 without libpython would not start:
//! tests and Rust programs that embed the runtime do without.
//!
//! # Soundness
//!
//! - The GIL is held inside a Python call and nowhere else (`interpreter::with`). Scripts run detached, and
//!   so does what Python calls back (`callback`): `backward()` with the GIL held would wait for ever.
//! - Values of scripts are `Rc`. Python holds handles to them (`handle`), which work on every thread: whoever
//!   calls one waits for its session's turn ([`flambeau_runtime::script::Home`]).
//! - Who waits for a turn lets go of the GIL (`turns`). Who has a turn may wait for the GIL, and gives the turn
//!   away while Python code runs (`interpreter::outside`). So the two are never waited for in a circle.
//! - A tensor crosses as the same `TensorImpl`: `THPVariable_Wrap` gives the Python object, which holds an
//!   `at::Tensor` right behind its head; torch 2.11 is the only version that is accepted.
//! - The interpreter is never finalised: objects may be dropped at any time.

#![warn(missing_docs)]

mod beside;
mod callback;
mod cells;
mod errors;
mod from_python;
mod front_end;
mod functions;
mod handle;
mod host;
mod index;
mod interpreter;
mod interrupt;
mod members;
mod module;
mod notebook;
mod object;
mod runtime;
mod tensor;
mod to_python;
mod turns;

use flambeau_runtime::script::{Library, ObjectType};

pub use beside::Beside;
pub use cells::{Cells, Outcome};
pub use front_end::set_parent;
pub use host::module;
pub use interpreter::{Setup, configure, end};
pub use object::PyObject;

/// What scripts find under `py`.
pub fn library() -> Library {
    const TYPES: &[fn() -> ObjectType] = &[ObjectType::of::<PyObject>];
    Library {
        functions: functions::FUNCTIONS,
        constants: functions::CONSTANTS,
        types: TYPES,
        properties: &[],
    }
}
