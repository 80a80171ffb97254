"""Calls of Python's torch as the same calls of a script.

Every shape of a call (function, number of positional arguments, names of the others) is written once as a file
with one function, which the script imports and calls.
"""

import contextlib
import inspect
import operator
import os
import types
from unittest import mock

import torch
from torch.overrides import TorchFunctionMode, _pop_mode_temporarily

# Where scripts find functions under the same dotted name; the first place that has one is taken.
PLACES = (
    ("torch", torch),
    ("torch.nn.functional", torch.nn.functional),
    ("torch.linalg", torch.linalg),
    ("torch.fft", torch.fft),
    ("torch.special", torch.special),
    ("torch.sparse", torch.sparse),
    ("torch.nested", torch.nested),
    ("torch.masked", torch.masked),
    ("torch.signal.windows", torch.signal.windows),
)
# What both languages write with a sign, by the name that Python's `operator` has for it.
SIGNS = {
    "add": "+", "sub": "-", "mul": "*", "truediv": "/", "mod": "%", "pow": "**", "matmul": "@", "and_": "&",
    "or_": "|", "xor": "^", "lshift": "<<", "rshift": ">>", "eq": "==", "ne": "!=", "lt": "<", "le": "<=",
    "gt": ">", "ge": ">=",
}  # fmt: skip


class NoCounterpart(Exception):
    """A call that no script can write."""


def find_names():
    """The dotted name of every function of the places, `.name` for methods of tensors."""
    names = {}
    for space, module in PLACES:
        # Public names before others of the same function.
        for name in sorted(dir(module), key=lambda name: (name.startswith("_"), name)):
            value = getattr(module, name, None)
            if callable(value) and not isinstance(value, type) and value.__hash__ is not None:
                names.setdefault(value, f"{space}.{name}")
    for name in dir(torch.Tensor):
        value = inspect.getattr_static(torch.Tensor, name)
        if callable(value) and not name.startswith("__"):
            names.setdefault(getattr(torch.Tensor, name), f".{name}")
    for name, sign in SIGNS.items():
        plain = name.strip("_")
        names[getattr(operator, name)] = f"a {sign} b"
        names.setdefault(getattr(torch.Tensor, f"__{plain}__"), f"a {sign} b")
        reflected = getattr(torch.Tensor, f"__r{plain}__", None)
        if reflected is not None:
            names.setdefault(reflected, f"b {sign} a")
    names[operator.neg] = "-a"
    names[operator.abs] = "abs"
    names[operator.getitem] = names[torch.Tensor.__getitem__] = "a[b]"
    return names


NAMES = find_names()


def lookup(name):
    """What `torch.name` is, and the module or class that holds it; `None` where there is none."""
    holder, found = None, torch
    for part in name.split("."):
        holder, found = found, getattr(found, part, None)
    return found, holder


def name_of(function, preferred=None):
    """How scripts call `function`; `preferred` is a dotted name to take if it means the same."""
    if preferred is not None and not preferred.startswith(("_", "torch.")):
        if lookup(preferred)[0] is function:
            return f"torch.{preferred}"
    if isinstance(function, torch._ops.OpOverloadPacket):
        return f"torch.ops.{str(function).replace('::', '.')}"
    if isinstance(function, torch._ops.OpOverload):
        return f"torch.ops.{function}"
    owner = getattr(function, "__self__", None)
    if inspect.isgetsetdescriptor(owner) or isinstance(owner, property):
        # The getter of `Tensor.T`.
        name = owner.fget.__name__ if isinstance(owner, property) else owner.__name__
        return f"a.{name}"
    try:
        return NAMES.get(function)
    except TypeError:
        return None


def written(name, count, keywords):
    """The text of a call with `count` positional arguments, whose values are `x0`, `x1`, …, and then those of
    the keywords."""
    values = [f"x{i}" for i in range(count)]
    named = [f"{keyword}: x{count + i}" for i, keyword in enumerate(keywords)]
    if " " in name and len(values) == 2:
        first, sign, _ = name.split()
        return f"x0 {sign} x1" if first == "a" else f"x1 {sign} x0"
    if name == "-a":
        return "-x0"
    if name == "call":
        return f"x0({', '.join(values[1:] + named)})"
    if name == "state":
        return "let state = x0.state_dict(); state.keys().map(|key| [key, state[key]])"
    if name == "a[b]":
        return "x0[x1]"
    if name.startswith("a."):
        return f"x0{name[1:]}"
    if name.startswith("."):
        if not values:
            raise NoCounterpart(f"{name} without positional arguments")
        return f"x0{name}({', '.join(values[1:] + named)})"
    return f"{name}({', '.join(values + named)})"


class Script:
    """The script's side: `call(path, values)` is a closure of it, `folder` is for the files."""

    def __init__(self, call, folder):
        self._call, self._folder, self._paths = call, folder, {}

    def __call__(self, name, args, kwargs):
        """Calls what scripts know by `name`."""
        shape = (name, len(args), tuple(kwargs))
        path = self._paths.get(shape)
        if path is None:
            path = self._paths[shape] = self._write(*shape)
        values = [*args, *kwargs.values()]
        if name == "a[b]":
            values[1] = index(values[1])
        return self._call(path, values)

    def _write(self, name, count, keywords):
        path = os.path.join(self._folder, f"call_{len(self._paths)}.rhai")
        lines = [f"let x{i} = values[{i}];" for i in range(count + len(keywords))]
        body = " ".join([*lines, written(name, count, keywords)])
        with open(path, "w", encoding="utf-8") as file:
            file.write(f"fn made(values) {{ {body} }}\n")
        return path


def index(item):
    """An index as scripts write it: an array has one index per dimension, `()` is `:`."""
    if item is None:
        raise NoCounterpart("None as an index")
    if isinstance(item, tuple):
        return [index_part(part) for part in item]
    if item is ...:
        return "..."
    return [item] if isinstance(item, list) else item


def index_part(part):
    if part is None:
        raise NoCounterpart("None as an index")
    if part is ...:
        return "..."
    return part


class Redirected(TorchFunctionMode):
    """Hands every function of torch that is called inside to the script; `seen` are their names. `name` is a
    function that is replaced meanwhile: some that are written in Python ask nobody."""

    def __init__(self, script, name):
        super().__init__()
        self.script, self.seen = script, []
        found, holder = lookup(name)
        self.replaced = contextlib.nullcontext()
        if isinstance(found, types.FunctionType) and name_of(found) is not None:

            def instead(*args, **kwargs):
                # Python's own function may ask under the name that is replaced.
                active = torch._C._len_torch_function_stack() > 0
                with _pop_mode_temporarily() if active else contextlib.nullcontext():
                    return self.__torch_function__(found, (), args, kwargs)

            self.replaced = mock.patch.object(holder, name.rpartition(".")[2], instead)

    def __enter__(self):
        self.replaced.__enter__()
        return super().__enter__()

    def __exit__(self, *error):
        super().__exit__(*error)
        self.replaced.__exit__(*error)

    def __torch_function__(self, function, types, args=(), kwargs=None):
        name = name_of(function)
        if name is None:
            return function(*args, **(kwargs or {}))
        self.seen.append(name)
        return self.script(name, args, kwargs or {})
