"""The notebooks in `notebooks/`, each executed from scratch, and what they show beside what is saved in them.

Tags of cells: `raises-exception` fails on purpose; `varies` shows times, or what another machine may round to another
number, and is only executed; `needs-matplotlib` is left out where that is not installed.
"""

import importlib.util
import re
import shutil
import sys
import warnings
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

REPOSITORY = Path(__file__).resolve().parents[2]
NOTEBOOKS = sorted((REPOSITORY / "notebooks").glob("*.ipynb"))
COLOURS = re.compile(r"\x1b\[[0-9;]*m")


def tags(cell):
    return cell.metadata.get("tags", [])


def stated(cell):
    """What a cell shows, for comparison: texts as they are, pictures and HTML only by their type."""
    found = []
    for output in cell.get("outputs", []):
        if output.output_type == "stream":
            # The streams may be cut anywhere.
            if found and found[-1][0] == output.name:
                found[-1] = (output.name, found[-1][1] + output.text)
            else:
                found.append((output.name, output.text))
        elif output.output_type == "error":
            found.append(("error", output.ename, COLOURS.sub("", "\n".join(output.traceback))))
        else:
            found.append((output.output_type, sorted(output.data), output.data.get("text/plain")))
    return found


def executed(path, folder):
    """The notebook after a run in a copy of the folder, and the cells that were left out."""
    copy = folder / path.name
    shutil.copy(path, copy)
    # They look for the handwritten digits in the environment of the project.
    (folder / ".venv").symlink_to(sys.prefix)
    notebook = nbformat.read(copy, as_version=4)
    assert notebook.metadata.kernelspec.name == "flambeau"
    nbformat.validate(notebook)
    left_out = []
    if importlib.util.find_spec("matplotlib") is None:
        left_out = [cell for cell in notebook.cells if "needs-matplotlib" in tags(cell)]
    notebook.cells = [cell for cell in notebook.cells if cell not in left_out]
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs = []
    NotebookClient(notebook, timeout=300, resources={"metadata": {"path": str(folder)}}).execute()
    return notebook, left_out


def test_the_notebooks_are_there():
    names = [path.stem for path in NOTEBOOKS]
    assert names == ["autograd_across_languages", "comparing_runs", "digits", "python_next_door", "quickstart"]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_a_notebook_runs_from_scratch_and_shows_what_it_states(path, tmp_path):
    saved = {cell.id: cell for cell in nbformat.read(path, as_version=4).cells}
    # A cell that fails and is not meant to ends this.
    notebook, left_out = executed(path, tmp_path)
    if left_out:
        warnings.warn(f"{path.name}: {len(left_out)} cell left out, matplotlib is not installed", stacklevel=1)
    compared = 0
    for cell in notebook.cells:
        if cell.cell_type != "code":
            continue
        if "raises-exception" in tags(cell):
            assert any(output.output_type == "error" for output in cell.outputs), cell.source
        if "varies" in tags(cell):
            continue
        expected, found = stated(saved[cell.id]), stated(cell)
        if left_out:
            # The numbers of the cells behind are smaller, and errors name them.
            expected, found = (without_numbers(shown) for shown in (expected, found))
        assert found == expected, cell.source
        compared += bool(expected)
    assert compared >= 3


def without_numbers(shown):
    return [tuple(re.sub(r"cell \d+", "cell", part) if isinstance(part, str) else part for part in item) for item in shown]


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_what_is_saved_is_one_run_and_small(path):
    notebook = nbformat.read(path, as_version=4)
    code = [cell for cell in notebook.cells if cell.cell_type == "code"]
    assert [cell.execution_count for cell in code] == list(range(1, len(code) + 1))
    for cell in code:
        assert "execution" not in cell.metadata, "times of a run"
        for output in cell.outputs:
            size = max((len(str(content)) for content in output.get("data", {}).values()), default=0)
            assert size < 100_000, cell.source
            assert output.output_type != "error" or "raises-exception" in tags(cell), cell.source
    assert str(REPOSITORY) not in path.read_text(encoding="utf-8")
