//! Modules that scripts write, containers, state dicts, conversion, hooks, initialisers.

use flambeau_runtime::script::{Options, Report, Session};
use rhai::Dynamic;

fn session() -> Session {
    Session::new(Options { libraries: flambeau_stdlib::libraries(), ..Options::default() })
}

fn said(report: &Report) -> String {
    format!("{}: {}", report.error.kind, report.error.message)
}

fn run(session: &mut Session, code: &str) -> Dynamic {
    session.evaluate("test", code).unwrap_or_else(|report| panic!("{code}\n{}", said(&report)))
}

/// The last value of a script, as `print` shows it.
fn shown(code: &str) -> String {
    let mut session = session();
    let (before, last) = code.trim().rsplit_once('\n').unwrap_or(("", code));
    let _ = run(&mut session, before);
    run(&mut session, &format!("`${{{}}}`", last.trim())).to_string()
}

fn check(code: &str, expected: &str) {
    assert_eq!(shown(code), expected, "{code}");
}

/// The kind and message of the error that a script ends with.
fn failure(code: &str) -> String {
    match session().evaluate("test", code) {
        Ok(value) => panic!("{code}\ngave {value}"),
        Err(report) => said(&report),
    }
}

const NET: &str = r#"
torch.manual_seed(0);
let net = nn.Module(#{
    name: "Net",
    fc1: nn.Linear(4, 8),
    fc2: nn.Linear(8, 2),
    scale: nn.Parameter(torch.ones([1])),
    steps: nn.Buffer(torch.zeros([])),
    width: 8,
    hidden: |x| F.relu(this.fc1(x)),
    forward: |x| this.fc2(this.hidden(x)) * this.scale,
});
"#;

fn net(code: &str) -> String {
    format!("{NET}{code}")
}

#[test]
fn a_module_of_a_script_has_members_by_kind() {
    check(
        &net("net.state_dict().keys()"),
        r#"["scale", "steps", "fc1.weight", "fc1.bias", "fc2.weight", "fc2.bias"]"#,
    );
    check(&net("len(net.parameters())"), "5");
    check(&net("net.width"), "8");
    check(&net("net(torch.ones([3, 4])).shape"), "[3, 2]");
    check(&net("net.forward(torch.ones([3, 4])).shape"), "[3, 2]");
    check(&net("net.hidden(torch.ones([3, 4])).shape"), "[3, 8]");
    check(&net("let h = net.hidden;\nh(torch.ones([3, 4])).shape"), "[3, 8]");
    check(&net("net.num_parameters()"), "59");
    check(
        &net("net"),
        "Net(\n  (fc1): Linear(in_features=4, out_features=8, bias=True)\n  (fc2): Linear(in_features=8, out_features=2, bias=True)\n)",
    );
}

#[test]
fn members_are_set_as_pytorch_sorts_them() {
    check(&net("net.scale = torch.zeros([1]);\nnet.scale.requires_grad"), "true");
    check(&net("net.steps = torch.ones([]);\nnet.state_dict()[\"steps\"].item()"), "1.0");
    check(&net("net.extra = nn.Parameter(torch.ones([2]));\nlen(net.parameters())"), "6");
    check(&net("net.extra = torch.ones([2]);\nlen(net.parameters())"), "5");
    check(&net("net.fc2 = nn.Identity();\nnet(torch.ones([3, 4])).shape"), "[3, 8]");
    check(&net("net.fc1.weight = net.fc1.weight;\nlen(net.parameters())"), "5");
    check(&net("net.width += 1;\nnet.width"), "9");
    assert_eq!(
        failure(&net("net.scale = net.scale * 2.0")),
        "ValueError: Cannot assign non-leaf Tensor to parameter 'scale'"
    );
    assert_eq!(
        failure(&net("net.fc1 = 3")),
        "TypeError: cannot assign int as child module 'fc1' (nn.Module or () expected)"
    );
    assert_eq!(
        failure("nn.Module(#{ layers: [nn.ReLU(), nn.ReLU()] })"),
        "TypeError: 'layers' is an array of modules, whose parameters would not be found"
    );
    assert_eq!(
        failure("nn.Module(#{ parameters: 3 })"),
        "KeyError: attribute 'parameters' already exists"
    );
    assert!(failure("nn.Module(#{ })(3)").contains("missing the required \"forward\" function"));
}

#[test]
fn closures_see_this_and_what_they_captured() {
    check("let k = 3;\nlet m = nn.Module(#{ forward: |x| x * k });\nm(2)", "6");
    check(
        "let m = nn.Module(#{ calls: 0, forward: |x| { this.calls += 1; x } });\nm(1);\nm(1);\nm.calls",
        "2",
    );
    check(
        "let m = nn.Module(#{ act: F.relu, forward: |x| this.act(x) });\nm(torch.tensor(-1.0)).item()",
        "0.0",
    );
    check("let m = nn.Module(#{ forward: |x, opts| x + opts.by });\nm(1, by: 2)", "3");
    assert_eq!(
        failure("let m = nn.Module(#{ });\nm.double = 3;"),
        "KeyError: attribute 'double' already exists"
    );
    let mut session = session();
    let _ =
        run(&mut session, "let m = nn.Module(#{ fc: nn.Linear(2, 2), forward: |x| this.fc(x) });");
    let _ = run(&mut session, "let seq = nn.Sequential(m, nn.ReLU());");
    let shape = run(&mut session, "`${seq(torch.ones([3, 2])).shape}`");
    assert_eq!(shape.to_string(), "[3, 2]");
}

#[test]
fn modules_nest_as_a_tree() {
    assert_eq!(
        failure("let m = nn.Sequential();\nm.append(nn.Sequential(m))"),
        "ValueError: a Sequential cannot contain itself"
    );
    assert_eq!(
        failure("let m = nn.ReLU();\nfor i in 0..2000 { m = nn.Sequential(m); }"),
        "ValueError: modules cannot be nested more than 1000 deep"
    );
    check(
        "let m = nn.ReLU();\nfor i in 0..999 { m = nn.Sequential(m); }\nm(torch.tensor(-1.0)).item()",
        "0.0",
    );
}

#[test]
fn a_tied_parameter_is_listed_once_and_saved_twice() {
    let tied =
        "let m = nn.Sequential(nn.Linear(3, 3), nn.Linear(3, 3));\nm[1].weight = m[0].weight;\n";
    check(&format!("{tied}len(m.parameters())"), "3");
    check(&format!("{tied}len(m.state_dict())"), "4");
    check(&format!("{tied}let c = m.deepcopy();\nlen(c.parameters())"), "3");
    check("let a = nn.ReLU();\nlen(nn.Sequential(a, a).modules())", "2");
}

#[test]
fn a_copy_is_independent() {
    let copied = "let m = nn.Linear(2, 2);\nlet c = m.deepcopy();\nno_grad { c.weight.zero_(); }\n";
    check(&format!("{copied}m.weight.abs().sum().item() > 0.0"), "true");
    check(&format!("{copied}c.weight.requires_grad"), "true");
}

#[test]
fn containers_hold_their_modules() {
    let list = "let m = nn.ModuleList([nn.Linear(4, 4), nn.Linear(4, 4), nn.ReLU()]);\n";
    check(
        &format!("{list}m"),
        "ModuleList(\n  (0-1): 2 x Linear(in_features=4, out_features=4, bias=True)\n  (2): ReLU()\n)",
    );
    check(&format!("{list}len(m)"), "3");
    check(&format!("{list}m[-1]"), "ReLU()");
    check(&format!("{list}m.append(nn.Tanh());\nm[3]"), "Tanh()");
    check(&format!("{list}m.insert(0, nn.Tanh());\nm.state_dict().keys()[0]"), "1.weight");
    check(&format!("{list}m.pop(0);\nlen(m)"), "2");
    check(&format!("{list}m[1] = nn.GELU();\nm[1]"), "GELU(approximate='none')");
    check(&format!("{list}let n = 0;\nfor layer in m {{ n += layer.num_parameters(); }}\nn"), "40");
    check(&format!("{list}len(m[0..2])"), "2");
    assert_eq!(
        failure(&format!("{list}m[3]")),
        "IndexError: index 3 is out of range for ModuleList of 3"
    );
    assert_eq!(failure(&format!("{list}m(3)")), "TypeError: ModuleList has no forward pass");
    let dict = "let m = nn.ModuleDict([[\"b\", nn.ReLU()], [\"a\", nn.Tanh()]]);\n";
    check(&format!("{dict}m.keys()"), r#"["b", "a"]"#);
    check(&format!("{dict}m[\"a\"]"), "Tanh()");
    check(&format!("{dict}m[\"c\"] = nn.GELU();\nlen(m)"), "3");
    check(&format!("{dict}\"a\" in m"), "true");
    check(&format!("{dict}\"z\" in m"), "false");
    assert_eq!(failure(&format!("{dict}m[\"z\"]")), "KeyError: ModuleDict has no entry 'z'");
    check(
        "let m = nn.Sequential(#{ one: nn.Linear(2, 3), two: nn.ReLU() });\nm.one.out_features",
        "3",
    );
    check(
        "let p = nn.ParameterList([torch.ones([2]), torch.ones([3])]);\nlen(p.parameters())",
        "2",
    );
    check("let p = nn.ParameterDict(#{ a: torch.ones([2]) });\np[\"a\"].requires_grad", "true");
    check(
        "let p = nn.ParameterList([torch.ones([2, 3])]);\np",
        "ParameterList(  (0): Parameter containing: [torch.float32 of size 2x3])",
    );
    assert_eq!(
        failure("nn.Sequential(3)"),
        "TypeError: Sequential should be given an array, but got int"
    );
}

#[test]
fn other_modules_may_use_the_names_of_container_methods() {
    let m = "let m = nn.Module(#{ keys: nn.Linear(2, 3), update: |x| x + 1, forward: |x| this.keys(x) });\n";
    check(&format!("{m}m(torch.ones([2])).shape"), "[3]");
    check(&format!("{m}m.update(1)"), "2");
}

#[test]
fn state_dicts_keep_their_order_and_share_memory() {
    let sd = "let m = nn.Linear(2, 3);\nlet sd = m.state_dict();\n";
    check(&format!("{sd}sd.keys()"), r#"["weight", "bias"]"#);
    check(
        &format!("{sd}let names = [];\nfor name in sd {{ names.push(name); }}\nnames"),
        r#"["weight", "bias"]"#,
    );
    check(&format!("{sd}sd[\"bias\"].zero_();\nm.bias.abs().sum().item()"), "0.0");
    check(&format!("{sd}sd[\"bias\"].requires_grad"), "false");
    check(&format!("{sd}\"bias\" in sd"), "true");
    check(&format!("{sd}sd[\"new\"] = torch.zeros([1]);\nlen(sd)"), "3");
    check(&format!("{sd}sd.pop(\"weight\");\nsd.keys()"), r#"["bias"]"#);
    check(
        "nn.BatchNorm1d(2).state_dict()",
        "StateDict(\n  weight: float32[2]\n  bias: float32[2]\n  running_mean: float32[2]\n  running_var: float32[2]\n  num_batches_tracked: int64[]\n)",
    );
    assert_eq!(failure(&format!("{sd}sd[\"gain\"]")), "KeyError: the state dict has no key 'gain'");
}

#[test]
fn a_state_dict_that_does_not_fit_changes_nothing() {
    let two = "torch.manual_seed(0);\nlet m = nn.Linear(2, 3);\nlet before = m.weight.detach().clone();\nlet other = nn.Linear(2, 3).state_dict();\n";
    check(
        &format!("{two}m.load_state_dict(other);\ntorch.equal(m.weight, other[\"weight\"])"),
        "true",
    );
    check(&format!("{two}m.load_state_dict(other)"), "#{missing_keys: [], unexpected_keys: []}");
    let unchanged = |broken: &str, error: &str| {
        let code = format!("{two}{broken}");
        assert_eq!(failure(&format!("{code}\nm.load_state_dict(other);")), error);
        let kept = format!(
            "{code}\ntry {{ m.load_state_dict(other); }} catch {{ }}\ntorch.equal(m.weight, before)"
        );
        check(&kept, "true");
    };
    unchanged(
        "other.pop(\"bias\");",
        "KeyError: Error(s) in loading state_dict for Linear:\n\tMissing key(s) in state_dict: \"bias\".",
    );
    unchanged(
        "other[\"gain\"] = 1;",
        "KeyError: Error(s) in loading state_dict for Linear:\n\tUnexpected key(s) in state_dict: \"gain\".",
    );
    unchanged(
        "other[\"bias\"] = torch.zeros([4]);",
        "ShapeError: Error(s) in loading state_dict for Linear:\n\tsize mismatch for bias: copying a param with shape [4] from checkpoint, the shape in current model is [3].",
    );
    unchanged(
        "other[\"bias\"] = 3;",
        "TypeError: Error(s) in loading state_dict for Linear:\n\tWhile copying the parameter named \"bias\", expected a Tensor but received int",
    );
    check(
        &format!(
            "{two}other.pop(\"bias\");\nother[\"gain\"] = 1;\nm.load_state_dict(other, strict: false)"
        ),
        r#"#{missing_keys: ["bias"], unexpected_keys: ["gain"]}"#,
    );
    check(
        &format!(
            "{two}m.load_state_dict(#{{ weight: torch.ones([3, 2]), bias: torch.zeros([3]) }});\nm.weight.sum().item()"
        ),
        "6.0",
    );
    check(
        &format!(
            "{two}m.load_state_dict(other, assign: true);\nother[\"weight\"].fill_(2.0);\nm.weight.sum().item()"
        ),
        "12.0",
    );
    assert!(failure("nn.ReLU().load_state_dict(3)").starts_with("TypeError: Expected state_dict"));
}

#[test]
fn modes_gradients_and_conversion_reach_every_module() {
    check(
        "let m = nn.Sequential(nn.Dropout(), nn.Linear(2, 2));\nm.train(false);\nm[0].training",
        "false",
    );
    check(
        "let m = nn.Sequential(nn.Dropout());\nm.train(false);\nm.train();\nm[0].training",
        "true",
    );
    check("let m = nn.Linear(2, 2);\nm.requires_grad_(false);\nm.weight.requires_grad", "false");
    let trained = "let m = nn.Linear(2, 2);\nm(torch.ones([2])).sum().backward();\n";
    check(&format!("{trained}m.zero_grad();\nm.weight.grad == ()"), "true");
    check(&format!("{trained}m.zero_grad(set_to_none: false);\nm.weight.grad.sum().item()"), "0.0");
    let moved = format!("{trained}let w = m.weight;\nm.to(torch.float64);\n");
    check(&format!("{moved}w.dtype"), "torch.float64");
    check(&format!("{moved}w.grad.dtype"), "torch.float64");
    check(&format!("{moved}m(torch.ones([2], dtype: torch.float64)).dtype"), "torch.float64");
    check(
        "let m = nn.BatchNorm1d(2).half();\n[m.running_mean.dtype, m.num_batches_tracked.dtype]",
        "[torch.float16, torch.int64]",
    );
    check("nn.Linear(2, 3).to(\"cpu\", torch.bfloat16).weight.dtype", "torch.bfloat16");
    check("nn.Linear(2, 3, device: \"meta\").weight.device", "meta");
    check("nn.Linear(2, 3, device: \"meta\").to_empty(device: \"cpu\").weight.device", "cpu");
    assert!(failure("nn.Linear(2, 3).to(torch.int64)").contains("only accepts floating point"));
    let init =
        "fn init(m) { if m.class_name() == \"Linear\" { nn.init.constant_(m.weight, 0.5); } }\n";
    check(
        &format!(
            "{init}let m = nn.Sequential(nn.Linear(2, 2));\nm.apply(|m| init(m));\nm[0].weight.sum().item()"
        ),
        "2.0",
    );
}

#[test]
fn hooks_see_and_replace() {
    let m = "let m = nn.Identity();\nlet h = m.register_forward_hook(|m, args, output| output * 2.0);\n";
    check(&format!("{m}m(torch.ones([1])).item()"), "2.0");
    check(&format!("{m}m.forward(torch.ones([1])).item()"), "1.0");
    check(&format!("{m}h.remove();\nh.remove();\nm(torch.ones([1])).item()"), "1.0");
    check(
        "let m = nn.Identity();\nm.register_forward_pre_hook(|m, args| [args[0] + 1.0]);\nm(torch.ones([1])).item()",
        "2.0",
    );
    check(
        "let seen = [];\nlet m = nn.Sequential(nn.ReLU(), nn.Tanh());\nm[0].register_forward_hook(|m, args, output| { seen.push(m.class_name()); });\nm(torch.ones([1]));\nseen",
        r#"["ReLU"]"#,
    );
}

#[test]
fn wrong_settings_and_inputs_are_named() {
    assert_eq!(
        failure("nn.Conv2d(3, 4, 3, groups: 2)"),
        "ValueError: in_channels must be divisible by groups"
    );
    assert_eq!(
        failure("nn.Dropout(1.5)"),
        "ValueError: dropout probability has to be between 0 and 1, but got 1.5"
    );
    assert!(
        failure("nn.Linear(2)").starts_with("TypeError: Linear() misses argument 'out_features'")
    );
    assert!(
        failure("nn.Linear(\"2\", 3)").starts_with("TypeError: Linear(): argument 'in_features'")
    );
    assert!(
        failure("nn.Linear(2, 3, biass: true)").contains("unexpected keyword argument 'biass'")
    );
    assert_eq!(
        failure("nn.Linear(2, 3)(4)"),
        "TypeError: Linear.forward(): argument 'input' must be a Tensor, not int"
    );
    assert_eq!(
        failure("let m = nn.Linear(2, 3);\nm()"),
        "TypeError: Linear.forward() needs argument 'input' (position 1)"
    );
    assert_eq!(
        failure("let m = nn.ReLU();\nm(torch.ones([2]), torch.ones([2]))"),
        "TypeError: ReLU.forward() takes 1 arguments, not 2"
    );
    assert!(failure("nn.Linear(2, 3)(torch.ones([4]))").starts_with("ShapeError"));
    assert!(
        failure("nn.LSTM(2, 3)(torch.ones([4, 1, 5]))").starts_with("ShapeError: input.size(-1)")
    );
    assert!(
        failure("nn.MSELoss(reduction: \"avg\")")
            .contains("'avg' is not a valid value for reduction")
    );
    assert!(failure("nn.ReLU().nothing").starts_with("NameError"));
    assert!(
        failure("nn.BatchNorm2d(3)(torch.ones([2, 3]))")
            .contains("expected 4D input (got 2D input)")
    );
}
