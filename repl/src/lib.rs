//! `flambeau`: a scripting runtime for PyTorch.
//!
//! The program is thin on purpose. It reads arguments, finds the environment, opens libpython, libtorch and
//! the engine library, sends it text and draws what comes back. It links neither libtorch nor libpython, so
//! that `--version` answers at once and a missing torch is a sentence instead of a loader's error.
//!
//! It is a library for the sake of `extension`: a Python without a shared library has to be the process in
//! which the program runs.

#![deny(unsafe_code)]

mod cli;
mod doc;
mod draw;
mod engine;
mod environment;
mod examine;
mod extension;
mod installed;
mod nvidia;
mod problem;
mod progress;
mod python;
mod run;
mod signal;
mod start;

use std::ffi::OsString;

use clap::Parser;

use cli::{Arguments, Command};
use problem::Problem;

/// Runs the program with these arguments, of which the first is its own name, and ends the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let arguments = Arguments::parse_from(arguments);
    let outcome = match &arguments.command {
        Command::Run(run) => run::run(run, &arguments.shared),
        Command::Doc { name } => doc::doc(name, &arguments.shared),
        Command::Env => examine::examine(&arguments.shared),
    };
    let code = outcome.unwrap_or_else(|problem: Problem| {
        eprintln!("flambeau: {problem}");
        problem.exit_code()
    });
    signal::leave(code)
}
