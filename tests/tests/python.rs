//! Python next door, through the real program: values, tensors, callbacks, modules.

use flambeau_tests::{flambeau, outcome, run_text};

/// Runs a script and asserts what it printed.
fn check(code: &str, expected: &str) {
    let outcome = run_text(code, &[]);
    assert_eq!(outcome.stdout.trim_end(), expected, "{}", outcome.stderr);
    assert_eq!(outcome.code, Some(0), "{}", outcome.stderr);
}

#[test]
fn modules_have_attributes_calls_and_keyword_arguments() {
    check(
        r#"
let math = py.import("math");
print(math.gcd(12, 18));
print(math.pi > 3.14);
let np = py.import("numpy");
print(np.linspace(0, 1, 5));
print(np.arange(6).reshape(2, 3).sum(axis: 0));
print(py.import("os.path").join("a", "b"));
fn area(r) { py.import("math").pi * r ** 2 }
print(area(1.0) > 3.14);
"#,
        "6\ntrue\n[0.   0.25 0.5  0.75 1.  ]\n[3 5 7]\na/b\ntrue",
    );
}

#[test]
fn plain_values_cross_by_meaning() {
    check(
        r#"
print(py.eval("[None, True, 7, 1.5, 'a', b'x', (1, 2), {'k': [3]}, range(2, 5), 3j]"));
let echo = py.eval("lambda *a, **k: (repr(a), repr(k))");
print(echo((), true, 7, 1.5, "a", [1, [2]], 2..5, key: #{a: 1}));
print(echo("b".to_blob(), complex(1.0, 2.0), slice(1, 9, 2)));
print(py.eval("2**100") + 1);
print(py.eval("float('nan')") == py.eval("float('nan')"));
let same = py.eval("lambda x: x");
print(torch.arange(6)[same(slice(1, (), 2))]);
py.import("torch");
print(same(torch.strided) == torch.strided && same(torch.channels_last) == torch.channels_last);
print(py.repr([torch.sparse_coo, torch.preserve_format]));
let least = torch.tensor([3, 1, 2]).min(0);
print(py.eval("lambda r: (r.values + r[1], isinstance(r, tuple))")(least));
print(type_of(same(least)));
"#,
        "[(), true, 7, 1.5, \"a\", [78], [1, 2], #{k: [3]}, 2..5, 3j]\n\
         [\"(None, True, 7, 1.5, 'a', [1, [2]], range(2, 5))\", \"{'key': {'a': 1}}\"]\n\
         [\"(b'b', (1+2j), slice(1, 9, 2))\", \"{}\"]\n\
         1267650600228229401496703205377\n\
         false\n\
         tensor([1, 3, 5])\n\
         true\n\
         [torch.sparse_coo, torch.preserve_format]\n\
         [tensor(2), true]\n\
         array",
    );
}

#[test]
fn what_is_no_plain_value_stays_the_object_that_it_is() {
    check(
        r#"
py.exec(`
    import collections, dataclasses, datetime, enum
    class Color(enum.IntEnum):
        RED = 1
    Point = collections.namedtuple("Point", "x y")
    @dataclasses.dataclass
    class Pair:
        a: int
        b: int
`);
let red = py.eval("Color.RED");
print(red.name);
print(red == 1);
let p = py.eval("Point(1, 2)");
print(p.x + p[1]);
let pair = py.eval("Pair(1, 2)");
pair.a = 5;
print(pair);
print(py.eval("datetime.date(2024, 2, 29)").isoformat());
print(py.eval("{1, 2}") | py.set([3]));
print(py.eval("{1: 'one'}")[1]);
"#,
        "RED\ntrue\n3\nPair(a=5, b=2)\n2024-02-29\n{1, 2, 3}\none",
    );
}

#[test]
fn lists_that_an_object_owns_are_changed_in_place() {
    check(
        r#"
let sys = py.import("sys");
sys.path.append("/nowhere");
print(sys.path[-1]);
let d = py.dict(#{a: py.object([1])});
d["a"].append(2);
d["b"] = 3;
print(d);
print(len(d["a"]));
"#,
        "/nowhere\n{'a': [1, 2], 'b': 3}\n2",
    );
}

#[test]
fn operators_comparison_truth_membership_and_iteration() {
    check(
        r#"
let np = py.import("numpy");
let a = np.array([1, 2, 3]);
let b = a;
b += 1;
print(`${a} ${b} ${-a} ${2 ** a} ${a @ a} ${a > 1}`);
print(2 in a && !(9 in a));
print(!py.object([]));
if np.any(a == 3) { print("any"); }
let total = 0;
for x in a { total += x; }
print(total);
for pair in py.eval("{'k': 1}.items()") { print(pair); }
print(a[0..2]); print(a[-1]); print(a.reshape(1, 3)[[(), 1]]); print(a[[[0, 2]]]);
a[0] = 9;
print(a);
print(torch.ones([3]) * np.float32(2));
"#,
        "[1 2 3] [2 3 4] [-1 -2 -3] [2 4 8] 14 [False  True  True]\ntrue\ntrue\nany\n6\n[\"k\", 1]\n\
         [1 2]\n3\n[2]\n[1 3]\n[9 2 3]\ntensor([2., 2., 2.])",
    );
}

#[test]
fn names_that_scripts_have_a_meaning_for_are_the_objects_own() {
    check(
        r#"
py.exec(`
    class Odd:
        loop = 1
        def eval(self): return "eval"
        def len(self): return "len"
        def print(self): return "print"
        def sum(self, dim): return dim
        def let(self, x): return x
`);
let odd = py.eval("Odd()");
print(odd.eval()); print(odd.len()); print(odd.print()); print(odd.sum(dim: 3)); print(odd.let(4)); print(odd.loop);
"#,
        "eval\nlen\nprint\n3\n4\n1",
    );
}

#[test]
fn a_tensor_is_the_same_tensor_on_both_sides() {
    check(
        r#"
let x = torch.ones([2], requires_grad: true);
let t = py.import("torch");
print(py.same(x, x));
let keep = py.eval("lambda x: globals().__setitem__('kept', x)");
keep(x);
print(py.same(py.globals["kept"], x));
py.exec("kept.mark = 'mine'; kept.data[0] = 5.0");
print(x);
print(py.eval("(kept.requires_grad, kept.mark, kept.data_ptr())") == [true, "mine", x.data_ptr()]);
let y = t.sin(x) * 2;
print(y.grad_fn == py.eval("lambda y: y.grad_fn.name()")(y));
for d in [torch.bfloat16, torch.float16, torch.float8_e4m3fn, torch.complex64, torch.bool, torch.uint8, torch.uint64] {
    let z = torch.zeros([2], dtype: d);
    if t.zeros(2, dtype: d).dtype != d || !py.same(z, z) { print(d); }
}
print(t.empty(1, device: torch.device("meta")).device);
"#,
        "true\ntrue\ntensor([5., 1.], requires_grad=True)\ntrue\ntrue\nmeta",
    );
}

#[test]
fn gradients_flow_through_both_languages() {
    check(
        r#"
py.exec(`
    import torch
    class Cube(torch.autograd.Function):
        @staticmethod
        def forward(ctx, x):
            ctx.save_for_backward(x)
            return x ** 3
        @staticmethod
        def backward(ctx, g):
            (x,) = ctx.saved_tensors
            return 3 * x ** 2 * g
    torch.manual_seed(0)
    layer = torch.nn.Linear(3, 2).double()
    start = torch.randn(4, 3, dtype=torch.float64)
    def pure():
        x = start.clone().requires_grad_()
        layer.zero_grad()
        Cube.apply(torch.tanh(layer(x.exp()))).mul(2).sum().backward()
        return x.grad, [p.grad.clone() for p in layer.parameters()]
    def finish(loss): loss.backward()
`);
let g = py.globals;
let pure = g["pure"]();
let reference = pure[0];
let weights = pure[1];
let cube = py.eval("Cube.apply");
fn forward(x) { cube(layer(x.exp()).tanh()).mul(2).sum() }
let layer = g["layer"];
for side in ["script", "python"] {
    let x = g["start"].clone().requires_grad_();
    layer.zero_grad();
    let hooks = 0;
    x.register_hook(|grad| { hooks += 1; });
    let loss = forward(x);
    if side == "script" { loss.backward(); } else { g["finish"](loss); }
    print(torch.equal(x.grad, reference));
    let i = 0;
    for p in layer.parameters() { print(torch.equal(p.grad, weights[i])); i += 1; }
    print(hooks);
}
"#,
        "true\ntrue\ntrue\n1\ntrue\ntrue\ntrue\n1",
    );
}

#[test]
fn scripts_pass_gradcheck_and_gradgradcheck() {
    check(
        r#"
let autograd = py.import("torch.autograd");
let x = torch.tensor([0.3, 0.7], dtype: torch.float64, requires_grad: true);
print(autograd.gradcheck(|x| (x * x).sin(), [x]));
print(autograd.gradgradcheck(|x| (x * x).sin(), [x]));
let checkpoint = py.import("torch.utils.checkpoint").checkpoint;
let y = checkpoint(|x| (x * x).sin(), x, use_reentrant: false).sum();
y.backward();
print(torch.allclose(x.grad, 2 * x * (x * x).cos()));
"#,
        "true\ntrue\ntrue",
    );
}

#[test]
fn closures_are_python_functions() {
    check(
        r#"
fn double(x) { x * 2 }
let n = 10;
print(py.list(py.import("builtins").map(|x| x + n, [1, 2])));
py.exec(`
    def inspect(f):
        return f.__name__, callable(f), f(3), f(k=4)
`);
print(py.globals["inspect"](|a| a));
print(py.eval("lambda f: f.__name__")(Fn("double")));
print(py.eval("lambda f: f(21)")(Fn("double")));
py.exec("held = []");
py.globals["held"].append(|x| x * n);
print(py.eval("held[0](5)"));
print(py.import("functools").reduce(|a, b| a + b, [1, 2, 3]));
"#,
        "[11, 12]\n[\"closure\", true, 3, #{k: 4}]\ndouble\n42\n50\n6",
    );
}

#[test]
fn modules_and_optimisers_of_python_are_used_like_native_ones() {
    check(
        r#"
torch.manual_seed(0);
let pnn = py.import("torch.nn");
let model = pnn.Sequential(pnn.Linear(2, 8), pnn.Tanh(), pnn.Linear(8, 1));
let optimizer = py.import("torch.optim").Adam(model.parameters(), lr: 0.05);
let x = torch.tensor([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]]);
let target = torch.tensor([[0.0], [1.0], [1.0], [0.0]]);
let loss = ();
for step in 0..300 {
    optimizer.zero_grad();
    loss = F.mse_loss(model(x), target);
    loss.backward();
    optimizer.step();
}
print(loss.item() < 0.01);
model.eval();
print(model.training);
print(py.list(model.state_dict().keys()));
print(model.state_dict()["0.weight"].shape);
for p in model.parameters() { print(p.shape); }
print(model[0].weight.requires_grad);
"#,
        "true\nfalse\n[\"0.weight\", \"0.bias\", \"2.weight\", \"2.bias\"]\n[8, 2]\n[8, 2]\n[8]\n[1, 8]\n[1]\ntrue",
    );
}

#[test]
fn arrays_share_their_elements_where_they_can() {
    check(
        r#"
let np = py.import("numpy");
let a = np.zeros([2, 2], dtype: np.float32);
let x = torch.from_numpy(a);
x[[0, 1]] = 2.0;
print(a.tolist());
let b = torch.arange(3).numpy();
b[0] = 9;
print(b);
let frozen = np.arange(3);
frozen.setflags(write: false);
let copy = py.tensor(frozen);
copy[0] = 7;
print(frozen);
print(py.tensor(np.arange(3)[py.eval("slice(None, None, -1)")]));
print(py.tensor(py.import("array").array("i", [1, 2])));
"#,
        "[[0.0, 2.0], [0.0, 0.0]]\n[9 1 2]\n[0 1 2]\ntensor([2, 1, 0])\ntensor([1, 2])",
    );
}

#[test]
fn parameters_and_generators_are_what_they_are_in_python() {
    check(
        r#"
py.exec(`
    import torch
    def kind(*values):
        return [type(value).__name__ for value in values]
    def draw(g):
        return torch.rand(3, generator=g)
    def same(a, b):
        return a is b
`);
let kind = py.eval("kind");
let w = nn.Parameter(torch.ones([2]));
let layer = nn.Linear(2, 2);
let g = torch.Generator().manual_seed(3);
print(kind(w, layer.weight, layer.weight.detach(), w * 2, g));
print(py.eval("same")(w, w) && py.eval("same")(g, g));
let holder = py.eval("torch.nn.Module()");
holder.w = w;
print(len(py.list(holder.parameters())));
let draw = py.eval("draw");
let drawn = draw(g);
let mine = torch.Generator().manual_seed(3);
print(torch.equal(drawn, torch.rand([3], generator: mine)));
print(torch.equal(draw(mine), torch.rand([3], generator: g)));
let theirs = py.eval("torch.Generator().manual_seed(3)");
print(type_of(theirs) + " " + torch.equal(torch.rand([3], generator: theirs), drawn));
"#,
        "[\"Parameter\", \"Parameter\", \"Tensor\", \"Tensor\", \"Generator\"]\ntrue\n1\ntrue\ntrue\nGenerator true",
    );
}

#[test]
fn data_of_python_becomes_tensors_and_batches() {
    check(
        r#"
let np = py.import("numpy");
let a = np.arange(4.0);
let elements = torch.as_tensor(a);
let copied = torch.tensor(a, dtype: torch.float32);
elements[0] = 7;
print(`${a} ${elements.dtype} ${copied}`);
print(torch.tensor([a, a]).shape);
print(torch.tensor(py.object([[1, 2], [3, 4]])));
try { torch.tensor(py.object(#{})); } catch (e) { print(e.kind + ": " + e.message); }
py.exec(`
    class Samples:
        def __len__(self):
            return 3

        def __getitem__(self, i):
            import numpy as np
            return np.full(2, i, dtype=np.float32), i
`);
for batch in data.DataLoader(py.eval("Samples()"), batch_size: 2) {
    print(`${batch[0].tolist()} ${batch[0].dtype} ${batch[1]}`);
}
"#,
        "[7. 1. 2. 3.] torch.float64 tensor([0., 1., 2., 3.])\n\
         [2, 4]\n\
         tensor([[1, 2],\n        [3, 4]])\n\
         TypeError: torch.tensor() takes numbers and arrays of numbers, not PyObject\n\
         [[0.0, 0.0], [1.0, 1.0]] torch.float32 tensor([0, 1])\n\
         [[2.0, 2.0]] torch.float32 tensor([2])",
    );
}

#[test]
fn with_begins_and_ends_an_object() {
    check(
        r#"
py.exec(`
    class Manager:
        def __enter__(self):
            print("enter")
            return 7
        def __exit__(self, kind, value, traceback):
            print("exit", kind and kind.__name__)
            return kind is ZeroDivisionError
`);
let manager = py.eval("Manager()");
let before = 1;
with manager as value { print(value + before); }
with manager { py.eval("1 / 0"); print("never"); }
fn early(manager) { with manager as v { return v * 2; } }
print(early(manager));
for i in 0..3 { with manager { if i == 1 { break; } } }
try { with manager { throw "out"; } } catch (e) { print(e); }
let t = py.import("torch");
let x = torch.ones([1], requires_grad: true);
with t.no_grad() { print((x * 2).requires_grad); }
print((x * 2).requires_grad);
"#,
        "enter\n8\nexit None\nenter\nexit ZeroDivisionError\nenter\nexit None\n14\nenter\nexit None\n\
         enter\nexit None\nenter\nexit RhaiThrown\nout\nfalse\ntrue",
    );
}

#[test]
fn coroutines_are_awaited() {
    check(
        r#"
py.exec(`
    import asyncio
    async def later(x):
        await asyncio.sleep(0.01)
        return x + 1
`);
print(py.globals["later"](1));
"#,
        "2",
    );
}

#[test]
fn output_comes_in_order_whoever_prints() {
    check(
        r#"
print("script");
py.exec(`print("python"); import os, sys; sys.stdout.write("written\n"); os.write(1, b"descriptor\n")`);
print("script");
py.import("ctypes").CDLL(()).puts("C".to_blob());
print("script");
py.exec("sys.stdout.buffer.write(b'bytes\\n')");
print("script");
"#,
        "script\npython\nwritten\ndescriptor\nscript\nC\nscript\nbytes\nscript",
    );
}

#[test]
fn help_prints_what_python_says() {
    let outcome = run_text("py.help(py.import(\"math\").gcd);", &[]);
    assert!(outcome.stdout.contains("Greatest Common Divisor"), "{outcome:?}");
}

#[test]
fn every_example_of_the_documentation_runs() {
    let page = |name: &str| outcome(flambeau().args(["doc", name])).stdout;
    let namespace = page("py");
    let names = namespace.lines().nth(2).expect("the names").split_whitespace();
    let mut names: Vec<String> = names.map(|name| format!("py.{name}")).collect();
    assert!(names.len() > 10, "{namespace}");
    names.extend(["torch.from_numpy", "Tensor.numpy"].map(str::to_owned));
    for name in names.iter().filter(|name| *name != "py.globals") {
        let page = page(name);
        let (_, example) = page.split_once("Example:\n").expect("an example");
        let run = run_text(example, &[]);
        assert_eq!(run.code, Some(0), "{name}: {}", run.stderr);
        assert!(!run.stdout.is_empty(), "{name}");
    }
}
