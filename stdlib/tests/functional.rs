//! `torch.nn.functional` and the composed functions of `torch` beside Python: each case of
//! `functional/cases.txt` gives the same numbers, bit by bit, and the same gradients.

mod beside;

use beside::{both, does, lines, oracle, run, session};
use flambeau_runtime::script::{Results, Session};
use flambeau_runtime::torch::{Tensor, bytes};
use rhai::{Array, Dynamic};
use serde_json::{Value, json};

const CASES: &str = include_str!("functional/cases.txt");

/// The inputs of the cases, as Rhai and as Python.
const PRELUDE: &[(&str, &str)] = &[
    ("x", "torch.randn([2, 3, 8], requires_grad: true)"),
    ("y", "torch.randn([2, 3, 8], requires_grad: true)"),
    ("image", "torch.randn([2, 4, 6, 6], requires_grad: true)"),
    ("volume", "torch.randn([1, 2, 4, 4, 4], requires_grad: true)"),
    ("logits", "torch.randn([5, 4], requires_grad: true)"),
    ("other", "torch.randn([5, 4], requires_grad: true)"),
    ("vector", "torch.randn([4], requires_grad: true)"),
    ("matrix", "torch.randn([4, 4], requires_grad: true)"),
    ("labels", "torch.tensor([0, 3, 1, 2, 1])"),
    ("signs", "torch.tensor([1.0, -1.0, 1.0, -1.0, 1.0])"),
    ("chances", "torch.rand([5, 4])"),
    ("weights", "torch.rand([4])"),
];

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
    if let Ok(int) = value.as_int() {
        return vec![Tensor::from(tch::Tensor::from(int))];
    }
    if let Ok(float) = value.as_float() {
        return vec![Tensor::from(tch::Tensor::from(float as f32))];
    }
    Vec::new()
}

fn entry(tensor: &Tensor) -> Value {
    let dense = tensor.detach().resolve_conj();
    let dense = if dense.is_sparse() { dense.to_dense(None, false) } else { dense };
    let data = bytes(&dense).expect("elements");
    let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    json!([tensor.dtype().to_string(), tensor.size(), hex])
}

/// Runs one case; what the oracle would say.
fn compute(session: &mut Session, code: &str, leaves: &[&str]) -> Value {
    does(session, "torch.manual_seed(0);");
    for (name, value) in PRELUDE {
        let made = run(session, value);
        session.set(name, made).expect("a name");
    }
    does(session, "torch.manual_seed(1);");
    let found = match session.evaluate("case", code) {
        Ok(value) => tensors(&value),
        Err(report) => {
            return json!({"error": format!("{}: {}", report.error.kind, report.error.message)});
        }
    };
    let mut grads = Vec::new();
    if found.iter().any(|tensor| tensor.requires_grad()) {
        let list = found.iter().filter(|tensor| tensor.requires_grad());
        session
            .set("found", Dynamic::from_array(list.cloned().map(Dynamic::from).collect()))
            .expect("a name");
        let code = format!(
            "let loss = 0; for v in found {{ loss = loss + v.abs().square().sum(); }}
             torch.autograd.grad(loss, [{}], allow_unused: true)",
            leaves.join(", ")
        );
        let value = run(session, &code);
        let list = flambeau_runtime::script::convert::items(&value).expect("a list");
        grads = list
            .iter()
            .map(|grad| grad.read_lock::<Tensor>().map_or(Value::Null, |grad| entry(&grad)))
            .collect();
    }
    json!({"values": found.iter().map(entry).collect::<Vec<_>>(), "grads": grads})
}

/// Dtype and shape, for a readable failure, and how far numbers are apart.
fn brief(value: &Value) -> String {
    match value.get("error") {
        Some(error) => error.to_string(),
        None => value["values"]
            .as_array()
            .into_iter()
            .flatten()
            .map(|entry| format!("{}{}", entry[0], entry[1]))
            .collect::<Vec<_>>()
            .join(" "),
    }
}

#[test]
fn every_case_gives_the_bits_of_python() {
    let cases: Vec<(String, String)> = lines(CASES).map(both).collect();
    let leaves: Vec<&str> =
        PRELUDE.iter().filter(|(_, v)| v.contains("requires_grad")).map(|(n, _)| *n).collect();
    let prelude: Vec<String> =
        PRELUDE.iter().map(|(n, v)| format!("{n} = {}", beside::python(v))).collect();
    let python: Vec<&str> = cases.iter().map(|(_, python)| python.as_str()).collect();
    let expected =
        oracle("functional", &json!({"prelude": prelude, "leaves": leaves, "cases": python}));
    let mut session = session();
    let mut wrong = Vec::new();
    for (i, (code, python)) in cases.iter().enumerate() {
        let found = compute(&mut session, code, &leaves);
        let expected = &expected[i];
        let failed = found.get("error").is_some() && expected.get("error").is_some();
        if failed && code.starts_with("/* fails */") {
            continue;
        }
        if found != *expected || failed {
            let what = if found["values"] == expected["values"] { "gradients" } else { "values" };
            wrong.push(format!(
                "{code}\n   {what}: {}\n   {python}\n   in Python: {}",
                brief(&found),
                brief(expected)
            ));
        }
    }
    assert!(wrong.is_empty(), "{} of {} cases:\n{}", wrong.len(), cases.len(), wrong.join("\n"));
}
