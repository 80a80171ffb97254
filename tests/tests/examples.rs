//! What the libraries declare: signatures parse, everything is described, and every example runs.

use std::collections::BTreeMap;

use flambeau_runtime::script::Function;
use flambeau_runtime::torch::Schema;
use flambeau_tests::repository;
use flambeau_tests::session::{Recorded, on_deep_stack};

fn declared() -> Vec<Function> {
    Recorded::new().session.functions()
}

/// The dotted name that a signature begins with.
fn name(function: &Function) -> &'static str {
    function.schema.split('(').next().unwrap_or("").trim()
}

#[test]
fn every_signature_parses() {
    let wrong: Vec<String> = declared()
        .iter()
        .filter_map(|f| Schema::parse(f.schema).err().map(|e| format!("{}: {e}", f.schema)))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn everything_is_described() {
    let wrong: Vec<&str> = declared().iter().filter(|f| f.doc.trim().len() < 5).map(name).collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What needs a CUDA device, or can be called only once in a process before anything else.
fn may_lack_an_example(name: &str) -> bool {
    name.starts_with("torch.cuda.")
        || ["Tensor.cuda", "torch.set_num_interop_threads"].contains(&name)
}

#[test]
fn everything_has_an_example() {
    let wrong: Vec<&str> = declared()
        .iter()
        .filter(|f| f.example.trim().is_empty())
        .map(name)
        .filter(|name| !may_lack_an_example(name))
        .collect();
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn every_example_runs() {
    let wrong = on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        std::env::set_current_dir(folder.path()).expect("the folder can be entered");
        let mut wrong: BTreeMap<&str, String> = BTreeMap::new();
        for function in declared() {
            let (_, error) = Recorded::new().run(name(&function), function.example);
            if let Some(report) = error {
                wrong.insert(name(&function), report.rendered(false));
            }
        }
        std::env::set_current_dir(repository()).expect("the project's folder");
        wrong
    });
    let told: Vec<String> =
        wrong.iter().map(|(name, report)| format!("{name}:\n{report}")).collect();
    assert!(told.is_empty(), "{}\n{} examples fail", told.join("\n"), told.len());
}
