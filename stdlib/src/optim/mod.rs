//! `torch.optim`: optimisers over lists of tensors, and schedules of their learning rates.
//!
//! An optimiser keeps its lists prepared between steps and calls libtorch's fused or list operators on
//! them; a step makes no script values.

mod adagrad;
mod adam;
mod adam_kin;
mod algorithm;
mod foreach;
mod functions;
mod group;
mod lbfgs;
mod line_search;
mod lists;
mod optimizer;
mod params;
mod rmsprop;
mod rounded;
mod scheduler;
mod sgd;
mod state;
mod values;

use flambeau_runtime::script::{Library, ObjectType};

pub use group::ParamGroup;
pub use optimizer::Optimizer;
pub use scheduler::Scheduler;
pub use state::OptimizerState;

/// The optimisers, and the schedulers.
pub const LIBRARIES: &[Library] = &[
    Library {
        functions: functions::FUNCTIONS,
        properties: &[],
        constants: &[],
        types: &[
            ObjectType::of::<Optimizer>,
            ObjectType::of::<ParamGroup>,
            ObjectType::of::<OptimizerState>,
        ],
    },
    Library {
        functions: scheduler::FUNCTIONS,
        properties: &[],
        constants: &[],
        types: &[ObjectType::of::<Scheduler>],
    },
];
