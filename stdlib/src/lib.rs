//! What Flambeau's scripts import: neural networks, optimisers, data, experiments, and the host's facilities.
//!
//! Must not know how a result is shown or who runs the script.

use flambeau_runtime::script::Library;

pub mod data;
pub mod experiment;
pub mod functional;
pub mod host;
pub mod io;
pub mod nn;
pub mod optim;
pub mod plot;
pub mod rich;
pub mod runs;
pub mod worker;

/// Every shelf of the library, for [`flambeau_runtime::script::Session::new`].
pub fn libraries() -> Vec<Library> {
    let mut libraries = Vec::new();
    libraries.extend_from_slice(io::LIBRARIES);
    libraries.extend_from_slice(data::LIBRARIES);
    libraries.extend_from_slice(host::LIBRARIES);
    libraries.push(experiment::LIBRARY);
    libraries.push(plot::LIBRARY);
    libraries.push(rich::LIBRARY);
    libraries.push(runs::LIBRARY);
    libraries.extend_from_slice(worker::LIBRARIES);
    libraries.extend_from_slice(nn::LIBRARIES);
    libraries.extend_from_slice(functional::LIBRARIES);
    libraries.extend_from_slice(optim::LIBRARIES);
    libraries
}
