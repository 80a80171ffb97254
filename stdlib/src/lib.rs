//! What Flambeau's scripts import: neural networks, optimisers, data, and the host's facilities.
//!
//! Must not know how a result is shown or who runs the script.

use flambeau_runtime::script::Library;

/// Every shelf of the library, for [`flambeau_runtime::script::Session::new`].
pub fn libraries() -> Vec<Library> {
    Vec::new()
}
