"""What helps while code is typed, of scripts and of cells in Python: keys, arguments, help. Run in the module of
`bridge.py`, when a script first uses `py`."""

import inspect
import itertools
import re
import types
from collections.abc import Mapping

# Descriptors that only bind.
BINDING = (
    types.FunctionType, types.BuiltinFunctionType, types.MethodDescriptorType, types.WrapperDescriptorType,
    types.ClassMethodDescriptorType, types.MemberDescriptorType, classmethod, staticmethod,
)


def held(value, name):
    """What `getattr(value, name)` gives, in a tuple, or nothing where reading it may run code: properties,
    `__getattr__` and the like."""
    if type(value) is types.ModuleType or isinstance(value, types.ModuleType):
        names = types.ModuleType.__getattribute__(value, "__dict__")
        return (names[name],) if name in names else ()
    try:
        found = inspect.getattr_static(value, name)
    except AttributeError:
        return ()
    if isinstance(found, BINDING):
        bind = getattr(type(found), "__get__", None)
        owner = (None, value) if isinstance(value, type) else (value, type(value))
        return (found if bind is None else bind(found, *owner),)
    return () if hasattr(type(found), "__get__") else (found,)


# More keys than anybody reads.
KEYS = 1000


def keys(value):
    """The texts that a value can be indexed by: of mappings, of data frames and others that tell by IPython's
    protocol, of NumPy's structured arrays. Its type is asked, as an object may answer to any name."""
    kind = type(value)
    package = kind.__module__.partition(".")[0]
    if isinstance(value, dict):
        found = dict.keys(value)
    elif callable(tell := getattr(kind, "_ipython_key_completions_", None)):
        found = tell(value)
    elif package in ("pandas", "polars"):
        # A data frame is indexed by its columns; both read them from what is there.
        found = getattr(value, "columns", ())
    elif callable(tell := getattr(kind, "keys", None)) and (issubclass(kind, Mapping) or package == "torch"):
        # Tables by their class; torch's containers of modules and parameters.
        found = tell(value)
    else:
        dtype = held(value, "dtype") if kind.__module__ != "numpy" else (value.dtype,)
        found = (getattr(dtype[0], "names", None) if dtype else None) or ()
    return list(itertools.islice((key for key in found if isinstance(key, str)), KEYS))


def parameters(value):
    """The arguments of something that can be called (name, text, whether it can be named, whether it must be, the
    text of its default) and the text of its result's type; nothing where they are not known."""
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        return declared(value), None
    found = []
    for parameter in signature.parameters.values():
        kind = parameter.kind
        named = kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
        default = None if parameter.default is parameter.empty else repr(parameter.default)
        found.append((parameter.name, str(parameter), named, kind == parameter.KEYWORD_ONLY, default))
    result = signature.return_annotation
    return found, None if result is signature.empty else inspect.formatannotation(result)


def declared(value):
    """The arguments that a function of C names in the first line of its documentation."""
    lines, name = documentation(value), getattr(value, "__name__", "")
    if not (lines and name and lines[0].startswith(f"{name}(")):
        return []
    inside = lines[0][len(name) + 1:].rpartition(")")[0]
    found, only = [], False
    for part in filter(None, (part.strip() for part in re.split(r",(?![^\[(]*[\])])", inside))):
        word = re.match(r"\[?(\w+)", part)
        only = only or part == "*"
        if word:
            found.append((word[1], part, "=" in part, only, part.partition("=")[2] or None))
    return found


def documentation(value):
    """The lines that say what a value is; an instance's own before its type's."""
    text = inspect.getdoc(value) if isinstance(value, (type, *BINDING, types.MethodType)) else type(value).__doc__
    if isinstance(getattr(value, "__doc__", None), str):
        text = inspect.cleandoc(value.__doc__)
    return (text or "").strip().splitlines()


def call_help(value):
    """The arguments as `parameters` has them but for the defaults, the result and the first sentence of help; nothing
    where it cannot be called."""
    if not callable(value):
        return None
    arguments, result = parameters(value)
    paragraphs = "\n".join(documentation(value)).split("\n\n")
    said = (part for part in paragraphs if part.strip() and not re.match(r"[\w.]+\(", part.strip()))
    sentence = " ".join(next(said, "").split())
    help = sentence.partition(". ")[0].rstrip(".") + "." if sentence else None
    return [argument[:4] for argument in arguments], result, help
