//! What every session has without a shelf of the library: tensors' own properties and methods, the
//! `torch.*` functions that are no operators, autograd, constants.

mod autograd;
mod constants;
mod creation;
mod cuda;
mod custom;
mod derivatives;
mod front_end;
mod random;
mod settings;
mod tensor_layout;
mod tensor_methods;
mod tensor_properties;
mod values;

use super::function::Library;

/// All shelves of this folder.
pub(crate) fn libraries() -> Vec<Library> {
    vec![
        Library { functions: autograd::FUNCTIONS, types: autograd::TYPES, ..EMPTY },
        Library { functions: derivatives::FUNCTIONS, ..EMPTY },
        Library { functions: custom::FUNCTIONS, ..EMPTY },
        Library { functions: creation::FUNCTIONS, ..EMPTY },
        Library { functions: cuda::FUNCTIONS, ..EMPTY },
        Library { functions: front_end::FUNCTIONS, ..EMPTY },
        Library { functions: random::FUNCTIONS, ..EMPTY },
        Library { functions: settings::FUNCTIONS, ..EMPTY },
        Library { functions: tensor_layout::FUNCTIONS, ..EMPTY },
        Library { functions: tensor_methods::FUNCTIONS, ..EMPTY },
        Library { properties: tensor_properties::PROPERTIES, ..EMPTY },
        Library { functions: values::FUNCTIONS, properties: values::PROPERTIES, ..EMPTY },
        Library { constants: constants::CONSTANTS, ..EMPTY },
    ]
}

const EMPTY: Library = Library { functions: &[], properties: &[], constants: &[], types: &[] };
