//! Errors that cross between scripts and Python: kind, object, one traceback, Ctrl-C.

use std::process::Command;
use std::time::{Duration, Instant};

use flambeau_tests::running::Running;
use flambeau_tests::{Outcome, outcome, run_text, script};

/// Runs a script from a file and asserts that it failed.
fn failing(code: &str) -> Outcome {
    let folder = tempfile::tempdir().expect("a folder");
    script(folder.path(), code);
    let program = flambeau_tests::program();
    let mut command = Command::new(program);
    let env = flambeau_tests::repository().join(".venv");
    command.args(["run", "script.rhai", "--env"]).arg(env).current_dir(folder.path());
    let outcome = outcome(&mut command);
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    outcome
}

#[test]
fn an_exception_has_its_class_its_object_and_a_hint() {
    let outcome = run_text(
        r#"
try { py.import("math").sqrt(-1); } catch (e) { print(`${e.kind}: ${e.message} (line ${e.line})`); print(py.type(e.py).__name__); }
try { py.import("math").sqtr(4); } catch (e) { print(`${e.kind}: ${e.help}`); }
try { py.import("no_such_module_anywhere"); } catch (e) { print(`${e.kind}: ${e.message}`); }
try { py.dict()["k"]; } catch (e) { print(`${e.kind}: ${e.message}`); }
try { py.eval("1 +"); } catch (e) { print(e.kind); }
py.exec("class Mine(Exception): pass");
try { py.exec("raise Mine('why')"); } catch (e) { print(`${e.kind}: ${e.message}`); }
try { torch.ones([2]) + py.object("a"); } catch (e) { print(e.kind); }
"#,
        &[],
    );
    assert_eq!(
        outcome.stdout,
        "ValueError: math domain error (line 2)\nValueError\nAttributeError: did you mean 'sqrt'?\n\
         ModuleNotFoundError: No module named 'no_such_module_anywhere'\nKeyError: there is no 'k'\n\
         SyntaxError\nMine: why\nTypeError\n",
        "{}",
        outcome.stderr
    );
}

#[test]
fn python_sees_the_exception_that_it_raised_and_errors_of_scripts_by_their_kind() {
    let outcome = run_text(
        r#"
py.exec(`
    original = KeyError("k")
    def throw(): raise original
    def observe(f):
        try: return f()
        except Exception as e: return [type(e).__name__, type(e).__mro__[-3].__name__, e is original]
`);
let g = py.globals;
let throw_it = g["throw"];
print(g["observe"](|| throw_it()));
print(g["observe"](|| torch.ones([2]).view([3])));
print(g["observe"](|| { throw "x"; }));
print(g["observe"](|| torch.nope()));
py.exec(`
    def value_error(f):
        try: f()
        except ValueError: return "caught"
        except IndexError: return "index"
`);
print(g["value_error"](|| [1][5]));
"#,
        &[],
    );
    assert_eq!(
        outcome.stdout,
        "[\"KeyError\", \"Exception\", true]\n[\"RhaiShapeError\", \"Exception\", false]\n\
         [\"RhaiThrown\", \"Exception\", false]\n[\"RhaiNameError\", \"Exception\", false]\nindex\n",
        "{}",
        outcome.stderr
    );
}

#[test]
fn one_traceback_shows_the_calls_of_both_languages_in_order() {
    let outcome = failing(
        r#"py.exec(`
    def outer(f):
        return f(1)
    def innermost(d):
        return 1 / (d - 1)
`);
fn middle(d) {
    let divide = py.eval("innermost");
    divide(d)
}
py.globals["outer"](|d| middle(d));
"#,
    );
    let places: Vec<usize> = [
        "<py.exec 1>:2 in outer",
        "return f(1)",
        "script.rhai:11 in closure",
        "script.rhai:9 in middle",
        "<py.exec 1>:4 in innermost",
        "return 1 / (d - 1)",
        "ZeroDivisionError: division by zero",
        "script.rhai:11:",
    ]
    .iter()
    .map(|part| {
        let at = outcome.stderr.find(part);
        at.unwrap_or_else(|| panic!("{part:?} is not in\n{}", outcome.stderr))
    })
    .collect();
    assert!(places.is_sorted(), "{places:?}\n{}", outcome.stderr);
}

#[test]
fn an_error_of_a_script_that_python_called_keeps_its_place() {
    let outcome = failing(
        r#"py.exec("def outer(f): return f()");
py.globals["outer"](|| torch.ones([2]).view([3]));
"#,
    );
    for part in ["script.rhai:2:", "in outer", "ShapeError", "self: float32[2]"] {
        assert!(outcome.stderr.contains(part), "{part:?} is not in\n{}", outcome.stderr);
    }
}

#[test]
fn an_exception_in_a_hook_is_the_error_and_nothing_stays_pending() {
    let outcome = run_text(
        r#"
py.exec(`
    def fail(grad):
        raise ValueError("in the hook")
    def install(x): x.register_hook(fail)
`);
let x = torch.ones([2], requires_grad: true);
py.globals["install"](x);
try { (x * 2).sum().backward(); } catch (e) { print(`${e.kind}: ${e.message}`); }
print(py.eval("1 + 1"));
let y = torch.ones([1], requires_grad: true);
(y * 2).sum().backward();
print(y.grad);
"#,
        &[],
    );
    assert_eq!(outcome.stdout, "ValueError: in the hook\n2\ntensor([2.])\n", "{}", outcome.stderr);
}

#[test]
fn the_sandbox_denies_python_unless_allowed() {
    let outcome = run_text("py.eval(\"1\");", &["--sandbox", "--env", ".venv"]);
    assert!(outcome.stderr.contains("the sandbox denies Python"), "{outcome:?}");
    assert!(outcome.stderr.contains("--allow-python"), "{outcome:?}");
    let denied = run_text("print(py.globals);", &["--sandbox", "--env", ".venv"]);
    assert!(!denied.stdout.contains("__builtins__"), "{denied:?}");
    let allowed = ["--sandbox", "--allow-python", "--env", ".venv"];
    assert_eq!(run_text("print(py.eval(\"1\"));", &allowed).stdout, "1\n");
}

/// Interrupts a script half a second after it has said "ready"; how it ended, and how soon.
fn interrupted(code: &str) -> (Outcome, Duration) {
    let running = Running::start(code);
    std::thread::sleep(Duration::from_millis(500));
    let begin = Instant::now();
    running.press();
    (running.end(Duration::from_secs(20)), begin.elapsed())
}

#[test]
fn an_interrupt_stops_python_code() {
    let loops = [
        "py.exec(`\n    print(\"ready\", flush=True)\n    while True: pass\n`);",
        "py.exec(`\n    import time\n    print(\"ready\", flush=True)\n    time.sleep(60)\n`);",
        "let np = py.import(\"numpy\");\npy.exec(`\n    import numpy as np\n    a = np.ones(1000)\n    print(\"ready\", flush=True)\n    while True: a = a * 1.0\n`);",
        "print(\"ready\");\npy.eval(\"lambda f: [f() for i in range(10**9)]\")(|| 1);",
    ];
    for code in loops {
        let (outcome, took) = interrupted(&format!("{code}\nprint(\"never\");"));
        assert_eq!(outcome.code, Some(130), "{code}\n{outcome:?}");
        assert!(!outcome.stdout.contains("never"), "{code}\n{outcome:?}");
        println!("{took:?}");
    }
}

#[test]
fn an_error_in_a_scripts_forward_pass_is_the_error_that_both_sides_see() {
    let outcome = run_text(
        r#"
let net = nn.Module(#{ fc: nn.Linear(2, 2), forward: |x| { if x.dim() > 2 { throw "too many dimensions"; } this.fc(x) } });
py.exec(`
    import torch
    def run(m, x):
        try:
            return m(x)
        except Exception as e:
            print(type(e).__name__, e)
            raise
`);
try { py.globals["run"](net, torch.ones([1, 1, 2])) } catch (e) { print(e); }
try { py.globals["run"](net, torch.ones([1, 3])) } catch (e) { print(e.kind); }
"#,
        &[],
    );
    assert_eq!(
        outcome.stdout.trim_end(),
        "RhaiThrown too many dimensions\ntoo many dimensions\n\
         RhaiShapeError mat1 and mat2 shapes cannot be multiplied (1x3 and 2x2)\nShapeError",
    );
}

#[test]
fn the_calls_of_a_forward_pass_stand_in_one_traceback_in_order() {
    let outcome = run_text(
        r#"
let net = nn.Module(#{
    fc: nn.Linear(2, 2),
    helper: |z| this.fc(z),
    forward: |x| this.helper(x + 1),
});
py.exec(`
    def outer(m, x):
        return m(x)
`);
py.globals["outer"](net, torch.ones([3]));
"#,
        &[],
    );
    let places = ["in outer", ":5 in closure", ":4 in closure", "ShapeError: mat1 and mat2"];
    let found: Vec<_> = places.iter().map(|place| outcome.stderr.find(place)).collect();
    assert!(found.is_sorted() && found.iter().all(Option::is_some), "{}", outcome.stderr);
}
