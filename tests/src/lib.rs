//! What the tests that run the real program share: finding it, running it, reading what it said.

pub mod markdown;
pub mod package;
pub mod processes;
pub mod running;
pub mod session;
pub mod svg;
pub mod sweeps;
pub mod terminal;
pub mod tree;

use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::sync::OnceLock;

/// The folder of the whole project.
pub fn repository() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."))
}

/// The program: what `$FLAMBEAU_PROGRAM` names, or else the one built with the profile of the tests and
/// brought up to date, so that a test never judges a stale one.
///
/// # Panics
/// When it cannot be built or is not there, with what to do.
pub fn program() -> &'static Path {
    static PROGRAM: OnceLock<PathBuf> = OnceLock::new();
    PROGRAM.get_or_init(|| {
        if let Some(program) = std::env::var_os("FLAMBEAU_PROGRAM") {
            return program.into();
        }
        // target/PROFILE/deps/TEST-HASH
        let test = std::env::current_exe().expect("the test knows its own path");
        let folder =
            test.parent().and_then(Path::parent).expect("tests lie in target/PROFILE/deps");
        build(folder);
        let program = folder.join("flambeau");
        assert!(
            program.is_file(),
            "{} is missing; build it first: cargo build --release --workspace",
            program.display()
        );
        program
    })
}

/// Has cargo bring program and engine library up to date.
fn build(folder: &Path) {
    // Set by `cargo test`; without it what lies there is taken.
    let Some(cargo) = std::env::var_os("CARGO") else { return };
    let profile = match folder.file_name().and_then(|name| name.to_str()) {
        Some("debug") | None => "dev",
        Some(name) => name,
    };
    let status = Command::new(cargo)
        .args(["build", "--quiet", "--workspace", "--profile", profile])
        .current_dir(repository())
        .status();
    assert!(status.is_ok_and(|status| status.success()), "the program cannot be built");
}

/// The program as a command in a clean environment, run in the project's folder.
pub fn flambeau() -> Command {
    let mut command = Command::new(program());
    command.current_dir(repository()).stdin(Stdio::null());
    for name in ["VIRTUAL_ENV", "NO_COLOR", "LD_LIBRARY_PATH", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    command
}

/// What a run of the program came to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Outcome {
    /// The exit code; absent where a signal ended it.
    pub code: Option<i32>,
    /// What it printed.
    pub stdout: String,
    /// What it complained of.
    pub stderr: String,
}

impl From<Output> for Outcome {
    fn from(output: Output) -> Self {
        Outcome {
            code: output.status.code(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }
}

/// Runs a command to its end.
///
/// # Panics
/// When it cannot be started.
pub fn outcome(command: &mut Command) -> Outcome {
    command.output().expect("the program starts").into()
}

/// Runs a script, given as text on standard input, with these options of `flambeau run`.
///
/// # Panics
/// When the program cannot be started.
pub fn run_text(code: &str, options: &[&str]) -> Outcome {
    let mut child = flambeau()
        .arg("run")
        .args(options)
        .arg("-")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends before it has read everything is what some tests are about.
        let _ = stdin.write_all(code.as_bytes());
    }
    child.wait_with_output().expect("the program ends").into()
}

/// Writes a script into `folder` and returns its path.
///
/// # Panics
/// When the file cannot be written.
pub fn script(folder: &Path, code: &str) -> PathBuf {
    let path = folder.join("script.rhai");
    std::fs::write(&path, code).expect("a script can be written");
    path
}
