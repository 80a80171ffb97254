"""Figures of matplotlib: shown by `plt.show()` and at the end of a cell, whichever language that is in."""

import base64
import importlib.util
import io
import os

import pytest
from conftest import Kernel, text_of
from PIL import Image

if importlib.util.find_spec("matplotlib") is None:
    pytest.skip("matplotlib is not installed", allow_module_level=True)


def pictures(said):
    found = []
    for kind, content in said:
        if kind in ("display_data", "execute_result") and "image/png" in content["data"]:
            found.append(Image.open(io.BytesIO(base64.b64decode(content["data"]["image/png"]))))
    return found


def test_figures_are_shown_at_the_end_of_a_cell(kernel):
    reply, said = kernel.run('%%python\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\nprint("before")')
    assert reply["status"] == "ok", reply
    assert len(pictures(said)) == 1 and text_of(said) == "before\n"
    _, said = kernel.run("%%python\n1")
    assert pictures(said) == []
    _, said = kernel.run("%%python\n_ = plt.plot([1, 2])\nplt.show()\n_ = plt.plot([2, 1])")
    assert len(pictures(said)) == 2


def test_figures_of_a_failing_cell_are_its_own(kernel):
    reply, said = kernel.run("%%python\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\n1 / 0")
    assert reply["ename"] == "ZeroDivisionError" and len(pictures(said)) == 1
    _, said = kernel.run("%%python\n1")
    assert pictures(said) == []


def test_scripts_draw_too(kernel):
    reply, said = kernel.run('let plt = py.import("matplotlib.pyplot"); plt.plot([1, 2, 0]); plt.title("x");')
    assert reply["status"] == "ok", reply
    assert len(pictures(said)) == 1
    _, said = kernel.run("let figure = plt.figure(); figure.gca().plot([1, 2]); plt.close(); figure")
    assert len(pictures(said)) == 1


@pytest.fixture
def without(tmp_path):
    """Starts a kernel whose Python does not find some modules."""
    started = []

    def start(*names):
        code = f"""import sys
class Hidden:
    def find_spec(self, name, path=None, target=None):
        if name in {names!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Hidden())
import importlib.util
found = importlib.util.find_spec
importlib.util.find_spec = lambda name, package=None: None if name in {names!r} else found(name, package)
"""
        (tmp_path / "sitecustomize.py").write_text(code)
        path = os.pathsep.join(filter(None, [str(tmp_path), os.environ.get("PYTHONPATH")]))
        started.append(Kernel(PYTHONPATH=path))
        return started[-1]

    yield start
    for kernel in started:
        kernel.close()


def test_matplotlib_alone_is_enough(without):
    kernel = without("IPython", "matplotlib_inline")
    reply, said = kernel.run("%%python\nimport matplotlib.pyplot as plt\n_ = plt.plot([1, 2])\nplt.show()\n_ = plt.plot([2])")
    assert reply["status"] == "ok", reply
    assert len(pictures(said)) == 2
    _, said = kernel.run("%%python\n1")
    assert pictures(said) == []
