"""How Python's objects show themselves: run in the module of `bridge.py`, when a script first uses `py`."""

import base64
import io
import itertools
import pprint
import sys

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
