"""Subshells: what Python does beside a cell that is still at work."""

import time

import pytest

from conftest import result_of, text_of


def control(kernel, kind, **content):
    client = kernel.client
    message = client.session.msg(kind, content)
    client.control_channel.send(message)
    while True:
        reply = client.get_control_msg(timeout=60)
        if reply["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            return reply["content"]


@pytest.fixture
def subshell(kernel):
    # Python starts on the session's own thread.
    kernel.run("%%python\nseen = []")
    reply = control(kernel, "create_subshell_request")
    assert reply["status"] == "ok"
    return reply["subshell_id"]


def send(kernel, subshell, code, kind="execute_request", **more):
    client = kernel.client
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    message = client.session.msg(kind, {**content, **more})
    message["header"]["subshell_id"] = subshell
    client.shell_channel.send(message)
    return message["header"]["msg_id"]


def replies(kernel, wanted):
    """The contents of the replies to these requests, in the order in which they came."""
    found = []
    while len(found) < len(wanted):
        message = kernel.client.get_shell_msg(timeout=60)
        if message["parent_header"].get("msg_id") in wanted:
            found.append((message["parent_header"]["msg_id"], message["content"]))
    return found


def test_subshells_are_made_listed_and_deleted(kernel):
    assert "kernel subshells" in kernel.client.kernel_info(reply=True, timeout=60)["content"]["supported_features"]
    first = control(kernel, "create_subshell_request")["subshell_id"]
    second = control(kernel, "create_subshell_request")["subshell_id"]
    assert sorted(control(kernel, "list_subshell_request")["subshell_id"]) == sorted([first, second])
    assert control(kernel, "delete_subshell_request", subshell_id=first) == {"status": "ok"}
    assert control(kernel, "list_subshell_request")["subshell_id"] == [second]
    assert control(kernel, "delete_subshell_request", subshell_id=first)["status"] == "error"
    request = send(kernel, first, "%%python\n1")
    ((_, reply),) = replies(kernel, {request})
    assert (reply["status"], reply["ename"]) == ("error", "SubshellError")


@pytest.mark.parametrize("busy", ["loop { }", "%%python\nwhile not seen: pass"])
def test_python_runs_beside_a_cell(kernel, subshell, busy):
    main = kernel.client.execute(busy)
    kernel.wait_until_busy(main)
    beside = send(kernel, subshell, "%%python\nprint('beside'); seen.append(6 * 7); seen[0]")
    if "%%python" in busy:
        found = dict(replies(kernel, {beside, main}))
        assert found[main]["status"] == "ok"
    else:
        found = dict(replies(kernel, {beside}))
        kernel.manager.interrupt_kernel()
        assert kernel.reply(main)["ename"] == "KeyboardInterrupt"
    assert found[beside]["status"] == "ok"
    said = kernel.published(beside)
    assert text_of(said) == "beside\n"
    assert result_of(said) == "42"
    assert result_of(kernel.run("seen[0]")[1]) == "42"


def test_what_is_bound_beside_is_there_in_the_next_cell(kernel, subshell):
    main = kernel.client.execute("sleep(1); 1")
    kernel.wait_until_busy(main)
    beside = send(kernel, subshell, "%%python\nfresh = [1, 2, 3]")
    replies(kernel, {beside, main})
    assert result_of(kernel.run("fresh.len()")[1]) == "3"


def test_what_scripts_have_bound_is_known_beside_an_idle_session(kernel, subshell):
    kernel.run("let number = 5;")
    kernel.run("%%python\ndef look(): return number")
    kernel.run("number = 6; let other = 7;")
    beside = send(kernel, subshell, "%%python\nlook() * other")
    ((_, reply),) = replies(kernel, {beside})
    assert reply["status"] == "ok", reply
    assert result_of(kernel.published(beside)) == "42"


def test_a_closure_is_called_while_its_session_computes(kernel, subshell):
    kernel.run("let stop = false; let calls = 0;")
    kernel.run("let halt = |n| { calls += n; stop = true; calls };")
    kernel.run("%%python\ndef call(): return halt(2)")
    main = kernel.client.execute("let turns = 0; while !stop { turns += 1; } turns > 0")
    kernel.wait_until_busy(main)
    time.sleep(0.2)
    beside = send(kernel, subshell, "%%python\ncall()")
    found = dict(replies(kernel, {beside, main}))
    assert found[beside]["status"] == "ok", found[beside]
    assert found[main]["status"] == "ok", found[main]
    assert result_of(kernel.run("calls")[1]) == "2"


def test_scripts_in_a_subshell_wait_for_the_session(kernel, subshell):
    main = kernel.client.execute("sleep(0.5); let x = 5;")
    kernel.wait_until_busy(main)
    beside = send(kernel, subshell, "x + 1")
    order = [request for request, _ in replies(kernel, {main, beside})]
    assert order == [main, beside]
    assert result_of(kernel.published(beside)) == "6"


def test_errors_beside_are_reported_there(kernel, subshell):
    main = kernel.client.execute("sleep(1); 7")
    kernel.wait_until_busy(main)
    beside = send(kernel, subshell, "%%python\ndef fails():\n    raise ValueError('beside')\nfails()")
    ((request, reply),) = replies(kernel, {beside})
    assert (reply["status"], reply["ename"], reply["evalue"]) == ("error", "ValueError", "beside")
    traceback = "\n".join(reply["traceback"])
    assert "fails()" in traceback and "raise ValueError" in traceback
    # The main line goes on.
    assert kernel.reply(main)["status"] == "ok"
    assert [kind for kind, _ in kernel.published(beside)].count("error") == 1


def test_widgets_move_while_a_cell_computes(kernel, subshell):
    kernel.run(
        "%%python\nimport ipywidgets\nslider = ipywidgets.IntSlider(value=1, max=10)\n"
        "slider.observe(lambda change: seen.append(change.new), 'value')\nmodel = slider.comm.comm_id"
    )
    comm = result_of(kernel.run("model")[1]).strip('"')
    main = kernel.client.execute("loop { if py.eval(\"len(seen)\") > 0 { break; } }")
    kernel.wait_until_busy(main)
    message = kernel.client.session.msg(
        "comm_msg", {"comm_id": comm, "data": {"method": "update", "state": {"value": 7}, "buffer_paths": []}}
    )
    message["header"]["subshell_id"] = subshell
    kernel.client.shell_channel.send(message)
    assert kernel.reply(main)["status"] == "ok"
    assert result_of(kernel.run("seen[0]")[1]) == "7"


def test_a_kernel_with_a_busy_subshell_ends(kernel, subshell):
    request = send(kernel, subshell, "%%python\nimport time\nwhile True: time.sleep(0.01)")
    kernel.wait_until_busy(request)
    assert result_of(kernel.run("1 + 1")[1]) == "2"
    kernel.client.shutdown()
    begin = time.monotonic()
    while kernel.manager.is_alive():
        assert time.monotonic() - begin < 30
        time.sleep(0.05)
