//! `optim` beside Python: ten steps of each optimiser give the same parameters and state, bit by bit;
//! fifty steps of each scheduler the same rates.

mod beside;

use beside::{both, does, fails, lines, oracle, python, run, session};
use flambeau_runtime::script::Session;
use flambeau_runtime::torch::{Tensor, bytes};
use rhai::{Array, Dynamic, Map};
use serde_json::{Value, json};

const OPTIMIZERS: &str = include_str!("optim/optimizers.txt");
const SCHEDULERS: &str = include_str!("optim/schedulers.txt");

/// Parameters and gradients as `oracle.py` makes them.
const SETUP: &str = "
    let LR = optim.lr_scheduler;
    fn parameters() {
        torch.manual_seed(0);
        [[16, 8], [8], [3, 5]].map(|shape| torch.randn(shape, requires_grad: true))
    }
    fn gradients(params, step) {
        torch.manual_seed(100 + step);
        for (param, i) in params {
            let grad = torch.randn(param.shape);
            param.grad = if i == 2 && step % 3 == 1 { () } else { grad };
        }
    }
";

fn prepared() -> Session {
    let mut session = session();
    does(&mut session, SETUP);
    session
}

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
        let rates: Vec<Vec<f64>> = rows(&expected["rates"]).iter().map(|row| floats(row)).collect();
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
            .set("metrics", metrics.iter().copied().map(Dynamic::from).collect::<Array>().into());
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

#[test]
fn groups_can_be_read_and_written() {
    let mut session = prepared();
    does(&mut session, "let params = parameters(); let opt = optim.SGD(params, lr: 0.1);");
    does(&mut session, "opt.param_groups[0].lr = 0.25;");
    let lr = run(&mut session, "opt.param_groups[0].lr");
    assert_eq!(lr.as_float().expect("a float"), 0.25);
    does(&mut session, "for group in opt.param_groups { group.lr *= 2.0; }");
    does(&mut session, "opt.param_groups[0][\"weight_decay\"] = 0.5;");
    does(
        &mut session,
        "let before = params[1].detach().clone(); params[1].grad = torch.ones([8]); opt.step();",
    );
    let same = run(&mut session, "torch.allclose(params[1], before - 0.5 * (1 + 0.5 * before))");
    assert!(same.as_bool().expect("a bool"));
    does(&mut session, "let more = torch.ones([2], requires_grad: true);");
    does(&mut session, "opt.add_param_group(#{params: [more], lr: 0.01});");
    let lr = run(&mut session, "opt.param_groups[1].lr");
    assert_eq!(lr.as_float().expect("a float"), 0.01);
    let count = run(&mut session, "opt.param_groups.len");
    assert_eq!(count.as_int().expect("an integer"), 2);
    let unknown = fails(&mut session, "opt.param_groups[0].learning_rate = 1.0;");
    assert!(unknown.contains("learning_rate"), "{unknown}");
    let replaced = fails(&mut session, "opt.param_groups = [];");
    assert!(replaced.contains("param_groups cannot be replaced"), "{replaced}");
}

#[test]
fn gradients_are_cleared_to_nothing_or_to_zeros() {
    let mut session = prepared();
    does(
        &mut session,
        "let params = parameters(); let opt = optim.SGD(params); gradients(params, 0);",
    );
    does(&mut session, "opt.zero_grad(set_to_none: false);");
    let zero = run(&mut session, "params.all(|p| p.grad.abs().sum().item() == 0.0)");
    assert!(zero.as_bool().expect("a bool"));
    does(&mut session, "opt.zero_grad();");
    let none = run(&mut session, "params.all(|p| p.grad == ())");
    assert!(none.as_bool().expect("a bool"));
}

#[test]
fn a_closure_gives_the_loss_and_sees_gradients_on() {
    let mut session = prepared();
    let loss = run(
        &mut session,
        "let w = torch.tensor([2.0], requires_grad: true);
         let opt = optim.SGD([w], lr: 0.25);
         let same = opt;
         no_grad {
             opt.step(|| { same.zero_grad(); let loss = (w * w).sum(); loss.backward(); loss }).item()
         }",
    );
    assert_eq!(loss.as_float().expect("a float"), 4.0);
    let w = run(&mut session, "w.item()");
    assert_eq!(w.as_float().expect("a float"), 1.0);
}

#[test]
fn names_of_parameters_are_kept() {
    let mut session = prepared();
    let code = "let w = torch.ones([1], requires_grad: true);
                let opt = optim.SGD([[\"w\", w]]);
                opt.state_dict().param_groups[0].param_names[0]";
    assert_eq!(run(&mut session, code).to_string(), "w");
}

#[test]
fn sparse_gradients_reach_sgd_and_adagrad() {
    let mut session = prepared();
    for make in ["optim.SGD([w], lr: 0.1)", "optim.Adagrad([w], lr: 0.1)"] {
        let code = format!(
            "let rows = torch.tensor([0, 2]);
             let made = [];
             for sparse in [true, false] {{
                 torch.manual_seed(3);
                 let w = torch.randn([4, 3], requires_grad: true);
                 let opt = {make};
                 for i in 0..3 {{
                     opt.zero_grad();
                     (F.embedding(rows, w, sparse: sparse) ** 2).sum().backward();
                     opt.step();
                 }}
                 made.push(w);
             }}
             torch.allclose(made[0], made[1])"
        );
        assert!(run(&mut session, &code).as_bool().expect("a bool"), "{make}");
    }
    let refused = fails(
        &mut session,
        "let w = torch.randn([4, 3], requires_grad: true);
         let opt = optim.Adam([w]);
         F.embedding(torch.tensor([1]), w, sparse: true).sum().backward();
         opt.step()",
    );
    assert!(refused.contains("Adam does not support sparse gradients"), "{refused}");
}

#[test]
fn what_cannot_be_optimised_is_refused_with_a_reason() {
    let mut session = prepared();
    does(&mut session, "let w = torch.ones([2], requires_grad: true); let opt = optim.Adam([w]);");
    for (code, reason) in [
        ("optim.SGD([])", "empty parameter list"),
        ("optim.SGD(w)", "should be an iterable of Tensors"),
        ("optim.SGD([1.0])", "can only optimize Tensors"),
        ("optim.SGD([w * 2])", "can't optimize a non-leaf Tensor"),
        ("optim.SGD([w], lr: -1.0)", "Invalid learning rate: -1.0"),
        ("optim.SGD([w], nesterov: true)", "Nesterov momentum requires"),
        ("optim.Adam([w], betas: [1.0, 0.9])", "Invalid beta parameter at index 0: 1.0"),
        ("optim.Adam([w], foreach: true, fused: true)", "cannot be `True` together"),
        ("opt.add_param_group(#{params: [w]})", "more than one parameter group"),
        ("opt.add_param_group(#{lr: 1.0})", "params"),
        ("opt.load_state_dict(#{})", "param_groups"),
        (
            "opt.load_state_dict(#{state: #{}, param_groups: []})",
            "different number of parameter groups",
        ),
        ("optim.LBFGS([w]).step()", "closure"),
        ("optim.lr_scheduler.StepLR(opt, 0)", "step_size must be positive"),
        ("optim.lr_scheduler.OneCycleLR(opt, 0.1)", "You must define either total_steps"),
        ("optim.lr_scheduler.CyclicLR(optim.Adagrad([w]), 0.1, 0.2)", "must support momentum"),
        ("optim.lr_scheduler.SequentialLR(opt, [], [])", "at least one scheduler"),
    ] {
        let said = fails(&mut session, code);
        assert!(said.contains(reason), "{code}: {said}");
    }
}
