//! Datasets and loaders: `torch.utils.data` with threads in the place of processes.

use flambeau_runtime::script::{Library, ObjectType};

mod collate;
mod dataset;
mod functions;
mod loader;
mod native;
mod prefetch;
mod sampler;

pub use dataset::Dataset;
pub use loader::DataLoader;
pub use sampler::Sampler;

/// What this shelf declares.
pub const LIBRARIES: &[Library] = &[
    Library {
        functions: functions::FUNCTIONS,
        properties: &[],
        constants: &[],
        types: &[
            ObjectType::of::<Dataset>,
            ObjectType::of::<DataLoader>,
            ObjectType::of::<Sampler>,
        ],
    },
    Library { functions: collate::FUNCTIONS, properties: &[], constants: &[], types: &[] },
];
