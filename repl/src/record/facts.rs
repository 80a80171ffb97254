//! What a result depends on besides script and parameters: versions, the commit and what was changed since, the machine.

use std::path::Path;
use std::process::{Command, Stdio};

use flambeau_experiments::{Result, Run, files};
use serde_json::{Value, json};

use crate::environment::{Places, search};

/// What was found out, once for all runs of a sweep.
#[derive(Clone, Debug)]
pub struct Facts {
    facts: Value,
    /// What `git diff` says of the script's repository, where there is one.
    changes: Vec<u8>,
}

impl Facts {
    /// Asks git and the system. What cannot be found out is absent.
    pub fn gather(places: &Places) -> Facts {
        let folder = places.script_dir.clone().unwrap_or_default();
        let text = |arguments: &[&str]| {
            git(&folder, arguments)
                .and_then(|bytes| Some(String::from_utf8(bytes).ok()?.trim().to_owned()))
        };
        let commit = text(&["rev-parse", "HEAD"]);
        let changes = match &commit {
            Some(_) => git(&folder, &["diff", "HEAD", "--binary", "--", "."]).unwrap_or_default(),
            None => Vec::new(),
        };
        let environment = search(places).result.ok();
        let facts = json!({
            "flambeau": env!("CARGO_PKG_VERSION"),
            "torch": environment.as_ref().map(|environment| &environment.torch_version),
            "python": environment.as_ref().map(|environment| &environment.python.executable),
            "command": std::env::args().collect::<Vec<_>>(),
            "folder": std::env::current_dir().ok(),
            "git": commit.map(|commit| json!({
                "commit": commit,
                "branch": text(&["rev-parse", "--abbrev-ref", "HEAD"]),
                "changed": !changes.is_empty(),
            })),
            "machine": machine(),
        });
        Facts { facts, changes }
    }

    /// Writes them into the folder of a run, which keeps those that it has.
    ///
    /// # Errors
    /// A full disk.
    pub fn write(&self, run: &Run) -> Result<()> {
        let path = run.file("environment.json");
        if path.exists() {
            return Ok(());
        }
        if !self.changes.is_empty() {
            files::write_lightly(&run.file("changes.diff"), &self.changes)?;
        }
        files::write_json_lightly(&path, &self.facts)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Option<Vec<u8>> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .stdin(Stdio::null())
        .output()
        .ok()?;
    output.status.success().then_some(output.stdout)
}

/// What the system says of itself. Source: proc(5).
fn machine() -> Value {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let field = |text: Option<String>, name: &str| {
        let text = text?;
        let line = text.lines().find(|line| line.starts_with(name))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    json!({
        "host": read("/proc/sys/kernel/hostname").map(|name| name.trim().to_owned()),
        "system": read("/proc/sys/kernel/osrelease").map(|name| format!("Linux {}", name.trim())),
        "processor": field(read("/proc/cpuinfo"), "model name"),
        "cores": std::thread::available_parallelism().ok().map(|cores| cores.get()),
        "memory": field(read("/proc/meminfo"), "MemTotal"),
        "architecture": std::env::consts::ARCH,
    })
}
