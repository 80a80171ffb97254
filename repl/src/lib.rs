//! `flambeau`: a scripting runtime for PyTorch.
//!
//! The program is thin on purpose. It reads arguments, finds the environment, opens libpython, libtorch and
//! the engine library, sends it text and draws what comes back. It links neither libtorch nor libpython, so
//! that `--version` answers at once and a missing torch is a sentence instead of a loader's error.
//!
//! It is a library for the sake of `extension`: a Python without a shared library has to be the process in
//! which the program runs.

#![deny(unsafe_code)]

mod above;
mod ask;
mod cells;
mod cli;
mod commands;
mod cut;
mod doc;
mod draw;
mod echo;
mod engine;
mod environment;
mod examine;
mod extension;
#[cfg(all(target_arch = "x86_64", target_env = "gnu"))]
#[path = "../engine/src/glibc.rs"]
mod glibc;
mod history;
mod installed;
mod kernel;
mod nvidia;
mod pager;
mod picture;
mod problem;
mod progress;
mod prompt;
mod python;
mod record;
mod run;
mod runs;
mod settings;
mod signal;
mod source;
mod start;
mod sweep;
mod trial;

use std::ffi::OsString;
use std::io::{IsTerminal, stdin};

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser};

use cli::{Arguments, Command, Run};
use problem::Problem;

/// Runs the program with these arguments, of which the first is its own name, and ends the process.
pub fn main(arguments: impl IntoIterator<Item = OsString>) -> ! {
    let arguments = Arguments::parse_from(arguments);
    let Arguments { command, code, file, no_startup, .. } = &arguments;
    let shared = &arguments.shared();
    if command.is_some() && (code.is_some() || file.is_some()) {
        let message = "-c and -i stand without a command";
        Arguments::command().error(ErrorKind::ArgumentConflict, message).exit()
    }
    let outcome = match (command, code) {
        (Some(Command::Run(run)), _) => run::run(run, shared),
        (Some(Command::Sweep(arguments)), _) => sweep::sweep(arguments, shared),
        (Some(Command::Trial { task }), _) => trial::run_given(task),
        (Some(Command::Nursery { spawn, folder, .. }), _) => {
            trial::nursery::serve(!spawn, folder, shared)
        }
        (Some(Command::Doc { name, .. }), _) => doc::doc(name, shared),
        (Some(Command::Kernel { action: Some(action), .. }), _) => {
            kernel::spec::manage(action, shared)
        }
        (Some(Command::Kernel { file: Some(file), .. }), _) => kernel::kernel(file, shared),
        (Some(Command::Kernel { .. }), _) => {
            let message = "expected -f CONNECTION_FILE, install, uninstall or list";
            Arguments::command().error(ErrorKind::MissingRequiredArgument, message).exit()
        }
        (Some(Command::Runs(command)), _) => runs::runs(command, shared),
        (Some(Command::Env(_)), _) => examine::examine(shared),
        (None, Some(code)) => run::run_argument(code, shared),
        (None, None) if file.is_some() || stdin().is_terminal() => {
            prompt::prompt(file.as_deref(), !no_startup, shared)
        }
        (Some(Command::Stdin(_)) | None, _) => run::run(&Run::of("-"), shared),
    };
    let code = outcome.unwrap_or_else(|problem: Problem| {
        eprintln!("flambeau: {problem}");
        problem.exit_code()
    });
    signal::leave(code)
}
