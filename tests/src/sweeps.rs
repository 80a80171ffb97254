//! A sweep as it lies on the disk, without running one: always the same, times included.

use std::fs;
use std::path::Path;

use flambeau_experiments::files::{make_folder, write_json};
use flambeau_experiments::{Map, Metrics, State, Store};
use serde_json::{Value, json};

/// When the first trial began, in seconds since 1970.
const BEGIN: f64 = 1_700_000_000.0;

fn map(value: Value) -> Map {
    value.as_object().cloned().expect("a map")
}

/// Writes a sweep over two learning rates and three seeds into `out`. Of each trial 20 records: `loss` over steps, and
/// at the end `acc`, which is also its result. Trial 3 has failed with a loss that is nan; 6 still runs.
///
/// # Panics
/// Where it cannot be written.
pub fn sweep(out: &Path) {
    make_folder(out).expect("a folder");
    let mut store = Store::create(out).expect("a table");
    let mut params = Vec::new();
    for lr in [0.1, 0.001] {
        for seed in 0..3 {
            params.push(map(json!({"lr": lr, "seed": seed})));
        }
    }
    store.add(&params).expect("trials");
    let asked = json!({
        "format": 1, "script": "exp.rhai", "metric": "acc", "goal": "max", "varied": ["lr", "seed"]
    });
    write_json(&out.join("sweep.json"), &asked).expect("sweep.json");
    for mut trial in store.trials().expect("trials") {
        let run = trial.run(out);
        make_folder(run.folder()).expect("a folder");
        let lr = trial.params["lr"].as_f64().expect("a number");
        let seed = trial.params["seed"].as_f64().expect("a number");
        let mut params = trial.params.clone();
        params.insert("hidden".to_owned(), 64.into());
        let config = json!({"format": 1, "script": "exp.rhai", "params": params});
        write_json(&run.file("config.json"), &config).expect("config.json");
        let environment = json!({"torch": "2.11.0", "git": {"commit": "0123abc", "dirty": false}});
        write_json(&run.file("environment.json"), &environment).expect("environment.json");
        let begin = BEGIN + 60.0 * trial.id as f64;
        let state = match trial.id {
            3 => State::Failed,
            6 => State::Running,
            _ => State::Done,
        };
        let steps = if state == State::Running { 10 } else { 20 };
        let acc = 0.9 - lr + 0.01 * seed;
        let mut metrics = Metrics::open(&run.file("metrics.jsonl"), 0).expect("metrics.jsonl");
        for step in 0..steps {
            let at = f64::from(step);
            let loss = 2.0 * (-at * lr.sqrt()).exp() + 0.05 * seed;
            let nan = state == State::Failed && step > 14;
            let loss = if nan { json!("NaN") } else { json!(loss) };
            let mut record = json!({"_time": begin + at * 0.5, "step": step, "loss": loss});
            if step == 19 && !nan {
                record["acc"] = acc.into();
            }
            metrics.write(&map(record)).expect("a record");
        }
        let lines: String = (0..steps).map(|step| format!("step {step}\n")).collect();
        fs::write(run.file("log"), lines).expect("log");
        (trial.state, trial.attempts, trial.started) = (state, 1, Some(begin));
        trial.ended = (state != State::Running).then_some(begin + 10.5);
        trial.result = (state == State::Done).then(|| map(json!({"acc": acc})));
        trial.error = (state == State::Failed)
            .then(|| "ValueError: loss is nan\n  exp.rhai:12\n    step();".to_owned());
        store.update(&trial).expect("a row");
    }
}

/// Writes a run, as `flambeau run --out` does, into `out`.
///
/// # Panics
/// Where it cannot be written.
pub fn run(out: &Path, lr: f64) {
    make_folder(out).expect("a folder");
    let config = json!({"format": 1, "script": "exp.rhai", "params": {"lr": lr, "seed": 0}});
    write_json(&out.join("config.json"), &config).expect("config.json");
    let mut metrics = Metrics::open(&out.join("metrics.jsonl"), 0).expect("metrics.jsonl");
    for step in 0..5 {
        let record = json!({"_time": BEGIN, "step": step, "loss": lr / f64::from(step + 1)});
        metrics.write(&map(record)).expect("a record");
    }
    let status = json!({
        "state": "done", "result": {"acc": 1.0 - lr}, "error": null,
        "started": BEGIN, "ended": BEGIN + 2.0, "attempts": 1
    });
    write_json(&out.join("status.json"), &status).expect("status.json");
}
