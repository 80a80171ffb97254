//! The language's surface beside PyTorch's: every case of `tests/conformance/*.txt` runs in one session and in
//! one Python, from the same seed, and both must come to the same.

mod cases;
mod value;

use std::io::Write;
use std::process::{Command, Stdio};

use cases::{Case, Compare};
use flambeau_runtime::script::{Options, Session};
use flambeau_tests::repository;
use serde_json::{Value, json};

/// The exceptions that a kind of ours may be in Python, whose own choice is often the wide RuntimeError.
fn counterparts(kind: &str) -> &'static [&'static str] {
    match kind {
        "NameError" => &["NameError", "AttributeError"],
        "KeyError" => &["KeyError"],
        "Thrown" => &["Exception"],
        "ArithmeticError" => &["ArithmeticError", "RuntimeError"],
        "DeviceError" => &["RuntimeError", "AssertionError"],
        _ => &["RuntimeError", "TypeError", "ValueError", "IndexError", "NotImplementedError"],
    }
}

/// Python's answers, in the order of the cases.
fn oracle(cases: &[Case]) -> Vec<Value> {
    let request: Vec<Value> = cases
        .iter()
        .map(|case| {
            let (setup, setup_same) = case.setup.python();
            let (code, same) = case.code.python();
            json!({
                "setup": setup, "setup_same": setup_same, "code": code.replace("%%\n", ""),
                "same": same, "print": case.compare == Compare::Print,
            })
        })
        .collect();
    let mut python = Command::new(repository().join(".venv/bin/python"))
        .arg(repository().join("tests/oracle/conformance.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect("the environment's Python starts");
    let mut stdin = python.stdin.take().expect("it has a standard input");
    stdin.write_all(json!(request).to_string().as_bytes()).expect("Python reads the cases");
    drop(stdin);
    let output = python.wait_with_output().expect("Python ends");
    assert!(output.status.success(), "the oracle failed");
    String::from_utf8_lossy(&output.stdout)
        .lines()
        .map(|line| serde_json::from_str(line).expect("a line is JSON"))
        .collect()
}

/// What a case comes to in the session: its last value, or the error's kind and message.
fn run(session: &mut Session, case: &Case) -> Result<Value, (String, String)> {
    let failed = |report: Box<flambeau_runtime::script::Report>| {
        (report.error.kind.name().to_owned(), report.rendered(false))
    };
    let reset = "torch.set_default_dtype(torch.float32); torch.set_grad_enabled(true); torch.manual_seed(0);";
    let _ = session.evaluate("reset", reset).map_err(failed)?;
    if !case.setup.script.is_empty() {
        let _ = session.evaluate("setup", &format!("{};", case.setup.script)).map_err(failed)?;
    }
    let mut last = rhai::Dynamic::UNIT;
    for cell in case.code.script.split("%%\n") {
        last = session.evaluate("case", cell).map_err(failed)?;
    }
    Ok(match case.compare {
        Compare::Print => json!(session.display(&last)),
        _ => value::encode(&last, session),
    })
}

/// What is wrong with a case, if anything.
fn judge(case: &Case, ours: &Result<Value, (String, String)>, python: &Value) -> Option<String> {
    match (&case.compare, ours, python.get("error")) {
        (Compare::Error(kind), Err((found, report)), Some(classes)) => {
            if kind != found {
                return Some(format!("is a {found}, not a {kind}:\n{report}"));
            }
            let known = counterparts(kind);
            let classes: Vec<&str> = classes.as_array()?.iter().filter_map(Value::as_str).collect();
            (!classes.iter().any(|class| known.contains(class)))
                .then(|| format!("Python raises {}: {}", classes[0], python["message"]))
        }
        (Compare::Error(_), Ok(ours), Some(classes)) => {
            Some(format!("gives {ours}\nPython raises {}: {}", classes[0], python["message"]))
        }
        (_, Ok(ours), None) if value::agree(ours, &python["value"]) => {
            matches!(case.compare, Compare::Error(_)).then(|| "neither fails".to_owned())
        }
        (_, Ok(ours), None) => Some(format!("gives  {ours}\nPython {}", python["value"])),
        (_, Err((_, report)), None) => Some(format!("Python gives {}\n{report}", python["value"])),
        (_, ours, Some(classes)) => {
            let ours = match ours {
                Ok(value) => value.to_string(),
                Err((_, report)) => report.clone(),
            };
            Some(format!("Python raises {}: {}\nours: {ours}", classes[0], python["message"]))
        }
    }
}

#[test]
fn scripts_and_python_come_to_the_same() {
    let mut cases = cases::read(&repository().join("tests/conformance"));
    // A part of a file's name, to look at some cases only.
    if let Ok(only) = std::env::var("CONFORMANCE") {
        cases.retain(|case| case.place.contains(&only));
    }
    let answers = oracle(&cases);
    assert_eq!(answers.len(), cases.len(), "one answer per case");
    let mut session =
        Session::new(Options { libraries: flambeau_stdlib::libraries(), ..Options::default() });
    let mut wrong = Vec::new();
    for (case, answer) in cases.iter().zip(&answers) {
        let ours = run(&mut session, case);
        if let Some(complaint) = judge(case, &ours, answer) {
            wrong.push(format!("{}: {}\n{complaint}", case.place, case.code.script.trim_end()));
        }
    }
    assert!(
        wrong.is_empty(),
        "{} of {} cases differ\n\n{}",
        wrong.len(),
        cases.len(),
        wrong.join("\n\n")
    );
}
