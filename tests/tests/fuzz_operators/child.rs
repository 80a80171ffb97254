//! The part of the fuzz test that may die: calls a range of cases and writes down each call before it
//! is made.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flambeau_runtime::Kind;
use flambeau_runtime::script::{Limits, Options, Permissions, Report, Results, Session};
use flambeau_runtime::torch::{self, Tensor};
use rhai::{Array, Dynamic};

use crate::cases;

/// What the child is asked to do.
pub struct Task {
    /// Every `step`th case from `from` on, that one from `first_round` on.
    pub from: usize,
    pub step: usize,
    pub first_round: usize,
    pub rounds: usize,
    pub seed: u64,
    /// Where it writes what it does.
    pub log: PathBuf,
    /// Only cases whose names start so.
    pub only: String,
}

/// A session that may not touch files.
fn session() -> Session {
    Session::new(Options {
        libraries: flambeau_stdlib::libraries(),
        permissions: Permissions { sandbox: true, ..Permissions::default() },
        // Long loops of the library must ask for limits.
        limits: Limits { call_levels: Some(64), seconds: Some(5.0), ..Limits::default() },
        output: Arc::new(|_| {}),
        ..Options::default()
    })
}

/// What calls may have changed for all that follow.
const SETTINGS: &str = "torch.set_num_threads(1); torch.set_default_dtype(torch.float32); \
                        torch.set_grad_enabled(true); torch.autograd.set_detect_anomaly(false);";

/// Calls the cases. Each line of the log is `call INDEX ROUND SCRIPT` before a call, `error`, `bad` or
/// `end` behind it, or the summary.
pub fn run(task: &Task) {
    let log = File::options().append(true).create(true).open(&task.log).expect("a log");
    let mut write = |line: String| {
        // One write for each line: what stands last is what was going on.
        (&log).write_all((line.replace('\n', " | ") + "\n").as_bytes()).expect("a log");
    };
    tell_of_panics(&task.log);
    let mut session = session();
    let cases = cases::all(&session);
    let (mut first_round, mut ends) = (task.first_round, 0usize);
    for i in (task.from..cases.len()).step_by(task.step) {
        let case = &cases[i];
        if !case.name.starts_with(&task.only) {
            first_round = 0;
            continue;
        }
        // Every cell leaves something behind; thousands of them would slow each other.
        if !case.is_operator() || ends % 16 == 0 {
            session = self::session();
        }
        let _ = session.evaluate("setup", SETTINGS).expect("settings");
        let mut answered = false;
        for round in std::mem::take(&mut first_round)..task.rounds {
            let script = case.script(task.seed, round);
            write(format!("call {i} {round} {script}"));
            torch::manual_seed(round as u64).expect("a seed");
            match session.evaluate("fuzz", &script) {
                Ok(value) => {
                    answered = true;
                    if let Some(report) = look_at(&mut session, &value) {
                        judge(&report, &script, &mut write);
                    }
                }
                Err(report) => judge(&report, &script, &mut write),
            }
        }
        let kind = if case.is_operator() { "operator" } else { "function" };
        let end = if answered { "answered" } else { "refused" };
        write(format!("end {kind} {end} {}", case.name));
        ends += 1;
    }
    write(format!("summary {ends}"));
}

/// A panic is a fault, also where it is caught.
fn tell_of_panics(log: &Path) {
    let log = log.to_owned();
    std::panic::set_hook(Box::new(move |panic| {
        if let Ok(mut log) = File::options().append(true).open(&log) {
            let text = panic.to_string().replace('\n', " | ");
            let _ = log.write_all(format!("bad panic {text}\n").as_bytes());
        }
    }));
}

/// Prints the result, and goes back through its graph where it has one. Whether that works is another
/// question: it must come back, with an error for users.
fn look_at(session: &mut Session, value: &Dynamic) -> Option<Box<Report>> {
    let _ = session.display(value);
    let tensors: Vec<Tensor> = if let Some(list) = value.read_lock::<Array>() {
        list.iter().filter_map(|item| item.clone().try_cast::<Tensor>()).collect()
    } else if let Some(results) = value.read_lock::<Results>() {
        results.values.iter().filter_map(|item| item.clone().try_cast::<Tensor>()).collect()
    } else {
        value.clone().try_cast::<Tensor>().into_iter().collect()
    };
    let mut wrong = None;
    for tensor in tensors.into_iter().take(2) {
        session.set("result", Dynamic::from(tensor)).expect("a name");
        let back = session.evaluate(
            "look",
            "if result.requires_grad && (result.is_floating_point() || result.is_complex()) { \
                 result.backward(torch.ones_like(result)); }",
        );
        wrong = wrong.or(back.err());
        session.set("result", Dynamic::UNIT).expect("a name");
    }
    wrong
}

/// What no user should read.
const NOT_FOR_USERS: &[&str] = &[
    "Exception raised from",
    "frame #",
    "INTERNAL ASSERT",
    "INTERNAL_ASSERT",
    "report a bug",
    "file an issue",
    "ile a bug",
    "Could not run '",
    "panicked",
    "a fault of ours",
    ".cpp:",
    ".cpp\":",
    ".h:",
    ".h\":",
    "\"/pytorch/",
];

/// An error must be one that a user can read.
fn judge(report: &Report, script: &str, write: &mut impl FnMut(String)) {
    let (kind, message) = (report.error.kind, &report.error.message);
    let bad = message.trim().is_empty()
        || NOT_FOR_USERS.iter().any(|words| message.contains(words))
        || kind == Kind::Syntax;
    if bad {
        write(format!("bad {kind}: {message} <- {script}"));
    } else {
        write(format!("error {kind}: {message}"));
    }
}
