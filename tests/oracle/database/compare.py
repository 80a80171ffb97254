"""Copies of arguments, and whether two results are the same."""

import contextlib
import random

import numpy
import torch
from torch.testing import assert_close
from torch.utils import _pytree as pytree


class Different(Exception):
    """Two results that ought to be the same."""


def seed(number=0):
    """All generators that a call may draw from."""
    torch.manual_seed(number)
    random.seed(number)
    numpy.random.seed(number)


def copies(values, leaves=None, owned=False):
    """The arguments with every tensor copied, the same tensor to the same copy. Those that want a gradient are
    added to `leaves`; `owned` makes the copies results of an operation, which may be changed in place."""
    known = {}

    def copy(value):
        if not isinstance(value, torch.Tensor):
            return value
        if id(value) not in known:
            made = value.detach().clone().requires_grad_(value.requires_grad)
            if value.requires_grad and leaves is not None:
                leaves.append(made)
            known[id(value)] = made.clone() if owned and value.requires_grad else made
        return known[id(value)]

    return pytree.tree_map(copy, values)


def tensors(values):
    """The tensors in a result or in arguments."""
    return [value for value in pytree.tree_leaves(values) if isinstance(value, torch.Tensor)]


def names(results):
    """The names of several results."""
    kind = type(results)
    return getattr(kind, "_fields", None) or getattr(kind, "__match_args__", None)


def same(ours, theirs, where="the result", contents=True):
    """Raises `Different` with what differs; `contents` says whether the elements mean something."""
    if isinstance(theirs, torch.Tensor):
        if not isinstance(ours, torch.Tensor):
            raise Different(f"{where}: {type(ours).__name__} instead of a tensor")
        same_tensor(ours, theirs, where, contents)
    elif isinstance(theirs, (tuple, list)):
        if not isinstance(ours, (tuple, list)) or len(ours) != len(theirs):
            raise Different(f"{where}: {ours!r:.80} instead of {len(theirs)} values")
        if names(theirs) and names(ours) != names(theirs):
            raise Different(f"{where}: named {names(ours)} instead of {names(theirs)}")
        for i, (a, b) in enumerate(zip(ours, theirs)):
            same(a, b, f"{where}[{i}]", contents)
    elif isinstance(theirs, dict):
        if not isinstance(ours, dict) or list(ours) != list(theirs):
            raise Different(f"{where}: {ours!r:.80} instead of a dict of {list(theirs)}")
        for key in theirs:
            same(ours[key], theirs[key], f"{where}[{key!r}]", contents)
    elif type(ours) is not type(theirs) or (ours != theirs and not (ours != ours and theirs != theirs)):
        raise Different(f"{where}: {ours!r:.80} instead of {theirs!r:.80}")


def same_tensor(ours, theirs, where, contents):
    for name in ("dtype", "shape", "layout", "device", "requires_grad"):
        a, b = getattr(ours, name), getattr(theirs, name)
        if a != b:
            raise Different(f"{where}: {name} is {a} instead of {b}")
    if theirs.layout == torch.strided and ours.stride() != theirs.stride():
        raise Different(f"{where}: strides are {ours.stride()} instead of {theirs.stride()}")
    if not contents:
        return
    ours, theirs = ours.detach(), theirs.detach()
    with contextlib.suppress(RuntimeError, NotImplementedError):
        if torch.equal(ours, theirs):
            return
    try:
        assert_close(ours, theirs, equal_nan=True)
    except AssertionError as error:
        raise Different(f"{where}: {' '.join(str(error).split())}") from None


def gradients(outputs, leaves, differentiate):
    """The gradients of the outputs with numbers drawn from a fixed seed as their own, or none where no output
    has a graph. `differentiate(outputs, inputs, grad_outputs)` does it."""
    outputs = [
        output
        for output in tensors(outputs)
        if output.requires_grad and (output.is_floating_point() or output.is_complex())
    ]
    if not outputs or not leaves:
        return None
    generator = torch.Generator().manual_seed(1)
    shares = [
        torch.randn(output.shape, dtype=output.dtype, generator=generator).to_sparse()
        if output.layout == torch.sparse_coo
        else torch.randn(output.shape, dtype=output.dtype, generator=generator)
        for output in outputs
    ]
    return differentiate(outputs, leaves, shares)


def by_python(outputs, inputs, shares):
    """What `gradients` of Python's own results are made by."""
    return torch.autograd.grad(outputs, inputs, shares, allow_unused=True)


class Outcome:
    """What one side made of a call: results, the arguments afterwards, gradients, or the error. `call` gets
    positional and named arguments; `finish` makes of a result what may be differentiated; `parameters` gives
    what is differentiated beside the arguments; `in_place` says that the call changes its first one."""

    def __init__(
        self, call, args, kwargs, *, finish=lambda result: result, differentiate=by_python,
        parameters=list, in_place=False,
    ):  # fmt: skip
        leaves = []
        args, kwargs = copies((args, kwargs), leaves, owned=in_place)
        self.error = self.gradient_error = self.gradients = self.results = None
        seed()
        try:
            self.results = call(args, kwargs)
        except Exception as error:
            self.error = error
            return
        self.arguments = (args, kwargs)
        leaves += [parameter for parameter in parameters() if parameter.requires_grad]
        try:
            self.gradients = gradients(finish(self.results), leaves, differentiate) if leaves else None
        except Exception as error:
            self.gradient_error = error


def text(error):
    """An error in one line."""
    return f"{type(error).__name__}: {' '.join(str(error).split())}"


def check(ours, theirs, contents=True):
    """Raises `Different` unless both sides did the same."""
    for mine, other, what in (
        (ours.error, theirs.error, ""),
        (ours.gradient_error, theirs.gradient_error, "gradients: "),
    ):
        if mine is not None and other is None:
            raise Different(what + text(mine))
        if mine is None and other is not None:
            raise Different(f"{what}no error where Python has {text(other)}")
    if theirs.error is not None:
        return
    same(ours.results, theirs.results, contents=contents)
    same(ours.arguments, theirs.arguments, "the arguments afterwards", contents)
    same(ours.gradients, theirs.gradients, "the gradients", contents)
