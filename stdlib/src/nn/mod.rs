//! `nn`: modules, layers, losses, initialisers, with PyTorch's names, defaults, state dict keys and
//! random numbers.
//!
//! A layer is a row of a table (`class::Class`) under `layers`; what all modules share is in
//! `module` and the files beside it.

mod class;
mod config;
mod container_methods;
mod conversion;
mod copy;
mod factory;
mod foreign;
mod hooks;
mod init;
mod init_functions;
mod layers;
mod loading;
mod members;
mod methods;
mod module;
mod object;
mod repr;
mod script;
mod slots;
mod state_dict;
mod tensors;
mod tree;
mod utils;

use flambeau_runtime::script::{Function, Library, ObjectType};

pub use loading::Incompatible;
pub use module::Module;
pub use state_dict::StateDict;

/// Every table of layers.
const TABLES: &[&[class::Class]] = &[
    layers::activation::CLASSES,
    layers::attention::CLASSES,
    layers::container::CLASSES,
    layers::conv::CLASSES,
    layers::distance::CLASSES,
    layers::dropout::CLASSES,
    layers::embedding::CLASSES,
    layers::linear::CLASSES,
    layers::loss::CLASSES,
    layers::norm::CLASSES,
    layers::padding::CLASSES,
    layers::pooling::CLASSES,
    layers::recurrent::CLASSES,
    layers::shape::CLASSES,
    layers::transformer::CLASSES,
];

const fn shelf(functions: &'static [Function]) -> Library {
    Library { functions, properties: &[], constants: &[], types: &[] }
}

/// What the engine registers.
pub const LIBRARIES: &[Library] = &[
    Library {
        types: &[
            ObjectType::of::<Module>,
            ObjectType::of::<StateDict>,
            ObjectType::of::<script::Method>,
            ObjectType::of::<script::NewBuffer>,
            ObjectType::of::<hooks::RemovableHandle>,
        ],
        ..shelf(methods::FUNCTIONS)
    },
    shelf(container_methods::FUNCTIONS),
    shelf(conversion::FUNCTIONS),
    shelf(hooks::FUNCTIONS),
    shelf(init_functions::FUNCTIONS),
    shelf(loading::FUNCTIONS),
    shelf(script::FUNCTIONS),
    shelf(state_dict::FUNCTIONS),
    shelf(utils::FUNCTIONS),
    shelf(layers::activation::FUNCTIONS),
    shelf(layers::attention::FUNCTIONS),
    shelf(layers::container::FUNCTIONS),
    shelf(layers::conv::FUNCTIONS),
    shelf(layers::distance::FUNCTIONS),
    shelf(layers::dropout::FUNCTIONS),
    shelf(layers::embedding::FUNCTIONS),
    shelf(layers::linear::FUNCTIONS),
    shelf(layers::loss::FUNCTIONS),
    shelf(layers::norm::FUNCTIONS),
    shelf(layers::padding::FUNCTIONS),
    shelf(layers::pooling::FUNCTIONS),
    shelf(layers::recurrent::FUNCTIONS),
    shelf(layers::shape::FUNCTIONS),
    shelf(layers::transformer::FUNCTIONS),
];
