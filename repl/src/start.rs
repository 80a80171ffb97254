//! From arguments to a running engine: environment, torch, engine library, session.

use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::thread;

use flambeau_protocol::{Configure, Event};

use crate::engine::{self, Engine};
use crate::environment::{Environment, Places, search};
use crate::extension;
use crate::nvidia::{Driver, driver};
use crate::problem::Problem;

/// Finds the environment, opens what is needed and starts a session; `configure` gets torch's version and
/// the environment's folder filled in.
///
/// # Errors
/// Whatever stands in the way, in one line that says what to do.
pub fn start(
    places: &Places,
    configure: Configure,
    on_event: impl Fn(Event) + Send + Sync + 'static,
) -> Result<Engine, Problem> {
    let library = engine::find_library()?;
    let environment = open(places, true)?;
    let configure = Configure {
        torch_version: environment.torch_version,
        environment: Some(environment.python.prefix),
        python: Some(environment.python.executable),
        ..configure
    };
    Engine::start(&library, configure, on_event)
}

/// The environment whose libraries this process has opened, and where it was looked for.
static OPENED: OnceLock<(Places, Environment)> = OnceLock::new();

/// Finds the environment and opens its libraries. Where it has no libpython the program moves into its interpreter, if it
/// may.
///
/// # Errors
/// Whatever stands in the way.
pub fn open(places: &Places, moves: bool) -> Result<Environment, Problem> {
    // What a trial is forked from has opened them.
    if let Some((known, environment)) = OPENED.get()
        && known == places
    {
        return Ok(environment.clone());
    }
    let environment = search(places).result?;
    match environment.python.library() {
        Some(libpython) => engine::open_python(&libpython)?,
        None if moves => extension::move_in(&environment)?,
        None => return Err(Problem::NotShared { python: environment.python.executable }),
    }
    let cuda = matches!(driver(), Driver::Present(_));
    engine::open_torch(&environment.torch_lib, cuda)?;
    // The first stays: libraries are opened once.
    let _ = OPENED.set((places.clone(), environment.clone()));
    Ok(environment)
}

/// [`start`] on a thread of its own, in the environment that `explicit` names or that of the script's folder. `then`
/// is given the engine, or why there is none.
///
/// # Errors
/// What the system says when it has no thread to give.
pub fn start_behind(
    explicit: Option<PathBuf>,
    configure: Configure,
    on_event: impl Fn(Event) + Send + Sync + 'static,
    then: impl FnOnce(Result<Arc<Engine>, Problem>) + Send + 'static,
) -> std::io::Result<()> {
    let begin = move || {
        let places = Places::around(explicit.as_deref(), configure.script_dir.as_deref());
        then(start(&places, configure, on_event).map(Arc::new));
        // mimalloc, in the engine library, takes the thread that opened it for the main one: were it to end while
        // another begins, that one would crash.
        loop {
            thread::park();
        }
    };
    thread::Builder::new().name("flambeau start".to_owned()).spawn(begin).map(drop)
}
