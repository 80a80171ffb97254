//! `nn` beside PyTorch: the Python of `.venv` builds each layer of `nn/layers.txt` with the same
//! seed, and weights, outputs, gradients, state dict keys and printed forms must agree.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use flambeau_runtime::script::{Options, Report, Results, Session};
use flambeau_runtime::torch::Tensor;
use flambeau_stdlib::nn::Module;
use rhai::{Array, Dynamic};

fn here() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nn")
}

fn session() -> Session {
    Session::new(Options { libraries: flambeau_stdlib::libraries(), ..Options::default() })
}

/// Evaluates a cell.
fn run(session: &mut Session, code: &str) -> Dynamic {
    session.evaluate("test", code).unwrap_or_else(|report| panic!("{code}\n{report:?}"))
}

/// The error of a report, in one line.
fn said(report: &Report) -> String {
    format!("{}: {}", report.error.kind, report.error.message)
}

/// The tensors in a result, however nested.
fn tensors(value: &Dynamic) -> Vec<Tensor> {
    if let Some(tensor) = value.read_lock::<Tensor>() {
        return vec![tensor.clone()];
    }
    if let Some(list) = value.read_lock::<Array>() {
        return list.iter().flat_map(tensors).collect();
    }
    if let Some(results) = value.read_lock::<Results>() {
        return results.values.iter().flat_map(tensors).collect();
    }
    Vec::new()
}

struct Oracle {
    values: HashMap<String, tch::Tensor>,
    facts: serde_json::Value,
}

impl Oracle {
    fn new() -> Oracle {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let (values, facts) = (folder.path().join("o.safetensors"), folder.path().join("o.json"));
        let python = here().join("../../../.venv/bin/python");
        let status = Command::new(python)
            .arg(here().join("oracle.py"))
            .args([here().join("layers.txt"), here().join("functions.txt")])
            .args([&values, &facts])
            .status()
            .expect(".venv/bin/python runs; make it with `make .venv`");
        assert!(status.success(), "the oracle failed");
        let read = tch::Tensor::read_safetensors(&values).expect("the oracle's tensors");
        let text = std::fs::read_to_string(&facts).expect("the oracle's facts");
        Oracle {
            values: read.into_iter().collect(),
            facts: serde_json::from_str(&text).expect("JSON"),
        }
    }
}

/// What differs between one layer here and in Python.
struct Difference<'a> {
    oracle: &'a Oracle,
    index: usize,
    found: Vec<String>,
}

impl Difference<'_> {
    fn compare(&mut self, key: &str, tensor: &Tensor, exact: bool) {
        let full = format!("{}.{key}", self.index);
        let Some(expected) = self.oracle.values.get(&full) else {
            return self.found.push(format!("{key}: not in Python"));
        };
        let tensor = tensor.detach();
        if tensor.size() != expected.size() || tensor.kind() != expected.kind() {
            return self.found.push(format!(
                "{key}: {:?} {:?}, in Python {:?} {:?}",
                tensor.kind(),
                tensor.size(),
                expected.kind(),
                expected.size()
            ));
        }
        let equal = if exact {
            tensor.equal(expected)
        } else {
            tensor.allclose(expected, 1e-5, 1e-6, true)
        };
        if !equal {
            let gap = (tensor.to_kind(tch::Kind::Double) - expected).abs().max();
            self.found.push(format!("{key}: differs by up to {}", gap.double_value(&[])));
        }
    }

    fn same<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, found: T, expected: T) {
        if found != expected {
            self.found.push(format!("{what}: {found:?}, in Python {expected:?}"));
        }
    }

    /// All keys of Python's that begin with `prefix` must have been compared.
    fn count(&mut self, prefix: &str, compared: usize) {
        let start = format!("{}.{prefix}.", self.index);
        let expected = self.oracle.values.keys().filter(|key| key.starts_with(&start)).count();
        self.same(&format!("number of {prefix}"), compared, expected);
    }
}

/// Runs one layer as the oracle runs it; what differs.
fn compare(oracle: &Oracle, index: usize, layer: &str, inputs: &str) -> Vec<String> {
    let mut session = session();
    let mut difference = Difference { oracle, index, found: Vec::new() };
    let facts = &oracle.facts[index];
    assert_eq!(facts["layer"], layer);
    let texts: Vec<&str> = inputs.split(';').map(str::trim).collect();
    let names: Vec<String> = (0..texts.len()).map(|i| format!("x{i}")).collect();
    let make: String =
        names.iter().zip(&texts).map(|(name, text)| format!("let {name} = {text};\n")).collect();
    let made = session.evaluate("test", &format!("torch.manual_seed(0);\nlet m = {layer};\nm"));
    let module = match made {
        Ok(made) => made.try_cast::<Module>().expect("a Module"),
        Err(report) => return vec![said(&report)],
    };
    for (name, value) in module.state_dict().expect("a state dict").pairs() {
        difference.compare(&format!("start.{name}"), &tensors(&value)[0], true);
    }
    let list = |value: &serde_json::Value| -> Vec<String> {
        let items = value.as_array().expect("a list").iter();
        items.map(|item| item.as_str().expect("a string").to_owned()).collect()
    };
    let keys = module.state_dict().expect("a state dict").pairs().into_iter();
    difference.same("keys", keys.map(|(name, _)| name).collect(), list(&facts["keys"]));
    let parameters = module.named_parameters().into_iter().map(|(name, _)| name);
    difference.same("parameters", parameters.collect(), list(&facts["parameters"]));
    let shown = run(&mut session, "`${m}`").to_string();
    difference.same("repr", shown.as_str(), facts["repr"].as_str().expect("a string"));

    let inputs = run(&mut session, &format!("torch.manual_seed(1);\n{make}[{}]", names.join(", ")));
    let inputs = inputs.into_array().expect("an array");
    let drawn = inputs.iter().zip(&texts).filter(|(_, text)| text.starts_with("torch.rand"));
    let leaves: Vec<Tensor> = drawn.flat_map(|(value, _)| tensors(value)).collect();
    if !layer.contains("inplace: true") {
        leaves.iter().for_each(|leaf| drop(leaf.tch().requires_grad_(true)));
    }
    let call = format!("m({})", names.join(", "));
    let outputs = match session.evaluate("test", &format!("torch.manual_seed(2);\n{call}")) {
        Ok(outputs) => tensors(&outputs),
        Err(report) => return vec![said(&report)],
    };
    for (i, output) in outputs.iter().enumerate() {
        difference.compare(&format!("out.{i}"), output, false);
    }
    difference.count("out", outputs.len());
    let sums = outputs.iter().filter(|output| output.is_floating_point());
    let total: tch::Tensor = sums.map(|output| output.sum(tch::Kind::Float)).sum();
    if total.requires_grad() {
        total.backward();
    }
    let mut grads = 0;
    for (name, parameter) in module.named_parameters() {
        if parameter.grad().defined() {
            difference.compare(&format!("grad.{name}"), &parameter.grad().into(), false);
            grads += 1;
        }
    }
    difference.count("grad", grads);
    for (i, leaf) in leaves.iter().enumerate() {
        if leaf.grad().defined() {
            difference.compare(&format!("input_grad.{i}"), &leaf.grad().into(), false);
        }
    }
    for (name, value) in module.state_dict().expect("a state dict").pairs() {
        difference.compare(&format!("after.{name}"), &tensors(&value)[0], false);
    }
    let code = format!("m.eval();\ntorch.manual_seed(1);\n{make}no_grad {{ {call} }}");
    match session.evaluate("test", &code) {
        Ok(outputs) => {
            for (i, output) in tensors(&outputs).iter().enumerate() {
                difference.compare(&format!("eval.{i}"), output, false);
            }
        }
        Err(report) => difference.found.push(said(&report)),
    }
    difference.found
}

/// The lines of a file of cases.
fn cases(file: &str) -> Vec<String> {
    let text = std::fs::read_to_string(here().join(file)).expect("the cases");
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
}

#[test]
fn layers_and_functions_give_pytorch_s_numbers() {
    let oracle = Oracle::new();
    let mut report = Vec::new();
    for (index, case) in cases("layers.txt").iter().enumerate() {
        let (layer, inputs) = case.split_once(" | ").expect("a layer and its inputs");
        let differences = compare(&oracle, index, layer, inputs);
        if !differences.is_empty() {
            report.push(format!("{case}\n    {}", differences.join("\n    ")));
        }
    }
    for (index, case) in cases("functions.txt").iter().enumerate() {
        let mut session = session();
        let found = session.evaluate("test", &format!("torch.manual_seed(0);\n{case}"));
        let expected = &oracle.values[&format!("function.{index}")];
        match found.map_err(|report| said(&report)).map(|value| tensors(&value)) {
            Ok(found) if found.len() == 1 && found[0].allclose(expected, 1e-6, 1e-7, false) => {}
            other => report.push(format!("{case}\n    {other:?}")),
        }
    }
    assert!(report.is_empty(), "{} differ:\n{}", report.len(), report.join("\n"));
}
