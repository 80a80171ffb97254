"""What is shorter in Python than through its C interface: run once, when a script first uses `py`."""

import asyncio
import atexit
import builtins
import collections
import collections.abc
import difflib
import importlib.util
import inspect
import io
import linecache
import os
import pydoc
import signal
import sys
import textwrap
import threading
import time
import traceback
import types

# What `py.eval` and `py.exec` see: the names of a module of its own, as `__main__` is in a Python script.
main = sys.modules["__main__"].__dict__


class Stream(io.TextIOBase):
    """`sys.stdout` or `sys.stderr`: what is written goes where a script's `print` goes, at once."""

    encoding = "utf-8"
    errors = "replace"

    def __init__(self, number, name):
        self._number, self.name = number, name

    def write(self, text):
        if not isinstance(text, str):
            raise TypeError(f"write() argument must be str, not {type(text).__name__}")
        emit(self._number, text)  # noqa: F821 - made in Rust
        return len(text)

    def writable(self):
        return True

    def fileno(self):
        return self._number

    def isatty(self):
        return os.isatty(self._number)

    @property
    def buffer(self):
        return Bytes(self)


class Bytes(io.RawIOBase):
    """The binary side of a `Stream`."""

    def __init__(self, stream):
        self._stream = stream

    def writable(self):
        return True

    def write(self, data):
        self._stream.write(bytes(data).decode("utf-8", "replace"))
        return len(data)

    def fileno(self):
        return self._stream.fileno()


class OneTorch:
    """Refuses to import a torch that would bring a second libtorch into the process."""

    def __init__(self, loaded):
        self.loaded = loaded

    def find_spec(self, name, path=None, target=None):
        if name != "torch":
            return None
        sys.meta_path.remove(self)
        try:
            found = importlib.util.find_spec("torch")
        finally:
            sys.meta_path.insert(0, self)
        if found is None or not found.origin:
            return None
        theirs = os.path.realpath(os.path.join(os.path.dirname(found.origin), "lib", "libtorch_cpu.so"))
        if theirs != self.loaded:
            raise ImportError(
                f"{sys.executable} would import torch from {os.path.dirname(found.origin)}, but the libtorch "
                f"that is loaded is {self.loaded}; run the program with --env {sys.prefix}",
                name="torch",
            )
        return None


def start(libtorch, folder, args):
    """Output, the search path and the check of torch, for an interpreter that is the program's own."""
    for number, name in ((1, "stdout"), (2, "stderr")):
        beneath = getattr(sys, name)
        if beneath is not None:
            beneath.flush()
        setattr(sys, name, Stream(number, f"<{name}>"))
    if folder is not None and folder not in sys.path:
        sys.path.insert(0, folder)
    sys.argv = args
    if libtorch is not None:
        sys.meta_path.insert(0, OneTorch(os.path.realpath(libtorch)))
    main.setdefault("__builtins__", builtins)
    offer()  # noqa: F821 - of display.py


def listen():
    """Makes `PyErr_SetInterrupt` raise KeyboardInterrupt in this thread; the caller puts the process's own
    handler back afterwards."""
    signal.signal(signal.SIGINT, signal.default_int_handler)


def listen_elsewhere():
    """For a thread that is not Python's main one, which no signal reaches: an exception that another thread sets
    is raised between two bytecodes, so nothing may sleep for long. Returns the thread's number."""
    sleep = time.sleep

    def in_steps(seconds):
        end = time.monotonic() + seconds
        while seconds > 0.05:
            sleep(0.05)
            seconds = end - time.monotonic()
        sleep(max(seconds, 0))

    in_steps.__name__ = in_steps.__qualname__ = "sleep"
    in_steps.__doc__ = sleep.__doc__
    time.sleep = in_steps
    return threading.get_ident()


def end():
    """What the interpreter would do at its end; it is never finalised."""
    atexit._run_exitfuncs()
    if loop is not None and not loop.is_closed():
        loop.close()


# What becomes of a value whose type is none of Python's own plain ones; the numbers are those of
# `from_python.rs`.
(OBJECT, SCALAR, SEQUENCE, TENSOR, DTYPE, DEVICE, AWAITABLE, VALUE, SLICE, LAYOUT, MEMORY_FORMAT, GENERATOR) = range(
    12
)


def rule(kind):
    """How values of a type cross into scripts."""
    torch = sys.modules.get("torch")
    numpy = sys.modules.get("numpy")
    if torch is not None and hasattr(torch, "Tensor"):
        if issubclass(kind, torch.Tensor):
            return TENSOR
        if kind is torch.dtype:
            return DTYPE
        if kind is torch.device:
            return DEVICE
        if kind is torch.layout:
            return LAYOUT
        if kind is torch.memory_format:
            return MEMORY_FORMAT
        if kind is torch.Generator:
            return GENERATOR
        if kind is torch.Size:
            return SEQUENCE
    if numpy is not None and hasattr(numpy, "generic") and issubclass(kind, numpy.generic):
        plain = (numpy.bool_, numpy.integer, numpy.float16, numpy.float32, numpy.float64, numpy.complex64)
        if issubclass(kind, plain + (numpy.complex128,)) and not issubclass(kind, numpy.timedelta64):
            return SCALAR
    if kind is slice:
        return SLICE
    if kind in NAMED_RESULTS.values():
        return SEQUENCE
    if issubclass(kind, types.CoroutineType):
        return AWAITABLE
    if issubclass(kind, Handle) or hasattr(kind, "_flambeau"):  # noqa: F821 - made in Rust
        return VALUE
    return OBJECT


def entries(value):
    """The pairs of a mapping whose keys are strings, in order; None of anything else."""
    if isinstance(value, collections.abc.Mapping) and all(isinstance(key, str) for key in value):
        return list(value.items())
    return None


# The classes of results with names, by their function and names.
NAMED_RESULTS = {}


def results(function, names, values):
    """Several results of an operator: a tuple, whose items have names too where they are known."""
    if not all(names):
        return tuple(values)
    kind = NAMED_RESULTS.get((function, *names))
    if kind is None:
        kind = NAMED_RESULTS[(function, *names)] = collections.namedtuple(function, names, rename=True)
    return kind._make(values)


def is_module(value):
    """Whether it is a `torch.nn.Module`; none can be before torch was imported."""
    nn = sys.modules.get("torch.nn")
    return nn is not None and isinstance(value, nn.Module)


def register_hook(module, hook, before, prepend):
    """Registers a script's closure; an array that it gives back stands for a tuple, as modules use them."""

    def called(*args):
        result = hook(*args)
        return tuple(result) if isinstance(result, list) else result

    register = module.register_forward_pre_hook if before else module.register_forward_hook
    return register(called, prepend=prepend)


def set_member(module, place, name, value):
    """Sets an entry of `_parameters`, `_buffers` or `_modules`."""
    import torch

    if place == "_parameters" and type(value) is torch.Tensor and value.is_leaf:
        value.__class__ = torch.nn.Parameter
    getattr(module, place)[name] = value


loop = None


def wait(awaitable):
    """Runs a coroutine to its end, all of a session in one event loop. Inside a running loop it stays what it
    is: whoever runs the loop awaits it."""
    global loop
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        pass
    else:
        return awaitable
    if loop is None or loop.is_closed():
        loop = asyncio.new_event_loop()
    return loop.run_until_complete(awaitable)


def constant(name):
    """`torch.NAME`."""
    import torch

    return getattr(torch, name)


def device(name):
    """`torch.device(NAME)`."""
    import torch

    return torch.device(name)


def tensor(value):
    """The tensor that shares its elements with `value`, where that can be: by DLPack or NumPy's array
    interface. A copy of what is read-only, has strides that torch does not know, or another byte order."""
    import torch

    if isinstance(value, torch.Tensor):
        return value
    numpy = sys.modules.get("numpy")
    if numpy is not None and isinstance(value, numpy.generic):
        return torch.tensor(value.item())
    if numpy is None or not isinstance(value, numpy.ndarray):
        if hasattr(value, "__dlpack__"):
            return torch.from_dlpack(value)
        if hasattr(value, "__cuda_array_interface__"):
            return torch.as_tensor(value)
        if not (hasattr(value, "__array_interface__") or hasattr(value, "__array__")):
            return torch.as_tensor(value)
        import numpy

        value = numpy.asarray(value)
    if not value.dtype.isnative:
        value = value.astype(value.dtype.newbyteorder("="))
    if not value.flags.writeable or any(s < 0 or s % value.itemsize for s in value.strides):
        value = value.copy()
    return torch.from_numpy(value)


def data(value):
    """The tensor of what is data by one of the protocols for that, or a list of numbers; None of anything else."""
    protocols = ("__dlpack__", "__array_interface__", "__cuda_array_interface__", "__array__")
    if isinstance(value, (list, tuple)) or any(hasattr(type(value), name) for name in protocols):
        return tensor(value)
    return None


def array(value, force):
    """`Tensor.numpy()`."""
    return value.numpy(force=force)


def evaluate(code):
    """`py.eval`."""
    return eval(compile(inspect.cleandoc(code), "<py.eval>", "eval"), main)


def execute(code):
    """`py.exec`; tracebacks show its lines."""
    global executed
    code = textwrap.dedent(code)
    executed += 1
    name = f"<py.exec {executed}>"
    linecache.cache[name] = (len(code), None, code.splitlines(True), name)
    exec(compile(code, name, "exec"), main)


executed = 0


def help_text(value):
    """What `help()` shows."""
    return pydoc.render_doc(value, title="%s", renderer=pydoc.plaintext)


class RhaiError(Exception):
    """An error of a script, in Python code that called it. `kind` is its kind, `help` what to do."""

    kind = "RuntimeError"
    help = None


class Stopped(BaseException):
    """A limit in a script that Python called and that a script has called: not for `except Exception`."""


# Errors of scripts are also what Python code expects of their kind.
BASES = {
    "NameError": NameError,
    "TypeError": TypeError,
    "ShapeError": RuntimeError,
    "IndexError": IndexError,
    "KeyError": KeyError,
    "ValueError": ValueError,
    "DeviceError": RuntimeError,
    "OutOfMemoryError": MemoryError,
    "IoError": OSError,
    "PermissionError": PermissionError,
    "SyntaxError": SyntaxError,
    "ArithmeticError": ArithmeticError,
    "NotImplementedError": NotImplementedError,
    "RuntimeError": RuntimeError,
    "LimitError": RuntimeError,
}
RhaiError.__module__ = "flambeau"


def new_class(kind):
    """`flambeau.RhaiValueError` for `ValueError`."""
    bases = (RhaiError, BASES[kind]) if kind in BASES else (RhaiError,)
    body = {"kind": kind, "__str__": Exception.__str__, "__module__": "flambeau"}
    return type(f"Rhai{kind}", bases, body)


CLASSES = {kind: new_class(kind) for kind in BASES}


def rhai_error(kind, message, help, nested, handle):
    """The exception for an error of a script, which `handle` keeps. `nested`: a script has called the Python
    code that is to see it."""
    if kind == "LimitError" and nested:
        error = Stopped(message)
    else:
        if kind not in CLASSES:
            CLASSES[kind] = new_class(kind)
        error = CLASSES[kind](message)
        error.help = help
    if handle is not None:
        error._flambeau = Value(handle, kind)
    return error


def trace(error, frames):
    """Adds a script's calls, outermost first, to an exception's traceback, as if they were Python's own."""
    for name, file, line, text in reversed(frames):
        if not os.path.exists(file):
            # Beside the lines of other frames in it.
            lines = list(linecache.cache.get(file, (0, None, []))[2])
            lines += ["\n"] * (line - len(lines))
            lines[line - 1] = text + "\n"
            linecache.cache[file] = (len(lines), None, lines, file)
        code = compile("\n" * (line - 1) + "raise error", file, "exec").replace(co_name=name or "<script>")
        if sys.version_info >= (3, 11):
            # Without columns: those of `raise error` would be drawn under the script's text. Each entry stands
            # for up to eight instructions and says "the same line, no column".
            units = len(code.co_code) // 2
            table = b"".join(bytes((0x80 | 13 << 3 | min(8, units - at) - 1, 0)) for at in range(0, units, 8))
            code = code.replace(co_firstlineno=line, co_linetable=table)
        try:
            exec(code, {"error": error})
        except BaseException as raised:
            raised.__traceback__ = raised.__traceback__.tb_next
    return error


class Value(Handle):  # noqa: F821 - made in Rust
    """A value of a script that Python has no counterpart for: it comes back as the same value."""

    def __init__(self, handle, text):
        self._text = text

    def __repr__(self):
        return self._text

    def __call__(self, *args, **kwargs):
        raise TypeError(f"{self._text} is not callable")


class Function(Handle):  # noqa: F821 - made in Rust
    """A closure, a function or another callable of a script; a call may come from any thread."""

    def __init__(self, handle, text, name):
        self._text = text
        self.__name__ = self.__qualname__ = name
        self.__doc__ = f"{name}: a function of a script"

    def __repr__(self):
        return self._text


KINDS = (
    (KeyboardInterrupt, "KeyboardInterrupt"),
    (MemoryError, "OutOfMemoryError"),
    (KeyError, "KeyError"),
    (IndexError, "IndexError"),
    (AttributeError, "NameError"),
    (NameError, "NameError"),
    (TypeError, "TypeError"),
    (PermissionError, "PermissionError"),
    (OSError, "IoError"),
    (ImportError, "IoError"),
    (SyntaxError, "SyntaxError"),
    (NotImplementedError, "NotImplementedError"),
    (ArithmeticError, "ArithmeticError"),
    (ValueError, "ValueError"),
)


def describe(error):
    """An exception for a script: its class, the kind that comes nearest, its text, help, and the calls that
    led to it, outermost first."""
    kind = next((name for known, name in KINDS if isinstance(error, known)), "RuntimeError")
    frames = []
    for frame in traceback.extract_tb(error.__traceback__):
        if frame.filename != "<flambeau>" and not frame.filename.startswith("<frozen importlib"):
            frames.append((frame.name, frame.filename, frame.lineno or 0, frame.line or ""))
    help = getattr(error, "help", None) if isinstance(error, RhaiError) else near(error)
    if isinstance(error, KeyError) and len(error.args) == 1:
        message = f"there is no {error.args[0]!r}"
    elif isinstance(error, SyntaxError) and error.text:
        message = f"{error.msg}: {error.text.strip()} (line {error.lineno})"
    else:
        message = str(error)
    notes = getattr(error, "__notes__", ())
    message = "\n".join([message, *map(str, notes)]).strip()
    return type(error).__name__, kind, message or type(error).__name__, help, frames


def near(error):
    """What the name could have been that an exception is about."""
    name = getattr(error, "name", None)
    if not isinstance(name, str):
        return None
    if isinstance(error, AttributeError):
        known = dir(getattr(error, "obj", None))
    elif isinstance(error, NameError):
        known = [*main, *dir(builtins)]
    elif isinstance(error, ModuleNotFoundError):
        return f"install it with: {sys.executable} -m pip install {name.partition('.')[0]}"
    else:
        return None
    found = difflib.get_close_matches(name, [str(n) for n in known], 1)
    return f"did you mean '{found[0]}'?" if found else None


def leave(manager, error):
    """`__exit__` with what ended the block; whether that is over."""
    leave = type(manager).__exit__
    if error is None:
        return bool(leave(manager, None, None, None))
    return bool(leave(manager, type(error), error, error.__traceback__))
