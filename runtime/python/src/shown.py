"""How Python's objects show themselves, and what helps while a call of one is typed: run in the module of
`bridge.py`, when a script first uses `py`."""

import base64
import inspect
import io
import itertools
import pprint
import re
import sys
import types

# What IPython asks an object for: the method, the MIME type, whether it gives bytes.
REPRESENTATIONS = (
    ("_repr_html_", "text/html"),
    ("_repr_json_", "application/json"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_latex_", "text/latex"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
)
# A collection with more items is shown by its first.
WHOLE = 1000


# The shell of IPython, once a notebook's code has imported that.
shell = None


def represent(value, width):
    """The representations of a value as pairs of MIME type and text; none of one that has shown itself."""
    return as_pairs(describe_value(value, width)[0])


def represent_fully(value, width):
    """As `represent`, and more about the representations: JSON, or None."""
    data, about = describe_value(value, width)
    return as_pairs(data), to_json(about) if about else None  # noqa: F821 - of display.py


def describe_value(value, width):
    """The representations of a value by MIME type, and more about them."""
    found, about = by_protocol(value, width)
    torch = sys.modules.get("torch")
    if found and "text/html" not in found and isinstance(value, getattr(torch, "Tensor", ())):
        html = html_of(value)  # noqa: F821 - made in Rust
        if html is not None:
            found["text/html"] = html
    return found, about


def by_protocol(value, width):
    """What an object shows of itself, by IPython's protocol."""
    if shell is not None:
        return shell.display_formatter.format(value)
    found, about = {}, {}

    def ask(method, *args, **named):
        # Of the class, as Python looks up special methods: an object may answer to any name.
        given = getattr(type(value), method, None)
        try:
            given = given(value, *args, **named) if callable(given) else None
        except Exception as error:
            print(f"{method} of a {type(value).__name__} fails: {error!r}", file=sys.stderr)
            return None, None
        return given if isinstance(given, tuple) else (given, None)

    if callable(getattr(type(value), "_ipython_display_", None)):
        ask("_ipython_display_")
        return {}, {}
    given, told = ask("_repr_mimebundle_", include=None, exclude=None)
    found.update(given or {})
    about.update(told or {})
    for method, mime in REPRESENTATIONS:
        if mime not in found:
            given, told = ask(method)
            if given is not None:
                found[mime] = given
            if told:
                about[mime] = told
    # A figure of matplotlib's has none of these; notebooks know it by name.
    if found.get("image/png") is None and callable(getattr(type(value), "savefig", None)):
        picture = io.BytesIO()
        value.savefig(picture, format="png", bbox_inches="tight")
        found["image/png"] = picture.getvalue()
    if not isinstance(found.get("text/plain"), str):
        found["text/plain"] = plain(value, width)
    return found, about


def as_pairs(data):
    """Representations as pairs of MIME type and text: bytes in base64, what JSON holds as JSON."""
    pairs = []
    for mime, item in data.items():
        if isinstance(item, (str, bytes)):
            pairs.append((mime, as_text(item)))
        elif mime == "application/json" or mime.endswith("+json"):
            pairs.append((mime, to_json(item)))  # noqa: F821 - of display.py
    return pairs


def as_text(data):
    return base64.b64encode(data).decode() if isinstance(data, bytes) else data


def plain(value, width):
    """As `repr`; collections on several lines where they are long, and by their first items where they have many."""
    if type(value) not in (dict, list, tuple, set, frozenset):
        return repr(value)
    if len(value) > WHOLE:
        first = itertools.islice(value.items() if type(value) is dict else value, WHOLE)
        shown = pprint.pformat(type(value)(first), width=width, compact=True, sort_dicts=False)
        return f"{shown}\n{len(value)} items, of which these are the first"
    return pprint.pformat(value, width=width, compact=True, sort_dicts=False)


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
    """The texts that a value can be indexed by: of dictionaries, of data frames and others that tell by IPython's
    protocol, of NumPy's structured arrays."""
    if isinstance(value, dict):
        found = dict.keys(value)
    elif callable(tell := getattr(type(value), "_ipython_key_completions_", None)):
        found = tell(value)
    elif type(value).__module__.partition(".")[0] in ("pandas", "polars"):
        # A data frame is indexed by its columns; both read them from what is there.
        found = getattr(value, "columns", ())
    else:
        kind = held(value, "dtype") if type(value).__module__ != "numpy" else (value.dtype,)
        found = (getattr(kind[0], "names", None) if kind else None) or ()
    return list(itertools.islice((key for key in found if isinstance(key, str)), KEYS))


def call_help(value):
    """Arguments (name, text, whether it can be named, whether it must be), result and first sentence of help;
    nothing where it is not known."""
    if not callable(value):
        return None
    text = inspect.getdoc(value) if isinstance(value, (type, *BINDING, types.MethodType)) else type(value).__doc__
    if isinstance(getattr(value, "__doc__", None), str):
        text = inspect.cleandoc(value.__doc__)
    lines = (text or "").strip().splitlines()
    arguments, result = [], None
    try:
        signature = inspect.signature(value)
    except (TypeError, ValueError):
        # Functions of C say it in their first line.
        name = getattr(value, "__name__", "")
        if lines and name and lines[0].startswith(f"{name}("):
            inside = lines[0][len(name) + 1:].rpartition(")")[0]
            only = False
            for part in filter(None, (part.strip() for part in re.split(r",(?![^\[(]*[\])])", inside))):
                found = re.match(r"\[?(\w+)", part)
                only = only or part == "*"
                if found:
                    arguments.append((found[1], part, "=" in part, only))
    else:
        for parameter in signature.parameters.values():
            kind = parameter.kind
            named = kind in (parameter.POSITIONAL_OR_KEYWORD, parameter.KEYWORD_ONLY)
            arguments.append((parameter.name, str(parameter), named, kind == parameter.KEYWORD_ONLY))
        if signature.return_annotation is not signature.empty:
            result = inspect.formatannotation(signature.return_annotation)
    paragraphs = "\n".join(lines).split("\n\n")
    said = (part for part in paragraphs if part.strip() and not re.match(r"[\w.]+\(", part.strip()))
    sentence = " ".join(next(said, "").split())
    return arguments, result, sentence.partition(". ")[0].rstrip(".") + "." if sentence else None
