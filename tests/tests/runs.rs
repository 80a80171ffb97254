//! `flambeau runs`: what is said of the folders of runs and sweeps, and what is written from them.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Command, Stdio};

use flambeau_experiments::metrics::Metrics;
use flambeau_experiments::{State, Store};
use flambeau_tests::terminal::{Start, home};
use flambeau_tests::{Outcome, flambeau, outcome, repository, sweeps};
use serde_json::{Value, json};
use tempfile::TempDir;

/// A folder with the sweep `lr`.
fn folder() -> TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    sweeps::sweep(&folder.path().join("lr"));
    folder
}

fn runs(folder: &Path, arguments: &[&str]) -> Outcome {
    outcome(flambeau().arg("runs").args(arguments).current_dir(folder))
}

/// What is printed where all goes well.
fn said(folder: &Path, arguments: &[&str]) -> String {
    let outcome = runs(folder, arguments);
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""), "{arguments:?}");
    outcome.stdout
}

fn objects(folder: &Path, arguments: &[&str]) -> Vec<Value> {
    serde_json::from_str(&said(folder, arguments)).expect("an array")
}

/// Asserts that a command fails, before anything else, with this one line.
fn check_refused(folder: &Path, arguments: &[&str], line: &str) {
    let outcome = runs(folder, arguments);
    let expected = (Some(2), "", format!("flambeau: {line}\n"));
    assert_eq!((outcome.code, outcome.stdout.as_str(), outcome.stderr), expected, "{arguments:?}");
}

#[test]
fn ls_has_a_row_for_each_trial() {
    let folder = folder();
    assert_eq!(
        said(folder.path(), &["ls", "lr", "--where", "lr=0.1"]),
        "\
trial   lr  seed  state   step   acc    time  error
    1  0.1     0  done      19   0.8  10.5 s
    2  0.1     1  done      19  0.81  10.5 s
    3  0.1     2  failed    19        10.5 s  ValueError: loss is nan
"
    );
    // Nobody works on the one that is said to run.
    let listed = said(folder.path(), &["ls", "lr", "--where", "state=waiting"]);
    let row: Vec<&str> = listed.lines().nth(1).expect("a row").split_whitespace().collect();
    assert_eq!(row[..5], ["6", "1e-3", "2", "waiting", "9"]);
}

#[test]
fn ls_sorts_and_chooses() {
    let folder = folder();
    let trials = |arguments: &[&str]| -> Vec<String> {
        let listed = said(folder.path(), arguments);
        let first = |line: &str| line.split_whitespace().next().map(str::to_owned);
        listed.lines().skip(1).filter_map(first).collect()
    };
    // The best first; what has no value or is nan last.
    assert_eq!(trials(&["ls", "lr", "--sort", "acc"]), ["5", "4", "2", "1", "3", "6"]);
    assert_eq!(trials(&["ls", "lr", "--sort", "loss"]), ["1", "2", "4", "5", "6", "3"]);
    let descending = ["ls", "lr", "--sort", "loss", "--desc"];
    assert_eq!(trials(&descending), ["6", "5", "4", "2", "1", "3"]);
    assert_eq!(trials(&["ls", "lr", "--desc"]), ["6", "5", "4", "3", "2", "1"]);
    assert_eq!(trials(&["ls", "lr", "--where", "lr=1e-3", "--where", "seed=1"]), ["5"]);
    assert_eq!(trials(&["ls", "lr", "--where", "state=failed"]), ["3"]);
}

#[test]
fn ls_json_has_an_object_for_each_trial() {
    let folder = folder();
    let trials = objects(folder.path(), &["ls", "lr", "--json"]);
    assert_eq!(trials.len(), 6);
    assert_eq!(trials[0]["trial"], json!(1));
    assert_eq!(trials[0]["params"], json!({"hidden": 64, "lr": 0.1, "seed": 0}));
    assert_eq!(trials[0]["state"], json!("done"));
    assert_eq!(trials[0]["result"], json!({"acc": 0.8}));
    assert_eq!(trials[2]["state"], json!("failed"));
    assert_eq!(trials[2]["result"], Value::Null);
    assert_eq!(trials[2]["metrics"]["loss"], json!("NaN"));
    assert!(trials[2]["error"].as_str().is_some_and(|error| error.starts_with("ValueError")));
}

#[test]
fn several_sweeps_and_runs_stand_side_by_side() {
    let folder = folder();
    sweeps::run(&folder.path().join("one"), 0.1);
    sweeps::run(&folder.path().join("two"), 0.25);
    fs::create_dir(folder.path().join("notes")).expect("a folder");
    assert_eq!(
        said(folder.path(), &["ls", "one", "two"]),
        "\
sweep  trial    lr  state  step   acc   time
one        1   0.1  done      4   0.9  2.0 s
two        1  0.25  done      4  0.75  2.0 s
"
    );
    // A folder of them is all that are in it.
    assert_eq!(objects(folder.path(), &["ls", ".", "--json"]).len(), 8);
    assert_eq!(
        said(folder.path(), &["compare", ".", "--by", "lr"]),
        "\
sweep    lr       n              acc  state
lr     1e-3  2 of 3  0.9040 ± 0.0071  2 done, 1 waiting
one     0.1       1              0.9  1 done
lr      0.1  2 of 3  0.8050 ± 0.0071  2 done, 1 failed
two    0.25       1             0.75  1 done
"
    );
}

#[test]
fn compare_has_means_over_seeds() {
    let folder = folder();
    assert_eq!(
        said(folder.path(), &["compare", "lr", "--metric", "acc,loss"]),
        "  lr       n              acc           loss  state
1e-3  2 of 3  0.9040 ± 0.0071  1.122 ± 0.035  2 done, 1 waiting
 0.1  2 of 3  0.8050 ± 0.0071  0.030 ± 0.035  2 done, 1 failed
"
    );
    let groups = objects(folder.path(), &["compare", "lr", "--json", "--asc"]);
    assert_eq!(groups[0]["params"], json!({"lr": 0.1}));
    assert_eq!(groups[0]["trials"], json!([1, 2, 3]));
    assert_eq!(groups[0]["states"], json!({"done": 2, "failed": 1}));
    let acc = &groups[0]["metrics"]["acc"];
    assert_eq!(acc["n"], json!(2));
    // 0.80 and 0.81: their deviation is their distance by the root of two.
    let std = acc["std"].as_f64().expect("a number");
    assert!((std - 0.01 / 2f64.sqrt()).abs() < 1e-12, "{std}");
}

#[test]
fn show_tells_all_of_a_trial() {
    let folder = folder();
    let shown = said(folder.path(), &["show", "lr", "3"]);
    let lines: Vec<&str> = shown.lines().collect();
    assert_eq!(
        lines[..14].join("\n"),
        "\
folder        lr/trials/0003
trial         3
state         failed, 10.5 s
script        exp.rhai
started       2023-11-14 22:16:20 UTC
ended         2023-11-14 22:16:30 UTC
params        hidden=64 lr=0.1 seed=2
logged last   loss=NaN step=19
error
  ValueError: loss is nan
    exp.rhai:12
      step();
environment
  git/commit: 0123abc"
    );
    assert!(shown.contains("B  metrics.jsonl\n") && shown.ends_with("  step 18\n  step 19\n"));
    let shown = said(folder.path(), &["show", "lr", "1", "--json"]);
    let trial: Value = serde_json::from_str(&shown).expect("an object");
    assert_eq!(trial["environment"]["git"]["commit"], json!("0123abc"));
    assert_eq!(trial["log"].as_array().map(Vec::len), Some(10));
    assert_eq!(
        said(folder.path(), &["show", "lr"]),
        "\
folder        lr
script        exp.rhai
state         6 trials (1 waiting, 4 done, 1 failed)
varied        lr, seed
best          trial 5: acc=0.909 with lr=1e-3 seed=1
"
    );
    let run = said(folder.path(), &["show", "lr/trials/0001"]);
    assert!(run.starts_with("folder        lr/trials/0001\nstate  "), "{run}");
}

#[test]
fn plot_writes_pictures() {
    let folder = folder();
    let path = folder.path();
    said(path, &["plot", "lr", "--metric", "loss", "-o", "loss.svg", "--title", "Rates"]);
    let svg = fs::read_to_string(path.join("loss.svg")).expect("a picture");
    for text in ["lr=0.1", "lr=1e-3", "Rates", "step"] {
        assert!(svg.contains(&format!(">\n{text}\n<")), "{text}: {svg}");
    }
    // A band for each group.
    assert_eq!(svg.matches("<polygon").count(), 2);
    let smooth = ["plot", "lr", "--metric", "loss", "--x", "time", "--log", "--smooth", "0.6"];
    said(path, &[&smooth[..], &["-o", "loss.png"]].concat());
    let png = fs::read(path.join("loss.png")).expect("a picture");
    // Width and height stand in the header: twice those of the SVG.
    assert_eq!(png[..8], *b"\x89PNG\r\n\x1a\n");
    assert_eq!(png[16..24], [1520u32.to_be_bytes(), 920u32.to_be_bytes()].concat());
    assert_eq!(said(path, &["plot", "lr"]), "lr/plots/acc.svg\n");
    assert!(path.join("lr/plots/acc.svg").is_file());
    check_refused(
        path,
        &["plot", "lr", "-o", "loss.pdf"],
        "pictures are written as .svg or .png, and loss.pdf is neither",
    );
    check_refused(
        path,
        &["plot", "lr", "--metric", "los"],
        "no trial has a metric 'los'; did you mean 'loss'?",
    );
}

#[test]
fn tail_shows_the_last_lines_of_what_runs() {
    let folder = folder();
    let _lock = locked(&folder.path().join("lr"));
    assert_eq!(
        said(folder.path(), &["tail", "lr", "-n", "1"]),
        "0006 | step 9\n0006 | step=9 loss=1.60462\n"
    );
    assert_eq!(said(folder.path(), &["tail", "lr", "2", "-n", "2", "--log"]), {
        "0002 | step 18\n0002 | step 19\n"
    });
    let run = said(folder.path(), &["tail", "lr/trials/0003", "-n", "1", "--metrics"]);
    assert_eq!(run, "step=19 loss=NaN\n");
}

/// As if a sweep worked on the folder.
fn locked(out: &Path) -> File {
    let file = File::create(out.join("lock")).expect("a file");
    file.lock().expect("the lock");
    file
}

#[test]
fn tail_follows_what_comes() {
    let folder = folder();
    let out = folder.path().join("lr");
    let _lock = locked(&out);
    let mut child = flambeau()
        .args(["runs", "tail", "lr", "-f", "-n", "1"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    let mut next = || lines.next().expect("a line").expect("text");
    assert_eq!([next(), next()], ["0006 | step 9", "0006 | step=9 loss=1.60462"]);
    let store = Store::open(&out).expect("the table");
    let mut trial = store.trials().expect("trials").pop().expect("a trial");
    let run = trial.run(&out);
    let mut log = File::options().append(true).open(run.file("log")).expect("the log");
    log.write_all("half".as_bytes()).expect("text");
    let kept = fs::metadata(run.file("metrics.jsonl")).expect("metrics").len();
    let mut metrics = Metrics::open(&run.file("metrics.jsonl"), kept).expect("metrics");
    metrics.write(json!({"step": 10, "loss": 0.5}).as_object().expect("a map")).expect("a record");
    assert_eq!(next(), "0006 | step=10 loss=0.5");
    log.write_all(" a line\n".as_bytes()).expect("text");
    assert_eq!(next(), "0006 | half a line");
    // The last trial ends, and so does the command.
    trial.state = State::Done;
    store.update(&trial).expect("a row");
    let outcome = Outcome::from(child.wait_with_output().expect("the program ends"));
    assert_eq!((outcome.code, outcome.stderr.as_str()), (Some(0), ""));
}

#[test]
fn ctrl_c_ends_tail_with_130() {
    let folder = folder();
    let _lock = locked(&folder.path().join("lr"));
    let mut child = flambeau()
        .args(["runs", "tail", "lr", "-f"])
        .current_dir(folder.path())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut lines = BufReader::new(child.stdout.take().expect("a pipe")).lines();
    lines.next().expect("a line").expect("text");
    let status = Command::new("kill").args(["-INT", &child.id().to_string()]).status();
    assert!(status.is_ok_and(|status| status.success()));
    assert_eq!(child.wait().expect("the program ends").code(), Some(130));
}

#[test]
fn export_writes_what_others_read() {
    let folder = folder();
    let path = folder.path();
    for arguments in [
        &["-o", "trials.csv"][..],
        &["-o", "trials.json"],
        &["-o", "trials.jsonl"],
        &["-o", "trials.parquet"],
        &["--metrics", "-o", "metrics.csv"],
        &["--metrics", "-o", "metrics.jsonl"],
        &["--metrics", "-o", "metrics.parquet"],
    ] {
        assert_eq!(said(path, &[&["export", "lr"], arguments].concat()), "");
    }
    let said = said(path, &["export", "lr", "--tensorboard", "events"]);
    assert_eq!(said, "tensorboard --logdir events shows them\n");
    let csv = fs::read_to_string(path.join("trials.csv")).expect("text");
    let lines: Vec<&str> = csv.lines().collect();
    assert_eq!(
        lines[..2],
        [
            "trial,lr,seed,hidden,state,acc,step,seconds,attempts,started,ended,error",
            "1,0.1,0,64,done,0.8,19,10.5,1,1700000060.0,1700000070.5,",
        ]
    );
    let check = "
import json, math, pandas, pyarrow.parquet
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

trials, metrics = pandas.read_csv('trials.csv'), pandas.read_csv('metrics.csv')
pandas.testing.assert_frame_equal(pandas.read_parquet('trials.parquet'), trials, check_dtype=False)
pandas.testing.assert_frame_equal(pandas.read_parquet('metrics.parquet'), metrics)
types = {field.name: str(field.type) for field in pyarrow.parquet.read_schema('trials.parquet')}
assert types['trial'] == 'int64' and types['lr'] == 'double' and types['state'] == 'string', types
assert list(metrics) == ['trial', 'lr', 'seed', 'hidden', 'step', 'time', 'acc', 'loss']
assert len(metrics) == 110 and metrics.loss.isna().sum() == 5
lines = [json.loads(line) for line in open('trials.jsonl')]
assert lines == json.load(open('trials.json')) and lines[0]['result'] == {'acc': 0.8}
lines = [json.loads(line) for line in open('metrics.jsonl')]
assert len(lines) == 110 and lines[0]['metrics']['loss'] == 2.0 and lines[0]['params']['lr'] == 0.1
for trial in range(1, 7):
    events = EventAccumulator(f'events/{trial:04}')
    events.Reload()
    wanted = metrics[metrics.trial == trial]
    scalars = events.Scalars('loss')
    assert [scalar.step for scalar in scalars] == list(wanted.step)
    assert [scalar.wall_time for scalar in scalars] == list(wanted.time)
    for scalar, loss in zip(scalars, wanted.loss):
        assert math.isnan(loss) == math.isnan(scalar.value)
        # TensorBoard keeps 32 bits.
        assert math.isnan(loss) or abs(scalar.value - loss) <= loss * 2**-24
    assert ('acc' in events.Tags()['scalars']) == (trial not in (3, 6))
";
    let mut python = Command::new(repository().join(".venv/bin/python"));
    let outcome = outcome(python.args(["-c", check]).current_dir(path));
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
    check_refused(
        path,
        &["export", "lr", "-o", "trials.xls"],
        "the name of the file says its kind, .csv, .json, .jsonl or .parquet, and trials.xls says none",
    );
}

#[test]
fn rm_removes_what_was_written_and_nothing_else() {
    let folder = folder();
    let path = folder.path();
    let trial = path.join("lr/trials/0003");
    check_refused(
        path,
        &["rm", "lr", "3"],
        "nothing is removed without an answer; --yes removes without asking",
    );
    check_refused(path, &["rm", "lr", "3", "9", "--yes"], "lr has no trial 9; it has 1 to 6");
    assert!(trial.exists());
    said(path, &["rm", "lr", "3", "--yes"]);
    assert!(!trial.exists());
    assert_eq!(objects(path, &["ls", "lr", "--json"]).len(), 5);
    fs::write(path.join("lr/notes.txt"), "mine").expect("a file");
    let removed = runs(path, &["rm", "lr", "--yes"]);
    let stays = "flambeau: lr stays, with what no run has written: notes.txt\n";
    assert_eq!((removed.code, removed.stderr.as_str()), (Some(0), stays));
    let nothing = "lr is no folder of a run or of a sweep; `flambeau run SCRIPT --out FOLDER` and `flambeau sweep` make one";
    check_refused(path, &["rm", "lr", "--yes"], nothing);
    assert_eq!(fs::read_to_string(path.join("lr/notes.txt")).expect("a file"), "mine");
    sweeps::run(&path.join("one"), 0.1);
    std::os::unix::fs::symlink("one", path.join("link")).expect("a link");
    let refused = runs(path, &["rm", "link", "--yes"]);
    assert!(refused.stderr.starts_with("flambeau: link is a link;"), "{}", refused.stderr);
    said(path, &["rm", "one", "--yes"]);
    assert!(!path.join("one").exists());
}

#[test]
fn nothing_is_removed_while_a_sweep_runs() {
    let folder = folder();
    let lock = File::create(folder.path().join("lr/lock")).expect("a file");
    lock.lock().expect("a lock");
    let line = "another process is working on lr; wait for it, or give another folder";
    check_refused(folder.path(), &["rm", "lr", "--yes"], line);
    check_refused(folder.path(), &["rm", "lr", "1", "--yes"], line);
    drop(lock);
    said(folder.path(), &["rm", "lr", "--yes"]);
    assert!(!folder.path().join("lr").exists());
}

#[test]
fn rm_asks_on_a_terminal() {
    let folder = folder();
    let out = folder.path().join("lr");
    let out_text = out.to_str().expect("text");
    let home = home();
    for (answer, code, left) in [("n\r", 1, true), ("\r", 1, true), ("yes\r", 0, false)] {
        let mut terminal = Start::new(&["runs", "rm", out_text], home.path()).wide(200).start();
        terminal.see("with all its 6 trials (1 waiting, 4 done, 1 failed)? [y/N]");
        terminal.press(answer);
        assert_eq!((terminal.end(), out.exists()), (code, left), "{answer:?}");
    }
}

#[test]
fn tables_fit_into_a_terminal() {
    let folder = folder();
    let out = folder.path().join("lr");
    let home = home();
    let arguments = ["runs", "ls", out.to_str().expect("text"), "--where", "lr=0.1"];
    let mut terminal = Start::new(&arguments, home.path()).wide(40).start();
    terminal.see("no room for");
    assert_eq!(terminal.end(), 0);
    let screen = terminal.screen();
    assert!(screen.contains("trial") && screen.contains("0.81"), "{screen}");
    assert!(screen.contains("no room for time, error"), "{screen}");
}

#[test]
fn folders_without_runs_are_told() {
    let folder = folder();
    let path = folder.path();
    fs::create_dir(path.join("empty")).expect("a folder");
    let make = "`flambeau run SCRIPT --out FOLDER` and `flambeau sweep` make one";
    for command in ["ls", "show", "compare", "plot", "tail", "rm"] {
        let missing = "missing: no such file or directory";
        check_refused(path, &[command, "missing"], missing);
        let empty = format!("empty is no folder of a run or of a sweep; {make}");
        check_refused(path, &[command, "empty"], &empty);
    }
    check_refused(path, &["show", "."], ". holds several runs, name one: ./lr");
    check_refused(path, &["show", "lr", "7"], "lr has no trial 7; it has 1 to 6");
    let where_ = ["ls", "lr", "--where", "sed=1"];
    check_refused(path, &where_, "no trial has a parameter 'sed'; did you mean 'seed'?");
    let where_ = ["ls", "lr", "--where", "state=finished"];
    check_refused(
        path,
        &where_,
        "no trial has the state 'finished'; there is waiting, running, done, failed, pruned",
    );
}

#[test]
fn damaged_files_are_told() {
    let folder = folder();
    let path = folder.path();
    let metrics = path.join("lr/trials/0002/metrics.jsonl");
    let text = fs::read_to_string(&metrics).expect("metrics");
    // What a killed process leaves is an unfinished line, which is no record.
    fs::write(&metrics, format!("{text}{{\"step\": 20, \"lo")).expect("metrics");
    assert_eq!(said(path, &["tail", "lr", "2", "-n", "1", "--metrics"]).matches('\n').count(), 1);
    fs::write(&metrics, format!("{text}{{\"step\": 20, \"lo\n{text}")).expect("metrics");
    let plot = runs(path, &["plot", "lr", "--metric", "loss", "-o", "loss.svg"]);
    let begin = "flambeau: lr/trials/0002/metrics.jsonl is damaged: ";
    assert_eq!((plot.code, plot.stdout.as_str()), (Some(2), ""));
    assert!(
        plot.stderr.starts_with(begin)
            && plot.stderr.lines().count() == 1
            && plot.stderr.contains("runs rm OUT TRIAL"),
        "{plot:?}"
    );
    // A listing shows the others.
    let listed = runs(path, &["ls", "lr"]);
    assert_eq!((listed.code, listed.stdout.lines().count()), (Some(0), 7));
    assert!(listed.stderr.starts_with(begin), "{listed:?}");
    fs::write(path.join("lr/sweep.db"), "no table, but longer than nothing").expect("a file");
    let listed = runs(path, &["ls", "lr"]);
    assert_eq!(listed.code, Some(2));
    assert!(listed.stderr.starts_with("flambeau: lr/sweep.db is damaged: "), "{listed:?}");
    sweeps::run(&path.join("one"), 0.1);
    fs::write(path.join("one/config.json"), r#"{"format": 2, "script": "", "params": {}}"#)
        .expect("a file");
    let line = "one/config.json has format 2, and this version reads format 1";
    check_refused(path, &["show", "one"], line);
}

#[test]
fn runs_are_read_without_an_environment() {
    let folder = folder();
    let mut command = flambeau();
    command.args(["runs", "ls", "lr"]).current_dir(folder.path()).env("PATH", "");
    let outcome = outcome(command.env("VIRTUAL_ENV", "/no/such/folder"));
    assert_eq!(outcome.code, Some(0), "{outcome:?}");
}
