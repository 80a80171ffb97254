//! What keeps the program from running a script at all, each in one line that says what to do.

use std::path::PathBuf;

use flambeau_protocol::TORCH_VERSION;

/// The codes that the program ends with.
pub mod exit {
    /// All went well.
    pub const OK: u8 = 0;
    /// The script ended with an error.
    pub const SCRIPT: u8 = 1;
    /// The script was never begun: wrong arguments, no script file, no usable environment.
    pub const USAGE: u8 = 2;
    /// The user pressed Ctrl-C.
    pub const INTERRUPT: u8 = 130;
}

/// Why a command could not do its work.
#[derive(Debug, thiserror::Error)]
pub enum Problem {
    /// The script cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Script { path: PathBuf, cause: String },
    /// What `--env` names is no environment.
    #[error("--env {}: {cause}", path.display())]
    NoSuchEnvironment { path: PathBuf, cause: String },
    /// Nowhere is a Python environment.
    #[error("no Python environment with torch {TORCH_VERSION} found; {mend}")]
    NoEnvironment { mend: String },
    /// The environment has no torch, or not the one that is needed.
    #[error("{found} in {}; run: {mend}", prefix.display())]
    WrongTorch { found: String, prefix: PathBuf, mend: String },
    /// A library of torch cannot be opened.
    #[error("cannot open {}: {cause}", path.display())]
    Torch { path: PathBuf, cause: String },
    /// A Python without a shared library cannot be entered either.
    #[error(
        "{} has no shared library, and the program cannot run inside it: {cause}", python.display()
    )]
    Static { python: PathBuf, cause: String },
    /// Where the program should not enter it, though it has none.
    #[error("{} has no shared library", python.display())]
    NotShared { python: PathBuf },
    /// The shared library of Python cannot be opened.
    #[error("cannot open {}: {cause}", path.display())]
    Python { path: PathBuf, cause: String },
    /// The engine library is not where it should be.
    #[error(
        "the engine library {name} is not beside the program; looked for {tried}; \
         build it with: cargo build --release"
    )]
    NoEngine { name: &'static str, tried: String },
    /// The engine library cannot be opened.
    #[error("cannot open the engine library {}: {cause}", path.display())]
    Engine { path: PathBuf, cause: String },
    /// Program and engine library are of different builds.
    #[error(
        "the engine library {} speaks version {found} of the messages and this program version \
         {expected}; build both together with: cargo build --release", path.display()
    )]
    EngineVersion { path: PathBuf, found: u32, expected: u32 },
    /// The engine gave up.
    #[error("the engine cannot go on: {0}")]
    EngineFailed(String),
    /// The connection file is none, or what it names cannot be had.
    #[error("{}: {cause}", path.display())]
    Connection { path: PathBuf, cause: String },
    /// A kernel spec cannot be written or removed.
    #[error("kernel spec {}: {cause}", path.display())]
    Spec { path: PathBuf, cause: String },
    /// A run or sweep on the disk.
    #[error(transparent)]
    Experiment(#[from] flambeau_experiments::Error),
    /// A run where a sweep was expected.
    #[error("{} is the folder of a run; give another folder by --out", .0.display())]
    IsRun(PathBuf),
    /// What a sweep is told is wrong.
    #[error(transparent)]
    Sweep(#[from] crate::sweep::SweepProblem),
    /// Ctrl-C before anything was begun.
    #[error("interrupted")]
    Interrupted,
    /// What a trial is given is no task.
    #[error("the task of a trial is not understood: {0}")]
    Task(String),
    /// Another process writes a run or sweep.
    #[error("another process is working on {}; wait for it, or give another folder", .0.display())]
    InUse(PathBuf),
    /// A sweep where a run was expected.
    #[error("{} is the folder of a sweep; go on with it by flambeau sweep, or give another folder", .0.display())]
    IsSweep(PathBuf),
    /// What was asked about runs cannot be told.
    #[error("{0}")]
    Runs(String),
    /// Nothing has the name that was asked for.
    #[error("nothing is called '{name}'{}", .near.as_ref().map(|near| format!("; did you mean {near}?")).unwrap_or_default())]
    UnknownName { name: String, near: Option<String> },
}

impl Problem {
    /// What the program ends with.
    pub fn exit_code(&self) -> u8 {
        match self {
            Problem::EngineFailed(_) | Problem::UnknownName { .. } => exit::SCRIPT,
            Problem::Interrupted => exit::INTERRUPT,
            _ => exit::USAGE,
        }
    }
}
