"""What Python code expects of a notebook: questions to the user, comms for widgets, IPython's shell where IPython is
there, figures of matplotlib at the end of a cell. Run in the module of `bridge.py` where the front end is one."""

import base64
import builtins
import importlib
import importlib.util
import inspect
import json
import os
import sys

# What is called behind every cell.
at_end = []


class StdinNotImplementedError(NotImplementedError):
    """`input` where the front end asks no questions; ipykernel's has the same name."""


def question(prompt, secret):
    """The line that the user types. Between two looks for it Ctrl-C is raised."""
    asked = ask(str(prompt), secret)  # noqa: F821 - made in Rust
    while True:
        answer = answered(asked)  # noqa: F821 - made in Rust
        if answer is not None:
            break
    kind, line = answer
    if kind == "line":
        return line
    if kind == "end":
        raise EOFError("there is no more to be read")
    known = sys.modules.get("IPython.core.error")
    error = getattr(known, "StdinNotImplementedError", StdinNotImplementedError)
    raise error("input was called, but this front end does not take questions")


def read_line(prompt="", /):
    """`input`: shows the prompt and gives the line that the user types."""
    return question(prompt, False)


def read_secret(prompt="Password: ", stream=None, **_):
    """`getpass.getpass`: what is typed is not seen."""
    return question(prompt, True)


class Imports:
    """A finder that has a function called with every module of some that was imported. A function that is a generator
    runs to its `yield` before."""

    def __init__(self, hooks):
        self.hooks, self.searches = hooks, set()

    def find_spec(self, name, path=None, target=None):
        if name not in self.hooks or name in self.searches:
            return None
        self.searches.add(name)
        try:
            spec = importlib.util.find_spec(name)
        finally:
            self.searches.discard(name)
        if spec is None or spec.loader is None:
            return None
        execute = spec.loader.exec_module

        def exec_module(module):
            hook = self.hooks.pop(name, None)
            if hook is None:
                return execute(module)
            if not inspect.isgeneratorfunction(hook):
                execute(module)
                return hook(module)
            around = hook(module)
            next(around)
            try:
                execute(module)
            finally:
                next(around, None)

        spec.loader.exec_module = exec_module
        return spec


# Of the package `comm`, once that is imported.
manager = None


def with_comm(module):
    """Comms of the package `comm` go by way of this kernel, as it foresees."""
    global manager

    class Comm(module.BaseComm):
        """One end of a channel to the front end."""

        def publish_msg(self, msg_type, data=None, metadata=None, buffers=None, **keys):
            pieces = [base64.b64encode(memoryview(piece).cast("B")).decode() for piece in buffers or ()]
            content, about = to_json(data or {}), to_json(metadata or {})  # noqa: F821 - of display.py
            send_comm(msg_type, self.comm_id, keys.get("target_name"), content, about, pieces)  # noqa: F821 - in Rust

        def handle_msg(self, msg):
            # The package's own asks IPython, which need not be there; what is due behind a message comes later.
            if self._msg_callback:
                self._msg_callback(msg)

    manager = module.CommManager()
    module.create_comm = Comm
    module.get_comm_manager = lambda: manager


def comm_message(kind, comm, text, pieces):
    """A message of the front end's has come; one that opens a comm which nobody knows is answered by its end."""
    if manager is None:
        if kind == "comm_open":
            send_comm("comm_close", comm, None, "{}", "{}", [])  # noqa: F821 - in Rust
        return
    message = json.loads(text)
    message["buffers"] = [memoryview(base64.b64decode(piece)) for piece in pieces]
    if kind == "comm_open" or comm in manager.comms:
        getattr(manager, kind)(None, None, message)
        cell_ended()


class Kernel:
    """What widgets ask of a kernel."""

    def get_parent(self, channel=None):
        """The request that is served, as far as it is known here."""
        return {"header": json.loads(parent()), "content": {}}  # noqa: F821 - made in Rust


def with_ipython(module):
    """Has IPython's own functions show through this kernel, and `get_ipython()` find a shell: what widgets and
    matplotlib's inline backend look for. No cell runs in it."""
    global shell
    from IPython.core.displaypub import DisplayPublisher
    from IPython.core.interactiveshell import InteractiveShell
    from traitlets.config import Config

    class Publisher(DisplayPublisher):
        """Where `IPython.display.display` puts things."""

        def publish(self, data, metadata=None, source=None, *, transient=None, update=False, **_):
            publish(data, metadata, (transient or {}).get("display_id"), update)  # noqa: F821 - of display.py

        def clear_output(self, wait=False):
            clear(bool(wait))  # noqa: F821 - made in Rust

    class ZMQInteractiveShell(InteractiveShell):
        """IPython's shell without what belongs to running cells: its names stay out of the session's, and it
        writes no history. By the name of its class libraries know a notebook."""

        def init_user_ns(self):
            pass

        def init_sys_modules(self):
            pass

        def init_virtualenv(self):
            pass

        def init_logstart(self):
            pass

        def init_display_pub(self):
            self.display_pub = Publisher(parent=self)

    config = Config()
    config.HistoryManager.enabled = False
    # By this libraries know that they run in a notebook.
    config.IPKernelApp.connection_file = ""
    names = dict(main)  # noqa: F821 - of bridge.py
    try:
        made = ZMQInteractiveShell.instance(config=config, user_module=sys.modules["__main__"])
    except Exception as error:
        # Importing IPython must not fail by what belongs to notebooks.
        print(f"IPython's shell cannot be made, so its display functions only print: {error!r}", file=sys.stderr)
        return
    # What it binds there by itself would be the session's.
    for name in set(main) - set(names):  # noqa: F821 - of bridge.py
        del main[name]  # noqa: F821 - of bridge.py
    main.update(names)  # noqa: F821 - of bridge.py
    made.kernel = Kernel()
    builtins.get_ipython = made.get_ipython
    offer()  # noqa: F821 - of display.py
    shell = made


def with_pyplot(module):
    """For matplotlib without its inline backend: figures are shown by `show()` and at the end of the cell."""

    def show_figures(*_, **__):
        for number in module.get_fignums():
            display(module.figure(number))  # noqa: F821 - of display.py
        module.close("all")

    module.switch_backend("agg")
    module.show = show_figures
    at_end.append(show_figures)


def with_tqdm(module):
    """`tqdm.auto` knows a notebook by the module that ipykernel's shell is in, and by the shell."""
    known = "ipykernel.zmqshell"
    before = sys.modules.get(known)
    if before is None and importlib.util.find_spec("IPython") is not None:
        importlib.import_module("IPython")
        sys.modules[known] = module
    yield
    if before is None:
        sys.modules.pop(known, None)


def serve():
    """Sets all of this up."""
    builtins.input = read_line
    hooks = {
        "comm": with_comm,
        "IPython": with_ipython,
        "getpass": lambda module: setattr(module, "getpass", read_secret),
        "tqdm.autonotebook": with_tqdm,
    }
    if importlib.util.find_spec("matplotlib_inline") is None:
        hooks["matplotlib.pyplot"] = with_pyplot
    else:
        os.environ.setdefault("MPLBACKEND", "module://matplotlib_inline.backend_inline")
    sys.meta_path.insert(0, Imports(hooks))
    if "getpass" in sys.modules:
        hooks.pop("getpass")(sys.modules["getpass"])


def cell_ended():
    """What is done behind every cell, whichever language it is in."""
    if shell is not None:
        shell.events.trigger("post_execute")
    for call in at_end:
        call()
