//! Files: what scripts read and write. Every path is asked of the sandbox; every file is written
//! whole or not at all.

use flambeau_runtime::script::{Library, ObjectType};

mod arrays;
mod csv;
mod delimited;
pub(crate) mod files;
pub(crate) mod image;
mod npy;
mod npz;
mod numbers;
pub(crate) mod raw;
mod safetensors;
pub(crate) mod save;
mod table;

pub use table::Table;

/// What this shelf declares.
pub const LIBRARIES: &[Library] = &[
    Library { functions: arrays::FUNCTIONS, ..EMPTY },
    Library { functions: csv::FUNCTIONS, ..EMPTY },
    Library { functions: image::FUNCTIONS, ..EMPTY },
    Library { functions: save::FUNCTIONS, ..EMPTY },
    Library {
        functions: table::FUNCTIONS,
        properties: table::PROPERTIES,
        types: &[ObjectType::of::<Table>],
        ..EMPTY
    },
];

const EMPTY: Library = Library { functions: &[], properties: &[], constants: &[], types: &[] };
