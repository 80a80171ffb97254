//! Who sits in front of a session.

use std::sync::Arc;

use super::debugger::DebugClient;
use super::event::Output;
use super::input::Input;

/// Who sits in front of a session.
pub(crate) struct FrontEnd {
    /// Gets everything that a cell prints and shows.
    pub output: Output,
    /// The way to the user.
    pub input: Option<Arc<dyn Input>>,
    /// Whether it shows HTML.
    pub notebook: bool,
    /// Who debugs.
    pub debugger: Option<Arc<dyn DebugClient>>,
}
