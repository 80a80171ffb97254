//! State dicts that do not fit: nothing is loaded.

use flambeau_tests::session::{Recorded, on_deep_stack};

use crate::{kind, run};

const MODELS: &[(&str, &str)] = &[
    ("a layer", "nn.Linear(3, 2)"),
    ("a sequence", "nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 2))"),
    ("convolutions", "nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2))"),
    ("attention", "nn.MultiheadAttention(4, 2)"),
    ("a recurrent layer", "nn.LSTM(3, 4)"),
    (
        "a module of the script",
        "nn.Module(#{fc: nn.Linear(3, 2), scale: nn.Parameter(torch.ones([2])), forward: |x| this.fc(x)})",
    ),
];

/// What is done to a model's state dict `d`, a map, whose last entry is `last`; and the kind of the error.
const CHANGES: &[(&str, &str)] = &[
    ("d.remove(last);", "KeyError"),
    ("d.clear();", "KeyError"),
    ("d.set(\"no.such.key\", torch.ones([2]));", "KeyError"),
    ("d.set(last, torch.ones([7, 7, 7]));", "ShapeError"),
    ("d.set(last, d[last].unsqueeze(0).unsqueeze(0));", "ShapeError"),
    ("d.set(last, \"text\");", "TypeError"),
    ("d.set(last, 1.5);", "TypeError"),
    ("d.set(last, ());", "TypeError"),
    ("d = [1, 2];", "TypeError"),
    ("d = \"text\";", "TypeError"),
    ("d = ();", "TypeError"),
];

fn saved(recorded: &mut Recorded, what: &str, path: &std::path::Path) -> Vec<u8> {
    run(recorded, &format!("torch.save({what}, {:?});", path.display().to_string()));
    std::fs::read(path).expect("what was saved")
}

#[test]
fn a_state_dict_that_does_not_fit_leaves_a_model_as_it_was() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.safetensors");
        let mut recorded = Recorded::new();
        for (name, model) in MODELS {
            run(&mut recorded, &format!("let model = {model}; let other = {model};"));
            let before = saved(&mut recorded, "model.state_dict()", &path);
            for (change, expected) in CHANGES {
                for options in ["", ", assign: true"] {
                    // Every other entry has other values, so that a partial load would show.
                    let prepare = "let d = #{}; let last = \"\"; \
                        for key in other.state_dict().keys() { \
                            d.set(key, other.state_dict()[key] + 1); last = key; }";
                    let code = format!("{prepare} {change} model.load_state_dict(d{options});");
                    let found = kind(&mut recorded, &code);
                    assert_eq!(&found, expected, "{name}: {change}{options}");
                    let after = saved(&mut recorded, "model.state_dict()", &path);
                    assert!(before == after, "{name}: {change}{options}: partly loaded");
                }
            }
            // Without `strict`, names may differ and shapes may not.
            let code = "let d = #{}; let last = \"\"; \
                for key in other.state_dict().keys() { \
                    d.set(key, other.state_dict()[key] + 1); last = key; } \
                d.set(last, torch.ones([7, 7, 7])); model.load_state_dict(d, strict: false);";
            assert_eq!(kind(&mut recorded, code), "ShapeError", "{name}");
            let after = saved(&mut recorded, "model.state_dict()", &path);
            assert!(before == after, "{name}: partly loaded");
            // What fits is loaded.
            assert_eq!(kind(&mut recorded, "model.load_state_dict(other.state_dict());"), "ok");
            let after = saved(&mut recorded, "model.state_dict()", &path);
            assert!(before != after, "{name}: not loaded");
        }
    });
}

const OPTIMIZERS: &[&str] = &[
    "optim.SGD(params, lr: 0.1, momentum: 0.9)",
    "optim.Adam(params, lr: 0.1)",
    "optim.AdamW(params, lr: 0.1, amsgrad: true)",
    "optim.RMSprop(params, lr: 0.1, momentum: 0.5)",
    "optim.Adagrad(params, lr: 0.1)",
    "optim.LBFGS(params, lr: 0.1, max_iter: 2)",
];

/// What is done to an optimizer's state dict `d`.
const OPTIMIZER_CHANGES: &[(&str, &[&str])] = &[
    ("d.remove(\"state\");", &["KeyError"]),
    ("d.remove(\"param_groups\");", &["KeyError"]),
    ("d.clear();", &["KeyError"]),
    ("d.state = 5;", &["TypeError"]),
    ("d.param_groups = 5;", &["TypeError", "ValueError"]),
    ("d.param_groups = [];", &["ValueError"]),
    ("d.param_groups += d.param_groups;", &["ValueError"]),
    ("d.param_groups = [1];", &["TypeError", "ValueError"]),
    ("let g = d.param_groups[0]; g.remove(\"params\"); d.param_groups = [g];", &["KeyError"]),
    ("let g = d.param_groups[0]; g.params = [0]; d.param_groups = [g];", &["ValueError"]),
    (
        "let g = d.param_groups[0]; g.params = \"x\"; d.param_groups = [g];",
        &["TypeError", "ValueError"],
    ),
    (
        "let g = d.param_groups[0]; g.lr = \"fast\"; d.param_groups = [g];",
        &["TypeError", "ValueError"],
    ),
    ("d = [1];", &["TypeError"]),
    ("d = ();", &["TypeError", "KeyError"]),
];

/// Changes of the state of the second parameter, for optimizers that keep one for each.
const STATE_CHANGES: &[(&str, &[&str])] = &[
    (
        "let s = d.state; let t = s[\"1\"]; for k in t.keys() { if k != \"step\" { t.set(k, torch.ones([7, 7])); } } \
      s.set(\"1\", t); d.state = s;",
        &["ShapeError", "ValueError"],
    ),
    (
        "let s = d.state; let t = s[\"1\"]; for k in t.keys() { t.set(k, \"x\"); } s.set(\"1\", t); d.state = s;",
        &["TypeError"],
    ),
    ("let s = d.state; s.set(\"1\", 5); d.state = s;", &["TypeError"]),
];

#[test]
fn a_state_dict_that_does_not_fit_leaves_an_optimizer_as_it_was() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("state.safetensors");
        let mut recorded = Recorded::new();
        for optimizer in OPTIMIZERS {
            // Two optimizers that have taken different steps.
            run(
                &mut recorded,
                &format!(
                    "let make = |seed| {{ torch.manual_seed(seed); \
                        let layer = nn.Linear(3, 2); let params = layer.parameters(); \
                        let opt = {optimizer}; \
                        for i in 0..3 {{ \
                            opt.step(|| {{ for p in params {{ p.grad = (); }} \
                                let loss = layer(torch.ones([4, 3]) * seed).pow(2).sum(); \
                                loss.backward(); loss }}); }} \
                        opt }}; \
                     let opt = make(1); let other = make(2);"
                ),
            );
            let before = saved(&mut recorded, "opt.state_dict()", &path);
            let per_parameter = !optimizer.contains("LBFGS");
            let states = STATE_CHANGES.iter().filter(|_| per_parameter);
            for (change, expected) in OPTIMIZER_CHANGES.iter().chain(states) {
                let code = format!("let d = other.state_dict(); {change} opt.load_state_dict(d);");
                let found = kind(&mut recorded, &code);
                assert!(expected.contains(&found.as_str()), "{optimizer}: {change}: {found}");
                let after = saved(&mut recorded, "opt.state_dict()", &path);
                assert!(before == after, "{optimizer}: {change}: partly loaded");
            }
            assert_eq!(kind(&mut recorded, "opt.load_state_dict(other.state_dict());"), "ok");
            let after = saved(&mut recorded, "opt.state_dict()", &path);
            assert!(before != after, "{optimizer}: not loaded");
        }
    });
}

#[test]
fn a_saved_state_that_is_cut_short_is_not_loaded() {
    on_deep_stack(|| {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().join("model.safetensors");
        let shown = path.display().to_string();
        let mut recorded = Recorded::new();
        run(&mut recorded, "let model = nn.Linear(3, 2); let other = nn.Linear(3, 2);");
        run(&mut recorded, &format!("torch.save(other.state_dict(), {shown:?});"));
        let bytes = std::fs::read(&path).expect("a file");
        let kept = folder.path().join("kept.safetensors");
        let before = saved(&mut recorded, "model.state_dict()", &kept);
        for length in [0, 1, 8, 9, 50, bytes.len() - 8, bytes.len() - 1] {
            std::fs::write(&path, &bytes[..length]).expect("written");
            let code = format!("model.load_state_dict(torch.load({shown:?}));");
            assert_eq!(kind(&mut recorded, &code), "IoError", "cut to {length}");
            let after = saved(&mut recorded, "model.state_dict()", &kept);
            assert!(before == after, "cut to {length}: partly loaded");
        }
    });
}
