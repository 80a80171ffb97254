//! What a run of an experiment is on the disk: parameters, metrics, checkpoints, state; and the table of a sweep, which
//! is many of them.
//!
//! Scripts write runs (`stdlib`), the program starts and compares them (`repl`); both know each other by what is here.
//! Nothing here knows libtorch, Rhai or a terminal.
//!
//! ```text
//! OUT/                    a sweep
//!   sweep.db              which trials there are and how far they are: SQLite
//!   sweep.json            what was asked for
//!   trials/0001/          one run; `flambeau run --out OUT` writes such a folder alone
//!     config.json         the script and its parameters
//!     environment.json    versions, commit, machine
//!     metrics.jsonl       a line for each log()
//!     events.out.tfevents.*  the same for TensorBoard
//!     log                 what was printed; log.1 is what was printed before, where there is much
//!     checkpoints/        000001.safetensors …, the last few
//!     artifacts/
//!     result.json         what it reported
//!     status.json         how it ended
//! ```

mod appended;
pub mod chart;
pub mod curves;
pub mod error;
pub mod export;
pub mod files;
#[cfg(test)]
mod fixture;
pub mod metrics;
pub mod params;
pub mod picture;
pub mod remove;
pub mod run;
pub mod store;
pub mod sweep;
pub mod table;
pub mod tensorboard;

use std::time::{SystemTime, UNIX_EPOCH};

pub use error::{Error, Result};
pub use metrics::Metrics;
pub use picture::Picture;
pub use run::{Config, Run, State, Status};
pub use store::{Store, Trial};
pub use sweep::{Goal, Sweep};
pub use table::Table;
pub use tensorboard::Events;

/// The time, in seconds since 1970.
pub fn now() -> f64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0.0, |since| since.as_secs_f64())
}

/// Names and values, sorted by name: parameters, a record of metrics, a result.
pub type Map = serde_json::Map<String, serde_json::Value>;
