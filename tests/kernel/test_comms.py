"""Comms: channels between code of the session and the client, by which widgets work."""

import pytest
from conftest import result_of, text_of

ECHO = """%%python
import comm
said = []
def opened(channel, message):
    said.append(message["content"]["data"])
    @channel.on_msg
    def heard(message):
        print("heard", message["content"]["data"], [bytes(piece) for piece in message["buffers"]])
        channel.send({"echo": message["content"]["data"]}, buffers=[b"\\x00\\xff"])
    @channel.on_close
    def closed(message):
        print("closed")
comm.get_comm_manager().register_target("echo", opened)
"""


def send(kernel, kind, content, buffers=None):
    """Sends a message over a channel: all that is said of it, as messages."""
    message = kernel.client.session.msg(kind, content)
    kernel.client.session.send(kernel.client.shell_channel.socket, message, buffers=buffers)
    said = []
    while True:
        heard = kernel.client.get_iopub_msg(timeout=60)
        if heard["parent_header"].get("msg_id") == message["header"]["msg_id"]:
            said.append(heard)
            if heard["content"].get("execution_state") == "idle":
                return said


def of(said, kind):
    return [message for message in said if message["msg_type"] == kind]


def info(kernel, target=None):
    return kernel.reply(kernel.client.comm_info(target_name=target))["comms"]


def test_a_client_opens_talks_and_closes(kernel):
    reply, _ = kernel.run(ECHO)
    assert reply["status"] == "ok", reply
    send(kernel, "comm_open", {"comm_id": "c1", "target_name": "echo", "data": {"a": 1}})
    assert result_of(kernel.run("said")[1]) == "[{'a': 1}]"
    assert info(kernel) == {"c1": {"target_name": "echo"}}
    assert info(kernel, "echo") and not info(kernel, "other")
    said = send(kernel, "comm_msg", {"comm_id": "c1", "data": {"b": "π"}}, [b"\x01\x02"])
    assert [m["content"]["execution_state"] for m in of(said, "status")] == ["busy", "idle"]
    assert text_of([(m["msg_type"], m["content"]) for m in said]) == "heard {'b': 'π'} [b'\\x01\\x02']\n"
    echo = of(said, "comm_msg")[0]
    assert echo["content"] == {"comm_id": "c1", "data": {"echo": {"b": "π"}}}
    assert [bytes(piece) for piece in echo["buffers"]] == [b"\x00\xff"]
    said = send(kernel, "comm_close", {"comm_id": "c1", "data": {}})
    assert text_of([(m["msg_type"], m["content"]) for m in said]) == "closed\n"
    assert info(kernel) == {}


@pytest.mark.parametrize("begin", ["1", "%%python\n1", ECHO], ids=["without Python", "without comms", "other targets"])
def test_what_nobody_knows_is_closed(kernel, begin):
    kernel.run(begin)
    said = send(kernel, "comm_open", {"comm_id": "c2", "target_name": "unknown", "data": {}})
    assert [m["content"]["comm_id"] for m in of(said, "comm_close")] == ["c2"]
    assert info(kernel) == {}
    send(kernel, "comm_msg", {"comm_id": "c2", "data": {}})
    assert result_of(kernel.run("1 + 1")[1]) == "2"


def test_the_session_opens_and_closes_too(kernel):
    _, said = kernel.run("%%python\nimport comm\nchannel = comm.create_comm(target_name='mine', data={'x': float('nan')})")
    opened = [content for kind, content in said if kind == "comm_open"][0]
    assert (opened["target_name"], opened["data"]) == ("mine", {"x": "nan"})
    assert info(kernel) == {opened["comm_id"]: {"target_name": "mine"}}
    _, said = kernel.run("channel.close();")
    assert [content["comm_id"] for kind, content in said if kind == "comm_close"] == [opened["comm_id"]]
    assert info(kernel) == {}


def test_a_slider_tells_python_and_rhai(kernel):
    code = """%%python
import ipywidgets
slider = ipywidgets.IntSlider(value=3, max=10)
seen = []
def moved(change):
    global last
    last = change.new
    print("python", change.new)
slider.observe(moved, "value")
slider
"""
    reply, said = kernel.run(code)
    assert reply["status"] == "ok", reply
    view = [content["data"] for kind, content in said if kind == "execute_result"][0]
    model = view["application/vnd.jupyter.widget-view+json"]["model_id"]
    targets = {content["target_name"] for kind, content in said if kind == "comm_open"}
    assert targets == {"jupyter.widget"} and model in info(kernel)
    reply, _ = kernel.run('slider.observe(|change| print(`rhai ${change.new}`), "value");')
    assert reply["status"] == "ok", reply
    said = send(kernel, "comm_msg", {"comm_id": model, "data": {"method": "update", "state": {"value": 7}}})
    assert text_of([(m["msg_type"], m["content"]) for m in said]) == "python 7\nrhai 7\n"
    assert result_of(kernel.run("[slider.value, last]")[1]) == "[7, 7]"
    _, said = kernel.run("slider.value = 9;")
    states = [content["data"]["state"] for kind, content in said if kind == "comm_msg"]
    assert {"value": 9} in states
    assert text_of(said) == "python 9\nrhai 9\n"


def test_what_a_message_leads_to_cannot_ask(kernel):
    kernel.run(ECHO.replace('print("heard"', 'input(); print("heard"'))
    send(kernel, "comm_open", {"comm_id": "c5", "target_name": "echo", "data": {}})
    said = send(kernel, "comm_msg", {"comm_id": "c5", "data": {}})
    assert "StdinNotImplementedError" in text_of([(m["msg_type"], m["content"]) for m in said], "stderr")


def test_an_error_in_a_handler_is_told_and_ends_nothing(kernel):
    kernel.run(ECHO.replace('print("heard"', 'raise ValueError("bad"); print("heard"'))
    send(kernel, "comm_open", {"comm_id": "c3", "target_name": "echo", "data": {}})
    said = send(kernel, "comm_msg", {"comm_id": "c3", "data": {}})
    assert "ValueError: bad" in text_of([(m["msg_type"], m["content"]) for m in said], "stderr")
    assert result_of(kernel.run("1 + 1")[1]) == "2"


def test_an_interrupt_ends_a_handler(kernel):
    kernel.run(ECHO.replace('print("heard"', 'print("begun"); __import__("time").sleep(60); print("heard"'))
    send(kernel, "comm_open", {"comm_id": "c4", "target_name": "echo", "data": {}})
    message = kernel.client.session.msg("comm_msg", {"comm_id": "c4", "data": {}})
    kernel.client.shell_channel.send(message)
    waiting = kernel.client.execute("1 + 1")
    while True:
        heard = kernel.client.get_iopub_msg(timeout=60)
        if heard["msg_type"] == "stream" and "begun" in heard["content"]["text"]:
            break
    kernel.manager.interrupt_kernel()
    assert kernel.reply(waiting)["status"] == "aborted"
    assert result_of(kernel.run("2 + 1")[1]) == "3"


def test_an_output_widget_knows_whose_output_it_takes(kernel):
    kernel.run("%%python\nimport ipywidgets\nout = ipywidgets.Output()")
    request = kernel.client.execute('%%python\nwith out:\n    print("inside")\nprint("outside")')
    said = kernel.published(request)
    states = [content["data"]["state"]["msg_id"] for kind, content in said if kind == "comm_msg"]
    assert states == [request, ""]
    texts = [content["text"] for kind, content in said if kind == "stream"]
    assert "".join(texts) == "inside\noutside\n"
    # What stands between the two messages is what the widget takes.
    kinds = [kind for kind, _ in said if kind in ("comm_msg", "stream")]
    assert kinds[:2] == ["comm_msg", "stream"]


@pytest.mark.parametrize("module", ["tqdm.notebook", "tqdm.auto"])
def test_tqdm_draws_a_widget(kernel, module):
    code = f"""%%python
from {module} import tqdm
for i in tqdm(range(3), desc="steps"):
    pass
"""
    # Looking for a module is not importing it.
    kernel.run('%%python\nimport importlib.util\nimportlib.util.find_spec("IPython"), importlib.util.find_spec("comm")')
    reply, said = kernel.run(code)
    assert reply["status"] == "ok", reply
    states = [content["data"]["state"] for kind, content in said if kind in ("comm_open", "comm_msg")]
    names = {state.get("_model_name") for state in states}
    assert {"HBoxModel", "FloatProgressModel", "HTMLModel"} <= names
    assert any(state.get("value") == 3.0 for state in states)
    shown = [content["data"] for kind, content in said if kind == "display_data"]
    assert ["application/vnd.jupyter.widget-view+json" in data for data in shown] == [True]
    assert "%|" not in text_of(said, "stderr")
    reply, said = kernel.run('let tqdm = py.import("tqdm.notebook").tqdm; let n = 0; for i in tqdm([1, 2]) { n += i; } n')
    assert result_of(said) == "3"
    assert any(kind == "comm_open" for kind, _ in said)
