//! The wheel, installed into an environment of its own: the program, `import flambeau`, what Jupyter's programs find in
//! it, and no trace of the machine that built it.

use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use flambeau_tests::{Outcome, outcome, program, repository, script};

fn run(command: &mut Command) -> Outcome {
    for name in ["VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH", "RUST_BACKTRACE"] {
        command.env_remove(name);
    }
    let outcome = outcome(command.stdin(Stdio::null()));
    assert_eq!(outcome.code, Some(0), "{}\n{}", outcome.stdout, outcome.stderr);
    outcome
}

/// Builds the wheel.
fn wheel() -> PathBuf {
    // Also brings what goes into it up to date.
    program();
    run(Command::new(repository().join(".ci/wheel")).current_dir(repository()));
    let files = std::fs::read_dir(repository().join("dist")).expect("the folder of the wheel");
    let mut files = files.map(|file| file.expect("a file").path());
    files.find(|file| file.extension().is_some_and(|end| end == "whl")).expect("a wheel")
}

fn site_packages(prefix: &Path) -> PathBuf {
    let versions = std::fs::read_dir(prefix.join("lib")).expect("a folder");
    let mut found = versions.map(|entry| entry.expect("a folder").path().join("site-packages"));
    found.find(|folder| folder.is_dir()).expect("a folder for packages")
}

/// A new environment in `folder`, with links to the packages of `.venv` instead of gigabytes of its own.
fn environment(folder: &Path) -> PathBuf {
    let prefix = folder.join("env");
    let ours = repository().join(".venv");
    run(Command::new(ours.join("bin/python")).args(["-m", "venv", "--without-pip"]).arg(&prefix));
    let packages = site_packages(&prefix);
    for entry in std::fs::read_dir(site_packages(&ours)).expect("packages") {
        let entry = entry.expect("a package");
        if !entry.file_name().to_string_lossy().starts_with("flambeau") {
            symlink(entry.path(), packages.join(entry.file_name())).expect("a link");
        }
    }
    // The templates of pages, which pip would put there.
    let data = Path::new("share/jupyter");
    std::fs::create_dir_all(prefix.join(data)).expect("a folder");
    let templates = data.join("nbconvert");
    symlink(ours.join(&templates), prefix.join(&templates)).expect("a link");
    prefix
}

#[test]
fn pip_installs_program_and_package() {
    let folder = tempfile::tempdir().expect("a folder");
    let wheel = wheel();
    let prefix = environment(folder.path());
    run(Command::new(repository().join(".venv/bin/python"))
        .args(["-m", "pip", "--disable-pip-version-check", "--python"])
        .arg(prefix.join("bin/python"))
        .args(["install", "--quiet", "--no-deps", "--no-index"])
        .arg(&wheel));
    let installed = || {
        let mut command = Command::new(prefix.join("bin/flambeau"));
        command.current_dir(folder.path());
        command
    };

    // What notebooks/digits.rhai reads.
    let digits = site_packages(&prefix).join("sklearn/datasets/data/digits.csv.gz");

    let found = run(installed().arg("env")).stdout;
    let canonical = prefix.canonicalize().expect("a folder");
    assert!(found.contains("* where the program is installed"), "{found}");
    assert!(found.contains(&*canonical.join("lib").to_string_lossy()), "{found}");
    assert!(!found.contains(&*repository().join("target").to_string_lossy()), "{found}");

    let text = "let x = torch.ones([2], requires_grad: true);
        let triple = |x| x * 3;
        let apply = py.eval(\"lambda f, x: f(x)\");
        apply(triple, x).sum().backward();
        let other = py.import(\"flambeau\").Runtime();
        print(other.eval(\"|g| g * 2\").__call__(x.grad));";
    let printed = run(installed().arg("run").arg(script(folder.path(), text))).stdout;
    assert_eq!(printed, "tensor([6., 6.])\n");

    for (folder, argument) in [("tests/cuda", Path::new("cpu")), ("notebooks", &digits)] {
        for file in std::fs::read_dir(repository().join(folder)).expect("examples") {
            let file = file.expect("a file").path();
            if file.extension().is_none_or(|end| end != "rhai") {
                continue;
            }
            if file.file_stem().is_some_and(|stem| stem == "sweep_digits") {
                let csv = format!("csv={}", argument.display());
                let mut sweep = installed();
                sweep.arg("sweep").arg(&file).args(["--grid", "hidden=4,8", "--jobs", "2"]);
                run(sweep.args(["--out", "digits", "--", "epochs=1", &csv]));
                continue;
            }
            run(installed().arg("run").arg(&file).arg("--").arg(argument));
        }
    }

    let code = "import flambeau, torch; rt = flambeau.Runtime(); x = torch.ones(2); rt['x'] = x; \
        assert rt['x'] is x; print(rt.eval('x + 1').tolist())";
    let printed =
        run(Command::new(prefix.join("bin/python")).args(["-c", code]).current_dir(folder.path()));
    assert_eq!(printed.stdout, "[2.0, 2.0]\n");

    // Programs of Jupyter's, which were told of nothing.
    let mut python = Command::new(prefix.join("bin/python"));
    for name in ["JUPYTER_PATH", "JUPYTER_DATA_DIR", "JUPYTER_CONFIG_DIR", "XDG_DATA_HOME"] {
        python.env_remove(name);
    }
    run(python
        .args(["-m", "pytest", "--quiet", "-p", "no:cacheprovider", "-rs"])
        .args(["tests/wheel", "tests/kernel/test_clients.py"].map(|file| repository().join(file)))
        .current_dir(folder.path())
        .env("HOME", folder.path())
        .env("JUPYTER_RUNTIME_DIR", folder.path().join("runtime"))
        .env("PYTHONDONTWRITEBYTECODE", "1"));
}
