"""Sessions, tensors and callbacks from many threads, with and without the GIL."""

import os
import random
import threading
import time

import flambeau
import pytest
import torch
from threads import in_threads

SECONDS = float(os.environ.get("FLAMBEAU_STRESS_SECONDS", "60"))


def test_one_runtime_serves_several_threads(rt):
    rt.eval("let total = 0; fn add(n) { n + 1 }")
    add = rt["add"]

    def evaluate():
        for _ in range(200):
            rt.eval("total += 1;")

    def call():
        for n in range(500):
            assert add(n) == n + 1

    in_threads(evaluate, call, evaluate, call)
    assert rt["total"] == 400


def test_a_closure_runs_while_its_runtime_waits_in_python(rt):
    # The main evaluation waits for a thread that calls into the same session: with a lock held during the
    # wait this would never end.
    closure = rt.eval("|n| n * 2")
    results = []

    def wait():
        thread = threading.Thread(target=lambda: results.append(closure(21)))
        thread.start()
        thread.join()
        return results[0]

    rt["wait"] = wait
    assert rt.eval("wait()") == 42


def test_a_cell_that_is_evaluated_while_a_closure_waits_in_python(rt):
    inside, go_on = threading.Event(), threading.Event()

    def pause():
        inside.set()
        assert go_on.wait(60)

    rt["pause"] = pause
    waits = rt.eval("|| { pause(); 1 }")
    thread = threading.Thread(target=waits)
    thread.start()
    assert inside.wait(60)
    rt.eval("fn later(x) { x.relu() + 1 }")
    go_on.set()
    thread.join()
    assert rt["later"](torch.tensor(-1.0)) == 1
    assert rt.eval("later(torch.tensor(2.0))") == 3


def test_grad_mode_is_that_of_the_calling_thread(rt):
    x = torch.ones(2, requires_grad=True)
    f = rt.eval("|x| x * 2")
    with torch.no_grad():
        assert not f(x).requires_grad
    assert f(x).requires_grad


def test_hooks_run_in_a_backward_pass_of_any_thread(rt):
    x = torch.ones(3, requires_grad=True)
    rt["x"] = x
    y = rt.eval(
        """
        let calls = [];
        let cube = torch.autograd.Function(#{
            forward: |ctx, x| { ctx.x = x; x * x * x },
            backward: |ctx, g| g * 3 * ctx.x * ctx.x,
        });
        let y = cube(x);
        y.register_hook(|g| { calls.push(1); g * 10 });
        y.sum()
        """
    )
    in_threads(y.backward)
    assert torch.equal(x.grad, torch.full((3,), 30.0))
    assert rt.eval("calls.len()") == 1


def test_an_error_in_a_hook_ends_the_backward_pass_of_another_thread(rt):
    x = torch.ones(3, requires_grad=True)
    rt["x"] = x
    y = rt.eval('let y = x * 2; y.register_hook(|g| throw "no gradient for you"); y.sum()')
    caught = []

    def backward():
        with pytest.raises(flambeau.RhaiError, match="^no gradient for you$") as error:
            y.backward()
        caught.append(error.value.kind)

    in_threads(backward)
    assert caught == ["Thrown"]
    assert rt.eval("(x * 2).sum().backward(); x.grad[0].item()") == 2.0


def test_handing_over_dropping_and_computing_for_a_minute():
    """Every thread does what it likes with tensors, hooks, callbacks and two sessions."""
    one, two = flambeau.Runtime(), flambeau.Runtime()
    for runtime in (one, two):
        runtime["python"] = lambda t: t + 1
        runtime.eval(
            """
            let kept = #{};
            let keep = |name, t| { kept[name] = t; };
            let drop_all = || { kept.clear(); };
            fn through(t) { python(t * 2) - 1 }
            fn learn(net, x) {
                let y = net(x);
                y.register_hook(|g| g * 1.0);
                y.sum().backward();
                net.zero_grad();
            }
            """
        )
    slots = [torch.ones(4) for _ in range(8)]
    end = time.monotonic() + SECONDS
    counts = {}

    def worker(seed):
        draw = random.Random(seed)
        # Gradients of one's own: two backward passes into the same would be a race, here as in PyTorch.
        nets = {rt: rt.eval("nn.Linear(4, 4)") for rt in (one, two)}
        n = 0

        def hand_over(rt):
            rt["keep"](f"t{draw.randrange(4)}", slots[draw.randrange(8)])

        def drop(rt):
            rt["drop_all"]()

        def compute(rt):
            t = torch.full((4,), float(draw.randrange(9)))
            assert torch.equal(rt["through"](t), t * 2)

        def replace(rt):
            slots[draw.randrange(8)] = rt.eval("torch.randn([4]) * 2")

        def hooks(rt):
            x = torch.ones(2, 4, requires_grad=True)
            y = x * 2
            y.register_hook(rt.eval("|g| g * 3"))
            y.sum().backward()
            assert torch.equal(x.grad, torch.full((2, 4), 6.0))

        def learn(rt):
            rt["learn"](nets[rt], torch.randn(2, 4))

        def cross(rt):
            other = two if rt is one else one
            rt["there"] = other["through"]
            t = torch.ones(4)
            assert torch.equal(rt.eval("|t| there(t)")(t), t * 2)

        jobs = [hand_over, drop, compute, replace, hooks, learn, cross]
        while time.monotonic() < end:
            draw.choice(jobs)(draw.choice((one, two)))
            n += 1
        counts[seed] = n

    in_threads(*[lambda seed=seed: worker(seed) for seed in range(6)])
    # Nobody starved.
    assert len(counts) == 6 and min(counts.values()) > 10, counts
