"""The kernel as clients meet it."""

import os
import re
import signal
import time

import pytest
import zmq
from conftest import Kernel, result_of, text_of


def test_cells_of_both_languages_share_variables_and_output_comes_in_order(kernel):
    reply, said = kernel.run('print("a"); let x = torch.ones([2]); x + 1')
    assert reply["status"] == "ok" and reply["execution_count"] == 1
    assert (text_of(said), result_of(said)) == ("a\n", "tensor([2., 2.])")
    code = """%%python
import ctypes
print("python")
ctypes.PyDLL(None).printf(b"c\\n")
y = x * 3
"""
    reply, said = kernel.run(code)
    assert text_of(said) == "python\nc\n"
    reply, said = kernel.run('print("before"); py.exec("print(1)"); print("after"); y')
    assert (text_of(said), result_of(said)) == ("before\n1\nafter\n", "tensor([3., 3.])")


def test_a_full_pipe_does_not_hang(kernel):
    reply, said = kernel.run("%%python\nimport ctypes\n_ = ctypes.PyDLL(None).printf(b'1' * 200000)")
    assert reply["status"] == "ok" and text_of(said).count("1") == 200000


def test_errors_stop_what_is_queued_and_lose_nothing(kernel):
    kernel.run("let kept = 5;")
    first = kernel.client.execute("1 + nothing_like_it")
    second = kernel.client.execute("kept = 6;")
    failed, aborted = kernel.reply(first), kernel.reply(second)
    assert (failed["ename"], aborted["status"]) == ("NameError", "aborted")
    # Clients put the number of a reply before its cell, and this one has not run.
    assert failed["execution_count"] == 2 and "execution_count" not in aborted
    said = kernel.published(first)
    errors = [content for kind, content in said if kind == "error"]
    assert "nothing_like_it" in "\n".join(errors[0]["traceback"])
    first = kernel.client.execute("throw 1", stop_on_error=False)
    second = kernel.client.execute("kept")
    assert (kernel.reply(first)["status"], kernel.reply(second)["status"]) == ("error", "ok")
    assert result_of(kernel.published(second)) == "5"


@pytest.mark.parametrize("by", ["message", "signal"])
@pytest.mark.parametrize("code", ["loop {}", "%%python\nwhile True: pass", "%%python\nimport time\ntime.sleep(60)"])
def test_an_interrupt_stops_the_cell_and_keeps_the_session(kernel, code, by):
    kernel.run("let kept = 5; py.exec(\"1\");")
    kernel.published(kernel.client.execute("kept"))
    running = kernel.client.execute(code)
    waiting = kernel.client.execute("kept = 6;")
    kernel.wait_until_busy(running)
    time.sleep(0.2)
    if by == "message":
        kernel.manager.interrupt_kernel()
    else:
        os.kill(kernel.manager.provisioner.process.pid, signal.SIGINT)
    reply = kernel.reply(running)
    assert (reply["status"], reply["ename"]) == ("error", "KeyboardInterrupt")
    assert kernel.reply(waiting)["status"] == "aborted"
    assert result_of(kernel.run("kept")[1]) == "5"


def test_an_interrupt_while_python_starts_is_not_lost(kernel):
    kernel.run("let kept = 5;")
    running = kernel.client.execute("%%python\nwhile True: pass")
    kernel.wait_until_busy(running)
    kernel.manager.interrupt_kernel()
    assert kernel.reply(running)["ename"] == "KeyboardInterrupt"
    assert result_of(kernel.run("%%python\nkept")[1]) == "5"


ELSEWHERE = "%%python\nimport json\n\njson.loads('{')"
# A cell, and where its error is.
RAISED = {
    "itself": ("%%python\n\n1 / 0", "cell 2:3:1"),
    "in a function": ("%%python\ndef f(x):\n    return 1 / x\nf(0)", "cell 2:3:12"),
    "in a function of another cell": ("%%python\n\nbefore(0)", "cell 2:3:1"),
    "in a library": (ELSEWHERE, "cell 2:4:1"),
}


@pytest.mark.parametrize("code, place", RAISED.values(), ids=RAISED)
def test_an_exception_of_python_is_told_at_the_line_that_was_reached_in_the_cell(kernel, code, place):
    kernel.run("%%python\ndef before(x): return 1 / x")
    reply, _ = kernel.run(code)
    told = re.sub("\x1b\\[[0-9;]*m", "", "\n".join(reply["traceback"]))
    assert f"╭─[{place}]" in told
    # Every call that is named is one of Python's.
    calls = re.findall(r"^  cell 2:\d+(.*)$", told, re.MULTILINE)
    assert all(call.startswith(" in ") for call in calls), told


def test_silent_cells_and_expressions(kernel):
    reply, said = kernel.run("1 + 1", silent=True)
    assert reply["execution_count"] == 0 and {kind for kind, _ in said} == {"status"}
    reply, said = kernel.run("let a = 4;", user_expressions={"a": "a * 2", "b": "no_such_name"})
    assert reply["user_expressions"]["a"]["data"]["text/plain"] == "8"
    assert reply["user_expressions"]["b"]["ename"] == "NameError"
    reply, _ = kernel.run("a", store_history=False)
    assert reply["execution_count"] == 1


def test_places_are_counted_in_characters(kernel):
    kernel.run("let abc = torch.ones([2]);")
    code = '"🔥🔥"; abc.shap'
    reply = kernel.reply(kernel.client.complete(code, len(code)))
    assert reply["matches"] == ["shape"]
    assert code[reply["cursor_start"] : reply["cursor_end"]] == "shap"
    reply = kernel.reply(kernel.client.inspect('"🔥"; torch.sum(', 15))
    assert reply["found"] and "aten::sum" in reply["data"]["text/plain"]


def test_help_is_of_the_name_or_of_the_call_around_it(kernel):
    kernel.run("let size = [2];")
    helped = {
        "nn.Linear(3": "nn.Linear(",
        "F.cross_entropy(size, ": "torch.nn.functional.cross_entropy(",
        "torch.cumsum(x, dim: 1": "torch.cumsum",
        "plot.line([1], title: \"Fitting": "plot.line(",
        "torch.zeros([nothing_like_it": "torch.zeros",
    }
    for code, help in helped.items():
        reply = kernel.reply(kernel.client.inspect(code))
        assert reply["found"] and reply["data"]["text/plain"].startswith(help), code
        lines = reply["data"]["text/plain"].splitlines()
        assert all(len(line) <= 88 or " " not in line.strip() for line in lines), code
    place = len("torch.cumsum(x, d")
    reply = kernel.reply(kernel.client.inspect("torch.cumsum(x, dim: 1)", place))
    assert reply["data"]["text/plain"].startswith("torch.cumsum")
    assert not kernel.reply(kernel.client.inspect("nothing_like_it("))["found"]


def test_garbage_changes_nothing(kernel):
    info = kernel.client.get_connection_info()
    context = zmq.Context()
    for name in ("shell_port", "control_port", "stdin_port", "hb_port"):
        socket = context.socket(zmq.DEALER)
        socket.connect(f"tcp://{info['ip']}:{info[name]}")
        header = b'{"msg_type": "shutdown_request", "msg_id": "1"}'
        for frames in (
            [b""],
            [b"x" * 100_000],
            [b"<IDS|MSG>"],
            [b"<IDS|MSG>", b"", header, b"{}", b"{}", b"{}"],
            [b"<IDS|MSG>", b"0" * 64, header, b"{}", b"{}", b"{}"],
            [b"<IDS|MSG>", b"zz", b"\xff", b"{", b"[]", b"null"],
            [b"a", b"b", b"c"],
        ):
            socket.send_multipart(frames)
        socket.close(linger=1000)
    unknown = kernel.client.session.msg("no_such_request", {})
    kernel.client.shell_channel.send(unknown)
    kernel.client.control_channel.send(kernel.client.session.msg("execute_request", {"code": 7}))
    kernel.client.shell_channel.send(kernel.client.session.msg("complete_request", {"code": [], "cursor_pos": "x"}))
    assert result_of(kernel.run("20 + 1")[1]) == "21"
    context.destroy(linger=0)


def test_many_prints_are_few_messages(kernel):
    reply, said = kernel.run("for i in 0..50_000 { print(i); }")
    text = text_of(said)
    assert text.count("\n") == 50_000 and text.endswith("49999\n")
    assert sum(kind == "stream" for kind, _ in said) < 1000


def test_two_clients_hear_the_same(kernel):
    other = kernel.connect()
    request = kernel.client.execute('print("to both")')
    heard = []
    while not heard or heard[-1] != "idle":
        message = other.get_iopub_msg(timeout=60)
        if message["parent_header"].get("msg_id") == request:
            heard.append(message["content"].get("execution_state") or message["content"].get("text"))
    assert "to both\n" in heard
    other.stop_channels()


def test_it_ends_when_told_and_when_terminated():
    for end in ("message", "signal"):
        kernel = Kernel()
        process = kernel.manager.provisioner.process
        kernel.client.execute("loop {}")
        if end == "message":
            kernel.manager.request_shutdown()
        else:
            process.send_signal(signal.SIGTERM)
        assert process.wait(timeout=30) == 0
        kernel.close()


def test_subscriptions_are_welcomed(kernel):
    info = kernel.client.get_connection_info()
    context = zmq.Context()
    socket = context.socket(zmq.SUB)
    socket.connect(f"tcp://{info['ip']}:{info['iopub_port']}")
    socket.subscribe(b"")
    assert socket.poll(30_000)
    frames = socket.recv_multipart()
    assert any(b"iopub_welcome" in frame for frame in frames)
    context.destroy(linger=0)


def history(kernel, **asked):
    return kernel.reply(kernel.client.history(raw=True, **asked))["history"]


def test_history_is_shared_by_all_sessions(kernel, tmp_path):
    kernel.run("let first = 6")
    kernel.run("first * 7")
    (session, _, _) = history(kernel, hist_access_type="tail", n=1)[0]
    other = Kernel()
    try:
        assert history(other, hist_access_type="range", session=session, start=1, output=True) == [
            [session, 1, ["let first = 6", None]],
            [session, 2, ["first * 7", "42"]],
        ]
        other.run("let second = 1")
        assert history(other, hist_access_type="range", session=-1, start=2) == [[session, 2, "first * 7"]]
    finally:
        other.close()
    assert [line for _, _, line in history(kernel, hist_access_type="search", pattern="let*", n=2)] == [
        "let first = 6",
        "let second = 1",
    ]


def test_a_history_that_cannot_be_had_is_told_and_does_without(tmp_path, monkeypatch):
    (tmp_path / "flambeau").write_text("no folder")
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    kernel = Kernel()
    try:
        kernel.run("1 + 1")
        assert history(kernel, hist_access_type="tail", n=9, output=True) == [[1, 1, ["1 + 1", "2"]]]
    finally:
        kernel.close()
