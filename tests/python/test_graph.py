"""One graph with several authors: a script, a Python module, functions of autograd and hooks of both languages."""

import flambeau
import pytest
import torch
from threads import in_threads
from torch.autograd import gradcheck, gradgradcheck
from torch.utils.checkpoint import checkpoint


class Exp(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x):
        y = x.exp()
        ctx.save_for_backward(y)
        return y

    @staticmethod
    def backward(ctx, g):
        return g * ctx.saved_tensors[0]


class Authors:
    """`mixed(x)` in both languages and `pure(x)` in PyTorch alone compute the same."""

    def __init__(self):
        torch.manual_seed(0)
        self.linear = torch.nn.Linear(3, 3).double()
        self.rt = flambeau.Runtime()
        self.rt["linear"] = self.linear
        self.rt["exp"] = Exp.apply
        self.hooked = []
        self.rt["note"] = self.hooked.append
        self.mixed = self.rt.eval(
            """
            let cube = torch.autograd.Function(#{
                forward: |ctx, x| { ctx.x = x; x * x * x },
                backward: |ctx, g| 3 * ctx.x * ctx.x * g,
            });
            |x| {
                let h = cube(linear(x) * 0.5);
                if h.requires_grad { h.register_hook(|g| { note("script"); g * 1.0 }); }
                exp(h.tanh()).sum(dim: 1)
            }
            """
        )

    def pure(self, x):
        h = (self.linear(x) * 0.5) ** 3
        return h.tanh().exp().sum(dim=1)

    def input(self, seed=1):
        generator = torch.Generator().manual_seed(seed)
        return torch.randn(2, 3, dtype=torch.double, generator=generator).requires_grad_()

    def gradients(self, function, x, **options):
        return torch.autograd.grad(function(x).sum(), [x, *self.linear.parameters()], **options)


@pytest.fixture
def authors():
    return Authors()


def test_gradients_are_those_of_pytorch(authors):
    x = authors.input()
    torch.testing.assert_close(authors.mixed(x), authors.pure(x))
    for ours, theirs in zip(authors.gradients(authors.mixed, x), authors.gradients(authors.pure, x)):
        torch.testing.assert_close(ours, theirs)
    assert authors.hooked == ["script"]


def test_gradcheck_and_gradgradcheck(authors):
    assert gradcheck(authors.mixed, authors.input())
    assert gradgradcheck(authors.mixed, authors.input())


def test_backward_starts_on_either_side_and_the_graph_is_kept(authors):
    x = authors.input()
    y = authors.mixed(x).sum()
    y.backward(retain_graph=True)
    first = x.grad.clone()
    authors.rt["y"] = y
    authors.rt.eval("y.backward()")
    torch.testing.assert_close(x.grad, 2 * first)
    with pytest.raises(RuntimeError, match="second time"):
        authors.rt.eval("y.backward()")


def test_second_derivatives_with_hooks_of_python(authors):
    x = authors.input()

    def penalty(function):
        y = function(x)
        y.register_hook(lambda g: g * 2)
        grads = torch.autograd.grad(y.sum(), x, create_graph=True)[0]
        return torch.autograd.grad(grads.pow(2).sum(), [x, *authors.linear.parameters()])

    for ours, theirs in zip(penalty(authors.mixed), penalty(authors.pure)):
        torch.testing.assert_close(ours, theirs)


def test_checkpoints_of_either_language(authors):
    x = authors.input()
    expected = authors.gradients(authors.pure, x)
    scripted = authors.rt.eval("|f, x| torch.utils.checkpoint.checkpoint(f, x)")
    for function in (
        lambda x: checkpoint(authors.mixed, x, use_reentrant=False),
        lambda x: scripted(authors.mixed, x),
        lambda x: scripted(authors.pure, x),
    ):
        x.grad = None
        authors.linear.zero_grad()
        function(x).sum().backward()
        found = [x.grad, *(p.grad for p in authors.linear.parameters())]
        for ours, theirs in zip(found, expected):
            torch.testing.assert_close(ours, theirs)


def test_anomaly_mode_names_the_function_that_made_a_nan(authors):
    bad = authors.rt.eval(
        """
        let bad = torch.autograd.Function(#{
            forward: |ctx, x| x * 1.0,
            backward: |ctx, g| g * float_nan(),
            name: "Bad",
        });
        fn float_nan() { 0.0 / 0.0 }
        |x| bad(x).sum()
        """
    )
    with torch.autograd.detect_anomaly(check_nan=True):
        for ours, theirs in zip(
            authors.gradients(authors.mixed, authors.input()), authors.gradients(authors.pure, authors.input())
        ):
            torch.testing.assert_close(ours, theirs)
        with pytest.raises(RuntimeError, match="'BadBackward' returned nan values"):
            bad(authors.input()).backward()


def test_several_threads_at_once(authors):
    def work(seed):
        x = authors.input(seed)
        for _ in range(20):
            for ours, theirs in zip(authors.gradients(authors.mixed, x), authors.gradients(authors.pure, x)):
                torch.testing.assert_close(ours, theirs)
        assert gradcheck(authors.mixed, x)

    in_threads(*[lambda seed=seed: work(seed) for seed in range(4)])
