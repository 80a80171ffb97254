//! Sweeps with the real program: what is tried, what survives, what is refused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use flambeau_tests::processes::{children, descendants, is_alive, signal};
use flambeau_tests::{Outcome, flambeau, outcome, repository};
use serde_json::{Value, json};

/// A folder with one of the scripts of `tests/experiments` as `exp.rhai`.
fn folder(name: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    let script = repository().join("tests/experiments").join(name);
    fs::copy(script, folder.path().join("exp.rhai")).expect("a script");
    folder
}

fn with_script(code: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    fs::write(folder.path().join("exp.rhai"), code).expect("a script");
    folder
}

fn command(folder: &Path, arguments: &[&str]) -> Command {
    let mut command = flambeau();
    command
        .current_dir(folder)
        .arg("--env")
        .arg(repository().join(".venv"))
        .arg("sweep")
        .args(arguments);
    command
}

fn sweep(folder: &Path, arguments: &[&str]) -> Outcome {
    outcome(&mut command(folder, arguments))
}

fn json_of(path: &Path) -> Value {
    let text =
        fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
    serde_json::from_str(&text).expect("JSON")
}

fn trial(out: &Path, number: usize) -> PathBuf {
    out.join("trials").join(format!("{number:04}"))
}

fn trials(out: &Path) -> usize {
    fs::read_dir(out.join("trials")).map_or(0, |trials| trials.count())
}

/// The records of a trial without their times.
fn records(out: &Path, number: usize) -> Vec<Value> {
    let text = fs::read_to_string(trial(out, number).join("metrics.jsonl")).expect("metrics");
    let mut records: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("a record")).collect();
    records.iter_mut().for_each(|record| {
        record.as_object_mut().expect("a map").remove("_time");
    });
    records
}

fn states(out: &Path) -> Vec<String> {
    let state = |number| {
        json_of(&trial(out, number).join("status.json"))["state"]
            .as_str()
            .expect("a state")
            .to_owned()
    };
    (1..=trials(out)).map(state).collect()
}

fn wait_until(what: &str, is_so: impl Fn() -> bool) {
    let begin = Instant::now();
    while !is_so() {
        assert!(begin.elapsed() < Duration::from_secs(60), "{what}");
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A sweep that runs, with pipes for its output.
fn start(folder: &Path, arguments: &[&str]) -> Child {
    let mut command = command(folder, arguments);
    command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().expect("the program starts")
}

/// Trials that have logged something and not ended.
fn under_way(out: &Path) -> usize {
    let begun = |number: &usize| {
        let folder = trial(out, *number);
        folder.join("checkpoints").is_dir() && !folder.join("result.json").exists()
    };
    (1..=trials(out)).filter(begun).count()
}

#[test]
fn a_dry_run_lists_grid_and_seeds_and_writes_nothing() {
    let folder = folder("train.rhai");
    let listed = sweep(
        folder.path(),
        &["exp.rhai", "--grid", "lr=1e-4,1e-3", "hidden=64..256:64", "--seeds", "2", "--dry-run"],
    );
    assert_eq!(listed.code, Some(0), "{listed:?}");
    let lines: Vec<&str> = listed.stdout.lines().collect();
    assert_eq!(lines.len(), 2 * 3 * 2 + 1);
    assert_eq!((lines[0].trim(), lines[12]), ("1  lr=1e-4 hidden=64 seed=0", "12 trials"));
    assert_eq!(lines[3].trim(), "4  lr=1e-4 hidden=128 seed=1");
    assert_eq!(fs::read_dir(folder.path()).expect("files").count(), 1);
}

#[test]
fn a_sweep_runs_all_trials_and_keeps_what_they_came_to() {
    let folder = folder("train.rhai");
    let arguments = [
        "exp.rhai",
        "--grid",
        "lr=1e-2,5e-2",
        "--seeds",
        "2",
        "--jobs",
        "2",
        "--metric",
        "acc",
        "--out",
        "out",
        "--",
        "steps=5",
    ];
    let done = sweep(folder.path(), &arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert!(done.stderr.contains("4 of 4 trials"), "{}", done.stderr);
    let out = folder.path().join("out");
    assert_eq!(states(&out), ["done"; 4]);
    for (number, lr, seed) in [(1, 0.01, 0), (2, 0.01, 1), (3, 0.05, 0), (4, 0.05, 1)] {
        let params = json_of(&trial(&out, number).join("config.json"))["params"].clone();
        assert_eq!(
            (&params["lr"], &params["seed"], &params["steps"]),
            (&json!(lr), &json!(seed), &json!(5))
        );
        assert_eq!(records(&out, number).len(), 5);
        let environment = json_of(&trial(&out, number).join("environment.json"));
        assert!(environment["torch"].is_string());
    }
    assert_ne!(records(&out, 1), records(&out, 2), "seeds differ");
    // A trial alone gives the same numbers.
    let mut alone = flambeau();
    alone.current_dir(folder.path()).arg("--env").arg(repository().join(".venv"));
    alone.args([
        "run",
        "exp.rhai",
        "--threads",
        "1",
        "--out",
        "alone/trials/0001",
        "--",
        "lr=1e-2",
        "seed=1",
        "steps=5",
    ]);
    assert_eq!(outcome(&mut alone).code, Some(0));
    assert_eq!(records(&folder.path().join("alone"), 1), records(&out, 2));
    // The same again has nothing to do; more seeds are what is missing.
    let again = sweep(folder.path(), &arguments);
    assert_eq!(again.code, Some(0), "{again:?}");
    assert!(!again.stderr.contains("done"), "{}", again.stderr);
    let more = sweep(
        folder.path(),
        &["exp.rhai", "--grid", "lr=1e-2,5e-2", "--seeds", "3", "--out", "out", "--", "steps=5"],
    );
    assert!(more.stderr.contains("2 trials are new"), "{}", more.stderr);
    assert_eq!(more.stderr.matches("   done ").count(), 2, "{}", more.stderr);
}

#[test]
fn a_file_says_what_is_swept() {
    let folder = folder("train.rhai");
    let spec = "script = \"exp.rhai\"\ntrials = 3\nseeds = 2\nout = \"out\"\n[params]\nsteps = 2\n[random]\nlr = \"log:1e-4..1e-1\"\nhidden = \"4..9\"\n";
    fs::write(folder.path().join("sweep.toml"), spec).expect("a file");
    let done = sweep(folder.path(), &["--spec", "sweep.toml"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let out = folder.path().join("out");
    let params: Vec<Value> =
        (1..=6).map(|n| json_of(&trial(&out, n).join("config.json"))["params"].clone()).collect();
    assert!(
        params.iter().all(|params| (1e-4..1e-1).contains(&params["lr"].as_f64().unwrap_or(0.0)))
    );
    assert_eq!(params[0]["lr"], params[1]["lr"], "seeds repeat what was drawn");
    assert_ne!(params[0]["lr"], params[2]["lr"]);
    // What was drawn first is drawn again.
    let more = sweep(folder.path(), &["--spec", "sweep.toml", "--trials", "4"]);
    assert!(more.stderr.contains("2 trials are new"), "{}", more.stderr);
    fs::write(folder.path().join("sweep.toml"), spec.replace("seeds", "sedes")).expect("a file");
    let wrong = sweep(folder.path(), &["--spec", "sweep.toml"]);
    assert_eq!(wrong.code, Some(2));
    assert!(wrong.stderr.contains("sedes"), "{}", wrong.stderr);
}

#[test]
fn what_is_wrong_is_said_before_anything_runs() {
    let folder = folder("train.rhai");
    for (arguments, words) in [
        (&["nothing.rhai", "--grid", "lr=1"][..], "cannot read nothing.rhai: no such file"),
        (&["exp.rhai", "--grid", "rl=1"], "the script has no parameter 'rl'; did you mean 'lr'?"),
        (&["exp.rhai", "--grid", "lr="], "'lr=' has no values"),
        (&["exp.rhai", "--grid", "hidden=5..5"], "'hidden=5..5' has no values"),
        (
            &["exp.rhai", "--grid", "lr=high"],
            "parameter 'lr' is a float (by default 0.01), and 'high' is none",
        ),
        (&["exp.rhai", "--grid", "lr=1", "--", "lr=2"], "parameter 'lr' is given twice"),
        (&["exp.rhai", "--grid", "lr=1", "--", "speed=2"], "the script has no parameter 'speed'"),
        (&["--grid", "lr=1", "exp.rhai"], "which script is swept?"),
        (
            &["exp.rhai", "--random", "lr=log:0..1", "--trials", "2"],
            "a logarithm wants positive ends",
        ),
        (&["exp.rhai", "--random", "lr=uniform:0..1"], "--random wants --trials COUNT"),
        (&["exp.rhai", "--seeds", "2", "--grid", "seed=1"], "parameter 'seed' is given twice"),
        (
            &["exp.rhai", "--metric", "acc", "--halving", "9..3"],
            "the first step must be below the last",
        ),
        (&["exp.rhai", "--grid", "lr=1", "--out", "/proc/nothing"], "flambeau: /proc/nothing: "),
    ] {
        let refused = sweep(folder.path(), arguments);
        assert_eq!(refused.code, Some(2), "{arguments:?}: {refused:?}");
        assert!(refused.stderr.contains(words), "{arguments:?}: {}", refused.stderr);
    }
    assert_eq!(fs::read_dir(folder.path()).expect("files").count(), 1, "nothing was written");
    for (code, words) in [
        ("print(1);", "declares no parameters"),
        ("// params\nprint(1);", "declares no parameters"),
        ("let m = nn.Linr(1, 1); params(#{lr: 1});", "fails before params():"),
        ("params(#{lr: nn.Linear(1, 1)});", "params(): 'lr': "),
        ("let params = ", "fails before params():"),
    ] {
        let folder = with_script(code);
        let refused = sweep(folder.path(), &["exp.rhai", "--grid", "lr=1"]);
        assert_eq!(refused.code, Some(2), "{code}");
        assert!(refused.stderr.contains(words), "{code}: {}", refused.stderr);
    }
}

#[test]
fn what_a_trial_does_harms_no_other() {
    let folder = folder("bad.rhai");
    let what = "nothing,never,log,memory,bytes,fork,crash,leave,nan,missing,throw";
    let done = sweep(
        folder.path(),
        &[
            "exp.rhai",
            "--grid",
            &format!("what={what}"),
            "--jobs",
            "2",
            "--timeout",
            "30",
            "--max-memory",
            "500M",
            "--max-log",
            "1M",
            "--metric",
            "acc",
            "--halving",
            "2..10",
            "--out",
            "out",
        ],
    );
    assert_eq!(done.code, Some(1), "{done:?}");
    let out = folder.path().join("out");
    let status: BTreeMap<&str, Value> = what
        .split(',')
        .enumerate()
        .map(|(i, what)| (what, json_of(&trial(&out, i + 1).join("status.json"))))
        .collect();
    for (what, state, words) in [
        ("nothing", "done", ""),
        ("log", "done", ""),
        ("fork", "done", ""),
        ("never", "failed", "it ran longer than --timeout allows"),
        ("memory", "failed", "the limit is 524288000"),
        ("bytes", "failed", "it held more memory than --max-memory allows"),
        ("crash", "failed", "its process was ended by SIGSEGV"),
        ("leave", "failed", "its process ended with 7 before the script did"),
        ("nan", "pruned", "acc is nan at step 2"),
        ("missing", "failed", "'acc' was not logged until step 2"),
        ("throw", "failed", "Thrown: wrong"),
    ] {
        let (found, error) =
            (&status[what]["state"], status[what]["error"].as_str().unwrap_or_default());
        assert_eq!(found, state, "{what}: {error}");
        assert!(error.contains(words), "{what}: {error}");
    }
    let log = trial(&out, 3);
    let bytes: u64 = ["log", "log.1"]
        .iter()
        .map(|name| fs::metadata(log.join(name)).expect("a log").len())
        .sum();
    assert!(bytes <= 1 << 20, "{bytes}");
    let text = fs::read_to_string(log.join("log")).expect("text");
    assert!(text.starts_with('[') && text.contains("are not kept: --max-log]"), "{}", &text[..80]);
    // What had forked away is gone: it held its trial's folder as its own.
    let sleeping = |pid: &u32| {
        fs::read_to_string(format!("/proc/{pid}/cwd")).is_ok()
            && fs::read_link(format!("/proc/{pid}/cwd"))
                .is_ok_and(|cwd| cwd.starts_with(folder.path()))
    };
    let all = fs::read_dir("/proc").expect("processes").flatten();
    let left: Vec<u32> =
        all.filter_map(|entry| entry.file_name().to_str()?.parse().ok()).filter(sleeping).collect();
    assert_eq!(left, [0; 0]);
}

#[test]
fn a_failed_trial_is_begun_again_as_often_as_was_asked() {
    let folder = with_script(
        "let p = params(#{n: 0}); let at = resume(#{tries: 0});
         checkpoint(#{tries: at.tries + 1});
         if at.tries < 2 { throw `try ${at.tries}`; }
         report(#{tries: at.tries});",
    );
    let done = sweep(folder.path(), &["exp.rhai", "--grid", "n=1", "--retry", "2", "--out", "out"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    assert_eq!(done.stderr.matches(" failed ").count(), 2, "{}", done.stderr);
    let status = json_of(&trial(&folder.path().join("out"), 1).join("status.json"));
    assert_eq!(
        (&status["state"], &status["attempts"], &status["result"]["tries"]),
        (&json!("done"), &json!(3), &json!(2))
    );
    let once =
        sweep(folder.path(), &["exp.rhai", "--grid", "n=2", "--retry", "1", "--out", "once"]);
    assert_eq!(once.code, Some(1), "{once:?}");
    // What has failed is missing: the same command tries it again.
    let again =
        sweep(folder.path(), &["exp.rhai", "--grid", "n=2", "--retry", "1", "--out", "once"]);
    assert_eq!(again.code, Some(0), "{again:?}");
}

/// What is killed, by the number of the sweep's process.
fn kill(what: &str, sweep: u32) {
    let nursery = children(sweep).first().copied();
    let below = |pid: Option<u32>| pid.map(children).unwrap_or_default();
    let guards = below(nursery);
    match what {
        "sweep" => signal(sweep, "KILL"),
        "nursery" => signal(nursery.expect("a nursery"), "KILL"),
        "guard" => signal(*guards.first().expect("a guard"), "KILL"),
        "trial" => signal(*below(guards.first().copied()).first().expect("a trial"), "KILL"),
        "all" => {
            let all = descendants(sweep);
            signal(sweep, "KILL");
            // Some have gone along.
            all.iter().for_each(|pid| {
                drop(Command::new("sh").args(["-c", &format!("kill -KILL {pid} 2>&-")]).status())
            });
        }
        _ => panic!("{what}"),
    }
}

#[test]
fn whatever_is_killed_the_same_command_finishes_what_is_missing() {
    let folder = folder("train.rhai");
    let arguments = |out: &'static str| {
        vec![
            "exp.rhai",
            "--grid",
            "lr=1e-2,5e-2",
            "--seeds",
            "2",
            "--jobs",
            "2",
            "--threads",
            "1",
            "--out",
            out,
            "--",
            "pause=0.02",
            "steps=60",
        ]
    };
    let whole = sweep(folder.path(), &arguments("whole"));
    assert_eq!(whole.code, Some(0), "{whole:?}");
    let (out, whole) = (folder.path().join("out"), folder.path().join("whole"));
    // The last two leave the sweep alive, which then finishes all but the one that was killed.
    for what in ["sweep", "nursery", "all", "guard", "trial"] {
        let mut running = start(folder.path(), &arguments("out"));
        let of_trials = |pid: u32| -> usize {
            let nursery = children(pid).first().copied();
            nursery
                .map(children)
                .unwrap_or_default()
                .into_iter()
                .map(|guard| children(guard).len())
                .sum()
        };
        wait_until("a trial runs", || of_trials(running.id()) > 0);
        std::thread::sleep(Duration::from_millis(300));
        let below = descendants(running.id());
        kill(what, running.id());
        running.wait().expect("it ends");
        wait_until("what it had begun ends", || !below.iter().any(|&pid| is_alive(pid)));
    }
    let last = sweep(folder.path(), &arguments("out"));
    assert_eq!(last.code, Some(0), "{last:?}");
    assert_eq!(states(&out), ["done"; 4]);
    for number in 1..=4 {
        assert_eq!(records(&out, number), records(&whole, number), "trial {number}");
        let result =
            |out: &Path| json_of(&trial(out, number).join("status.json"))["result"].clone();
        assert_eq!(result(&out), result(&whole));
    }
    let again = sweep(folder.path(), &arguments("out"));
    assert!(!again.stderr.contains("done"), "{}", again.stderr);
}

#[test]
fn ctrl_c_lets_trials_come_to_their_checkpoint_and_a_second_one_ends_them() {
    let folder = folder("train.rhai");
    let out = folder.path().join("out");
    let arguments = [
        "exp.rhai",
        "--seeds",
        "4",
        "--jobs",
        "2",
        "--threads",
        "1",
        "--out",
        "out",
        "--",
        "pause=0.02",
        "steps=60",
    ];
    let running = start(folder.path(), &arguments);
    wait_until("two trials have checkpoints", || under_way(&out) == 2);
    signal(running.id(), "INT");
    let stopped: Outcome = running.wait_with_output().expect("it ends").into();
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    assert!(stopped.stderr.contains("once more stops them now"), "{}", stopped.stderr);
    // Each has ended right behind a checkpoint: one in seven steps.
    assert_eq!(trials(&out), 2, "no others were begun");
    for number in 1..=2 {
        assert_eq!(records(&out, number).len() % 7, 0);
    }
    let running = start(
        folder.path(),
        &[
            "exp.rhai",
            "--seeds",
            "4",
            "--jobs",
            "1",
            "--threads",
            "1",
            "--out",
            "two",
            "--",
            "pause=1000.0",
        ],
    );
    let two = folder.path().join("two");
    wait_until("a trial has logged", || trial(&two, 1).join("metrics.jsonl").exists());
    let below = descendants(running.id());
    signal(running.id(), "INT");
    std::thread::sleep(Duration::from_millis(200));
    assert!(is_alive(running.id()), "it waits for the checkpoint");
    signal(running.id(), "INT");
    let stopped: Outcome = running.wait_with_output().expect("it ends").into();
    assert_eq!(stopped.code, Some(130), "{stopped:?}");
    wait_until("nothing is left", || !below.iter().any(|&pid| is_alive(pid)));
    let finished = sweep(folder.path(), &arguments);
    assert_eq!(finished.code, Some(0), "{finished:?}");
    assert_eq!(states(&out), ["done"; 4]);
}

#[test]
fn two_sweeps_on_one_folder_are_one_too_many() {
    let folder = folder("train.rhai");
    let arguments = ["exp.rhai", "--seeds", "2", "--out", "out", "--", "pause=1000.0"];
    let running = start(folder.path(), &arguments);
    wait_until("a trial has begun", || {
        trial(&folder.path().join("out"), 1).join("metrics.jsonl").exists()
    });
    let second = sweep(folder.path(), &arguments);
    assert_eq!(second.code, Some(2), "{second:?}");
    assert!(second.stderr.contains("another process is working on"), "{}", second.stderr);
    let running_now = || {
        let mut ls = flambeau();
        ls.current_dir(folder.path()).args(["runs", "ls", "out", "--json"]);
        outcome(&mut ls).stdout.matches("\"state\":\"running\"").count()
    };
    assert_eq!(running_now(), 1);
    signal(running.id(), "TERM");
    let ended: Outcome = running.wait_with_output().expect("it ends").into();
    assert_eq!(ended.code, Some(130), "{ended:?}");
    assert_eq!(running_now(), 0);
    fs::write(folder.path().join("other.rhai"), "params(#{seed: 0});").expect("a script");
    let other = sweep(folder.path(), &["other.rhai", "--seeds", "1", "--out", "out"]);
    assert!(other.code == Some(2) && other.stderr.contains("is the sweep of"), "{other:?}");
}

#[test]
fn halving_ends_what_is_worse_than_others() {
    let folder = with_script(
        "let p = params(#{x: 0.0, steps: 27});
         for step in 1..=p.steps { log(#{step, acc: p.x + step * 1e-4}); }
         report(#{acc: p.x});",
    );
    let arguments = [
        "exp.rhai",
        "--grid",
        "x=0..0.9:0.1",
        "--metric",
        "acc",
        "--halving",
        "3..27",
        "--out",
        "out",
    ];
    let done = sweep(folder.path(), &arguments);
    assert_eq!(done.code, Some(0), "{done:?}");
    let out = folder.path().join("out");
    // Each is better than those before it, so all go on; the other way round only the first does.
    assert_eq!(states(&out), ["done"; 9]);
    let down = sweep(
        folder.path(),
        &[
            "exp.rhai",
            "--grid",
            "x=0.9,0.8,0.7,0.6",
            "--metric",
            "acc",
            "--halving",
            "3..27",
            "--out",
            "down",
        ],
    );
    assert_eq!(down.code, Some(0), "{down:?}");
    let out = folder.path().join("down");
    assert_eq!(states(&out), ["done", "pruned", "pruned", "pruned"]);
    assert_eq!((records(&out, 1).len(), records(&out, 2).len()), (27, 3));
}

#[test]
fn trials_that_are_new_processes_give_the_same() {
    let folder = folder("train.rhai");
    let arguments =
        ["exp.rhai", "--seeds", "2", "--threads", "1", "--out", "forked", "--", "steps=5"];
    assert_eq!(sweep(folder.path(), &arguments).code, Some(0));
    let spawned = [
        "exp.rhai",
        "--seeds",
        "2",
        "--threads",
        "1",
        "--out",
        "spawned",
        "--spawn",
        "--",
        "steps=5",
    ];
    let done = sweep(folder.path(), &spawned);
    assert_eq!(done.code, Some(0), "{done:?}");
    for number in 1..=2 {
        let of = |name: &str| records(&folder.path().join(name), number);
        assert_eq!(of("spawned"), of("forked"));
    }
}

#[test]
fn each_trial_sees_the_device_that_it_is_given() {
    let folder = with_script(
        "let p = params(#{n: 0}); print(env.get(\"CUDA_VISIBLE_DEVICES\")); print(torch.get_num_threads()); sleep(0.3);",
    );
    let done = sweep(
        folder.path(),
        &["exp.rhai", "--grid", "n=0..4", "--gpus", "2,3", "--threads", "3", "--out", "out"],
    );
    assert_eq!(done.code, Some(0), "{done:?}");
    let log = |number| {
        fs::read_to_string(trial(&folder.path().join("out"), number).join("log")).expect("a log")
    };
    let mut logs: Vec<String> = (1..=4).map(log).collect();
    logs.sort();
    assert_eq!(logs, ["2\n3\n", "2\n3\n", "3\n3\n", "3\n3\n"]);
}
