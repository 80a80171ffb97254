//! What makes a script an experiment: `params`, `log`, `checkpoint`, `resume`, `artifact`, `report`.
//!
//! A run may be recorded in a folder (`flambeau run --out`, `flambeau sweep`); alone, at a prompt or in a notebook, the same
//! script runs without one. What the folder holds is the crate `flambeau-experiments`' affair.

mod checkpoint;
mod functions;
mod leader;
mod objects;
mod randomness;
mod record;
mod run;

use flambeau_runtime::script::Library;

pub use run::{Leader, Setup, set_up};

/// What this shelf declares.
pub const LIBRARY: Library =
    Library { functions: functions::FUNCTIONS, properties: &[], constants: &[], types: &[] };
