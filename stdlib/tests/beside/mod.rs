//! Cases that run here and in the Python of `.venv`: one expression in Rhai, which reads as Python after
//! [`python`]; the results, as raw bytes, must agree.

// Each test binary uses its own part.
#![allow(dead_code)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Stdio};

use flambeau_runtime::script::{Options, Session};
use rhai::Dynamic;
use serde_json::Value;

/// Held by tests that draw from the default generator, which belongs to the whole process.
pub fn alone() -> std::sync::MutexGuard<'static, ()> {
    static ALONE: std::sync::Mutex<()> = std::sync::Mutex::new(());
    ALONE.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
}

/// A session with the library.
pub fn session() -> Session {
    Session::new(Options { libraries: flambeau_stdlib::libraries(), ..Options::default() })
}

/// Parameters and gradients as `optim/oracle.py` makes them.
const SETUP: &str = "
    let LR = optim.lr_scheduler;
    fn parameters() {
        torch.manual_seed(0);
        [[16, 8], [8], [3, 5]].map(|shape| torch.randn(shape, requires_grad: true))
    }
    fn gradients(params, step) {
        torch.manual_seed(100 + step);
        for (param, i) in params {
            let grad = torch.randn(param.shape);
            param.grad = if i == 2 && step % 3 == 1 { () } else { grad };
        }
    }
";

/// A session with `parameters()`, `gradients(params, step)` and `LR`.
pub fn prepared() -> Session {
    let mut session = session();
    does(&mut session, SETUP);
    session
}

/// Evaluates a cell that must work.
pub fn run(session: &mut Session, code: &str) -> Dynamic {
    session.evaluate("test", code).unwrap_or_else(|report| panic!("{code}\n{report:?}"))
}

/// Evaluates a cell for what it does.
pub fn does(session: &mut Session, code: &str) {
    drop(run(session, code));
}

/// The error of a cell that must fail, in one line.
pub fn fails(session: &mut Session, code: &str) -> String {
    match session.evaluate("test", code) {
        Ok(value) => panic!("{code}\nworked: {}", session.display(&value)),
        Err(report) => format!("{}: {}", report.error.kind, report.error.message),
    }
}

/// The lines of a table: blank ones and comments left out.
pub fn lines(table: &str) -> impl Iterator<Item = &str> {
    table.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with("//"))
}

/// A line as Rhai and as Python; they stand beside each other, with ` ;; ` between, where one does not
/// follow from the other.
pub fn both(line: &str) -> (String, String) {
    match line.split_once(" ;; ") {
        Some((rhai, python)) => (rhai.trim().to_owned(), python.trim().to_owned()),
        None => (line.to_owned(), python(line)),
    }
}

/// Runs `tests/NAME/oracle.py` with `input` and reads what it prints.
pub fn oracle(name: &str, input: &Value) -> Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut child = Command::new(root.join("../.venv/bin/python"))
        .arg(root.join("tests").join(name).join("oracle.py"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .expect(".venv/bin/python runs; `make .venv` makes it");
    let mut stdin = child.stdin.take().expect("a pipe");
    let text = input.to_string();
    let writer = std::thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().expect("the oracle ends");
    writer.join().expect("no panic").expect("the oracle reads");
    assert!(output.status.success(), "the oracle failed");
    serde_json::from_slice(&output.stdout).expect("the oracle writes JSON")
}

/// Rhai as Python: `name: value`, `true`, `()`, `#{ }` and closures of one expression.
pub fn python(rhai: &str) -> String {
    let mut text = String::new();
    let mut quoted = false;
    let mut closers: Vec<char> = Vec::new();
    let chars: Vec<char> = rhai.chars().collect();
    let mut i = 0;
    while i < chars.len() {
        let c = chars[i];
        let next = chars.get(i + 1).copied().unwrap_or(' ');
        let before = text.chars().last().unwrap_or(' ');
        if c == '"' {
            quoted = !quoted;
        }
        if quoted {
            text.push(c);
        } else if c == '#' && next == '{' {
            text.push_str("dict(");
            closers.push(')');
            i += 1;
        } else if c == '}' {
            text.push(closers.pop().unwrap_or('}'));
        } else if c == ':' && next == ' ' && (before.is_alphanumeric() || before == '_') {
            text.push('=');
            i += 1;
        } else if c == '(' && next == ')' && !(before.is_alphanumeric() || ")]_".contains(before)) {
            text.push_str("None");
            i += 1;
        } else if c == '|' {
            let end =
                chars[i + 1..].iter().position(|c| *c == '|').map_or(chars.len(), |n| i + 1 + n);
            let names: String = chars[i + 1..end].iter().collect();
            text.push_str(&format!("lambda {names}:"));
            i = end;
        } else if c.is_alphabetic() && !(before.is_alphanumeric() || before == '_') {
            let word: String =
                chars[i..].iter().take_while(|c| c.is_alphanumeric() || **c == '_').collect();
            i += word.chars().count() - 1;
            text.push_str(match word.as_str() {
                "true" => "True",
                "false" => "False",
                other => other,
            });
        } else {
            text.push(c);
        }
        i += 1;
    }
    text
}
