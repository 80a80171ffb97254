"""Jupyter's own programs with this kernel: a notebook from top to bottom, a script, a console in a terminal."""

import os
import subprocess
import sys

import nbformat
import pexpect
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError
from pytest import raises


def notebook(*cells):
    return nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(cell) for cell in cells])


def run(nb):
    """The notebook after all cells have run, and the outputs of each."""
    NotebookClient(nb, kernel_name="flambeau", timeout=60).execute()
    return [cell.outputs for cell in nb.cells]


def test_nbclient_runs_a_notebook():
    nb = notebook(
        "let x = torch.ones([2], requires_grad: true);",
        "#| label: fig-loss\n//| fig-cap: \"It's (a\"\nprint(`sum ${x.sum().item()}`);\nx * 2",
        "%%python\nx.sum().backward()\nx.grad.tolist()",
    )
    declared, printed, python = run(nb)
    assert declared == []
    assert [output.output_type for output in printed] == ["stream", "execute_result"]
    assert printed[0].text == "sum 2.0\n"
    assert printed[1].data["text/plain"] == "tensor([2., 2.], grad_fn=<MulBackward0>)"
    assert python[0].data["text/plain"] == "[1.0, 1.0]"
    assert [cell.execution_count for cell in nb.cells] == [1, 2, 3]
    assert nb.metadata.language_info.name == "rhai"


def test_what_a_print_writes_is_one_output():
    # The text and the end of its line are written one after the other; a busy machine may hold the second one up.
    cells = run(notebook(*["%%python\nprint('a', 'b')\nimport time\ntime.sleep(0.1)"] * 5))
    texts = [[output.text for output in outputs] for outputs in cells]
    assert all("".join(text) == "a b\n" for text in texts)
    assert texts.count(["a b\n"]) >= 3, texts


def test_nbclient_tells_which_cell_failed():
    nb = notebook("let x = 1;", "#| echo: false\nx.nothing()", "x")
    with raises(CellExecutionError, match="NameError"):
        run(nb)
    (error,) = nb.cells[1].outputs
    assert error.output_type == "error" and error.ename == "NameError"
    # The line is that of the cell, options counted too.
    assert any("cell 2:2:3" in line for line in error.traceback), error.traceback
    assert nb.cells[2].outputs == []


def test_jupyter_run_executes_a_script(tmp_path):
    script = tmp_path / "script.rhai"
    script.write_text("let x = torch.arange(4);\nprint(x.sum().item())\n")
    command = [sys.executable, "-m", "jupyter_client.runapp", "--kernel", "flambeau", script]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120)
    assert (done.returncode, done.stdout) == (0, "6\n"), done.stderr


class Console:
    """`jupyter console` in a terminal."""

    def __init__(self):
        # It would wait for a terminal that says where its cursor is.
        env = dict(os.environ, TERM="xterm", PROMPT_TOOLKIT_NO_CPR="1")
        command = ["-m", "jupyter_console", "--kernel", "flambeau"]
        self.process = pexpect.spawn(
            sys.executable, command, env=env, encoding="utf-8", dimensions=(40, 100), timeout=60
        )
        self.see_prompt(1)

    def see_prompt(self, number):
        colors = r"(?:\x1b\[[0-9;]*m)*"
        self.process.expect(rf"In \[{colors}{number}{colors}\]: ")

    def see(self, text):
        self.process.expect_exact(text)

    def press(self, keys):
        self.process.send(keys)

    def enter(self, cell, number):
        self.press(f"{cell}\r")
        self.see_prompt(number)


def test_jupyter_console_in_a_terminal():
    console = Console()
    assert "Flambeau" in console.process.before
    console.enter("let x = torch.ones([2]);", 2)
    console.press("x + 41\r")
    console.see("tensor([42., 42.])")
    console.see_prompt(3)
    console.press("x.requires_gr\t")
    console.see("requires_grad")
    console.press("\r")
    console.see("false")
    console.see_prompt(4)
    # A cell that is not complete goes on in the next line.
    console.press("fn twice(x) {\r")
    console.see("...: ")
    console.press("x * 2\r}\r")
    console.see_prompt(5)
    console.press("print(\"running\"); loop {}\r")
    # What is typed is shown with colours between its words; what is printed stands alone.
    console.see("running\r\n")
    console.press("\x03")
    console.see("KeyboardInterrupt")
    console.see_prompt(6)
    console.press("twice(x).sum().item() + 800\r")
    console.see("804.0")
    console.see_prompt(7)
    console.press("\x04")
    console.see("exit")
    console.press("y\r")
    console.process.expect(pexpect.EOF)
    console.process.close()
    assert console.process.exitstatus == 0
