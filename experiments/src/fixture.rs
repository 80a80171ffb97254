//! Folders of sweeps for tests.

use std::path::Path;

use serde_json::{Value, json};

use crate::Map;
use crate::files::{make_folder, write_json};
use crate::metrics::Metrics;
use crate::run::State;
use crate::store::Store;

/// A map.
pub fn map(value: Value) -> Map {
    value.as_object().cloned().expect("a map")
}

/// Writes a sweep over two learning rates and two seeds: of each trial 10 steps, and the accuracy as its result. The last
/// has failed.
pub fn sweep(out: &Path) {
    make_folder(out).expect("folder");
    let mut store = Store::create(out).expect("table");
    let mut params = Vec::new();
    for lr in [0.1, 0.001] {
        for seed in [0, 1] {
            params.push(map(json!({"lr": lr, "seed": seed})));
        }
    }
    store.add(&params).expect("trials");
    let asked =
        json!({"format": 1, "metric": "acc", "goal": "max", "varied": ["lr", "hidden", "seed"]});
    write_json(&out.join("sweep.json"), &asked).expect("sweep.json");
    for mut trial in store.trials().expect("trials") {
        let run = trial.run(out);
        make_folder(run.folder()).expect("folder");
        let mut params = trial.params.clone();
        params.insert("hidden".to_owned(), 64.into());
        let config = json!({"format": 1, "script": "exp.rhai", "params": params});
        write_json(&run.file("config.json"), &config).expect("config");
        let (lr, seed) =
            (params["lr"].as_f64().expect("lr"), params["seed"].as_f64().expect("seed"));
        let mut metrics = Metrics::open(&run.file("metrics.jsonl"), 0).expect("metrics");
        for step in 0..10 {
            let loss = 1.0 / (f64::from(step) + 1.0) + lr + seed * 0.5;
            let record =
                json!({"_time": 100.0 + f64::from(step) / 2.0, "step": step, "loss": loss});
            metrics.write(&map(record)).expect("record");
        }
        (trial.started, trial.ended, trial.attempts) = (Some(100.0), Some(105.0), 1);
        match trial.id {
            4 => {
                trial.state = State::Failed;
                trial.error = Some("Value error: no".to_owned());
            }
            _ => {
                trial.state = State::Done;
                trial.result = Some(map(json!({"acc": 0.9 - lr + seed * 0.02})));
            }
        }
        store.update(&trial).expect("update");
    }
}
