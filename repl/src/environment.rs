//! Which environment is used, and why: the places are tried in order and the first that holds a Python
//! is taken. Should its torch not fit, that is said; falling through to another environment would run
//! the script beside packages that the user did not choose.

use std::path::{Path, PathBuf};

use flambeau_protocol::TORCH_VERSION;

use crate::extension;
use crate::problem::Problem;
use crate::python::{Python, Torch, is_wanted, new_environment};

/// An environment with the torch that is needed.
#[derive(Clone, Debug)]
pub struct Environment {
    pub python: Python,
    /// Such as `2.11.0+cu130`.
    pub torch_version: String,
    /// The folder of `libtorch_cpu.so`.
    pub torch_lib: PathBuf,
}

/// One place where an environment could have been.
#[derive(Clone, Debug)]
pub struct Attempt {
    /// How the place is named by those who choose it: `--env`, `$VIRTUAL_ENV`, …
    pub place: &'static str,
    /// What came of it.
    pub outcome: String,
    /// Whether this is the one.
    pub chosen: bool,
}

/// What was looked at, and what came of it.
#[derive(Debug)]
pub struct Search {
    pub attempts: Vec<Attempt>,
    pub result: Result<Environment, Problem>,
}

/// Where to begin.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Places {
    /// What `--env` names.
    pub explicit: Option<PathBuf>,
    /// The folder of the script, or the working directory where there is none.
    pub script_dir: Option<PathBuf>,
    /// Whether the script is not trusted. Then an environment beside it is not trusted either: its
    /// libraries would run before any sandbox stands.
    pub sandbox: bool,
}

impl Places {
    /// For a script in this folder that is trusted; without one the working directory stands in its place.
    pub fn around(explicit: Option<&Path>, folder: Option<&Path>) -> Places {
        let folder = folder.map(Path::to_owned).or_else(|| std::env::current_dir().ok());
        Places { explicit: explicit.map(Path::to_owned), script_dir: folder, sandbox: false }
    }
}

const OPTION: &str = "--env";
const VARIABLE: &str = "$VIRTUAL_ENV";
const BESIDE_SCRIPT: &str = ".venv beside the script or above";
const AROUND_PROGRAM: &str = "where the program is installed";
const BESIDE_PROGRAM: &str = ".venv beside the program or above";
const ON_PATH: &str = "python3 on PATH";

/// Looks for the environment.
pub fn search(places: &Places) -> Search {
    let mut attempts = Vec::new();
    let result = find(places, &mut attempts).and_then(|python| with_torch(python, &mut attempts));
    Search { attempts, result }
}

fn find(places: &Places, attempts: &mut Vec<Attempt>) -> Result<Python, Problem> {
    if let Some(path) = &places.explicit {
        return match Python::at(path) {
            Ok(python) => Ok(choose(python, OPTION, attempts)),
            Err(cause) => {
                skip(OPTION, format!("{} {cause}", path.display()), attempts);
                Err(Problem::NoSuchEnvironment { path: path.to_owned(), cause })
            }
        };
    }
    skip(OPTION, "not given", attempts);

    match std::env::var_os("VIRTUAL_ENV").filter(|value| !value.is_empty()) {
        None => skip(VARIABLE, "not set", attempts),
        Some(value) => match Python::at(Path::new(&value)) {
            Ok(python) => return Ok(choose(python, VARIABLE, attempts)),
            Err(cause) => skip(VARIABLE, format!("{} {cause}", value.display()), attempts),
        },
    }

    let mut untrusted = false;
    match places.script_dir.as_ref().and_then(|folder| folder.canonicalize().ok()) {
        None => skip(BESIDE_SCRIPT, "no script", attempts),
        Some(folder) => match beside(&folder, BESIDE_SCRIPT, attempts) {
            Some(python) if places.sandbox => {
                untrusted = true;
                let found = python.prefix.display();
                let why = "a sandboxed script does not bring its libraries; allow it with --env";
                skip(BESIDE_SCRIPT, format!("{found}: {why}"), attempts);
            }
            Some(python) => return Ok(choose(python, BESIDE_SCRIPT, attempts)),
            None => {}
        },
    }

    match program_dir() {
        None => skip(BESIDE_PROGRAM, "the program's folder is unknown", attempts),
        Some(folder) => {
            if let Some(python) = around(&folder, attempts) {
                return Ok(choose(python, AROUND_PROGRAM, attempts));
            }
            if let Some(python) = beside(&folder, BESIDE_PROGRAM, attempts) {
                return Ok(choose(python, BESIDE_PROGRAM, attempts));
            }
        }
    }

    match Python::on_path() {
        Some((_, Ok(python))) => return Ok(choose(python, ON_PATH, attempts)),
        Some((path, Err(cause))) => {
            skip(ON_PATH, format!("{} {cause}", path.display()), attempts);
        }
        None => skip(ON_PATH, "none", attempts),
    }
    let mend = if untrusted {
        "the .venv beside a sandboxed script is only used when --env names it".to_owned()
    } else {
        format!("make one with: {}", new_environment())
    };
    Err(Problem::NoEnvironment { mend })
}

/// The `.venv` in `folder` or the nearest folder above that has one.
fn beside(folder: &Path, place: &'static str, attempts: &mut Vec<Attempt>) -> Option<Python> {
    for candidate in folder.ancestors().map(|above| above.join(".venv")) {
        if !candidate.exists() {
            continue;
        }
        match Python::at(&candidate) {
            Ok(python) => return Some(python),
            Err(cause) => skip(place, format!("{} {cause}", candidate.display()), attempts),
        }
    }
    if !attempts.iter().any(|attempt| attempt.place == place) {
        skip(place, format!("none from {} upwards", folder.display()), attempts);
    }
    None
}

/// The environment that `folder` is in, as pip installs the program.
fn around(folder: &Path, attempts: &mut Vec<Attempt>) -> Option<Python> {
    let Some(prefix) = prefix_around(folder) else {
        skip(AROUND_PROGRAM, "no environment", attempts);
        return None;
    };
    Python::at(prefix)
        .map_err(|cause| skip(AROUND_PROGRAM, format!("{} {cause}", prefix.display()), attempts))
        .ok()
}

fn prefix_around(folder: &Path) -> Option<&Path> {
    folder.ancestors().find(|above| above.join("pyvenv.cfg").is_file())
}

/// The environment that the program is installed in.
pub fn own() -> Option<PathBuf> {
    prefix_around(&program_dir()?).map(Path::to_owned)
}

/// The folder of the running program, links resolved.
pub fn program_dir() -> Option<PathBuf> {
    if let Some(library) = extension::library() {
        return library.parent().map(Path::to_owned);
    }
    let program = std::env::current_exe().ok()?.canonicalize().ok()?;
    program.parent().map(Path::to_owned)
}

fn with_torch(python: Python, attempts: &mut [Attempt]) -> Result<Environment, Problem> {
    let torch = python.torch();
    let found = match &torch {
        Torch::Found { version, .. } if is_wanted(version) => format!("torch {version}"),
        Torch::Found { version, .. } => {
            format!("torch {version} instead of {TORCH_VERSION}")
        }
        Torch::Incomplete(package) => {
            format!("a torch without libtorch_cpu.so ({})", package.display())
        }
        Torch::Missing => format!("no torch {TORCH_VERSION}"),
    };
    if let Some(last) = attempts.last_mut() {
        last.outcome = format!("{}: {found}", last.outcome);
    }
    match torch {
        Torch::Found { version, lib } if is_wanted(&version) => {
            Ok(Environment { python, torch_version: version, torch_lib: lib })
        }
        Torch::Incomplete(_) => {
            let mend = format!("{} --force-reinstall", python.mend());
            Err(Problem::WrongTorch { found, prefix: python.prefix, mend })
        }
        _ => {
            let mend = python.mend();
            Err(Problem::WrongTorch { found, prefix: python.prefix, mend })
        }
    }
}

fn choose(python: Python, place: &'static str, attempts: &mut Vec<Attempt>) -> Python {
    let outcome = python.prefix.display().to_string();
    attempts.push(Attempt { place, outcome, chosen: true });
    python
}

fn skip(place: &'static str, outcome: impl Into<String>, attempts: &mut Vec<Attempt>) {
    attempts.push(Attempt { place, outcome: outcome.into(), chosen: false });
}
