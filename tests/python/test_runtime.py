"""`import flambeau`: a session of scripts in a Python program."""

import gc
import os
import signal
import sys
import threading
import time
import traceback
import weakref

import flambeau
import pytest
import torch


def test_evaluates_cells_that_share_names(rt):
    assert rt.eval("let a = 2; a + 1") == 3
    assert rt.eval("a * 10") == 20
    assert rt.eval("let b = 1;") is None
    assert sorted(rt) == ["a", "b"] and len(rt) == 2
    assert "a" in rt and "c" not in rt
    del rt["a"]
    assert "a" not in rt
    with pytest.raises(KeyError, match="'a'"):
        rt["a"]
    with pytest.raises(KeyError):
        del rt["a"]


def test_tensors_are_the_same_objects_on_both_sides(rt):
    x = torch.ones(3, requires_grad=True)
    rt["x"] = x
    assert rt["x"] is x
    rt.eval("(x * x).sum().backward()")
    assert torch.equal(x.grad, torch.full((3,), 2.0))
    y = rt.eval("let y = x * 2; y")
    assert y is rt["y"] and y.grad_fn is not None
    y.sum().backward()
    assert torch.equal(x.grad, torch.full((3,), 4.0))


def test_functions_and_closures_are_callables(rt):
    rt.eval("let factor = 3; fn scaled(t) { t * factor } let plus = |t, options| t + options.by;")
    scaled = rt["scaled"]
    assert isinstance(scaled, flambeau.Function) and scaled.__name__ == "scaled"
    assert torch.equal(scaled(torch.ones(2)), torch.full((2,), 3.0))
    rt["factor"] = 5
    assert torch.equal(scaled(torch.ones(2)), torch.full((2,), 5.0))
    assert rt["plus"](1, by=2) == 3
    assert list(map(rt.eval("|n| n * n"), range(4))) == [0, 1, 4, 9]


def test_assigning_reaches_the_closures_that_share_a_variable(rt):
    rt.eval("let n = 1; let read = || n;")
    read = rt["read"]
    rt["n"] = 7
    assert read() == 7


def test_python_functions_are_callable_from_scripts(rt):
    seen = []
    rt["note"] = seen.append
    rt.eval("for i in 0..3 { note(i); }")
    assert seen == [0, 1, 2]


def test_functions_outlive_their_runtime():
    runtime = flambeau.Runtime()
    function = runtime.eval("let k = 2; |n| n * k")
    gone = weakref.ref(runtime)
    del runtime
    gc.collect()
    assert gone() is None
    assert function(21) == 42


def test_values_of_one_runtime_stay_callable_in_another():
    one, other = flambeau.Runtime(), flambeau.Runtime()
    other["f"] = one.eval("let n = 0; || { n += 1; n }")
    assert other.eval("f(); f()") == 2
    assert one.eval("n") == 2
    other["map"] = {"f": other["f"]}
    assert other.eval("let g = map.f; g()") == 3


def test_output_goes_to_the_streams_of_python(rt, capsys):
    rt.eval('print("out"); print(torch.ones([2]));')
    assert capsys.readouterr().out == "out\ntensor([1., 1.])\n"


def test_errors_are_of_the_kind_that_python_expects(rt):
    for code, kind, base in [
        ("torch.ones([2]) + torch.ones([3])", "ShapeError", RuntimeError),
        ("[1][5]", "IndexError", IndexError),
        ("nonsense", "NameError", NameError),
        ("torch.ones([2]).relu(1, 2)", "TypeError", TypeError),
        ("let x = ;", "SyntaxError", SyntaxError),
        ('throw "by hand"', "Thrown", flambeau.RhaiError),
    ]:
        with pytest.raises(flambeau.RhaiError) as caught:
            rt.eval(code)
        assert caught.value.kind == kind, code
        assert isinstance(caught.value, base), code
        assert type(caught.value).__name__ == f"Rhai{kind}"
    with pytest.raises(flambeau.RhaiNameError) as caught:
        rt.eval("torch.rele(1)")
    assert "relu" in caught.value.help


def test_a_traceback_shows_the_lines_of_both_languages(rt):
    def python(x):
        return 1 // x

    rt["python"] = python
    rt.eval("fn inner(x) { python(x) }\nfn outer(x) {\n    inner(x)\n}", "cell 1")
    with pytest.raises(ZeroDivisionError) as caught:
        rt.eval("let x = 0;\nouter(x)", "cell 2")
    frames = traceback.extract_tb(caught.value.__traceback__)
    shown = [(f.filename.split("/")[-1], f.name, f.lineno, f.line) for f in frames if "tests" not in f.name]
    assert shown[1:] == [
        ("cell 2", "<script>", 2, "outer(x)"),
        ("cell 1", "outer", 3, "inner(x)"),
        ("cell 1", "inner", 1, "fn inner(x) { python(x) }"),
        ("test_runtime.py", "python", frames[-1].lineno, "return 1 // x"),
    ]


def test_exceptions_are_caught_by_scripts_and_keep_their_identity(rt):
    original = ValueError("mine")

    def fails():
        raise original

    rt["fails"] = fails
    assert rt.eval("let kind = (); try { fails(); } catch (e) { kind = e.kind; } kind") == "ValueError"
    with pytest.raises(ValueError) as caught:
        rt.eval("fails()")
    assert caught.value is original


def test_deep_recursion_is_an_error_on_every_stack(rt):
    rt.eval("fn endless(n) { 1 + endless(n + 1) }")

    def ends():
        with pytest.raises(flambeau.RhaiLimitError, match="nested too deep"):
            rt.eval("endless(0)")
        done.append(True)

    done = []
    ends()
    before = threading.stack_size(256 << 10)
    try:
        thread = threading.Thread(target=ends)
        thread.start()
        thread.join()
    finally:
        threading.stack_size(before)
    assert len(done) == 2


def test_a_runtime_cannot_evaluate_within_its_own_evaluation(rt):
    rt["again"] = lambda: rt.eval("1")
    with pytest.raises(flambeau.RhaiRuntimeError, match="is evaluating on this thread"):
        rt.eval("again()")
    assert rt.eval("2") == 2


def test_limits_end_an_evaluation():
    runtime = flambeau.Runtime(max_operations=10_000)
    with pytest.raises(flambeau.RhaiLimitError, match="10000 operations"):
        runtime.eval("loop {}")
    loop = runtime.eval("|| { loop {} }")
    with pytest.raises(flambeau.RhaiLimitError):
        loop()
    assert runtime.eval("1") == 1
    with pytest.raises(flambeau.RhaiLimitError, match="longer than 0.05 s"):
        flambeau.Runtime(max_seconds=0.05).eval("loop {}")


def test_the_sandbox_holds(tmp_path):
    secret = tmp_path / "secret.csv"
    secret.write_text("a\n1\n")
    runtime = flambeau.Runtime(sandbox=True)
    with pytest.raises(PermissionError):
        runtime.eval(f'data.read_csv("{secret}")')
    with pytest.raises(PermissionError):
        runtime.eval('py.import("os")')
    runtime["system"] = os.system
    with pytest.raises(PermissionError):
        runtime.eval('system("true")')
    allowed = flambeau.Runtime(sandbox=True, allow_read=[tmp_path], allow_python=True)
    allowed.eval(f'data.read_csv("{secret}")')
    assert allowed.eval('py.import("math").sqrt(4.0)') == 2.0


def press(after):
    time.sleep(after)
    os.kill(os.getpid(), signal.SIGINT)


@pytest.mark.parametrize("code", ["loop {}", "let a = torch.ones([4]); loop { a = a * 1.0; }", "nap(60)"])
def test_ctrl_c_stops_a_script_and_nothing_else(rt, code):
    rt["nap"] = time.sleep
    rt.eval("let kept = 5;")
    thread = threading.Thread(target=press, args=(0.3,))
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        rt.eval(code)
    thread.join()
    assert rt.eval("kept") == 5


def test_ctrl_c_stops_a_function_that_python_calls_by_itself(rt):
    rt.eval("fn spin() { loop {} } let spinning = || { loop {} };")
    for name in ("spin", "spinning"):
        thread = threading.Thread(target=press, args=(0.3,))
        thread.start()
        with pytest.raises(KeyboardInterrupt):
            rt[name]()
        thread.join()
    threading.Timer(0.3, rt.interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        rt["spin"]()
    rt.interrupt()
    assert rt.eval("1") == 1


def test_a_handler_of_ones_own_decides_what_ctrl_c_means(rt):
    heard = []
    before = signal.signal(signal.SIGINT, lambda *_: heard.append(True))
    try:
        thread = threading.Thread(target=press, args=(0.2,))
        thread.start()
        # Goes on until it has been heard.
        rt["heard"] = lambda: len(heard)
        assert rt.eval("let n = 0; while heard() == 0 { n += 1; } n") > 0
        thread.join()
    finally:
        signal.signal(signal.SIGINT, before)


def test_another_thread_can_interrupt(rt):
    threading.Timer(0.3, rt.interrupt).start()
    with pytest.raises(KeyboardInterrupt):
        rt.eval("loop {}")
    assert rt.eval("1") == 1


def test_the_host_keeps_its_streams_and_arguments(rt):
    stdout, argv, path = sys.stdout, list(sys.argv), list(sys.path)
    rt.eval('py.import("math").pi')
    assert (sys.stdout, sys.argv, sys.path) == (stdout, argv, path)


def test_files_run_and_documentation_is_there(rt, tmp_path):
    script = tmp_path / "s.rhai"
    script.write_text("let z = 40;\nz + 2")
    assert rt.run(script) == 42
    assert rt["z"] == 40
    assert "torch.nn.functional.relu" in rt.doc("relu")
    assert rt.doc("no such name") is None


def test_bad_arguments(rt):
    with pytest.raises(ValueError, match="cannot be the name"):
        rt["not a name"] = 1
    with pytest.raises(ValueError, match="max_seconds"):
        flambeau.Runtime(max_seconds=-1.0)
    with pytest.raises(FileNotFoundError):
        rt.run("/nowhere.rhai")
    with pytest.raises(TypeError):
        rt.eval(b"1")


def test_the_stubs_name_what_there_is():
    import ast

    stubs = os.path.join(os.path.dirname(flambeau.__file__), "__init__.pyi")
    with open(stubs) as file:
        tree = ast.parse(file.read())
    classes = {node.name: node for node in tree.body if isinstance(node, ast.ClassDef)}
    functions = {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}
    assert set(classes) | functions | {"__version__"} == set(flambeau.__all__)
    methods = {node.name for node in classes["Runtime"].body if isinstance(node, ast.FunctionDef)}
    assert methods - {"__init__"} <= set(dir(flambeau.Runtime))
    public = {name for name in vars(flambeau.Runtime) if not name.startswith("_")}
    assert public <= methods
