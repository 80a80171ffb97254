//! Limits of an evaluation: time, memory, operations.

use crate::error::{Error, Kind};

/// What `--max-seconds`, `--max-memory` and `--max-operations` set; `None` is no limit.
#[derive(Clone, Copy, Debug, Default)]
pub struct Limits {
    /// Seconds of one evaluation.
    pub seconds: Option<f64>,
    /// Bytes of tensors, and bytes of everything else that scripts hold.
    pub memory: Option<u64>,
    /// Operations of the interpreter.
    pub operations: Option<u64>,
    /// How deep calls may nest; the thread's stack must be large enough for it.
    pub call_levels: Option<usize>,
}

/// Calls that fit into the 2 MiB stack of a plain thread.
const CALL_LEVELS: usize = 48;

impl Limits {
    pub(crate) fn call_levels(&self) -> usize {
        self.call_levels.unwrap_or(CALL_LEVELS)
    }

    pub(crate) fn time_error(&self) -> Error {
        Error::new(
            Kind::Limit,
            format!("the script ran longer than {} s", self.seconds.unwrap_or_default()),
        )
        .help("raise the limit with --max-seconds")
    }

    pub(crate) fn memory_error(&self) -> Error {
        Error::new(
            Kind::Limit,
            format!("the script holds more than {} bytes", self.memory.unwrap_or_default()),
        )
        .help("raise the limit with --max-memory")
    }

    pub(crate) fn operations_error(&self) -> Error {
        Error::new(
            Kind::Limit,
            format!("the script took more than {} operations", self.operations.unwrap_or_default()),
        )
        .help("raise the limit with --max-operations")
    }
}
