//! One run of an experiment: its parameters, what is recorded, and that it goes on as if it had never been stopped.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use flambeau_tests::{Outcome, flambeau, outcome, repository, run_text, script};
use serde_json::{Value, json};

/// A folder with the script of `tests/experiments` as `exp.rhai`.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script = repository().join("tests/experiments/train.rhai");
    fs::copy(script, folder.path().join("exp.rhai")).expect("a script");
    folder
}

fn command(folder: &Path, options: &[&str], params: &[&str]) -> Command {
    let mut command = flambeau();
    let env = repository().join(".venv");
    command.current_dir(folder).args(["run", "exp.rhai", "--threads", "1", "--env"]).arg(env);
    command.args(options).arg("--").args(params);
    command
}

fn run(folder: &Path, options: &[&str], params: &[&str]) -> Outcome {
    outcome(&mut command(folder, options, params))
}

fn json_of(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

/// The records without their times.
fn records(out: &Path) -> Vec<Value> {
    let text = fs::read_to_string(out.join("metrics.jsonl")).expect("metrics");
    let mut records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    for record in &mut records {
        assert!(record["_time"].as_f64().is_some_and(|time| time > 1.7e9), "{record}");
        record.as_object_mut().expect("a map").remove("_time");
    }
    records
}

fn checkpoints(out: &Path) -> Vec<PathBuf> {
    let files = fs::read_dir(out.join("checkpoints")).expect("checkpoints");
    let mut files: Vec<PathBuf> = files.map(|file| file.expect("a file").path()).collect();
    files.sort();
    files
}

#[test]
fn parameters_are_declared_given_and_checked() {
    let folder = folder();
    let done = run(folder.path(), &[], &["lr=5e-2", "steps=2", "hidden=4"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stdout.contains("step 2  ") && done.stdout.contains("result: acc "), "{done:?}");
    for (given, words) in [
        ("stpes=3", "the script has no parameter 'stpes'; did you mean 'steps'?"),
        ("lr=high", "parameter 'lr' is a float (by default 0.01), and 'high' is none"),
        ("steps=1.5", "parameter 'steps' is an int"),
        ("python=1", "parameter 'python' is a bool"),
        ("verbose", "expected NAME=VALUE, found 'verbose'"),
    ] {
        let refused = run(folder.path(), &[], &[given]);
        assert_eq!(refused.code, Some(1), "{given}");
        assert!(refused.stderr.contains(words), "{given}: {}", refused.stderr);
        assert!(!refused.stdout.contains("step 1"), "{given}: nothing ran");
    }
    let nested = run_text("params(#{a: #{b: 1}})", &[]);
    assert!(nested.stderr.contains("TypeError: params(): 'a' is a map"), "{}", nested.stderr);
}

#[test]
fn a_run_is_recorded_with_all_that_it_depends_on() {
    let folder = folder();
    let out = folder.path().join("out");
    let done = run(folder.path(), &["--out", "out"], &["steps=3"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let config = json_of(&out.join("config.json"));
    assert_eq!((&config["params"]["steps"], &config["params"]["lr"]), (&json!(3), &json!(0.01)));
    assert_eq!(
        config["script"],
        json!(folder.path().canonicalize().expect("a path").join("exp.rhai"))
    );
    let status = json_of(&out.join("status.json"));
    assert_eq!((&status["state"], &status["attempts"]), (&json!("done"), &json!(1)));
    assert!(status["result"]["acc"].is_number(), "{status}");
    let environment = json_of(&out.join("environment.json"));
    assert!(
        environment["torch"].as_str().is_some_and(|version| version.starts_with("2.11.0")),
        "{environment}"
    );
    assert!(environment["machine"]["cores"].is_number() && environment["command"].is_array());
    let records = records(&out);
    assert_eq!(records.len(), 3);
    assert!(records[0]["drawn/script"].is_number(), "{}", records[0]);
    // What has ended is not run again, and other parameters want another folder.
    let again = run(folder.path(), &["--out", "out"], &["steps=3"]);
    assert_eq!((again.code, again.stdout.as_str()), (Some(0), ""));
    assert!(again.stderr.contains("has ended already: acc="), "{again:?}");
}

#[test]
fn a_run_that_was_stopped_gives_the_numbers_of_one_that_was_not() {
    for python in ["python=false", "python=true"] {
        let folder = folder();
        let whole = run(folder.path(), &["--out", "whole"], &[python]);
        assert_eq!(whole.code, Some(0), "{whole:?}");
        fs::write(folder.path().join("stop"), "").expect("a file");
        let stopped = run(folder.path(), &["--out", "stopped"], &[python]);
        assert_eq!(stopped.code, Some(1), "{stopped:?}");
        let out = folder.path().join("stopped");
        assert_eq!(json_of(&out.join("status.json"))["state"], json!("failed"));
        assert_eq!((records(&out).len(), checkpoints(&out).len()), (24, 2));
        fs::remove_file(folder.path().join("stop")).expect("the file");
        let resumed = run(folder.path(), &["--out", "stopped"], &[python]);
        assert_eq!(resumed.code, Some(0), "{resumed:?}");
        assert!(resumed.stdout.starts_with("step 22  "), "it goes on behind step 21: {resumed:?}");
        assert_eq!(records(&out), records(&folder.path().join("whole")), "{python}");
        let result =
            |name: &str| json_of(&folder.path().join(name).join("status.json"))["result"].clone();
        assert_eq!(result("stopped"), result("whole"));
    }
}

#[test]
fn a_run_that_dies_between_writing_and_renaming_loses_nothing() {
    let folder = folder();
    let whole = run(folder.path(), &["--out", "whole"], &["steps=15"]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let files = |out: &Path| {
        let all = [out.to_owned(), out.join("checkpoints")];
        let all =
            all.iter().flat_map(|folder| fs::read_dir(folder).into_iter().flatten().flatten());
        all.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect::<Vec<_>>()
    };
    for file in
        ["status:1", "environment:1", "config:1", "000001:1", "000002:1", "result:1", "status:2"]
    {
        let name = format!("out-{}", file.replace(':', "-"));
        let out = folder.path().join(&name);
        let mut command = command(folder.path(), &["--out", &name], &["steps=15"]);
        let died = outcome(command.env("FLAMBEAU_FAULTS", format!("rename:{file}")));
        assert_eq!(died.code, None, "{file}: {died:?}");
        assert!(files(&out).iter().any(|name| name.ends_with(".tmp")), "{:?}", files(&out));
        let resumed = run(folder.path(), &["--out", &name], &["steps=15"]);
        assert_eq!(resumed.code, Some(0), "{file}: {resumed:?}");
        assert_eq!(records(&out), records(&folder.path().join("whole")), "{file}");
        let result =
            |name: &str| json_of(&folder.path().join(name).join("status.json"))["result"].clone();
        assert_eq!(result(&name), result("whole"));
        assert!(!files(&out).iter().any(|name| name.ends_with(".tmp")), "{:?}", files(&out));
    }
}

#[test]
fn a_full_disk_is_said_and_the_run_goes_on_when_there_is_room() {
    let folder = folder();
    let out = folder.path().join("out");
    fs::create_dir(&out).expect("a folder");
    std::os::unix::fs::symlink("/dev/full", out.join("metrics.jsonl")).expect("a link");
    let full = run(folder.path(), &["--out", "out"], &["steps=15"]);
    assert_eq!(full.code, Some(1), "{full:?}");
    assert!(full.stderr.contains("metrics.jsonl: no space left on device"), "{}", full.stderr);
    assert_eq!(json_of(&out.join("status.json"))["state"], json!("failed"));
    fs::remove_file(out.join("metrics.jsonl")).expect("the link");
    let done = run(folder.path(), &["--out", "out"], &["steps=15"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(records(&out).len(), 15);
}

#[test]
fn a_damaged_checkpoint_has_another_behind_it() {
    let folder = folder();
    let whole = run(folder.path(), &["--out", "whole"], &[]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let out = folder.path().join("out");
    let begin = || {
        fs::write(folder.path().join("stop"), "").expect("a file");
        assert_eq!(run(folder.path(), &["--out", "out"], &[]).code, Some(1));
        fs::remove_file(folder.path().join("stop")).expect("the file");
    };
    begin();
    let newest = checkpoints(&out).pop().expect("a checkpoint");
    let bytes = fs::read(&newest).expect("bytes");
    fs::write(&newest, &bytes[..bytes.len() / 2]).expect("half of it");
    let resumed = run(folder.path(), &["--out", "out"], &[]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert!(
        resumed.stderr.contains("warning: a checkpoint is passed over: "),
        "{}",
        resumed.stderr
    );
    assert!(resumed.stdout.starts_with("step 15  "), "{}", resumed.stdout);
    assert_eq!(records(&out), records(&folder.path().join("whole")));
}

#[test]
fn a_checkpoint_of_another_version_is_not_passed_over() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = "let p = params(#{n: 1}); let at = resume(#{step: 0}); log(#{step: at.step}); checkpoint(#{step: 1});";
    fs::write(folder.path().join("exp.rhai"), code).expect("a script");
    assert_eq!(run(folder.path(), &["--out", "out"], &[]).code, Some(0));
    let out = folder.path().join("out");
    let path = checkpoints(&out).pop().expect("a checkpoint");
    let bytes = fs::read(&path).expect("bytes");
    let (old, new) = (br#"\"format\":1"#, br#"\"format\":9"#);
    let at = bytes.windows(old.len()).position(|part| part == old).expect("the format");
    let mut changed = bytes.clone();
    changed[at..at + new.len()].copy_from_slice(new);
    fs::write(&path, changed).expect("another version");
    fs::remove_file(out.join("status.json")).expect("the status");
    let refused = run(folder.path(), &["--out", "out"], &[]);
    assert_eq!(refused.code, Some(1));
    assert!(
        refused.stderr.contains("has format 9, and this version of Flambeau reads format 1"),
        "{}",
        refused.stderr
    );
    // Nothing of what was recorded is gone.
    assert_eq!(records(&out).len(), 1);
}

#[test]
fn what_is_logged_must_be_numbers_and_steps_must_be_numbers() {
    for (code, words) in [
        ("log(#{})", "the record is empty"),
        ("log(#{x: torch.ones([2])})", "'x' is a tensor of shape [2], not one number"),
        ("log(#{x: nn.Linear(1, 1)})", "'x' is a Module, and a number, text or bool is wanted"),
        ("log(#{step: \"one\", x: 1})", "'step' must be a number"),
        ("log(#{_time: 1})", "is the time of the record"),
        ("log(#{a: 1}); resume(#{a: 1})", "call resume() before the first log()"),
        ("checkpoint(#{})", "there is nothing to be saved"),
        ("artifact(\"/nowhere/at/all\")", "no such file or folder"),
    ] {
        let refused = run_text(code, &[]);
        assert_eq!(refused.code, Some(1), "{code}");
        assert!(refused.stderr.contains(words), "{code}: {}", refused.stderr);
    }
    let fine = run_text(
        "log(#{x: torch.tensor(1.5), y: #{z: true, w: \"text\"}}); log(x: 0.0/0.0, step: 7)",
        &[],
    );
    assert_eq!(fine.stdout, "x 1.5000  y/w text  y/z true\nstep 7  x NaN\n", "{fine:?}");
}

#[test]
fn a_checkpoint_that_does_not_fit_says_what_does_not() {
    let folder = tempfile::tempdir().expect("a folder");
    let save =
        "let w = torch.zeros([2]); let model = nn.Linear(2, 1); checkpoint(#{w, model}); throw 1;";
    for (code, words) in [
        (
            "resume(#{w: torch.zeros([3])})",
            "'w' is float32[2] in the checkpoint and float32[3] in the script",
        ),
        ("resume(#{model: nn.Linear(3, 1)})", "size mismatch"),
        ("resume(#{opt: optim.SGD(nn.Linear(2, 1).parameters())})", "the checkpoint has no 'opt'"),
    ] {
        fs::write(folder.path().join("exp.rhai"), save).expect("a script");
        assert_eq!(run(folder.path(), &["--out", "out"], &[]).code, Some(1));
        fs::write(folder.path().join("exp.rhai"), code).expect("a script");
        let refused = run(folder.path(), &["--out", "out"], &[]);
        assert!(refused.stderr.contains(words), "{code}: {}", refused.stderr);
    }
}

#[test]
fn modules_and_optimisers_of_python_are_saved_too() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = "
        let torch_py = py.import(\"torch\");
        torch_py.manual_seed(0);
        let model = torch_py.nn.Linear(3, 1);
        let opt = torch_py.optim.Adam(model.parameters(), lr: 0.1);
        let at = resume(#{model, opt, step: 0});
        for step in at.step..6 {
            let loss = model(torch.ones([2, 3])).pow(2).sum();
            opt.zero_grad(); loss.backward(); opt.step();
            log(#{step, loss});
            if step == 3 && fs.exists(\"stop\") { throw \"stopped\"; }
            checkpoint(#{model, opt, step: step + 1});
        }";
    fs::write(folder.path().join("exp.rhai"), code).expect("a script");
    let whole = run(folder.path(), &["--out", "whole"], &[]);
    assert_eq!(whole.code, Some(0), "{whole:?}");
    fs::write(folder.path().join("stop"), "").expect("a file");
    assert_eq!(run(folder.path(), &["--out", "out"], &[]).code, Some(1));
    fs::remove_file(folder.path().join("stop")).expect("the file");
    let resumed = run(folder.path(), &["--out", "out"], &[]);
    assert_eq!(resumed.code, Some(0), "{resumed:?}");
    assert_eq!(records(&folder.path().join("out")), records(&folder.path().join("whole")));
}

#[test]
fn artifacts_are_copied_into_the_run_and_nowhere_else() {
    let folder = tempfile::tempdir().expect("a folder");
    let code = "fs.mkdir(\"made/deep\"); json.write(#{a: 1}, \"made/deep/a.json\");
        print(artifact(\"made\")); print(artifact(\"made/deep/a.json\", \"named.json\"));
        try { artifact(\"made\", \"../out\"); } catch (e) { print(e.message); }";
    fs::write(folder.path().join("exp.rhai"), code).expect("a script");
    let done = run(folder.path(), &["--out", "out"], &[]);
    let artifacts = folder.path().join("out/artifacts");
    assert!(
        artifacts.join("made/deep/a.json").is_file() && artifacts.join("named.json").is_file(),
        "{done:?}"
    );
    assert!(done.stdout.contains("leads out of the run's folder"), "{done:?}");
}

#[test]
fn without_a_folder_nothing_is_written_and_the_script_runs() {
    let folder = folder();
    let done = run(folder.path(), &[], &["steps=8"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.stderr.matches("this run has no folder").count(), 1, "{}", done.stderr);
    assert_eq!(fs::read_dir(folder.path()).expect("files").count(), 1);
}

#[test]
fn a_folder_that_cannot_be_used_is_refused_before_anything_runs() {
    let folder = folder();
    let read_only = run(folder.path(), &["--out", "/proc/nothing"], &[]);
    assert_eq!(read_only.code, Some(2));
    assert!(read_only.stderr.starts_with("flambeau: /proc/nothing: "), "{}", read_only.stderr);
    fs::write(folder.path().join("file"), "").expect("a file");
    let file = run(folder.path(), &["--out", "file"], &[]);
    assert_eq!((file.code, file.stdout.as_str()), (Some(2), ""), "{file:?}");
    let script = script(folder.path(), "print(1)");
    assert!(script.is_file());
}
