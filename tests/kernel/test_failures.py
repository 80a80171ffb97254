"""What a cell that fails or is stopped leaves behind: its variables, and nothing that only it could reach."""

import pathlib
import time

import pytest

from conftest import result_of

# Large enough to be seen among all else, and to be given back to the system when it is freed.
ELEMENTS = 100_000_000
BYTES = 4 * ELEMENTS


def held(kernel):
    """Bytes that the kernel holds in memory."""
    pid = kernel.manager.provisioner.pid
    pages = int(pathlib.Path(f"/proc/{pid}/statm").read_text().split()[1])
    return pages * 4096


FAILURES = {
    "a script": ("Thrown", f"fn work() {{ let big = torch.ones([{ELEMENTS}]); throw \"enough\" }}\nwork()"),
    "a value that is thrown": ("Thrown", f"throw torch.ones([{ELEMENTS}]);"),
    "an operator": ("ShapeError", f"torch.ones([{ELEMENTS}]) + torch.ones([3])"),
    "a graph": (
        "RuntimeError",
        f"fn work() {{ let w = torch.ones([{ELEMENTS}], requires_grad: true); let y = (w * 2.0).sum(); "
        "y.backward(); y.backward(); }\nwork()",
    ),
    "a closure": ("NameError", f"let f = |n| {{ let big = torch.ones([n]); big.nothing_of_that_name() }};\nf({ELEMENTS})"),
    "Python": (
        "ValueError",
        f"%%python\nimport torch\ndef work():\n    big = torch.ones({ELEMENTS})\n    raise ValueError('enough')\nwork()",
    ),
    "Python from a script": (
        "ValueError",
        f'%%python\ndef fails(big):\n    raise ValueError()\n%%rhai\nfails(torch.ones([{ELEMENTS}]))',
    ),
    "a script from Python": (
        "Thrown",
        f"fn inner(n) {{ let big = torch.ones([n]); throw \"enough\" }}\n"
        f"let back = py.eval(\"lambda f: f({ELEMENTS})\");\nback(inner)",
    ),
}


@pytest.mark.parametrize(("kind", "code"), FAILURES.values(), ids=FAILURES.keys())
def test_a_failed_cell_keeps_no_tensor_alive(kernel, kind, code):
    # What is loaded and kept at the first use.
    kernel.run("let warm = torch.ones([3]) + 1; let y = py.eval(\"__import__('torch').ones(3)\");")
    before = held(kernel)
    reply, _ = kernel.run(code)
    assert (reply["status"], reply["ename"]) == ("error", kind), reply
    assert held(kernel) - before < BYTES // 2, code


@pytest.mark.parametrize(
    "code",
    [
        f"fn work() {{ let big = torch.ones([{ELEMENTS}]); loop {{ }} }}\nwork()",
        f"%%python\nimport torch\ndef work():\n    big = torch.ones({ELEMENTS})\n    while True: pass\nwork()",
    ],
    ids=["a script", "Python"],
)
def test_a_stopped_cell_keeps_no_tensor_alive(kernel, code):
    kernel.run("let kept = torch.ones([3]) + 1; let y = py.eval(\"__import__('torch').ones(3)\");")
    before = held(kernel)
    request = kernel.client.execute(code)
    kernel.wait_until_busy(request)
    while held(kernel) - before < BYTES // 2:
        time.sleep(0.05)
    time.sleep(0.5)
    kernel.manager.interrupt_kernel()
    assert kernel.reply(request)["status"] == "error"
    assert held(kernel) - before < BYTES // 2
    assert result_of(kernel.run("kept.sum().item()")[1]) == "6.0"
