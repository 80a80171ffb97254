from collections.abc import Iterator, Sequence
from os import PathLike
from typing import Any

from pandas import DataFrame

__version__: str

def runs(out: str | PathLike[str]) -> DataFrame:
    """The trials of the sweep or run in the folder `out`, or of all that lie directly in it: one row per trial with its
    parameters, its state, what it reported, step, times and error."""

def metrics(out: str | PathLike[str]) -> DataFrame:
    """All records that the trials in the folder `out` logged: one row per record with trial, parameters, step, time and
    a column for each metric."""

class Function:
    """A closure, a function or another callable of a script. A call may come from any thread and waits for its
    turn; keyword arguments arrive as a map behind the others."""

    __name__: str
    __qualname__: str
    def __call__(self, *args: Any, **kwargs: Any) -> Any: ...

class Runtime:
    """A session of scripts. Every thread may use it; one at a time evaluates."""

    def __init__(
        self,
        *,
        args: Sequence[str] = ...,
        script_dir: str | PathLike[str] | None = None,
        sandbox: bool = False,
        allow_read: Sequence[str | PathLike[str]] = ...,
        allow_write: Sequence[str | PathLike[str]] = ...,
        allow_python: bool = False,
        max_seconds: float | None = None,
        max_operations: int | None = None,
    ) -> None: ...
    def eval(self, code: str, name: str = "<eval>") -> Any:
        """Evaluates a cell and returns the value of its last expression; variables and functions stay."""
    def run(self, path: str | PathLike[str]) -> Any:
        """Evaluates a file."""
    def interrupt(self) -> None:
        """Stops what runs, from another thread."""
    def doc(self, name: str) -> str | None:
        """What `flambeau doc NAME` prints; None for a name that is not known."""
    def keys(self) -> list[str]:
        """The names of the variables."""
    def __getitem__(self, name: str) -> Any:
        """A variable, or a function that a script has defined."""
    def __setitem__(self, name: str, value: Any) -> None: ...
    def __delitem__(self, name: str) -> None: ...
    def __contains__(self, name: object) -> bool: ...
    def __iter__(self) -> Iterator[str]: ...
    def __len__(self) -> int: ...

class RhaiError(Exception):
    """An error of a script. `kind` is its kind, `help` what to do about it."""

    kind: str
    help: str | None

class RhaiNameError(RhaiError, NameError): ...
class RhaiTypeError(RhaiError, TypeError): ...
class RhaiShapeError(RhaiError, RuntimeError): ...
class RhaiIndexError(RhaiError, IndexError): ...
class RhaiKeyError(RhaiError, KeyError): ...
class RhaiValueError(RhaiError, ValueError): ...
class RhaiDeviceError(RhaiError, RuntimeError): ...
class RhaiOutOfMemoryError(RhaiError, MemoryError): ...
class RhaiIoError(RhaiError, OSError): ...
class RhaiPermissionError(RhaiError, PermissionError): ...
class RhaiSyntaxError(RhaiError, SyntaxError): ...
class RhaiArithmeticError(RhaiError, ArithmeticError): ...
class RhaiNotImplementedError(RhaiError, NotImplementedError): ...
class RhaiRuntimeError(RhaiError, RuntimeError): ...
class RhaiLimitError(RhaiError, RuntimeError): ...
