"""How Python's objects show themselves: run in the module of `bridge.py`, when a script first uses `py`."""

import base64
import io
import itertools
import pprint
import sys

# What IPython asks an object for: the method, the MIME type, whether it gives bytes.
REPRESENTATIONS = (
    ("_repr_html_", "text/html"),
    ("_repr_markdown_", "text/markdown"),
    ("_repr_latex_", "text/latex"),
    ("_repr_svg_", "image/svg+xml"),
    ("_repr_png_", "image/png"),
    ("_repr_jpeg_", "image/jpeg"),
)
# A collection with more items is shown by its first.
WHOLE = 1000


def represent(value, width):
    """The representations of a value as pairs of MIME type and text, by IPython's protocol; bytes in base64."""
    found = {}

    def ask(method, *args, **named):
        # Of the class, as Python looks up special methods: an object may answer to any name.
        given = getattr(type(value), method, None)
        try:
            return given(value, *args, **named) if callable(given) else None
        except Exception as error:
            print(f"{method} of a {type(value).__name__} fails: {error!r}", file=sys.stderr)
            return None

    given = ask("_repr_mimebundle_", include=None, exclude=None)
    given = given[0] if isinstance(given, tuple) else given
    found.update(given or {})
    for method, mime in REPRESENTATIONS:
        if mime not in found:
            given = ask(method)
            found[mime] = given[0] if isinstance(given, tuple) else given
    # A figure of matplotlib's has none of these; notebooks know it by name.
    if found.get("image/png") is None and callable(getattr(type(value), "savefig", None)):
        picture = io.BytesIO()
        value.savefig(picture, format="png", bbox_inches="tight")
        found["image/png"] = picture.getvalue()
    if not isinstance(found.get("text/plain"), str):
        found["text/plain"] = plain(value, width)
    return [(mime, as_text(data)) for mime, data in found.items() if isinstance(data, (str, bytes))]


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
