//! Compares with what Python prints: `tests/oracle/tensor_repr.py` makes the tensors and the texts.

#![allow(clippy::unwrap_used)]

use std::path::Path;
use std::process::Command;

use serde_json::{Value as Json, json};

use super::*;
use crate::torch::shim::Output;
use crate::torch::{Arguments, Device, Overload, Scalar, operator};

fn oracle(arguments: &[&str]) -> Vec<Json> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let output = Command::new(root.join(".venv/bin/python"))
        .arg(root.join("tests/oracle/tensor_repr.py"))
        .args(arguments)
        .output()
        .expect("the environment's python runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout)
        .unwrap()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ints(json: &Json) -> Vec<i64> {
    json.as_array().unwrap().iter().map(|v| v.as_i64().unwrap()).collect()
}

/// A tensor from its raw bytes.
fn base(json: &Json) -> tch::Tensor {
    let hex = json["data"].as_str().unwrap().as_bytes().as_chunks::<2>().0;
    let bytes: Vec<u8> = hex
        .iter()
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect();
    let flat = tch::Tensor::f_from_slice(&bytes).unwrap();
    let dtype = json!({"number": json["dtype"]});
    let typed = aten("aten.view.dtype", &flat, &[dtype]);
    typed.f_reshape(ints(&json["shape"]).as_slice()).unwrap()
}

/// Calls an operator, such as `aten.mul.Scalar`, with `this` and further arguments.
fn aten(name: &str, this: &tch::Tensor, arguments: &[Json]) -> tch::Tensor {
    let [namespace, name, overload] = name.split('.').collect::<Vec<_>>()[..] else {
        panic!("{name} is not NAMESPACE.NAME.OVERLOAD");
    };
    let overload = if overload == "default" { "" } else { overload };
    let operator = operator(namespace, name).unwrap();
    let overload = operator.overloads.iter().find(|o| o.schema.overload == overload).unwrap();
    let mut call = Arguments::default();
    call.borrowed(this);
    for json in arguments {
        match json {
            Json::Null => call.none(),
            Json::Bool(value) => call.scalar(Scalar::Bool(*value)),
            Json::Number(number) => call.scalar(match number.as_i64() {
                Some(value) => Scalar::Int(value),
                None => Scalar::Float(number.as_f64().unwrap()),
            }),
            Json::Array(_) => call.ints(ints(json)),
            json => match json.get("data") {
                Some(_) => call.tensor(base(json).into()),
                None => call.int(json["number"].as_i64().unwrap()),
            },
        }
    }
    only(call, overload)
}

/// The tensor that a call gives.
fn only(call: Arguments<'_>, overload: &Overload) -> tch::Tensor {
    let mut result = None;
    call.call(overload, |output| {
        if let Output::Tensor(tensor) = output {
            result = Some(tensor.into_tch());
        }
    })
    .unwrap();
    result.unwrap()
}

fn meta(tensor: &tch::Tensor) -> tch::Tensor {
    // `_to_copy` on a device: the only argument that is no number.
    let operator = operator("aten", "_to_copy").unwrap();
    let overload = &operator.overloads[0];
    let mut call = Arguments::default();
    call.borrowed(tensor);
    for _ in 1..overload.schema.position("device").unwrap() {
        call.default_value();
    }
    call.device(Device { kind: META, index: -1 });
    only(call, overload)
}

fn build(case: &Json) -> Tensor {
    let mut tensor = base(&case["base"]);
    for step in case["steps"].as_array().unwrap() {
        let step = step.as_array().unwrap();
        tensor = match step[0].as_str().unwrap() {
            "requires_grad" => tensor.f_detach().unwrap().f_set_requires_grad(true).unwrap(),
            "device" => meta(&tensor),
            name => aten(name, &tensor, &step[1..]),
        };
    }
    Tensor::from(tensor)
}

fn print_options(case: &Json) -> PrintOptions {
    let number = |name: &str| case["options"][name].as_u64().unwrap() as usize;
    PrintOptions {
        precision: number("precision"),
        threshold: number("threshold"),
        edgeitems: number("edgeitems"),
        linewidth: number("linewidth"),
        sci_mode: case["options"]["sci_mode"].as_bool(),
        default_dtype: Dtype(case["default_dtype"].as_i64().unwrap() as i8),
    }
}

/// Fails with all the differences, each with what made it.
fn compare(cases: &[Json]) {
    let mut failures = Vec::new();
    for case in cases {
        let text = format_tensor(&build(case), &print_options(case));
        // What Python cannot print needs only to be printed somehow.
        let Some(expected) = case["repr"].as_str() else { continue };
        if text != expected {
            failures.push(format!(
                "shape {} dtype {} steps {} options {}\n  here:\n{text}\n  Python:\n{expected}",
                case["base"]["shape"], case["base"]["dtype"], case["steps"], case["options"]
            ));
        }
    }
    let count = failures.len();
    failures.truncate(5);
    assert!(count == 0, "{count} of {} differ\n{}", cases.len(), failures.join("\n\n"));
}

#[test]
fn the_table_prints_as_in_python() {
    let cases = oracle(&[]);
    assert!(cases.len() >= 400, "only {} cases", cases.len());
    compare(&cases);
}

#[test]
fn random_tensors_print_as_in_python() {
    compare(&oracle(&["400", "17"]));
}

#[test]
fn printing_leaves_the_grad_mode_and_the_graph_alone() {
    let x =
        Tensor::from(tch::Tensor::f_from_slice(&[1.0_f32, 2.0]).unwrap().set_requires_grad(true));
    format_tensor(&x, &PrintOptions::default());
    assert!(shim::grad_enabled());
    assert!(x.requires_grad());
}

#[test]
fn a_huge_tensor_prints_at_once() {
    let one = tch::Tensor::f_from_slice(&[0.5_f32]).unwrap();
    let huge = Tensor::from(one.f_expand([1 << 20, 1 << 20, 1 << 20], false).unwrap());
    let start = std::time::Instant::now();
    let text = format_tensor(&huge, &PrintOptions::default());
    assert!(start.elapsed().as_millis() < 500);
    assert!(text.starts_with("tensor([[[0.5000, 0.5000, 0.5000,  ..., 0.5000, 0.5000, 0.5000],"));
}

#[test]
fn zeros_without_storage_print() {
    let options = (Kind::Float, tch::Device::Cpu);
    let zeros = tch::Tensor::f_internal_efficientzerotensor([2, 2], options).unwrap();
    let text = format_tensor(&Tensor::from(zeros), &PrintOptions::default());
    assert_eq!(text, "tensor([[0., 0.],\n        [0., 0.]])");
    let zeros = tch::Tensor::f_internal_efficientzerotensor([2000], options).unwrap();
    let text = format_tensor(&Tensor::from(zeros), &PrintOptions::default());
    assert_eq!(text, "tensor([0., 0., 0.,  ..., 0., 0., 0.])");
}

#[test]
fn what_cannot_be_read_is_said() {
    let text = format_tensor(&Tensor::from(tch::Tensor::new()), &PrintOptions::default());
    assert_eq!(text, "tensor(<unprintable: the tensor is undefined>)");
}

#[test]
fn extreme_options_print_something() {
    let tensor = Tensor::from(tch::Tensor::f_from_slice(&[0.5_f64, f64::MAX, 5e-324]).unwrap());
    for size in [0, 1, 2, 70_000, usize::MAX] {
        let options = PrintOptions {
            precision: size,
            threshold: size,
            edgeitems: size,
            linewidth: size,
            ..PrintOptions::default()
        };
        for sci_mode in [None, Some(true), Some(false)] {
            let text = format_tensor(&tensor, &PrintOptions { sci_mode, ..options.clone() });
            assert!(text.starts_with("tensor(["));
        }
    }
}
