"""`display` and its kin for Python code, with IPython and without: run in the module of `bridge.py`, when a script
first uses `py`. `show` and `clear` come from `front_end.rs`."""

import builtins
import json
import math
import numbers
import uuid

# Columns of a notebook.
WIDTH = 80


class DisplayHandle:
    """By which something that is shown can be shown anew, as IPython's."""

    def __init__(self, display_id):
        self.display_id = display_id

    def display(self, value, **options):
        """Shows a value once more, with the same id."""
        display(value, display_id=self.display_id, **options)

    def update(self, value, **options):
        """Shows a value in the place of what was shown."""
        update_display(value, display_id=self.display_id, **options)


def display(
    *values,
    include=None,
    exclude=None,
    metadata=None,
    transient=None,
    display_id=None,
    raw=False,
    clear=False,
    update=False,
):
    """Shows values as the end of a cell does. With `display_id`, a text or True for a new one, `update_display` can
    put something else in their place; a handle for that comes back."""
    if clear:
        clear_output(wait=True)
    handle = None
    if display_id is not None and display_id is not False:
        handle = DisplayHandle(uuid.uuid4().hex if display_id is True else display_id)
    for value in values:
        data, told = (value, {}) if raw else describe_value(value, WIDTH)  # noqa: F821 - of shown.py
        if include is not None:
            data = {mime: item for mime, item in data.items() if mime in include or mime == "text/plain"}
        if exclude is not None:
            data = {mime: item for mime, item in data.items() if mime not in exclude}
        publish(data, {**told, **(metadata or {})}, handle and handle.display_id, update)
    return handle


def update_display(value, display_id, **options):
    """Shows a value in the place of what was shown with that id."""
    display(value, display_id=display_id, update=True, **options)


def clear_output(wait=False):
    """Takes away what the cell has shown so far; with `wait` only when something else is shown."""
    clear(bool(wait))  # noqa: F821 - made in Rust


def publish(data, metadata=None, display_id=None, update=False):
    """Shows a dict of representations by MIME type; nothing where there is none."""
    if data:
        show(as_pairs(data), to_json(metadata) if metadata else None, display_id, update)  # noqa: F821 - in Rust


def to_json(value):
    """JSON as browsers read it: numbers that are none are texts."""
    try:
        return json.dumps(value, default=plainly, allow_nan=False)
    except ValueError:
        return json.dumps(without_nan(value), default=plainly)


def plainly(value):
    """What stands in JSON for a value that it does not know."""
    if isinstance(value, numbers.Integral):
        return int(value)
    if isinstance(value, numbers.Real):
        return float(value)
    if isinstance(value, bytes):
        return as_text(value)  # noqa: F821 - of shown.py
    if hasattr(value, "isoformat"):
        return value.isoformat()
    if hasattr(value, "__iter__"):
        return list(value)
    raise TypeError(f"a {type(value).__name__} is nothing that JSON knows")


def without_nan(value):
    if isinstance(value, float) and not math.isfinite(value):
        return repr(value)
    if isinstance(value, dict):
        return {key: without_nan(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [without_nan(item) for item in value]
    return value


def offer():
    """Has all code find the functions, as IPython has its `display` found."""
    for function in (display, update_display, clear_output):
        setattr(builtins, function.__name__, function)
