//! The messages between a front end (the program, a kernel, a worker's parent) and the engine.
//!
//! Text in, events out, as JSON: a [`Request`] goes to the engine, [`Event`]s come back. Whoever
//! holds the engine sends [`Configure`] once, then any number of other requests; each request with an
//! `id` is answered by exactly one event with that `id` ([`Event::Done`], [`Event::Documentation`],
//! [`Event::Completions`]), after all that the cell itself said.
//!
//! This crate knows neither libtorch nor terminals: it is what both sides agree upon.

pub mod debug;
mod event;
mod request;

pub use debug::{Ask, Told};
pub use event::{
    Bundle, Comm, Completion, CudaMemory, DeviceMemory, Display, Done, ErrorReport, Event,
    OperatorTime, Progress, Signature, Variable, plain_text,
};
pub use request::{Answer, Configure, Experiment, Language, Leader, Limits, Permissions, Request};

/// What `flambeau_engine_abi` returns: the version of the functions that the engine library exports and
/// of these messages. A program refuses an engine of another version.
pub const ABI: u32 = 8;

/// The file name of the engine library.
pub const ENGINE_LIBRARY: &str = "libflambeau_engine.so";

/// The one version of torch that the engine is built for.
pub const TORCH_VERSION: &str = "2.11.0";
