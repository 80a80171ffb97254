//! Python's modules, data sets and distributions in scripts.

use flambeau_tests::run_text;

/// Runs a script and asserts what it printed.
fn check(code: &str, expected: &str) {
    let outcome = run_text(code, &[]);
    assert_eq!(outcome.stdout.trim_end(), expected, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

/// A module of Python's, as other programs define them.
const BLOCK: &str = r#"
torch.manual_seed(0);
py.exec(`
    import torch
    from torch import nn
    log = []

    class Block(nn.Module):
        def __init__(self, n):
            super().__init__()
            self.lin = nn.Linear(n, n)
            self.norm = nn.BatchNorm1d(n)
            self.register_buffer("steps", torch.zeros((), dtype=torch.int64), persistent=False)
            self.gain = 2.0

        def forward(self, x, bump=0.0):
            self.steps += 1
            return torch.tanh(self.norm(self.lin(x))) * self.gain + bump

        def describe(self, word):
            return f"{word} {self.gain}"

    def hook(m):
        m.register_forward_hook(lambda mod, args, out: log.append(type(mod).__name__))
        m.lin.register_full_backward_hook(lambda mod, gi, go: log.append("back"))
`);
let g = py.globals;
let block = g["Block"](3);
"#;

#[test]
fn a_module_of_python_is_a_submodule_of_a_script() {
    check(
        &format!(
            r#"{BLOCK}
let net = nn.Sequential(nn.Linear(2, 3), block);
print(net);
print(net.state_dict().keys());
print(`${{len(net.parameters())}} ${{net.named_modules().map(|p| p[0])}}`);
print(net.buffers().len());
print(py.same(net[1], block));
net.eval();
print(`${{block.training}} ${{block.norm.training}}`);
net.train();
g["hook"](block);
let x = torch.randn([4, 2]);
let y = net(x);
y.sum().backward();
print(`${{g["log"]}} ${{block.steps.item()}}`);
net.zero_grad();
print(block.lin.weight.grad);
net.to(torch.float64);
print(`${{block.lin.weight.dtype}} ${{block.norm.running_mean.dtype}} ${{block.steps.dtype}}`);
net.float();
print(`${{net[1].describe("gain")}} ${{net[1].gain}}`);
net[1].gain = 3.0;
print(block.gain);
print(net[1](torch.ones([2, 3]), bump: 1.0).shape);
"#
        ),
        "Sequential(\n  (0): Linear(in_features=2, out_features=3, bias=True)\n  (1): Block(\n    \
         (lin): Linear(in_features=3, out_features=3, bias=True)\n    \
         (norm): BatchNorm1d(3, eps=1e-05, momentum=0.1, affine=True, track_running_stats=True)\n  )\n)\n\
         [\"0.weight\", \"0.bias\", \"1.lin.weight\", \"1.lin.bias\", \"1.norm.weight\", \"1.norm.bias\", \
         \"1.norm.running_mean\", \"1.norm.running_var\", \"1.norm.num_batches_tracked\"]\n\
         6 [\"\", \"0\", \"1\", \"1.lin\", \"1.norm\"]\n4\ntrue\nfalse false\n['Block', 'back'] 1\n\n\
         torch.float64 torch.float64 torch.int64\ngain 2.0 2.0\n3.0\n[2, 3]",
    );
}

#[test]
fn modules_of_both_languages_are_nested_in_one_another() {
    check(
        r#"
torch.manual_seed(0);
py.exec(`
    import torch
    from torch import nn
    class Wrap(nn.Module):
        def __init__(self, inner):
            super().__init__()
            self.inner = inner
        def forward(self, x):
            return self.inner(x) * 2
    def test(net, x):
        own = nn.Sequential(nn.Linear(2, 2), Wrap(nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5))))
        own.load_state_dict(net.state_dict())
        assert torch.equal(net.eval()(x), own.eval()(x))
        for out in (net(x), own(x)):
            out.sum().backward()
        assert all(torch.equal(p.grad, q.grad) for p, q in zip(net.parameters(), own.parameters()))
        assert net[1].inner[1].training is False
        return net
`);
let wrap = py.globals["Wrap"];
let inner = nn.Sequential(nn.Linear(2, 3), nn.Dropout(0.5));
let net = nn.Sequential(nn.Linear(2, 2), wrap(inner));
py.globals["test"](net, torch.ones([1, 2]));
print(net.named_modules().map(|pair| `${pair[0]}:${pair[1].class_name()}`));
print(inner.training);
net.train();
print(inner[1].training);
net.double();
print(inner[0].weight.dtype);
print(len(net.deepcopy()[1].inner.parameters()));
try { inner.append(net); } catch (e) { print(e.message); }
"#,
        "[\":Sequential\", \"0:Linear\", \"1:Wrap\", \"1.inner:Sequential\", \"1.inner.0:Linear\", \
         \"1.inner.1:Dropout\"]\nfalse\ntrue\ntorch.float64\n2\na Sequential cannot contain itself",
    );
}

#[test]
fn a_module_of_python_is_copied_loaded_trained_and_hooked_with_the_rest() {
    check(
        &format!(
            r#"{BLOCK}
let net = nn.Module(#{{ a: block, b: nn.Linear(3, 1), forward: |x| this.b(this.a(x)) }});
net.tied = net.b;
let x = torch.randn([4, 3]);
let copied = net.deepcopy();
print(torch.equal(copied(x), net(x)));
print(`${{py.same(copied.a, block)}} ${{py.same(copied.tied, copied.b)}}`);
let handle = net.a.register_forward_hook(|m, args, out| {{ print(`hook ${{len(args)}}`); out }});
block(x);
handle.remove();
let opt = optim.AdamW(net.parameters(), lr: 1e-2);
let before = block.lin.weight.clone();
for i in 0..3 {{
    opt.zero_grad();
    net(x).pow(2).mean().backward();
    opt.step();
}}
print(torch.equal(block.lin.weight, before));
print(net.load_state_dict(copied.state_dict()).missing_keys);
print(torch.equal(block.lin.weight, before));
let other = g["Block"](3);
net.a = other;
print(py.same(net.a, other));
net.apply(|m| print(m.class_name()));
print(py.eval("lambda m: (type(m.a).__name__, len(list(m.parameters())))")(net));
try {{ net.a = 5; }} catch (e) {{ print(e.kind); }}
"#
        ),
        "true\nfalse true\nhook 1\nfalse\n[]\ntrue\ntrue\nLinear\nBatchNorm1d\nBlock\nLinear\nModule\n\
         [\"Block\", 6]\nTypeError",
    );
}

#[test]
fn the_librarys_optimisers_and_utilities_take_pythons_iterables() {
    check(
        &format!(
            r#"{BLOCK}
let x = torch.randn([4, 3]);
py.exec(`
    def same(n):
        torch.manual_seed(1)
        return nn.Sequential(nn.Linear(n, n), nn.Tanh(), nn.Linear(n, 1))
    def reference(x):
        m = same(3)
        opt = torch.optim.AdamW(m.parameters(), lr=1e-2)
        for _ in range(3):
            opt.zero_grad()
            m(x).pow(2).sum().backward()
            nn.utils.clip_grad_norm_(m.parameters(), 1.0)
            opt.step()
        return m
`);
let model = g["same"](3);
let opt = optim.AdamW(model.parameters(), lr: 1e-2);
for i in 0..3 {{
    opt.zero_grad();
    model(x).pow(2).sum().backward();
    nn.utils.clip_grad_norm_(model.parameters(), 1.0);
    opt.step();
}}
let vector = nn.utils.parameters_to_vector(model.parameters());
// Both round the norm and the steps, in another order of the sums.
print(torch.allclose(vector, nn.utils.parameters_to_vector(g["reference"](x).parameters())));
print(nn.utils.parameters_to_vector(model).shape);
let model = block;
let groups = [#{{ params: model.lin.parameters(), lr: 0.1 }}, #{{ params: model.norm.parameters() }}];
print(optim.SGD(groups, lr: 0.5).param_groups.map(|group| [len(group.params), group.lr]));
print(optim.SGD(model.named_parameters(), lr: 0.5).param_groups[0].param_names);
try {{ optim.SGD(model, lr: 0.1) }} catch (e) {{ print(e.help); }}
try {{ optim.SGD(py.eval("iter([1])"), lr: 0.1) }} catch (e) {{ print(e.message); }}
"#
        ),
        "true\n[16]\n[[2, 0.1], [2, 0.5]]\n[\"lin.weight\", \"lin.bias\", \"norm.weight\", \"norm.bias\"]\n\
         give the module's parameters: model.parameters()\n\
         optimizer can only optimize Tensors, but one of the params is int",
    );
}

#[test]
fn state_dicts_go_from_either_language_to_the_other() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let script = r#"
torch.manual_seed(0);
let theirs = py.import("torch.nn").Sequential(nn.Linear(2, 3), py.import("torch.nn").BatchNorm1d(3));
let ours = nn.Sequential(nn.Linear(2, 3), nn.BatchNorm1d(3));
print(theirs.load_state_dict(ours.state_dict()));
print(torch.equal(theirs[0].weight, ours[0].weight));
ours[0].weight.data.zero_();
print(ours.load_state_dict(theirs.state_dict()).missing_keys);
print(ours.state_dict().keys() == py.list(theirs.state_dict().keys()));
print(py.eval("lambda d: type(d).__name__")(ours.state_dict()));
torch.save(theirs.state_dict(), "model.pt");
print(torch.load("model.pt").keys());
let branches = nn.ModuleDict(py.eval("lambda **m: m")(b: nn.ReLU(), a: theirs[0]));
print(branches["a"].weight.shape);
"#;
    check(
        &script.replace("model.pt", &folder.path().join("model.pt").display().to_string()),
        "<All keys matched successfully>\ntrue\n[]\ntrue\nOrderedDict\n\
         [\"0.weight\", \"0.bias\", \"1.weight\", \"1.bias\", \"1.running_mean\", \"1.running_var\", \
         \"1.num_batches_tracked\"]\n[3, 2]",
    );
}

#[test]
fn operators_and_gradients_take_pythons_lists() {
    check(
        r#"
let a = torch.ones([2], requires_grad: true);
let b = torch.zeros([2], requires_grad: true);
let both = py.object([a, b]);
print(torch.stack(both).shape);
print(torch.cat(py.eval("iter")(both), dim: 0).shape);
print(torch.autograd.grad((a * b).sum(), both));
print(torch.autograd.grad((a * b).sum(), py.eval("iter")(both))[1]);
try { torch.stack(py.object(5)); } catch (e) { print(e.kind); }
"#,
        "[2, 2]\n[4]\n[tensor([0., 0.]), tensor([1., 1.])]\ntensor([1., 1.])\nTypeError",
    );
}

#[test]
fn pythons_data_sets_loaders_and_distributions_are_used_like_native_ones() {
    check(
        r#"
py.exec(`
    import torch
    from torch.utils.data import DataLoader, Dataset, TensorDataset

    class Squares(Dataset):
        def __len__(self):
            return 3
        def __getitem__(self, i):
            return torch.tensor(float(i)), i * i
`);
let g = py.globals;
let squares = g["Squares"]();
for batch in g["DataLoader"](squares, batch_size: 2) { print(`${batch[0]} ${batch[1]}`); }
for batch in data.DataLoader(squares, batch_size: 2) { print(`${batch[0]} ${batch[1]}`); }
print(`${len(squares)} ${squares[2]} ${len(data.Subset(squares, [0, 2]))}`);
let dist = py.import("torch.distributions");
let loc = torch.zeros([2], requires_grad: true);
let normal = dist.Normal(loc, torch.ones([2]));
normal.log_prob(torch.ones([2])).sum().backward();
print(loc.grad);
print(`${normal.rsample([3]).shape} ${normal.batch_shape} ${dist.kl_divergence(normal, normal).sum().item()}`);
"#,
        "tensor([0., 1.]) tensor([0, 1])\ntensor([2.]) tensor([4])\n\
         tensor([0., 1.]) tensor([0, 1])\ntensor([2.]) tensor([4])\n\
         3 [tensor(2.), 4] 2\ntensor([1., 1.])\n[3, 2] [2] 0.0",
    );
}
