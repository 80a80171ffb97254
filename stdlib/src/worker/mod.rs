//! `worker`: scripts on threads of their own, each with an engine of its own. They share no value; what one sends to
//! another crosses as a message, tensors without a copy.

use flambeau_runtime::script::{Library, ObjectType};

mod channel;
mod failure;
mod handle;
mod map;
mod message;
mod side;
mod spawn;

/// What this shelf declares.
pub const LIBRARIES: &[Library] = &[
    Library {
        functions: spawn::FUNCTIONS,
        properties: &[],
        constants: side::CONSTANTS,
        types: &[],
    },
    Library {
        functions: channel::FUNCTIONS,
        properties: channel::PROPERTIES,
        constants: &[],
        types: &[ObjectType::of::<channel::Channel>],
    },
    Library {
        functions: handle::FUNCTIONS,
        properties: handle::PROPERTIES,
        constants: &[],
        types: &[ObjectType::of::<handle::Worker>],
    },
    Library { functions: side::FUNCTIONS, properties: &[], constants: &[], types: &[] },
    Library {
        functions: map::FUNCTIONS,
        properties: &[],
        constants: &[],
        types: &[ObjectType::of::<map::Tasks>],
    },
];
