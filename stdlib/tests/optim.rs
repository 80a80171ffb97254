//! `optim` beside Python: ten steps of each optimiser give the same parameters and state, bit by bit;
//! fifty steps of each scheduler the same rates.

mod beside;

use beside::{alone, both, does, lines, oracle, prepared, python, run};
use flambeau_runtime::script::Session;
use flambeau_runtime::torch::{Tensor, bytes};
use rhai::{Array, Dynamic, Map};
use serde_json::{Value, json};

const OPTIMIZERS: &str = include_str!("optim/optimizers.txt");
const SCHEDULERS: &str = include_str!("optim/schedulers.txt");

fn entry(value: &Dynamic) -> Value {
    let tensor = value.read_lock::<Tensor>().expect("a tensor");
    let data = bytes(&tensor).expect("elements");
    let hex: String = data.iter().map(|byte| format!("{byte:02x}")).collect();
    json!([tensor.dtype().to_string(), tensor.size(), hex])
}

fn rows(value: &Value) -> &Vec<Value> {
    value.as_array().expect("a list")
}

/// Floats, which the oracle writes as text.
fn floats(value: &Value) -> Vec<f64> {
    let float = |text: &Value| match text.as_str() {
        Some(text) => text.parse().expect("a float"),
        None => text.as_f64().expect("a number"),
    };
    rows(value).iter().map(float).collect()
}

fn list(value: Dynamic) -> Array {
    value.into_array().expect("an array")
}

fn map(value: &Dynamic) -> Map {
    value.read_lock::<Map>().expect("a map").clone()
}

/// Ten steps of one optimiser; what the oracle would say.
fn optimizer(session: &mut Session, code: &str) -> Value {
    does(
        session,
        &format!(
            "let params = parameters();
             let opt = {code};
             for step in 0..10 {{ gradients(params, step); opt.step(); }}"
        ),
    );
    let params: Vec<Value> = list(run(session, "params")).iter().map(entry).collect();
    let dict = map(&run(session, "opt.state_dict()"));
    let state: serde_json::Map<String, Value> = map(&dict["state"])
        .iter()
        .map(|(i, state)| {
            let slots = map(state);
            let slots: serde_json::Map<String, Value> =
                slots.iter().map(|(name, value)| (name.to_string(), entry(value))).collect();
            (i.to_string(), Value::from(slots))
        })
        .collect();
    let groups: Vec<Vec<String>> = list(dict["param_groups"].clone())
        .iter()
        .map(|group| map(group).keys().map(ToString::to_string).collect())
        .collect();
    let text = run(session, "opt");
    json!({"params": params, "state": state, "groups": groups, "text": session.display(&text)})
}

/// A display without what depends on how the kernel was asked for.
fn plain(text: &Value) -> String {
    let text = text.as_str().unwrap_or_default();
    // Python keeps what it was given: integers, and lists beside tuples.
    let whole = |line: &str| line.trim_end_matches(".0").replace('[', "(").replace(']', ")");
    text.lines().filter(|line| !line.contains("fused:")).map(whole).collect::<Vec<_>>().join("\n")
}

#[test]
fn ten_steps_give_the_bits_of_python() {
    let _alone = alone();
    let cases: Vec<(String, String)> = lines(OPTIMIZERS).map(both).collect();
    let asked: Vec<&str> = cases.iter().map(|(_, python)| python.as_str()).collect();
    let expected = oracle("optim", &json!({"optimizers": asked}));
    let mut session = prepared();
    let mut wrong = Vec::new();
    for (i, (code, _)) in cases.iter().enumerate() {
        let found = optimizer(&mut session, code);
        let expected = &expected["optimizers"][i];
        for key in ["params", "state", "groups"] {
            if found[key] != expected[key] {
                wrong.push(format!("{code}: {key}\n{}\n{}", found[key], expected[key]));
            }
        }
        let (found, expected) = (plain(&found["text"]), plain(&expected["text"]));
        if found != expected {
            wrong.push(format!("{code}: text\n{found}\n{expected}"));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn the_default_kernel_stays_within_rounding_of_pytorchs_default() {
    let _alone = alone();
    let cases = ["optim.AdamW(params, lr: 0.01)", "optim.SGD(params, lr: 0.1, momentum: 0.9)"];
    let mut session = prepared();
    for code in cases {
        does(&mut session, "let params = parameters();");
        let steps = "for step in 0..10 { gradients(params, step); opt.step(); }; params";
        let quick = run(&mut session, &format!("let opt = {code}; {steps}"));
        does(&mut session, "let params = parameters();");
        let slow = code.replace(')', ", fused: false)");
        let slow = run(&mut session, &format!("let opt = {slow}; {steps}"));
        for (a, b) in list(quick).iter().zip(list(slow)) {
            let a = a.read_lock::<Tensor>().expect("a tensor").clone();
            let b = b.read_lock::<Tensor>().expect("a tensor").clone();
            assert!(a.allclose(&b, 1e-6, 1e-6, false), "{code}");
        }
    }
}

#[test]
fn fifty_steps_give_the_rates_of_python() {
    let _alone = alone();
    let cases: Vec<(&str, &str)> =
        lines(SCHEDULERS).map(|line| line.split_once(" => ").expect("an arrow")).collect();
    let asked: Vec<[String; 2]> =
        cases.iter().map(|(make, over)| [python(make), python(over)]).collect();
    let expected = oracle("optim", &json!({"schedulers": asked}));
    let mut session = prepared();
    let mut wrong = Vec::new();
    for (i, (make, over)) in cases.iter().enumerate() {
        let code = format!(
            "let params = parameters();
             let opt = {make};
             let made = {over};
             let rates = [made.get_last_lr()];
             let momenta = [];
             for i in 0..50 {{
                 opt.step();
                 made.step();
                 rates.push(made.get_last_lr());
                 let group = opt.param_groups[0];
                 momenta.push(if \"momentum\" in opt.defaults {{ group.momentum }} else {{ group.betas[0] }});
             }}
             // Another scheduler goes on where the first one was after 17 steps.
             let opt = {make};
             let first = {over};
             for i in 0..17 {{ opt.step(); first.step(); }}
             let state = first.state_dict();
             let saved = opt.state_dict();
             let params = parameters();
             let opt = {make};
             let second = {over};
             second.load_state_dict(state);
             opt.load_state_dict(saved);
             let rest = [];
             for i in 17..50 {{ opt.step(); second.step(); rest.push(second.get_last_lr()); }}
             #{{rates: rates, momenta: momenta, rest: rest, state: state}}"
        );
        let found = map(&run(&mut session, &code));
        let numbers = |value: &Dynamic| -> Vec<Vec<f64>> {
            let rows = value.clone().into_array().expect("an array");
            let row = |row: Dynamic| match row.into_array() {
                Ok(row) => row.iter().map(|x| x.as_float().expect("a float")).collect(),
                Err(_) => Vec::new(),
            };
            rows.into_iter().map(row).collect()
        };
        let expected = &expected["schedulers"][i];
        let rates: Vec<Vec<f64>> = rows(&expected["rates"]).iter().map(floats).collect();
        let momenta = floats(&expected["momenta"]);
        if numbers(&found["rates"]) != rates {
            wrong.push(format!("{over}: rates\n{:?}\n{rates:?}", numbers(&found["rates"])));
        }
        if numbers(&found["rest"]) != rates[18..] {
            wrong.push(format!(
                "{over}: rates after loading\n{:?}\n{:?}",
                numbers(&found["rest"]),
                &rates[18..]
            ));
        }
        let own: Vec<f64> =
            list(found["momenta"].clone()).iter().map(|x| x.as_float().expect("a float")).collect();
        if own != momenta {
            wrong.push(format!("{over}: momenta\n{own:?}\n{momenta:?}"));
        }
        let keys: Vec<String> = map(&found["state"]).keys().map(ToString::to_string).collect();
        if json!(keys) != expected["keys"] {
            wrong.push(format!("{over}: keys\n{keys:?}\n{}", expected["keys"]));
        }
    }
    assert!(wrong.is_empty(), "{} differences:\n{}", wrong.len(), wrong.join("\n"));
}

#[test]
fn a_plateau_lowers_the_rate_as_in_python() {
    let _alone = alone();
    let metrics: Vec<f64> =
        (0..40).map(|i| 1.0 / (1.0 + f64::from(i.min(9))) + 0.001 * f64::from(i % 3)).collect();
    let cases = [
        "LR.ReduceLROnPlateau(opt)",
        "LR.ReduceLROnPlateau(opt, patience: 2, factor: 0.5, cooldown: 3, min_lr: 0.001)",
        "LR.ReduceLROnPlateau(opt, \"max\", patience: 1, threshold: 0.01, threshold_mode: \"abs\")",
    ];
    let asked: Vec<Value> = cases.iter().map(|case| json!([python(case), metrics])).collect();
    let expected = oracle("optim", &json!({"plateaus": asked}));
    let mut session = prepared();
    for (i, case) in cases.iter().enumerate() {
        session
            .set("metrics", metrics.iter().copied().map(Dynamic::from).collect::<Array>().into())
            .expect("a name");
        let code = format!(
            "let opt = optim.SGD(parameters(), lr: 0.1);
             let made = {case};
             let rates = metrics.map(|metric| {{
                 made.step(metric);
                 [opt.param_groups[0].lr, made.num_bad_epochs.to_float(), made.best]
             }});
             #{{rates: rates, keys: made.state_dict().keys()}}"
        );
        let found = map(&run(&mut session, &code));
        let found_rows = list(found["rates"].clone());
        for (row, wanted) in found_rows.into_iter().zip(rows(&expected["plateaus"][i]["rates"])) {
            let wanted = floats(wanted);
            let row: Vec<f64> = list(row).iter().map(|x| x.as_float().expect("a float")).collect();
            assert_eq!(row, wanted, "{case}");
        }
        let keys: Vec<String> =
            list(found["keys"].clone()).iter().map(ToString::to_string).collect();
        assert_eq!(json!(keys), expected["plateaus"][i]["keys"], "{case}");
    }
}

#[test]
fn lbfgs_takes_the_same_path_as_in_python() {
    let _alone = alone();
    let options = [
        "max_iter: 4",
        "lr: 0.5, max_iter: 5, history_size: 2",
        "line_search_fn: \"strong_wolfe\"",
        "lr: 0.1, max_iter: 10, line_search_fn: \"strong_wolfe\", history_size: 3",
    ];
    let cases: Vec<(&str, &str)> =
        ["float32", "float64"].iter().flat_map(|d| options.map(|o| (o, *d))).collect();
    let asked: Vec<Value> = cases.iter().map(|(o, d)| json!([python(o), d])).collect();
    let expected = oracle("optim", &json!({"lbfgs": asked}));
    let mut session = prepared();
    for (i, (options, dtype)) in cases.iter().enumerate() {
        let code = format!(
            "let xy = torch.tensor([-1.2, 1.0], dtype: torch.{dtype}, requires_grad: true);
             let opt = optim.LBFGS([xy], {options});
             let same = opt;
             let path = [];
             for i in 0..6 {{
                 opt.step(|| {{
                     same.zero_grad();
                     let loss = (1 - xy[0]) ** 2 + 100 * (xy[1] - xy[0] ** 2) ** 2;
                     loss.backward();
                     loss
                 }});
                 path.push(xy.detach().clone());
             }}
             let state = opt.state_dict().state[\"0\"];
             [path, state.func_evals, state.n_iter]"
        );
        let found = list(run(&mut session, &code));
        let path: Vec<Value> = list(found[0].clone()).iter().map(entry).collect();
        let evals = [1, 2].map(|i| found[i].as_int().expect("an integer"));
        assert_eq!(json!(evals), expected["lbfgs"][i]["evals"], "{options} {dtype}");
        assert_eq!(json!(path), expected["lbfgs"][i]["path"], "{options} {dtype}");
    }
}

#[test]
fn a_state_dict_goes_on_where_it_was_saved() {
    let _alone = alone();
    let mut session = prepared();
    for line in lines(OPTIMIZERS) {
        let (code, _) = both(line);
        let code = format!(
            "let params = parameters();
             let opt = {code};
             for step in 0..4 {{ gradients(params, step); opt.step(); }}
             let saved = opt.state_dict();
             let copies = params.map(|p| p.detach().clone().requires_grad_());
             for step in 4..8 {{ gradients(params, step); opt.step(); }}
             let straight = params;
             let params = copies;
             let opt = {code};
             opt.load_state_dict(saved);
             for step in 4..8 {{ gradients(params, step); opt.step(); }}
             let same = true;
             for i in 0..3 {{ if !torch.equal(params[i], straight[i]) {{ same = false; }} }}
             same"
        );
        // The state was saved by reference, as in PyTorch: what was loaded must be a copy.
        let same = run(&mut session, &code.replace("let saved = opt.state_dict();", COPIED));
        assert!(same.as_bool().expect("a bool"), "{line}");
    }
}

/// A state dict whose tensors do not change with the optimiser's.
const COPIED: &str = "
    let saved = opt.state_dict();
    for i in saved.state.keys() {
        for name in saved.state[i].keys() {
            saved.state[i][name] = saved.state[i][name].clone();
        }
    }";
