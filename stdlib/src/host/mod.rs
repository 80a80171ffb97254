//! What a script asks of its host: clocks, random numbers, files, JSON, environment, progress bars.

use flambeau_runtime::script::{Library, ObjectType};

mod env;
mod fs;
mod glob;
mod iteration;
mod json;
mod math;
mod mt19937;
mod progress;
pub(crate) mod random;
mod time;

pub(crate) use json::{from_json, text as json_text, to_json};
pub use progress::Progress;

/// What this shelf declares.
pub const LIBRARIES: &[Library] = &[
    Library { functions: env::FUNCTIONS, ..EMPTY },
    Library { functions: fs::FUNCTIONS, ..EMPTY },
    Library { functions: json::FUNCTIONS, ..EMPTY },
    Library { functions: math::FUNCTIONS, constants: math::CONSTANTS, ..EMPTY },
    Library {
        functions: progress::FUNCTIONS,
        properties: progress::PROPERTIES,
        types: &[ObjectType::of::<Progress>],
        ..EMPTY
    },
    Library { functions: random::FUNCTIONS, ..EMPTY },
    Library { functions: time::FUNCTIONS, ..EMPTY },
];

const EMPTY: Library = Library { functions: &[], properties: &[], constants: &[], types: &[] };
