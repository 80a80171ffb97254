//! Which Python runs, what a script without `py` does not load, and Pythons without a shared library.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use flambeau_tests::running::Running;
use flambeau_tests::{flambeau, outcome, program, repository, run_text, script};

#[test]
fn a_script_that_does_not_say_py_starts_no_interpreter() {
    let code = "print(fs.read_text(\"/proc/self/maps\"));";
    let maps = run_text(&format!("print(torch.ones([1]));\n{code}"), &[]);
    assert_eq!(maps.code, Some(0), "{}", maps.stderr);
    for part in ["libtorch_python", "lib-dynload", ".cpython-"] {
        assert!(!maps.stdout.contains(part), "{part} is mapped");
    }
    // The test can fail: with Python all are there.
    let maps = run_text(&format!("py.import(\"torch\");\n{code}"), &[]);
    for part in ["libtorch_python", ".cpython-"] {
        assert!(maps.stdout.contains(part), "{part} is not mapped: {}", maps.stderr);
    }
}

#[test]
fn the_environments_python_runs_and_its_torch_is_the_one_that_is_loaded() {
    let folder = tempfile::tempdir().expect("a folder");
    let path = script(
        folder.path(),
        r#"
let sys = py.import("sys");
print(sys.prefix);
print(py.import("torch").__file__.split("/lib/python")[0]);
print(sys.argv);
"#,
    );
    let outcome =
        outcome(flambeau().args(["run", "--env", ".venv"]).arg(path).args(["--", "--lr", "1"]));
    let prefix = repository().join(".venv");
    let lines: Vec<&str> = outcome.stdout.lines().collect();
    assert_eq!(lines.len(), 3, "{outcome:?}");
    let real = |path: &str| Path::new(path).canonicalize().expect("a folder");
    assert_eq!(real(lines[0]), prefix.canonicalize().expect("a folder"));
    assert_eq!(real(lines[1]), prefix.canonicalize().expect("a folder"));
    assert_eq!(lines[2], "['', '--lr', '1']");
}

#[test]
fn modules_beside_the_script_are_found() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::write(folder.path().join("beside.py"), "answer = 42\n").expect("a file");
    let path = script(folder.path(), "print(py.import(\"beside\").answer);");
    let outcome = outcome(flambeau().arg("run").arg(path));
    assert_eq!(outcome.stdout, "42\n", "{}", outcome.stderr);
}

#[test]
fn another_torch_on_pythons_path_is_a_clear_error() {
    let folder = tempfile::tempdir().expect("a folder");
    let torch = folder.path().join("torch");
    std::fs::create_dir_all(torch.join("lib")).expect("a folder");
    std::fs::write(torch.join("__init__.py"), "raise SystemExit('must not run')\n")
        .expect("a file");
    std::fs::write(torch.join("lib/libtorch_cpu.so"), "").expect("a file");
    let path = script(folder.path(), "py.import(\"torch\");");
    let outcome = outcome(flambeau().arg("run").arg(path));
    assert_eq!(outcome.code, Some(1), "{outcome:?}");
    for part in
        ["ImportError", "would import torch from", "but the libtorch that is loaded is", "--env"]
    {
        assert!(outcome.stderr.contains(part), "{part:?} is not in {}", outcome.stderr);
    }
}

/// [`make_without_shared_library`], or why the test is skipped.
fn without_shared_library(folder: &Path) -> Option<PathBuf> {
    let environment = make_without_shared_library(folder);
    if environment.is_none() {
        println!("skipped: no interpreter of the environment's version without a shared library");
    }
    environment
}

/// A virtual environment with the project's torch, of a Python without a shared library; none where this
/// machine has no such interpreter to copy.
fn make_without_shared_library(folder: &Path) -> Option<PathBuf> {
    let packages = repository().join(".venv/torch").canonicalize().ok()?.parent()?.to_owned();
    let version = packages.parent()?.file_name()?.to_str()?.to_owned();
    let system = PathBuf::from("/usr/bin").join(&version).canonicalize().ok()?;
    let library = PathBuf::from("/usr/lib").join(&version);
    let needs = Command::new("ldd").arg(&system).output().ok()?;
    if String::from_utf8_lossy(&needs.stdout).contains("libpython") || !library.is_dir() {
        return None;
    }
    let base = folder.join("base");
    std::fs::create_dir_all(base.join("bin")).ok()?;
    std::fs::create_dir_all(base.join("lib")).ok()?;
    std::fs::copy(&system, base.join("bin").join(&version)).ok()?;
    std::os::unix::fs::symlink(&version, base.join("bin/python3")).ok()?;
    std::os::unix::fs::symlink(&library, base.join("lib").join(&version)).ok()?;
    let environment = folder.join("env");
    let made = Command::new(base.join("bin/python3"))
        .args(["-m", "venv", "--without-pip"])
        .arg(&environment)
        .status();
    if !made.is_ok_and(|status| status.success()) {
        return None;
    }
    let site = environment.join("lib").join(&version).join("site-packages");
    std::fs::write(site.join("torch.pth"), format!("{}\n", packages.display())).ok()?;
    std::os::unix::fs::symlink(packages.join("torch"), site.join("torch")).ok()?;
    Some(environment)
}

#[test]
fn a_python_without_a_shared_library_is_entered() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(environment) = without_shared_library(folder.path()) else { return };
    let report = outcome(flambeau().arg("env").arg("--env").arg(&environment));
    assert!(report.stdout.contains("none shared"), "{report:?}");
    let path = script(
        folder.path(),
        r#"
print(args);
let x = torch.ones([2], requires_grad: true);
let t = py.import("torch");
let y = t.sin(x).sum();
y.backward();
print(x.grad);
print(py.eval("lambda f: f(2)")(|a| a * 21));
py.exec("import sys; print(sys.prefix)");
fs.read_text("/no/such/file");
"#,
    );
    let run =
        outcome(flambeau().args(["run", "--env"]).arg(&environment).arg(&path).args(["--", "a"]));
    assert_eq!(run.code, Some(1), "{run:?}");
    let prefix = environment.canonicalize().expect("a folder");
    let expected = format!("[\"a\"]\ntensor([0.5403, 0.5403])\n42\n{}\n", prefix.display());
    assert_eq!(run.stdout, expected, "{}", run.stderr);
    assert!(run.stderr.contains("IoError"), "{}", run.stderr);
    let text = std::fs::read(&path).expect("a file");
    let mut piped = Command::new("sh");
    piped.arg("-c").arg(format!(
        "exec {} run --env {} -",
        program().display(),
        environment.display()
    ));
    piped.stdin(std::fs::File::open(&path).expect("a file"));
    let piped = outcome(&mut piped);
    assert!(!text.is_empty() && piped.stdout.starts_with("[]\n"), "{piped:?}");
}

#[test]
fn a_sweep_runs_in_a_python_without_a_shared_library() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(environment) = without_shared_library(folder.path()) else { return };
    let code = "let p = params(#{lr: 0.1});\n\
                report(#{sum: py.import(\"torch\").full([2], p.lr).sum().item()});";
    let path = script(folder.path(), code);
    let out = folder.path().join("out");
    let mut sweep = flambeau();
    sweep.arg("sweep").arg(&path).arg("--env").arg(&environment).arg("--out").arg(&out);
    let swept = outcome(sweep.args(["--grid", "lr=1.0,2.0", "--jobs", "2"]));
    assert_eq!(swept.code, Some(0), "{swept:?}");
    let why = format!("{} has no shared library\n", environment.join("bin/python3").display());
    let note = format!("note: trials are new processes, which start more slowly: {why}");
    assert!(swept.stderr.contains(&note), "{swept:?}");
    let listed = outcome(flambeau().args(["runs", "ls", "--json"]).arg(&out));
    for result in ["\"sum\":2.0", "\"sum\":4.0"] {
        assert!(listed.stdout.contains(result), "{listed:?}");
    }
}

#[test]
fn ctrl_c_stops_scripts_and_python_also_inside_an_interpreter() {
    let folder = tempfile::tempdir().expect("a folder");
    let Some(environment) = without_shared_library(folder.path()) else { return };
    let environment = environment.to_string_lossy();
    for code in [
        "print(\"ready\"); loop {}",
        "py.exec(\"print('ready')\\nwhile True: pass\");",
        "py.exec(\"import time\\nprint('ready')\\ntime.sleep(600)\");",
    ] {
        let running = Running::start_with(&["--env", &environment], code);
        std::thread::sleep(Duration::from_millis(300));
        running.press();
        let outcome = running.end(Duration::from_secs(20));
        assert_eq!(outcome.code, Some(130), "{code}: {}", outcome.stderr);
        assert!(outcome.stderr.contains("KeyboardInterrupt"), "{code}: {}", outcome.stderr);
    }
}
