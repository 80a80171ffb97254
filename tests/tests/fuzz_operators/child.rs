//! The part of the fuzz test that may die: calls a range of operators and writes down each call before
//! it is made.

use std::fs::File;
use std::io::Write;
use std::path::Path;

use flambeau_runtime::Kind;
use flambeau_runtime::script::{Options, Results, Session};
use flambeau_runtime::torch::{self, Overload, Tensor};
use rhai::{Array, Dynamic};

use crate::values::{Mood, Random, Setting, arguments};

/// Namespaces whose operators are called: all that the dispatcher has of libtorch's own.
pub fn overloads() -> Vec<(String, &'static Overload)> {
    let mut found = Vec::new();
    for namespace in torch::namespaces() {
        for name in torch::operator_names(&namespace) {
            let Some(operator) = torch::operator(&namespace, &name) else { continue };
            for overload in operator.overloads.iter().filter(|overload| !overload.is_out) {
                found.push((format!("{namespace}.{name}"), overload));
            }
        }
    }
    found
}

/// What the child is asked to do.
pub struct Task<'a> {
    /// Every `step`th overload from `from` on.
    pub from: usize,
    pub step: usize,
    pub rounds: usize,
    pub seed: u64,
    /// Where it writes what it does.
    pub log: &'a Path,
}

/// Calls the operators. Each line of the log is `call INDEX SCRIPT` before a call, or the summary.
pub fn run(task: &Task<'_>) {
    let mut log = File::options().append(true).create(true).open(task.log).expect("a log");
    let mut session = Session::new(Options { output: Box::new(|_| {}), ..Options::default() });
    let _ = session.evaluate("setup", "torch.set_num_threads(1);").expect("one thread");
    let overloads = overloads();
    let (mut calls, mut done) = (0usize, 0usize);
    for i in (task.from..overloads.len()).step_by(task.step) {
        let (name, overload) = &overloads[i];
        let mut random = Random::new(task.seed ^ (i as u64) << 20);
        let mut succeeded = false;
        for round in 0..task.rounds {
            let mood = match round % 4 {
                0 | 1 => Mood::Plausible,
                2 => Mood::Wild,
                _ => Mood::Wrong,
            };
            let setting = Setting::new(&mut random);
            let text = arguments(&mut random, &overload.schema, &setting, mood);
            let script = format!("torch.ops.{name}({text})");
            // One write per call: what stands last in the log is what was going on.
            let line = format!("call {i} {}\n", script.replace('\n', " "));
            log.write_all(line.as_bytes()).expect("a log");
            torch::manual_seed(round as u64).expect("a seed");
            calls += 1;
            match session.evaluate("fuzz", &script) {
                Ok(value) => {
                    succeeded = true;
                    look_at(&mut session, value);
                }
                Err(report) => judge(&report, &mut log, &script),
            }
        }
        done += 1;
        let line = format!("end {i} {}\n", if succeeded { "reached" } else { "refused" });
        log.write_all(line.as_bytes()).expect("a log");
    }
    log.write_all(format!("summary {done} {calls}\n").as_bytes()).expect("a log");
}

/// Prints the result, and goes back through its graph where it has one.
fn look_at(session: &mut Session, value: Dynamic) {
    let _ = session.display(&value);
    let tensors: Vec<Tensor> = if let Some(list) = value.read_lock::<Array>() {
        list.iter().filter_map(|item| item.clone().try_cast::<Tensor>()).collect()
    } else if let Some(results) = value.read_lock::<Results>() {
        results.values.iter().filter_map(|item| item.clone().try_cast::<Tensor>()).collect()
    } else {
        value.clone().try_cast::<Tensor>().into_iter().collect()
    };
    for tensor in tensors.into_iter().take(2) {
        session.set("result", Dynamic::from(tensor));
        // Whether it works is another question; it must come back.
        let _ = session.evaluate(
            "look",
            "if result.requires_grad && result.is_floating_point() { result.sum().backward(); }",
        );
        session.set("result", Dynamic::UNIT);
    }
}

/// An error must be one that a user can read.
fn judge(report: &flambeau_runtime::script::Report, log: &mut File, script: &str) {
    let message = &report.error.message;
    let bad = message.is_empty()
        || message.contains("Exception raised from")
        || message.contains("frame #")
        || message.contains("INTERNAL ASSERT FAILED")
        || message.contains("please report a bug to PyTorch")
        || report.error.kind == Kind::Syntax;
    if bad {
        let line =
            format!("bad {}: {} <- {script}\n", report.error.kind, message.replace('\n', " | "));
        log.write_all(line.as_bytes()).expect("a log");
    }
}
