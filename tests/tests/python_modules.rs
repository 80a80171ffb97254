//! A script's modules in Python, compared with the same in pure PyTorch in the same process.

use flambeau_tests::run_text;

/// A network in the script, and the same one in Python: the names are in one order, as a map sorts its own.
const NET: &str = r#"
torch.manual_seed(0);
let net = nn.Module(#{
    name: "Net",
    act: nn.ReLU(),
    fc1: nn.Linear(4, 8),
    fc2: nn.Linear(8, 2),
    norm: nn.BatchNorm1d(8),
    scale: 3,
    twice: |x| x * 2,
    forward: |x| this.fc2(this.norm(this.act(this.fc1(x)))),
});
py.exec(`
    import copy, io, pickle
    import torch
    from torch import nn

    class Net(nn.Module):
        def __init__(self):
            super().__init__()
            self.act = nn.ReLU()
            self.fc1 = nn.Linear(4, 8)
            self.fc2 = nn.Linear(8, 2)
            self.norm = nn.BatchNorm1d(8)

        def forward(self, x):
            return self.fc2(self.norm(self.act(self.fc1(x))))

    def same_in_python(m):
        net = Net()
        net.load_state_dict(m.state_dict())
        return net.train(m.training)

    x = torch.randn(5, 4)
`);
"#;

/// Runs Python code behind [`NET`], in which `m` is the script's network and `ref` is Python's.
fn check_net(code: &str) {
    let lines: String = code.lines().map(|line| format!("    {line}\n")).collect();
    let script = format!(
        "{NET}\npy.exec(`\ndef test(m):\n    ref = same_in_python(m)\n{lines}`);\n\
         py.globals[\"test\"](net);\nprint(\"done\");"
    );
    check(&script, "done");
}

/// Runs a script and asserts what it printed.
fn check(code: &str, expected: &str) {
    let outcome = run_text(code, &[]);
    assert_eq!(outcome.stdout.trim_end(), expected, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn a_module_of_a_script_is_a_torch_module_with_the_same_members() {
    check_net(
        r#"
assert isinstance(m, nn.Module) and type(m).__name__ == "Net"
assert isinstance(m.fc1, nn.Linear) and isinstance(m.norm, nn.BatchNorm1d)
for listing in ("named_parameters", "named_buffers", "named_modules", "named_children"):
    assert [n for n, _ in getattr(m, listing)()] == [n for n, _ in getattr(ref, listing)()], listing
assert all(isinstance(p, nn.Parameter) and p.requires_grad and p.is_leaf for p in m.parameters())
assert next(m.parameters()) is m.fc1.weight is m._modules["fc1"]._parameters["weight"]
assert list(m.state_dict()) == list(ref.state_dict())
assert m.state_dict()._metadata == ref.state_dict()._metadata
assert repr(m) == repr(ref)
assert (m.fc1.in_features, m.fc1.out_features, m.norm.eps, m.scale) == (4, 8, 1e-5, 3)
assert torch.equal(m.twice(x), x * 2)
assert {"fc1", "scale", "twice", "parameters"} <= set(dir(m))
assert [type(c).__name__ for c in m.children()] == [type(c).__name__ for c in ref.children()]
try:
    m.fc3
except AttributeError as e:
    assert str(e) == "'Net' object has no attribute 'fc3'", e
else:
    assert False
"#,
    );
}

#[test]
fn it_is_one_object_and_comes_back_as_the_module_that_it_is() {
    check(
        r#"
let m = nn.Sequential(nn.Linear(2, 2));
py.exec(`
    held = []
    def keep(m):
        held.append(m)
        return m
    def again(m):
        return m is held[0] and m[0] is held[0][0]
    def tag(m):
        m._tag = [1]
    def tagged(m):
        return m._tag
`);
let g = py.globals;
let back = g["keep"](m);
print(type_of(back));
back[0].weight.data.zero_();
print(m[0].weight.abs().sum().item());
print(g["again"](m));
let other = nn.ReLU();
g["tag"](other);
print(g["tagged"](other));
"#,
        "Module\n0.0\ntrue\n[1]",
    );
}

#[test]
fn parameters_stay_the_tensors_that_they_are() {
    check(
        r#"
let m = nn.Linear(2, 1);
let seen = [];
m.weight.register_hook(|g| { g * 10.0 });
let w = m.weight;
py.exec(`
    import torch
    def look(m, w):
        assert m.weight is w and type(w) is torch.nn.Parameter
        assert m.bias.requires_grad_(False) is m.bias and type(m.bias) is torch.nn.Parameter
        m(torch.ones(1, 2)).sum().backward()
        return m.weight.grad
`);
print(py.globals["look"](m, w));
print(w.grad);
print(m.bias.requires_grad);
"#,
        "tensor([[10., 10.]])\ntensor([[10., 10.]])\nfalse",
    );
}

#[test]
fn pythons_optimisers_train_it_as_they_train_pythons_own() {
    check_net(
        r#"
make = lambda net: (torch.optim.AdamW(net.parameters(), lr=1e-2), torch.optim.SGD(net.parameters(), lr=0.1))
both = [(net, *make(net)) for net in (m, ref)]
for step in range(6):
    for net, adam, sgd in both:
        optimizer = adam if step % 2 else sgd
        optimizer.zero_grad()
        net(x).pow(2).sum().backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimizer.step()
for (name, p), q in zip(m.state_dict().items(), ref.state_dict().values()):
    assert torch.equal(p, q), name
assert torch.equal(nn.utils.parameters_to_vector(m.parameters()), nn.utils.parameters_to_vector(ref.parameters()))
m.zero_grad()
assert m.fc1.weight.grad is None
m.requires_grad_(False)
assert not any(p.requires_grad for p in m.parameters())
"#,
    );
}

#[test]
fn training_mode_dtype_and_initialisation_act_on_both_sides() {
    check(
        &format!(
            r#"{NET}
py.exec(`
    def evaluate(m):
        m.eval()
        return m.norm.training, m.training
    def train(m):
        m.training = True
    def convert(m):
        m.to(torch.float64)
        return m.norm.running_mean.dtype, m.norm.num_batches_tracked.dtype
    def init(m):
        def each(layer):
            if isinstance(layer, nn.Linear):
                nn.init.ones_(layer.weight)
                nn.init.zeros_(layer.bias)
        return m.apply(each) is m
`);
let g = py.globals;
print(g["evaluate"](net));
print(`${{net.training}} ${{net.norm.training}}`);
g["train"](net);
print(`${{net.training}} ${{net.norm.training}}`);
net.train();
print(py.eval("lambda m: [c.training for c in m.modules()]")(net));
print(g["convert"](net));
print(`${{net.fc1.weight.dtype}} ${{net.norm.running_var.dtype}}`);
net.float();
print(g["init"](net));
print(`${{net.fc1.weight.sum().item()}} ${{net.fc2.bias}}`);
"#
        ),
        "[false, false]\nfalse false\ntrue false\n[true, true, true, true, true]\n\
         [torch.float64, torch.int64]\ntorch.float64 torch.float64\ntrue\n32.0 tensor([0., 0.], requires_grad=True)",
    );
}

#[test]
fn torch_func_and_torch_compile_work_on_it() {
    check_net(
        r#"
from torch.func import functional_call, grad, stack_module_state, vmap
zeros = {name: torch.zeros_like(p) for name, p in m.named_parameters()}
assert functional_call(m, zeros, (x,)).abs().sum() == 0
assert isinstance(m.fc1.weight, nn.Parameter) and m.fc1.weight.abs().sum() > 0
m.eval()
ref.eval()
ref.load_state_dict(m.state_dict())
def per_sample(net):
    def loss(p, row):
        return functional_call(net, p, (row.unsqueeze(0),)).pow(2).sum()
    p = {name: p.detach() for name, p in net.named_parameters()}
    return vmap(grad(loss), in_dims=(None, 0))(p, x)
ours, theirs = per_sample(m), per_sample(ref)
assert list(ours) == list(theirs)
for name in ours:
    torch.testing.assert_close(ours[name], theirs[name])
nets = [copy.deepcopy(m) for _ in range(3)]
params, buffers = stack_module_state(nets)
out = vmap(lambda p, b: functional_call(nets[0], (p, b), (x,)))(params, buffers)
torch.testing.assert_close(out[2], ref(x))
assert torch.equal(torch.utils.checkpoint.checkpoint(m, x, use_reentrant=False), ref(x))
class Outer(nn.Module):
    def __init__(self):
        super().__init__()
        self.inner = m
    def forward(self, x):
        return self.inner(x.sin()).cos()
outer = Outer()
compiled = torch.compile(outer, backend="eager")
assert torch.equal(compiled(x), ref(x.sin()).cos())
assert torch.equal(torch.compile(m, backend="eager")(x), ref(x))
assert list(outer.state_dict()) == ["inner." + name for name in ref.state_dict()]
"#,
    );
}

#[test]
fn it_is_traced_and_exported() {
    check_net(
        r#"
m.eval()
ref.eval()
traced = torch.jit.trace(m, x)
assert torch.equal(traced(x), ref(x))
exported = torch.export.export(m, (x,))
ops = [node.target for node in exported.graph.nodes if node.op == "call_function"]
twin = [node.target for node in torch.export.export(ref, (x,)).graph.nodes if node.op == "call_function"]
assert ops == twin, ops
assert torch.equal(exported.module()(x), ref(x))
meta = copy.deepcopy(m).to("meta")
assert {p.device.type for p in meta.parameters()} == {"meta"}
"#,
    );
}

#[test]
fn a_deep_copy_is_independent_and_shares_what_was_shared() {
    check_net(
        r#"
m.tied = m.fc1
handle = m.fc1.register_forward_hook(lambda mod, args, out: out + 1)
expected = m.eval()(x)
c = copy.deepcopy(m)
assert type(c).__name__ == "Net" and not c.training
assert torch.equal(c(x), expected)
assert c.tied is c.fc1 and c.fc1 is not m.fc1 and c.scale == 3
assert c.fc1.weight is not m.fc1.weight and isinstance(c.fc1.weight, nn.Parameter)
with torch.no_grad():
    c.fc1.weight.zero_()
assert torch.equal(m(x), expected)
pair = copy.deepcopy({"a": m, "b": m.fc1})
assert pair["a"].fc1 is pair["b"]
average = torch.optim.swa_utils.AveragedModel(m)
assert torch.equal(average(x), expected)
assert copy.copy(m).fc1 is m.fc1
"#,
    );
}

#[test]
fn its_state_is_pickled_and_the_module_itself_says_why_not() {
    check_net(
        r#"
file = io.BytesIO()
torch.save(m.state_dict(), file)
file.seek(0)
with torch.no_grad():
    for p in m.parameters():
        p.zero_()
assert str(m.load_state_dict(torch.load(file))) == "<All keys matched successfully>"
assert torch.equal(m(x), ref(x))
try:
    m.load_state_dict({"fc1.weight": torch.zeros(8, 4)})
except RuntimeError as e:
    assert "Missing key(s) in state_dict" in str(e)
else:
    assert False
try:
    pickle.dumps(m)
except TypeError as e:
    assert "save its state_dict()" in str(e)
else:
    assert False
"#,
    );
}

#[test]
fn hooks_of_python_run_also_when_a_script_calls() {
    check(
        r#"
torch.manual_seed(0);
let net = nn.Module(#{
    first: nn.Linear(3, 3),
    rest: nn.Sequential(nn.Tanh(), nn.Linear(3, 2)),
    forward: |x| this.rest(this.first(x)),
});
py.exec(`
    import gc, torch
    log = []
    def take():
        taken, log[:] = list(log), []
        return taken
    def register(m):
        m.first.register_forward_pre_hook(lambda mod, args: (args[0] * 2,))
        m.first.register_forward_hook(lambda mod, args, out: log.append(f"{type(mod).__name__} {len(args)}"))
        m.rest[1].register_full_backward_hook(lambda mod, gi, go: log.append(f"back {list(go[0].shape)}"))
        m.register_forward_hook(lambda mod, args, kwargs, out: out * kwargs.get("by", 1), with_kwargs=True)
        m.register_full_backward_pre_hook(lambda mod, go: log.append("pre back"))
    handles = []
    def more(m):
        handles.append(m.register_forward_pre_hook(lambda mod, args: log.append(("first", mod is m)[0])))
    def less():
        handles.pop().remove()
`);
let g = py.globals;
let x = torch.randn([4, 3], requires_grad: true);
let plain = net(x * 2.0);
let rest = net.rest;
g["register"](net);
py.import("gc").collect();
let y = net(x);
print(torch.equal(y, plain));
y.sum().backward();
print(g["take"]());
g["more"](net);
net(x);
print(g["take"]());
g["less"]();
net.first(x);
print(g["take"]());
"#,
        "true\n[\"Linear 1\", \"pre back\", \"back [4, 2]\"]\n[\"first\", \"Linear 1\"]\n[\"Linear 1\"]",
    );
}

#[test]
fn hooks_of_a_script_run_also_when_python_calls() {
    check(
        r#"
let net = nn.Sequential(nn.Linear(2, 2), nn.ReLU());
net.register_forward_pre_hook(|m, args| { print("before"); [args[0] + 1.0] });
let handle = net[1].register_forward_hook(|m, args, out| { print(m.class_name()); out * 0.0 });
py.exec(`
    import torch
    def call(m):
        return m(torch.ones(1, 2)).sum().item()
`);
print(py.globals["call"](net));
handle.remove();
print(py.eval("lambda m, x: m.forward(x).shape")(net, torch.ones([1, 2])));
"#,
        "before\nReLU\n0.0\n[1, 2]",
    );
}

#[test]
fn what_python_assigns_the_forward_pass_sees() {
    check(
        &format!(
            r#"{NET}
py.exec(`
    def change(m):
        m.fc1.weight = nn.Parameter(torch.zeros(8, 4))
        m.fc1.bias = None
        m.norm = nn.Identity()
        m.fc2.bias.data.fill_(1.5)
        m.register_buffer("kept", torch.ones(2))
        m.register_buffer("lost", torch.ones(2), persistent=False)
        m.steps = 7
        assert "fc1.bias" not in m.state_dict()
        try:
            m.fc1 = 5
        except TypeError as e:
            assert "torch.nn.Module or None expected" in str(e)
        else:
            assert False
        assert [n for n, _ in m.named_buffers()] == ["kept", "lost"]
        assert dict(m._buffers).keys() == {{**m._buffers}}.keys() == m._buffers.copy().keys()
        assert m._buffers.pop("lost") is not None and "lost" not in m._buffers
        m.lost = 1
        del m.lost
        assert not hasattr(m, "lost")
`);
py.globals["change"](net);
print(net(torch.ones([1, 4])));
print(net.state_dict().keys());
print(net.steps);
print(net.norm.class_name());
"#
        ),
        "tensor([[1.5000, 1.5000]], grad_fn=<AddmmBackward0>)\n\
         [\"kept\", \"fc1.weight\", \"fc2.weight\", \"fc2.bias\"]\n7\nIdentity",
    );
}

#[test]
fn containers_are_pythons_containers() {
    check(
        r#"
let s = nn.Sequential(nn.Linear(2, 3), nn.Tanh());
let list = nn.ModuleList([nn.ReLU()]);
let named = nn.ModuleDict(#{a: nn.Tanh()});
let tensors = nn.ParameterList([torch.zeros([2])]);
let by_name = nn.ParameterDict(#{w: torch.zeros([2])});
py.exec(`
    import torch
    from torch import nn
    def test(s, list_, named, tensors, by_name):
        assert len(s) == 2 and isinstance(s, nn.Sequential) and s[0] is next(iter(s)) and s[-1] is s[1]
        assert [type(c).__name__ for c in s[:1]] == ["Linear"]
        s.append(nn.Linear(3, 1))
        s.insert(0, nn.Identity())
        del s[2]
        s[0] = nn.ReLU()
        assert list(s._modules) == ["0", "1", "2"]
        list_.extend([nn.Tanh(), nn.Sigmoid()])
        assert len(list_) == 3 and isinstance(list_[2], nn.Sigmoid)
        named["b"] = nn.ReLU()
        assert list(named.keys()) == ["a", "b"] and "a" in named
        named.pop("a")
        tensors.append(torch.ones(3))
        assert len(tensors) == 2 and [p.shape[0] for p in tensors] == [2, 3]
        by_name["z"] = nn.Parameter(torch.ones(1))
        assert list(by_name.keys()) == ["w", "z"] and isinstance(by_name["w"], nn.Parameter)
`);
py.globals["test"](s, list, named, tensors, by_name);
print(s);
print(s(torch.ones([1, 2])).shape);
print(`${len(list)} ${named.keys()} ${len(tensors)} ${by_name.keys()}`);
"#,
        "Sequential(\n  (0): ReLU()\n  (1): Linear(in_features=2, out_features=3, bias=True)\n  \
         (2): Linear(in_features=3, out_features=1, bias=True)\n)\n[1, 1]\n3 [\"b\"] 2 [\"w\", \"z\"]",
    );
}

#[test]
fn parametrizations_and_pruning_reach_the_forward_pass() {
    check_net(
        r#"
from torch.nn.utils import parametrizations, parametrize, prune
class Symmetric(nn.Module):
    def forward(self, w):
        return w * 2
for net in (m, ref):
    parametrize.register_parametrization(net.fc1, "weight", Symmetric())
    prune.l1_unstructured(net.fc2, "weight", amount=0.5)
assert list(m.state_dict()) == list(ref.state_dict())
assert torch.equal(m(x), ref(x))
assert torch.equal(copy.deepcopy(m.fc1)(x), ref.fc1(x))
for net in (m, ref):
    net(x).pow(2).sum().backward()
assert torch.equal(m.fc1.parametrizations.weight.original.grad, ref.fc1.parametrizations.weight.original.grad)
assert torch.equal(m.fc2.weight_orig.grad, ref.fc2.weight_orig.grad)
for net in (m, ref):
    parametrize.remove_parametrizations(net.fc1, "weight")
    prune.remove(net.fc2, "weight")
assert torch.equal(m(x), ref(x)) and list(m.state_dict()) == list(ref.state_dict())
"#,
    );
}

/// Layers as a script makes them and as Python does, and the shapes of their inputs.
const LAYERS: &[(&str, &str, &str)] = &[
    ("nn.Linear(3, 2, bias: false)", "nn.Linear(3, 2, bias=False)", "[(4, 3)]"),
    ("nn.Bilinear(2, 3, 4)", "nn.Bilinear(2, 3, 4)", "[(5, 2), (5, 3)]"),
    (
        "nn.Conv2d(2, 4, 3, padding: 1, groups: 2)",
        "nn.Conv2d(2, 4, 3, padding=1, groups=2)",
        "[(1, 2, 5, 5)]",
    ),
    (
        "nn.ConvTranspose1d(2, 3, 3, stride: 2)",
        "nn.ConvTranspose1d(2, 3, 3, stride=2)",
        "[(1, 2, 5)]",
    ),
    ("nn.GroupNorm(2, 4)", "nn.GroupNorm(2, 4)", "[(2, 4, 3)]"),
    ("nn.LayerNorm([3])", "nn.LayerNorm([3])", "[(2, 3)]"),
    ("nn.PReLU()", "nn.PReLU()", "[(2, 3)]"),
    (
        "nn.LSTM(3, 4, num_layers: 2, batch_first: true)",
        "nn.LSTM(3, 4, num_layers=2, batch_first=True)",
        "[(2, 5, 3)]",
    ),
    ("nn.GRUCell(3, 4)", "nn.GRUCell(3, 4)", "[(2, 3)]"),
    ("nn.MultiheadAttention(4, 2)", "nn.MultiheadAttention(4, 2)", "[(3, 1, 4)] * 3"),
    (
        "nn.TransformerEncoderLayer(4, 2, dropout: 0.0)",
        "nn.TransformerEncoderLayer(4, 2, dropout=0.0)",
        "[(3, 1, 4)]",
    ),
    ("nn.MaxPool2d(2)", "nn.MaxPool2d(2)", "[(1, 1, 4, 4)]"),
    ("nn.Softmax(dim: -1)", "nn.Softmax(dim=-1)", "[(2, 3)]"),
    ("nn.Upsample(scale_factor: 2.0)", "nn.Upsample(scale_factor=2.0)", "[(1, 1, 2, 2)]"),
];

#[test]
fn layers_agree_with_pythons_in_results_gradients_and_settings() {
    let mut script = r#"
py.exec(`
    import torch
    from torch import nn

    def flat(out):
        return [t for part in out for t in flat(part)] if isinstance(out, tuple) else [out]

    def compare(m, ref, shapes):
        assert isinstance(m, type(ref)), type(m).__mro__
        assert repr(m) == repr(ref) and m.extra_repr() == ref.extra_repr(), repr(m)
        ref.load_state_dict(m.state_dict())
        inputs = [torch.randn(shape) for shape in shapes]
        given, twins = [[t.clone().requires_grad_() for t in inputs] for _ in range(2)]
        ours, theirs = flat(m(*given)), flat(ref(*twins))
        assert len(ours) == len(theirs), (m, len(ours))
        for a, b in zip(ours, theirs):
            torch.testing.assert_close(a, b)
        sum(t.sum() for t in ours).backward()
        sum(t.sum() for t in theirs).backward()
        for a, b in zip([*given, *m.parameters()], [*twins, *ref.parameters()]):
            torch.testing.assert_close(a.grad, b.grad)
        public = {k for k in vars(ref) if not k.startswith("_") and isinstance(getattr(ref, k), (int, float, str, tuple))}
        # What PyTorch's own code keeps for itself, though without an underscore.
        for name in public - {"activation_relu_or_gelu", "name"}:
            assert getattr(m, name) == getattr(ref, name), (m, name, getattr(m, name), getattr(ref, name))
`);
let compare = py.globals["compare"];
"#
    .to_owned();
    for (ours, theirs, shapes) in LAYERS {
        script += &format!("compare({ours}, py.eval(\"{theirs}\"), py.eval(\"{shapes}\"));\n");
    }
    check(&(script + "print(\"done\");"), "done");
}
