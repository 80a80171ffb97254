//! The embeddable engine of Flambeau: Rhai scripts over libtorch.
//!
//! - [`torch`] is the only code that touches libtorch.
//! - [`script`] holds the language: sessions, values, errors, limits.
//!
//! Must not know: neural networks, terminals, sockets, files of an experiment.

pub mod error;
pub mod memory;
pub mod script;
pub mod torch;

pub use error::{Error, Foreign, Frame, Kind, Result};
