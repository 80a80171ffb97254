//! The command line: what can be asked of the program, and what its values may be.

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

use flambeau_protocol::{Limits, Permissions, TORCH_VERSION};

use crate::runs::arguments::Runs;
use crate::sweep::options::Sweep;

/// A scripting runtime for PyTorch: Rhai over libtorch.
#[derive(Debug, Parser)]
#[command(name = "flambeau", version, max_term_width = 100)]
#[command(
    after_help = "Exit codes: 0 done, 1 the script ended with an error, 2 the script was not \
begun (arguments, files, environment), 130 interrupted."
)]
pub struct Arguments {
    /// Without one: a prompt on a terminal, else the script on standard input.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Evaluate this code.
    #[arg(short = 'c', value_name = "CODE", conflicts_with = "file")]
    pub code: Option<String>,
    /// Run this file, then show the prompt with what it defined.
    #[arg(short = 'i', value_name = "FILE")]
    pub file: Option<PathBuf>,
    /// Do not run startup.rhai before the prompt.
    #[arg(long)]
    pub no_startup: bool,
    #[command(flatten)]
    pub environment: Environment,
    /// Whether errors are coloured; auto looks at the terminal and at $NO_COLOR.
    #[arg(long, global = true, value_name = "WHEN", default_value = "auto")]
    pub color: Color,
}

impl Arguments {
    /// What every command takes.
    pub fn shared(&self) -> Shared {
        let behind = self.command.as_ref().and_then(Command::environment);
        Shared { env: behind.or(self.environment.env.as_ref()).cloned(), color: self.color }
    }
}

/// Which Python environment is used: named before a command or behind it.
#[derive(Debug, Default, Args)]
pub struct Environment {
    /// The Python environment whose torch is used: its folder or its python.
    ///
    /// Without it: $VIRTUAL_ENV, .venv beside the script or above it, .venv beside the program or above
    /// it, then python3 on PATH. `flambeau env` shows what is found and why. A kernel that is installed in
    /// an environment takes that first.
    #[arg(long, value_name = "PATH")]
    pub env: Option<PathBuf>,
}

/// What every command takes.
#[derive(Clone, Debug)]
pub struct Shared {
    /// The Python environment that was named.
    pub env: Option<PathBuf>,
    /// Whether errors are coloured.
    pub color: Color,
}

/// When to colour.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Subcommand)]
pub enum Command {
    /// Run a script.
    Run(Run),
    /// Print signature, description and an example of a function, operator or module.
    Doc {
        /// Such as torch.linalg.svd, nn.Linear or optim.AdamW.
        name: String,
        #[command(flatten)]
        environment: Environment,
    },
    /// Show which Python and which torch would be used, and why.
    Env(Environment),
    /// Serve Jupyter's clients, or tell Jupyter that the kernel is there.
    #[command(args_conflicts_with_subcommands = true)]
    Kernel {
        /// The file that says where clients expect the kernel.
        #[arg(short = 'f', value_name = "CONNECTION_FILE")]
        file: Option<PathBuf>,
        #[command(flatten)]
        environment: Environment,
        /// What clients pass on of their own command lines, such as the script of `jupyter run`: it is not the kernel's.
        #[arg(last = true, hide = true)]
        rest: Vec<std::ffi::OsString>,
        #[command(subcommand)]
        action: Option<KernelAction>,
    },
    /// Run a script with many parameters, each in a process of its own.
    Sweep(Box<Sweep>),
    /// List, compare, draw, export and remove what runs and sweeps have written.
    #[command(subcommand)]
    Runs(Runs),
    /// Run a trial of a sweep: a process of a sweep calls this.
    #[command(hide = true)]
    Trial {
        /// What is to be run, as JSON.
        task: String,
    },
    /// Stand ready for trials of a sweep: a process of a sweep calls this.
    #[command(hide = true)]
    Nursery {
        /// The folder of the script.
        folder: PathBuf,
        /// Begin a new process for each trial.
        #[arg(long)]
        spawn: bool,
        #[command(flatten)]
        environment: Environment,
    },
    /// Run the script on standard input.
    #[command(name = "-")]
    Stdin(Environment),
}

impl Command {
    /// The Python environment that is named behind the command.
    fn environment(&self) -> Option<&PathBuf> {
        let environment = match self {
            Command::Run(Run { environment, .. })
            | Command::Doc { environment, .. }
            | Command::Nursery { environment, .. }
            | Command::Env(environment)
            | Command::Stdin(environment) => environment,
            // No engine, and so no environment.
            Command::Trial { .. } | Command::Runs(_) => return None,
            Command::Sweep(sweep) => &sweep.environment,
            Command::Kernel { action: None, environment, .. } => environment,
            Command::Kernel { action: Some(action), .. } => match action {
                // There it is the environment of the kernel's process.
                KernelAction::Install(_) => return None,
                KernelAction::Uninstall(Uninstall { environment, .. })
                | KernelAction::List(environment) => environment,
            },
        };
        environment.env.as_ref()
    }
}

/// What can be done with Jupyter's list of kernels.
#[derive(Debug, Subcommand)]
pub enum KernelAction {
    /// Tell Jupyter how to start the kernel.
    Install(Install),
    /// Take that back.
    Uninstall(Uninstall),
    /// Show where it has been told.
    List(Environment),
}

/// Where a kernel is installed.
#[derive(Debug, Args)]
pub struct Place {
    /// For this user; so it is without one of the next two.
    #[arg(long, group = "place")]
    pub user: bool,
    /// In the Python environment that is used.
    #[arg(long, group = "place")]
    pub sys_prefix: bool,
    /// In another folder, below share/jupyter/kernels.
    #[arg(long, value_name = "PATH", group = "place")]
    pub prefix: Option<PathBuf>,
    /// The kernel's name in Jupyter.
    #[arg(long, value_name = "NAME", default_value = "flambeau", value_parser = kernel_name)]
    pub name: String,
}

/// What Jupyter is told of a kernel.
#[derive(Debug, Args)]
pub struct Install {
    #[command(flatten)]
    pub place: Place,
    /// What people see.
    #[arg(long, value_name = "TEXT")]
    pub display_name: Option<String>,
    /// A variable that the kernel is started with (may be repeated).
    ///
    /// The Python environment is named before the command: flambeau --env PATH kernel install.
    #[arg(long = "env", value_name = "NAME=VALUE", value_parser = variable)]
    pub variables: Vec<(String, String)>,
}

/// Which kernel is removed.
#[derive(Debug, Args)]
pub struct Uninstall {
    #[command(flatten)]
    pub place: Place,
    #[command(flatten)]
    pub environment: Environment,
}

/// Options of `flambeau run`.
#[derive(Debug, Default, Args)]
pub struct Run {
    /// The script; - reads it from standard input.
    pub script: PathBuf,
    /// Arguments for the script, which finds them in `args`.
    #[arg(last = true, value_name = "ARGS")]
    pub args: Vec<String>,
    #[command(flatten)]
    pub environment: Environment,
    /// Record the run in this folder: what it logs, its checkpoints, its result. The same command again goes on
    /// from the last checkpoint.
    #[arg(long, value_name = "FOLDER")]
    pub out: Option<PathBuf>,
    /// Do not print what is logged.
    #[arg(long, requires = "out")]
    pub quiet: bool,
    /// How many checkpoints stay.
    #[arg(long, value_name = "COUNT", default_value_t = KEEP, requires = "out")]
    pub keep_checkpoints: usize,
    /// How many threads an operator may use on the CPU.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u16).range(1..))]
    pub threads: Option<u16>,
    /// Deny files, processes, environment variables, Python and custom CUDA code.
    #[arg(long, help_heading = "Limits")]
    pub sandbox: bool,
    /// Let a sandboxed script read this file or folder (may be repeated).
    #[arg(long, value_name = "PATH", requires = "sandbox", help_heading = "Limits")]
    pub allow_read: Vec<PathBuf>,
    /// Let a sandboxed script read and write this file or folder (may be repeated).
    #[arg(long, value_name = "PATH", requires = "sandbox", help_heading = "Limits")]
    pub allow_write: Vec<PathBuf>,
    /// Let a sandboxed script use Python, and with it everything.
    #[arg(long, requires = "sandbox", help_heading = "Limits")]
    pub allow_python: bool,
    /// End the script after so many seconds.
    #[arg(long, value_name = "SECONDS", value_parser = seconds, help_heading = "Limits")]
    pub max_seconds: Option<f64>,
    /// End the script when its tensors and values hold more bytes, such as 512M or 2G.
    #[arg(long, value_name = "BYTES", value_parser = bytes, help_heading = "Limits")]
    pub max_memory: Option<u64>,
    /// End the script after so many operations of its own code.
    #[arg(long, value_name = "COUNT", value_parser = clap::value_parser!(u64).range(1..),
        help_heading = "Limits")]
    pub max_operations: Option<u64>,
}

/// Checkpoints that stay: a damaged one has another behind it.
pub const KEEP: usize = 2;

impl Run {
    /// A script without options.
    pub fn of(script: &str) -> Run {
        Run { script: script.into(), ..Run::default() }
    }

    /// What the script may reach.
    pub fn permissions(&self) -> Permissions {
        Permissions {
            sandbox: self.sandbox,
            allow_read: self.allow_read.clone(),
            allow_write: self.allow_write.clone(),
            allow_python: self.allow_python,
        }
    }

    /// When the script is ended.
    pub fn limits(&self) -> Limits {
        Limits {
            max_seconds: self.max_seconds,
            max_memory: self.max_memory,
            max_operations: self.max_operations,
        }
    }
}

/// The package that must be installed.
pub fn torch_requirement() -> String {
    format!("torch=={TORCH_VERSION}")
}

/// What Jupyter takes for the name of a kernel: it becomes a folder.
fn kernel_name(text: &str) -> Result<String, String> {
    let fits = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    match !text.is_empty() && !text.starts_with('.') && text.chars().all(fits) {
        true => Ok(text.to_lowercase()),
        false => Err("a kernel's name has letters, digits, '-', '_' and '.'".to_owned()),
    }
}

/// `NAME=VALUE`.
fn variable(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("expected NAME=VALUE; the Python environment is named before the command: \
                  flambeau --env PATH kernel install"
            .to_owned()),
    }
}

/// A positive number of seconds, at most about 31 years.
pub fn seconds(text: &str) -> Result<f64, String> {
    match text.parse::<f64>() {
        Ok(value) if value > 0.0 && value <= 1e9 => Ok(value),
        _ => Err("expected a positive number of seconds, such as 2.5".to_owned()),
    }
}

/// A positive number of bytes with an optional unit: K, M, G, T (powers of 1024), with or without `B` or
/// `iB`.
pub fn bytes(text: &str) -> Result<u64, String> {
    let help = || "expected a positive number of bytes, such as 1073741824, 512M or 2G".to_owned();
    let split = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(split);
    let factor: u64 = match unit.trim().to_ascii_lowercase().as_str() {
        "" | "b" => 1,
        "k" | "kb" | "kib" => 1 << 10,
        "m" | "mb" | "mib" => 1 << 20,
        "g" | "gb" | "gib" => 1 << 30,
        "t" | "tb" | "tib" => 1 << 40,
        _ => return Err(help()),
    };
    if let Ok(whole) = number.parse::<u64>() {
        return whole.checked_mul(factor).filter(|&bytes| bytes > 0).ok_or_else(help);
    }
    let value = number.parse::<f64>().map_err(|_| help())? * factor as f64;
    // Above 2^53 a fraction of a byte count says nothing.
    if (1.0..9e15).contains(&value) { Ok(value as u64) } else { Err(help()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::CommandFactory;

    #[test]
    fn the_declaration_is_consistent() {
        Arguments::command().debug_assert();
    }

    #[test]
    fn byte_counts_take_units() {
        assert_eq!(bytes("4096"), Ok(4096));
        assert_eq!(bytes("512M"), Ok(512 << 20));
        assert_eq!(bytes("2GiB"), Ok(2 << 30));
        assert_eq!(bytes("1.5k"), Ok(1536));
        for wrong in ["", "0", "-1", "1X", "G", "nan", "99999999999G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn seconds_are_positive_and_finite() {
        assert_eq!(seconds("2.5"), Ok(2.5));
        for wrong in ["0", "-1", "inf", "nan", "ten", "1e300"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn options_after_the_script_are_the_programs_and_arguments_follow_two_dashes() {
        let arguments =
            Arguments::parse_from(["flambeau", "run", "a.rhai", "--sandbox", "--", "--lr", "1"]);
        let Some(Command::Run(run)) = arguments.command else { panic!("not run") };
        assert!(run.sandbox);
        assert_eq!(run.args, ["--lr", "1"]);
    }

    #[test]
    fn the_environment_is_named_before_the_command_or_behind_it() {
        let env = |line: &str| Arguments::parse_from(line.split(' ')).shared().env;
        for line in [
            "flambeau --env here",
            "flambeau --env here run a.rhai",
            "flambeau run a.rhai --env here",
            "flambeau --env there run --env here a.rhai",
            "flambeau env --env here",
            "flambeau doc --env here nn.Linear",
            "flambeau kernel --env here -f file",
            "flambeau kernel --env here -f file -- script --env there",
            "flambeau kernel list --env here",
            "flambeau kernel uninstall --env here",
            "flambeau --env here kernel install --env A=1",
            "flambeau - --env here",
        ] {
            assert_eq!(env(line), Some(PathBuf::from("here")), "{line}");
        }
        assert_eq!(env("flambeau kernel install --env A=1"), None);
    }

    #[test]
    fn a_kernel_is_installed_with_variables() {
        let line = "flambeau kernel install --env A=1 --env B=C=2 --env D=";
        let Some(Command::Kernel { action: Some(KernelAction::Install(install)), .. }) =
            Arguments::parse_from(line.split(' ')).command
        else {
            panic!("not an installation")
        };
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        assert_eq!(install.variables, [pair("A", "1"), pair("B", "C=2"), pair("D", "")]);
        let path = ["flambeau", "kernel", "install", "--env", ".venv"];
        let refused = Arguments::try_parse_from(path).map_err(|error| error.to_string());
        assert!(refused.is_err_and(|error| error.contains("flambeau --env PATH kernel install")));
    }

    #[test]
    fn a_dash_is_a_command() {
        let arguments = Arguments::parse_from(["flambeau", "--color", "never", "-"]);
        assert!(matches!(arguments.command, Some(Command::Stdin(_))));
        assert!(Arguments::try_parse_from(["flambeau", "rnu"]).is_err());
    }

    #[test]
    fn allowances_without_a_sandbox_are_refused() {
        let wrong = ["flambeau", "run", "--allow-read=/data", "a.rhai"];
        assert!(Arguments::try_parse_from(wrong).is_err());
    }
}
