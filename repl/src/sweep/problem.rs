//! What keeps a sweep from being run.

use std::path::PathBuf;

/// What is wrong with what a sweep is told.
#[derive(Debug, thiserror::Error)]
pub enum SweepProblem {
    /// There is nothing to be run.
    #[error("which script is swept? flambeau sweep SCRIPT.rhai --grid NAME=VALUES")]
    NoScript,
    /// The script cannot be read.
    #[error("cannot read {}: {cause}", path.display())]
    Script { path: PathBuf, cause: String },
    /// The file that says what is swept is wrong.
    #[error("{}: {cause}", path.display())]
    Spec { path: PathBuf, cause: String },
    /// A parameter is given in two ways.
    #[error("parameter '{0}' is given twice")]
    Twice(String),
    /// Anything else.
    #[error("{0}")]
    Wrong(String),
    /// The script says nothing of its parameters.
    #[error(
        "{} declares no parameters, so there is nothing to vary; begin it with \
         let p = params(#{{lr: 1e-3}});", .0.display()
    )]
    NoParams(PathBuf),
    /// The script fails before it has declared its parameters.
    #[error("{} fails before params():\n{cause}", path.display())]
    Fails { path: PathBuf, cause: String },
}
