use std::fs;

use serde_json::json;

use super::*;
use crate::fixture;
use crate::metrics::Metrics;

fn sweeps() -> (tempfile::TempDir, Vec<Sweep>) {
    let folder = tempfile::tempdir().expect("folder");
    fixture::sweep(&folder.path().join("one"));
    let sweeps = Sweep::find(&folder.path().join("one")).expect("sweep");
    (folder, sweeps)
}

fn ids(table: &Table<'_>) -> Vec<i64> {
    table.rows.iter().map(|row| row.trial.id).collect()
}

#[test]
fn trials_are_sorted_best_first_and_those_without_a_value_last() {
    let (_folder, sweeps) = sweeps();
    let mut table = Table::of(&sweeps);
    assert_eq!(table.params, ["lr", "hidden", "seed"]);
    assert_eq!(table.metrics, ["acc"]);
    table.sort("acc", None).expect("acc");
    assert_eq!(ids(&table), [3, 2, 1, 4]);
    table.sort("acc", Some(Ordering::Less)).expect("acc");
    assert_eq!(ids(&table), [1, 2, 3, 4]);
    table.sort("loss", None).expect("loss");
    assert_eq!(ids(&table), [3, 1, 4, 2]);
    table.sort("trial", Some(Ordering::Greater)).expect("trial");
    assert_eq!(ids(&table), [4, 3, 2, 1]);
    let error = table.sort("los", None).expect_err("no such column").to_string();
    assert_eq!(error, "no trial has a metric 'los'; did you mean 'loss'?");
}

#[test]
fn trials_are_chosen_by_parameters_and_state() {
    let (_folder, sweeps) = sweeps();
    let mut table = Table::of(&sweeps);
    table.retain("lr", "1e-3").expect("lr");
    assert_eq!(ids(&table), [3, 4]);
    table.retain("state", "done").expect("state");
    assert_eq!(ids(&table), [3]);
    let error = table.retain("state", "finished").expect_err("no such state").to_string();
    assert!(error.contains("there is waiting, running, done, failed, pruned"), "{error}");
    let error = table.retain("sed", "1").expect_err("no such parameter").to_string();
    assert!(error.ends_with("did you mean 'seed'?"), "{error}");
}

#[test]
fn groups_are_over_seeds() {
    let (_folder, sweeps) = sweeps();
    let table = Table::of(&sweeps);
    let groups = table.groups(&[]).expect("groups");
    let labels: Vec<String> = groups.iter().map(Group::label).collect();
    assert_eq!(labels, ["lr=0.1 hidden=64", "lr=1e-3 hidden=64"]);
    let stat = groups[0].stat("acc").expect("acc");
    // 0.80 and 0.82: half of the square of their distance is the variance.
    assert!((stat.mean - 0.81).abs() < 1e-12 && stat.n == 2);
    assert!((stat.std.expect("std") - 0.02 / 2f64.sqrt()).abs() < 1e-12);
    assert_eq!(stat.text(), "0.810 ± 0.014");
    // The one that failed does not count, though it has logged.
    assert_eq!(groups[1].stat("loss").expect("loss").n, 1);
    assert_eq!(groups[1].states(), BTreeMap::from([("done", 1), ("failed", 1)]));
    let by = table.groups(&["seed".to_owned()]).expect("groups");
    assert_eq!(by.iter().map(Group::label).collect::<Vec<_>>(), ["seed=0", "seed=1"]);
}

#[test]
fn groups_are_compared_best_first() {
    let (folder, sweeps) = sweeps();
    let mut table = Table::of(&sweeps);
    let compared = table.compare(&[], &[], None).expect("groups");
    assert_eq!(compared.metrics, ["acc"]);
    let labels: Vec<String> = compared.groups.iter().map(Group::label).collect();
    assert_eq!(labels, ["lr=1e-3 hidden=64", "lr=0.1 hidden=64"]);
    let counted = compared.groups.iter().map(|group| compared.counted(group));
    assert_eq!(counted.collect::<Vec<_>>(), [1, 2]);
    let by_loss = ["loss".to_owned(), "acc".to_owned()];
    let compared = table.compare(&[], &by_loss, Some(Ordering::Greater)).expect("groups");
    assert_eq!(compared.metrics, by_loss);
    assert_eq!(compared.groups[0].label(), "lr=0.1 hidden=64");
    let by = ["sed".to_owned()];
    let error = table.compare(&by, &[], None).err().expect("no such parameter").to_string();
    assert!(error.ends_with("did you mean 'seed'?"), "{error}");
    // Of those that have all failed none counts.
    let store = crate::Store::open(&folder.path().join("one")).expect("table");
    for mut trial in store.trials().expect("trials").into_iter().filter(|trial| trial.id == 3) {
        (trial.state, trial.result) = (State::Failed, None);
        store.update(&trial).expect("update");
    }
    let sweeps = Sweep::find(folder.path()).expect("sweeps");
    let mut table = Table::of(&sweeps);
    let compared = table.compare(&[], &[], None).expect("groups");
    assert_eq!(compared.groups[1].label(), "lr=1e-3 hidden=64");
    assert_eq!(compared.counted(&compared.groups[1]), 0);
}

#[test]
fn two_sweeps_stand_side_by_side() {
    let (folder, _) = sweeps();
    fixture::sweep(&folder.path().join("two"));
    fs::create_dir(folder.path().join("other")).expect("folder");
    let sweeps = Sweep::find(folder.path()).expect("sweeps");
    assert_eq!(sweeps.iter().map(Sweep::name).collect::<Vec<_>>(), ["one", "two"]);
    assert_eq!(Table::of(&sweeps).groups(&[]).expect("groups").len(), 4);
    let error = Sweep::find(&folder.path().join("other")).expect_err("no run");
    assert!(matches!(error, Error::NoRun(_)), "{error}");
}

#[test]
fn a_run_is_a_sweep_of_one() {
    let (folder, _) = sweeps();
    let sweep = Sweep::open(&folder.path().join("one/trials/0003")).expect("run");
    assert!(sweep.is_run && sweep.script.as_deref() == Some("exp.rhai".as_ref()));
    assert_eq!(sweep.trials[0].params["hidden"], json!(64));
    assert_eq!(sweep.run(&sweep.trials[0]).metrics().expect("metrics").len(), 10);
}

#[test]
fn a_metric_that_was_logged_long_ago_is_found() {
    let (folder, sweeps) = sweeps();
    let path = folder.path().join("one/trials/0001/metrics.jsonl");
    let mut metrics = Metrics::open(&path, 0).expect("metrics");
    metrics.write(&fixture::map(json!({"step": 0, "rare": "NaN"}))).expect("record");
    for step in 1..3000 {
        let record = json!({"step": step, "note": "x".repeat(40)});
        metrics.write(&fixture::map(record)).expect("record");
    }
    let mut table = Table::of(&sweeps);
    assert!(table.rows[0].value("rare").is_none());
    assert_eq!(table.rows[0].step(), Some(&json!(2999)));
    table.require("rare").expect("rare");
    assert!(table.rows[0].number("rare").expect("rare").is_nan());
}

#[test]
fn a_broken_line_is_a_problem_of_its_trial() {
    let (folder, sweeps) = sweeps();
    let path = folder.path().join("one/trials/0002/metrics.jsonl");
    let mut text = fs::read_to_string(&path).expect("metrics");
    // An unfinished line at the end is what a kill leaves.
    text.push_str("{\"step\": 10, \"lo");
    fs::write(&path, &text).expect("write");
    assert!(Table::of(&sweeps).problems.is_empty());
    fs::write(&path, text + "\n").expect("write");
    let table = Table::of(&sweeps);
    let [problem] = table.problems.as_slice() else { panic!("{} problems", table.problems.len()) };
    assert!(problem.to_string().contains("0002/metrics.jsonl is damaged"), "{problem}");
    assert_eq!(table.rows.len(), 4);
}

#[test]
fn numbers_are_short() {
    let cases = [
        (0.0, "0"),
        (0.1 + 0.2, "0.3"),
        (1234.5678, "1234.57"),
        (1234567.8, "1234568"),
        (1e-5, "1e-5"),
        (f64::NAN, "NaN"),
        (f64::NEG_INFINITY, "-inf"),
    ];
    for (number, text) in cases {
        assert_eq!(number_text(number), text);
    }
    let stat = |values: &[f64]| Stat::of(values).expect("values").text();
    assert_eq!(stat(&[0.95]), "0.95");
    assert_eq!(stat(&[0.5, 0.5]), "0.5 ± 0");
    assert_eq!(stat(&[1e-9, 3e-9]), "2.00e-9 ± 1.4e-9");
    assert_eq!(stat(&[1200.0, 1300.0]), "1250 ± 71");
    assert_eq!(Stat::of(&[]), None);
}
