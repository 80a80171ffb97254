"""Modules of scripts as instances of `torch.nn.Module`: run once, when the first of them comes to Python.

A script's module keeps its state: parameters, buffers, submodules, settings, the training flag. What is here
reads and writes it through `ask`. What only Python knows (hooks, private attributes) lies in the instance's
`__dict__`, which the script's module keeps too: the instance may go and come back, as itself.
"""

import collections.abc
import copy
import functools
import types
import weakref

import torch
from torch.nn import Module, Parameter

PARAMETER, BUFFER, MODULE = range(3)

# The instances that Python holds, by the identity of the script's module.
known = weakref.WeakValueDictionary()


def find(identity):
    """The instance for a module of a script, where Python holds one."""
    return known.get(identity)


class Items(collections.abc.ItemsView):
    """`items()`, in one question."""

    def __iter__(self):
        return iter(self._mapping._pairs())


class Values(collections.abc.ValuesView):
    """`values()`, in one question."""

    def __iter__(self):
        return iter([value for _, value in self._mapping._pairs()])


class View(collections.abc.MutableMapping, dict):
    """`_parameters`, `_buffers` or `_modules`: a dict by its type, because torch asks for that, whose entries
    are those of the script's module."""

    __slots__ = ("_owner", "_part", "_plain")

    def __init__(self, owner, part):
        self._owner, self._part = weakref.ref(owner), part
        # Tensors that Python put in the place of parameters and that are none: torch.func does so.
        self._plain = {}

    def _ask(self, what, *args):
        owner = self._owner()
        if owner is None:
            raise ReferenceError("the module that these belong to is gone")
        return ask(owner._flambeau, what, self._part, *args)

    def _of(self, owner):
        """The same for somebody who holds it without its module."""
        held = View(owner, self._part)
        held._owner, held._plain = lambda: owner, self._plain
        return held

    def _shown(self, name, value):
        if self._part == MODULE:
            # As long as Python holds a module, it holds those below.
            self._owner()._held[name] = value
        if self._part == PARAMETER and type(value) is torch.Tensor and self._plain.get(name) is not value:
            value.__class__ = Parameter
        return value

    def _pairs(self):
        return [(name, self._shown(name, value)) for name, value in self._ask("items")]

    def __getitem__(self, name):
        return self._shown(name, self._ask("get", name))

    def __setitem__(self, name, value):
        if self._part == PARAMETER and type(value) is torch.Tensor:
            self._plain[name] = value
        else:
            self._plain.pop(name, None)
        self._ask("set", name, value)
        if name == "parametrizations":
            ask(self._owner()._flambeau, "outer", outer)

    def __delitem__(self, name):
        self._plain.pop(name, None)
        self._ask("remove", name)
        if self._part == MODULE:
            self._owner()._held.pop(name, None)

    def __contains__(self, name):
        return isinstance(name, str) and self._ask("has", name)

    def __iter__(self):
        return iter([name for name, _ in self._ask("items")])

    def __reversed__(self):
        return reversed(list(self))

    def __len__(self):
        return len(self._ask("items"))

    def items(self):
        return Items(self)

    def values(self):
        return Values(self)

    def copy(self):
        return dict(self._pairs())

    def replace(self, entries):
        """Puts these entries in place of all."""
        entries = list(entries.items())
        self.clear()
        self.update(entries)

    def __or__(self, other):
        return self.copy() | dict(other)

    def __ror__(self, other):
        return dict(other) | self.copy()

    def __ior__(self, other):
        self.update(other)
        return self

    def __repr__(self):
        return repr(self.copy())

    def __reduce__(self):
        return dict, (self.copy(),)

    __reduce_ex__ = lambda self, protocol: self.__reduce__()


class NonPersistent(collections.abc.MutableSet, set):
    """`_non_persistent_buffers_set`."""

    __slots__ = ("_owner",)
    _from_iterable = set

    def __init__(self, owner):
        self._owner = weakref.ref(owner)

    def _names(self):
        owner = self._owner()
        return [name for name in owner._buffers if not ask(owner._flambeau, "persistent", name)]

    def __contains__(self, name):
        return name in self._names()

    def __iter__(self):
        return iter(self._names())

    def __len__(self):
        return len(self._names())

    def add(self, name):
        ask(self._owner()._flambeau, "set persistent", name, False)

    def discard(self, name):
        ask(self._owner()._flambeau, "set persistent", name, True)

    def copy(self):
        return set(self._names())

    def __reduce_ex__(self, protocol):
        return set, (self.copy(),)


# What stands for itself in an instance's `__dict__`: all that torch's constructor sets, but for the views.
VIEWS = {"_parameters": PARAMETER, "_buffers": BUFFER, "_modules": MODULE}


def tupled(value):
    """Arrays as the tuples that modules of PyTorch give."""
    if not isinstance(value, (list, tuple)):
        return value
    # Several results of an operator keep their names.
    return getattr(value, "_make", tuple)(map(tupled, value))


def method(name):
    """torch's own registration of a hook; scripts that call the module go through Python from then on."""
    register = getattr(Module, name)

    @functools.wraps(register)
    def registered(self, *args, **kwargs):
        handle = register(self, *args, **kwargs)
        ask(self._flambeau, "outer", outer)
        return handle

    return registered


def computed(module):
    """Tensors in the place of parameters that Python computes for each call: what parametrizations give, and
    what hooks such as those of pruning have set."""
    tensors = {name: value for name, value in module.__dict__.items() if isinstance(value, torch.Tensor)}
    if "parametrizations" in module._modules:
        tensors.update({name: getattr(module, name) for name in module.parametrizations})
    return tensors


def is_outer(module):
    """Whether a call of the module has anything to run that only Python knows."""
    hooks = ("_forward_hooks", "_forward_pre_hooks", "_backward_hooks", "_backward_pre_hooks", "forward")
    return any(module.__dict__.get(name) for name in hooks) or bool(computed(module))


def outer(module, *args, **kwargs):
    """How a script calls a module that Python knows more of."""
    if not is_outer(module):
        ask(module._flambeau, "outer", None)
    return module(*args, **kwargs)


def restored(name):
    """torch.nn.Module's own method, where a layer of torch's has another that knows its private state."""
    return getattr(Module, name)


class Mirror(Module):
    """A module of a script."""

    __slots__ = ("_flambeau", "_calling", "_held")

    def __new__(cls, *args, **kwargs):
        # A slice of a container makes one of its own class: that is Python's.
        base = next(base for base in cls.__mro__ if not issubclass(base, Mirror))
        return base(*args, **kwargs)

    @property
    def training(self):
        return ask(self._flambeau, "training")

    @training.setter
    def training(self, mode):
        ask(self._flambeau, "set training", mode)

    _parameters = property(lambda self: self.__dict__["_parameters"]._of(self))
    _buffers = property(lambda self: self.__dict__["_buffers"]._of(self))
    _modules = property(lambda self: self.__dict__["_modules"]._of(self))

    def __call__(self, *args, **kwargs):
        object.__setattr__(self, "_calling", True)
        try:
            return Module.__call__(self, *args, **kwargs)
        finally:
            object.__setattr__(self, "_calling", False)

    def forward(self, *args, **kwargs):
        # Hooks of scripts are part of a call, as Python's are.
        hooks = self._calling
        object.__setattr__(self, "_calling", False)
        tensors = computed(self)
        self._parameters.update(tensors)
        try:
            return tupled(ask(self._flambeau, "run", args, kwargs, hooks))
        finally:
            for name in tensors:
                del self._parameters[name]

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self)
        try:
            value = ask(self._flambeau, "attribute", name)
        except KeyError:
            raise AttributeError(
                f"'{type(self).__name__}' object has no attribute '{name}'", name=name, obj=self
            ) from None
        if isinstance(value, Module):
            return self.__dict__["_modules"]._shown(name, value)
        if type(value) is torch.Tensor:
            parameters = self.__dict__["_parameters"]
            return parameters._shown(name, value) if name in parameters else value
        return tupled(value) if self._is_native else value

    def __setattr__(self, name, value):
        if name in VIEWS:
            self.__dict__[name].replace(value)
        elif isinstance(value, (Parameter, Module, torch.nn.Buffer)) or any(name in self.__dict__[v] for v in VIEWS):
            known = any(name in self.__dict__[view] for view in VIEWS)
            if not known and self.__dict__.pop(name, None) is None:
                ask(self._flambeau, "remove attribute", name)
            Module.__setattr__(self, name, value)
        elif name.startswith("_") or hasattr(type(self), name):
            object.__setattr__(self, name, value)
            if name == "__class__":
                # Parametrizations give every module a class of its own.
                self.__dict__["_class"] = value
            elif name == "forward":
                ask(self._flambeau, "outer", outer)
        elif self._is_native and isinstance(value, torch.Tensor):
            self.__dict__[name] = value
            ask(self._flambeau, "outer", outer)
        else:
            ask(self._flambeau, "set attribute", name, value)

    def __delattr__(self, name):
        if name in self.__dict__ or any(name in self.__dict__[view] for view in VIEWS):
            Module.__delattr__(self, name)
        elif not ask(self._flambeau, "remove attribute", name):
            raise AttributeError(name, name=name, obj=self)

    def __dir__(self):
        names = {*Module.__dir__(self), *ask(self._flambeau, "attributes")}
        return sorted(name for name in names if name.isidentifier())

    def __repr__(self):
        return ask(self._flambeau, "display")

    def extra_repr(self):
        text = ask(self._flambeau, "display")
        return "" if len(self._modules) else text[text.index("(") + 1 : -1]

    def __copy__(self):
        return self._copied(lambda value: value)

    def __deepcopy__(self, memo):
        return self._copied(lambda value: copy.deepcopy(value, memo), memo)

    def _copied(self, copied, memo=None):
        new = ask(self._flambeau, "blank")
        if memo is not None:
            memo[id(self)] = new
        for name, value in self.__dict__.items():
            if not isinstance(value, (View, NonPersistent)):
                new.__dict__[name] = copied(value)
        object.__setattr__(new, "__class__", type(self))
        for view in VIEWS:
            for name, value in self.__dict__[view].items():
                new.__dict__[view][name] = copied(value)
        for name in self.__dict__["_non_persistent_buffers_set"]:
            new.__dict__["_non_persistent_buffers_set"].add(name)
        for name in ask(self._flambeau, "attributes"):
            value = getattr(self, name)
            if isinstance(value, torch.Tensor) and not any(name in self.__dict__[view] for view in VIEWS):
                ask(new._flambeau, "set attribute", name, copied(value))
        if is_outer(new):
            ask(new._flambeau, "outer", outer)
        return new

    def __reduce_ex__(self, protocol):
        raise TypeError(
            f"a {type(self).__name__} of a script cannot be pickled: save its state_dict(), and load that into "
            "the module that the script makes"
        )

    _apply = restored("_apply")
    __setstate__ = restored("__setstate__")
    _replicate_for_data_parallel = restored("_replicate_for_data_parallel")
    register_forward_pre_hook = method("register_forward_pre_hook")
    register_forward_hook = method("register_forward_hook")
    register_full_backward_pre_hook = method("register_full_backward_pre_hook")
    register_full_backward_hook = method("register_full_backward_hook")
    register_backward_hook = method("register_backward_hook")


def uncompiled():
    """Tells torch.compile that nothing here is Python code that it could make faster."""
    frames = torch._C._dynamo.eval_frame
    # What they call may well be.
    skip = frames._FrameExecStrategy(frames._FrameAction.SKIP, frames._FrameAction.DEFAULT)
    for kind in (View, NonPersistent, Mirror, Items, Values):
        for value in vars(kind).values():
            functions = (value.fget, value.fset) if isinstance(value, property) else (value,)
            for function in functions:
                if isinstance(function, types.FunctionType):
                    function._torchdynamo_disable = True
                    function._torchdynamo_disable_msg = "the module is a script's"
                    frames.set_code_exec_strategy(function.__code__, skip)


uncompiled()


class List(Mirror):
    """A ParameterList, whose own class counts its entries itself."""

    __slots__ = ()

    def __len__(self):
        return len(self._parameters)

    def append(self, value):
        self.register_parameter(str(len(self)), value if isinstance(value, Parameter) else Parameter(value))
        return self


class Dict(Mirror):
    """A ParameterDict, whose own class keeps its names itself."""

    __slots__ = ()

    @property
    def _keys(self):
        return dict.fromkeys(self._parameters)


class Recurrent(Mirror):
    """A recurrent layer, whose own class keeps its weights in a list too."""

    __slots__ = ()

    def flatten_parameters(self):
        pass


SPECIAL = {"ParameterList": List, "ParameterDict": Dict, "RNN": Recurrent, "LSTM": Recurrent, "GRU": Recurrent}


@functools.cache
def class_of(kind, name):
    """The class of modules of a kind: a subclass of torch's layer, where that is one."""
    own = SPECIAL.get(kind, Mirror)
    base = getattr(torch.nn, kind, Module)
    bases = (own,) if base is Module else (own, base)
    body = {"__slots__": (), "__module__": "flambeau.nn", "_is_native": base is not Module}
    return type(name, bases, body)


def make(handle, identity, kind, name, kept):
    """The instance for a module of a script, to which Python has this handle. `kept` is what the last instance
    left there."""
    self = object.__new__(kept["_class"] if kept and "_class" in kept else class_of(kind, name))
    object.__setattr__(self, "_flambeau", handle)
    object.__setattr__(self, "_calling", False)
    object.__setattr__(self, "_held", {})
    if kept is None:
        kept = {name: value for name, value in Module().__dict__.items() if name != "training"}
    kept.update({view: View(self, part) for view, part in VIEWS.items()})
    kept["_non_persistent_buffers_set"] = NonPersistent(self)
    object.__setattr__(self, "__dict__", kept)
    known[identity] = self
    return self
