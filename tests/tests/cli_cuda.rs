//! The scripts of `tests/cuda`, which `make cuda-bundle` takes to a machine with a CUDA device. Here they
//! run where a device is, and otherwise on the CPU, so that what they check is checked somewhere.

use flambeau_tests::{flambeau, outcome, repository};

fn scripts() -> Vec<std::path::PathBuf> {
    let folder = repository().join("tests/cuda");
    let entries = std::fs::read_dir(folder).expect("the folder of CUDA tests");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("an entry").path()).collect();
    paths.sort();
    assert!(!paths.is_empty());
    paths
}

#[test]
fn scripts_for_a_device_pass_or_say_that_there_is_none() {
    for path in scripts() {
        let outcome = outcome(flambeau().arg("run").arg(&path));
        assert_eq!(outcome.code, Some(0), "{}: {outcome:?}", path.display());
        println!("{}: {}", path.display(), outcome.stdout.lines().next().unwrap_or(""));
    }
}

#[test]
fn what_they_compare_holds_on_the_cpu() {
    for name in ["operators", "training"] {
        let path = format!("tests/cuda/{name}.rhai");
        let outcome = outcome(flambeau().args(["run", &path, "--", "cpu"]));
        assert_eq!(outcome.code, Some(0), "{path}: {outcome:?}");
        assert!(!outcome.stdout.contains("skipped"), "{path}: {outcome:?}");
    }
}
