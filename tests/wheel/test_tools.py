"""nbconvert and papermill with what pip has installed: nothing else was set up."""

import json
import pathlib
import re
import subprocess
import sys

import nbformat
import pytest

KERNEL = {"name": "flambeau", "display_name": "Flambeau", "language": "rhai"}


def write(path, *cells):
    cells = [cell if isinstance(cell, dict) else nbformat.v4.new_code_cell(cell) for cell in cells]
    nbformat.write(nbformat.v4.new_notebook(cells=cells, metadata={"kernelspec": KERNEL}), path)
    return path


def call(module, *arguments, code=0):
    command = [sys.executable, "-m", module, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300)
    assert done.returncode == code, f"{done.stdout}\n{done.stderr}"
    return done


def test_the_kernel_is_in_the_environment():
    folder = pathlib.Path(sys.prefix, "share/jupyter/kernels/flambeau")
    logos = sorted(file.name for file in folder.glob("logo*"))
    assert logos == ["logo-32x32.png", "logo-64x64.png", "logo-svg.svg"]
    assert str(folder) in call("jupyter_client.kernelspecapp", "list").stdout


def test_the_kernel_is_that_of_its_environment_wherever_the_notebook_lies(tmp_path, monkeypatch):
    call("venv", "--without-pip", tmp_path / ".venv")
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / ".venv"))
    notebook = write(tmp_path / "a.ipynb", "%%python\nimport sys\nprint(sys.prefix)")
    call("nbconvert", "--execute", "--to", "notebook", "--inplace", notebook)
    (output,) = nbformat.read(notebook, 4).cells[0].outputs
    assert pathlib.Path(output.text.strip()).samefile(sys.prefix)


def test_nbconvert_runs_a_notebook_and_colours_its_code(tmp_path):
    text = "let x = torch.ones([2]); // ones\nx.sum(dim: 0)"
    notebook = write(tmp_path / "a.ipynb", text, "%%python\nx.tolist()")
    # Which lexer it takes nbconvert reads before it runs the cells: the kernel has written it into the notebook then.
    call("nbconvert", "--execute", "--to", "notebook", "--inplace", notebook)
    call("nbconvert", "--to", "html", notebook)
    page = (tmp_path / "a.html").read_text()
    cells = re.findall(r'<div class="highlight hl-rhai"><pre>(.*?)</pre>', page, re.DOTALL)
    assert len(cells) == 2
    assert '<span class="kd">let</span>' in cells[0] and '<span class="c1">// ones</span>' in cells[0]
    assert '<span class="nf">sum</span>' in cells[0] and '<span class="na">dim</span>' in cells[0]
    assert '<span class="cp">%%python</span>' in cells[1]
    assert "tensor(2.)" in page and "[1.0, 1.0]" in page


def test_nbconvert_makes_a_script_that_runs(tmp_path):
    notebook = write(
        tmp_path / "a.ipynb",
        nbformat.v4.new_markdown_cell("# Title\n\nSome text."),
        "#| label: a\nlet x = #{a: 1}",
        "fn f(y) { y + 1 }\nprint(f(x.a)) // shown",
        "%%python\nz = 3\n%%rhai\nprint(z)",
        "%%py\nz += 1",
        nbformat.v4.new_markdown_cell("The end."),
        "print(z);\nz",
        "// nothing",
    )
    call("nbconvert", "--execute", "--to", "notebook", "--inplace", notebook)
    call("nbconvert", "--to", "script", notebook)
    script = tmp_path / "a.rhai"
    assert script.read_text().startswith("// # Title\n//\n// Some text.\n\n//| label: a\nlet x = #{a: 1};\n")
    program = pathlib.Path(sys.prefix, "bin/flambeau")
    done = subprocess.run([program, "run", script], capture_output=True, text=True, timeout=60)
    assert (done.stdout, done.returncode) == ("2\n3\n4\n", 0), done.stderr


DECLARED = """let lr = 0.5; // the step
let sizes = [1];
let options = #{};
let name = "";
let nothing = 1;
let big = 1;"""

SHOWN = "%%python\nimport json\nprint(json.dumps([lr, sizes, options, name, nothing, big, yes]))"


@pytest.fixture
def notebook(tmp_path):
    cell = nbformat.v4.new_code_cell(DECLARED)
    cell.metadata.tags = ["parameters"]
    return write(tmp_path / "in.ipynb", cell, SHOWN)


def test_papermill_gives_parameters(notebook):
    output = notebook.with_name("out.ipynb")
    name = 'it\'s "q" \\n ${x} `é😀`\tend\x07\u2028'
    yaml = "options: {a b: true, nested: {x: [1.0e-7, -3]}, none: null}"
    call(
        "papermill", notebook, output, "-p", "lr", "0.1", "-y", "sizes: [1, 2.5, null, [.inf, x]]", "-y", yaml,
        "-r", "name", name, "-y", "nothing: null", "-p", "big", "-9223372036854775808", "-p", "yes", "True",
    )  # fmt: skip
    cells = nbformat.read(output, 4).cells
    assert cells[1].metadata.tags == ["injected-parameters"]
    assert "let lr = 0.1;\n" in cells[1].source
    assert json.loads(cells[2].outputs[0].text) == [
        0.1,
        [1, 2.5, None, [float("inf"), "x"]],
        {"a b": True, "nested": {"x": [1e-7, -3]}, "none": None},
        name,
        None,
        -(2**63),
        True,
    ]


def test_papermill_refuses_what_a_script_cannot_hold(notebook):
    done = call("papermill", notebook, notebook.with_name("out.ipynb"), "-p", "big", str(2**63), code=1)
    assert "9223372036854775808 has more than the 64 bits of an integer" in done.stderr


def test_papermill_tells_of_parameters(notebook):
    told = call("papermill", notebook, "--help-notebook").stdout
    assert re.search(r"lr: Unknown type \(default 0\.5\)\s+the step\n", told), told
    assert "options: Unknown type (default #{})" in told
