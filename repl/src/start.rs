//! From arguments to a running engine: environment, torch, engine library, session.

use flambeau_protocol::{Configure, Event};

use crate::engine::{self, Engine};
use crate::environment::{Places, search};
use crate::extension;
use crate::nvidia::{Driver, driver};
use crate::problem::Problem;

/// Finds the environment, opens what is needed and starts a session; `configure` gets torch's version and
/// the environment's folder filled in.
///
/// # Errors
/// Whatever stands in the way, in one line that says what to do.
pub fn start(
    places: Places<'_>,
    configure: Configure,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Engine, Problem> {
    let library = engine::find_library()?;
    let environment = search(places).result?;
    match environment.python.library() {
        Some(libpython) => engine::open_python(&libpython)?,
        None => extension::move_in(&environment)?,
    }
    let cuda = matches!(driver(), Driver::Present(_));
    engine::open_torch(&environment.torch_lib, cuda)?;
    let configure = Configure {
        torch_version: environment.torch_version,
        environment: Some(environment.python.prefix),
        python: Some(environment.python.executable),
        ..configure
    };
    Engine::start(&library, configure, on_event)
}
