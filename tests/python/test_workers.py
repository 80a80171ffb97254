"""Workers of scripts that a Python program runs."""

import subprocess
import sys

import flambeau
import pytest
import torch


def put(folder, name, text):
    path = folder / name
    path.write_text(text)
    return str(path)


def test_what_a_worker_prints_goes_to_pythons_stdout(tmp_path, capsys):
    file = put(tmp_path, "w.rhai", 'print("from the worker"); worker.args.x.sum().item()')
    runtime = flambeau.Runtime()
    runtime["file"] = file
    runtime["x"] = torch.ones(3)
    assert runtime.eval("worker.spawn(file, #{x: x}).join()") == 3.0
    assert capsys.readouterr().out == "from the worker\n"


def test_an_error_of_a_worker_reaches_python(tmp_path):
    file = put(tmp_path, "w.rhai", "throw `bad ${worker.args.n}`;")
    runtime = flambeau.Runtime()
    runtime["file"] = file
    with pytest.raises(flambeau.RhaiError, match="bad 7"):
        runtime.eval("worker.spawn(file, #{n: 7}).join()")


def test_a_runtime_that_goes_takes_its_workers_with_it(tmp_path):
    file = put(tmp_path, "w.rhai", 'worker.send(1); loop { print("still here"); time.sleep(0.001); }')
    runtime = flambeau.Runtime()
    runtime["file"] = file
    runtime.eval("let w = worker.spawn(file); w.recv();")
    del runtime


def test_a_program_ends_while_workers_run(tmp_path):
    file = put(tmp_path, "w.rhai", "worker.send(1); let x = torch.ones([10]); loop { x = x * 1.0; }")
    code = (
        "import flambeau\n"
        "runtime = flambeau.Runtime()\n"
        f"runtime['file'] = {file!r}\n"
        "runtime.eval('let w = worker.spawn(file); w.recv();')\n"
        "keep = [runtime]; keep.append(keep)\n"
        "print('end')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=60)
    assert (ended.returncode, ended.stdout, ended.stderr) == (0, "end\n", "")
