"""Flambeau: scripts in Rhai over PyTorch, in this process and with this process's tensors.

    import flambeau, torch

    rt = flambeau.Runtime()
    rt["x"] = torch.ones(3)
    rt.eval("fn step(t) { t * 2 + x }")
    step = rt["step"]
    step(torch.zeros(3))

    flambeau.runs("runs/NAME")     # the trials of a sweep, a frame of pandas
    flambeau.metrics("runs/NAME")  # all that they logged
"""

import torch

# The engine needs the very libtorch that it was built for, and finds it loaded.
_TORCH = "2.11.0"
if torch.__version__.partition("+")[0] != _TORCH:
    raise ImportError(
        f"flambeau needs torch {_TORCH}, and this is {torch.__version__}: "
        f"python -m pip install torch=={_TORCH}"
    )

from . import _engine  # noqa: E402
from ._engine import Function, RhaiError, Runtime, __version__  # noqa: E402
from ._runs import metrics, runs  # noqa: E402

__all__ = ["Function", "RhaiError", "Runtime", "__version__", "metrics", "runs"]

# RhaiValueError and so on: one class for each kind of error.
for _name in dir(_engine):
    if _name.startswith("Rhai"):
        globals()[_name] = getattr(_engine, _name)
        if _name not in __all__:
            __all__.append(_name)
del _name
