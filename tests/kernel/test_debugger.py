"""The debugger: breakpoints, steps and variables of Rhai cells, as JupyterLab asks for them on the control channel."""

import time

import pytest
from conftest import result_of, text_of
from ipykernel.compiler import murmur2_x86


class Debugger:
    """A client that debugs a kernel."""

    def __init__(self, kernel):
        self.kernel = kernel
        self.client = kernel.client
        self.seq = 0
        self.said = []

    def send(self, command, **arguments):
        self.seq += 1
        content = {"type": "request", "seq": self.seq, "command": command, "arguments": arguments}
        message = self.client.session.msg("debug_request", content)
        self.client.control_channel.send(message)
        return message["header"]["msg_id"]

    def answer(self, request):
        while True:
            message = self.client.get_control_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                assert message["msg_type"] == "debug_reply"
                assert message["content"]["type"] == "response"
                return message["content"]

    def ask(self, command, **arguments):
        """The body of the answer to a request that must succeed."""
        content = self.answer(self.send(command, **arguments))
        assert content["success"] is True, content
        assert content["command"] == command
        return content["body"]

    def refused(self, command, **arguments):
        content = self.answer(self.send(command, **arguments))
        assert content["success"] is False, content
        return content["message"]

    def event(self, wanted):
        """The body of the next event of a name; what else is said is kept in `said`."""
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            kind, content = message["msg_type"], message["content"]
            self.said.append((kind, content))
            if kind == "debug_event" and content["event"] == wanted:
                assert content["type"] == "event"
                return content["body"]

    def start(self):
        capabilities = self.ask("initialize", clientID="test", adapterID="")
        self.ask("attach")
        self.event("initialized")
        return capabilities

    def break_at(self, code, *lines):
        """Sets breakpoints in a cell: the lines where they are."""
        path = self.ask("dumpCell", code=code)["sourcePath"]
        breakpoints = [{"line": line} for line in lines]
        body = self.ask("setBreakpoints", source={"path": path}, breakpoints=breakpoints, sourceModified=False)
        self.ask("configurationDone")
        assert all(found["verified"] for found in body["breakpoints"])
        return [found["line"] for found in body["breakpoints"]]

    def run(self, code):
        """Begins a cell, which is expected to stop: where it does."""
        self.request, self.said = self.client.execute(code), []
        return self.stops("breakpoint")

    def stops(self, reason):
        body = self.event("stopped")
        assert body["reason"] == reason, body
        assert body["allThreadsStopped"] is True
        return self.place()

    def place(self):
        frame = self.frames()[0]
        return frame["name"], frame["line"]

    def frames(self):
        return self.ask("stackTrace", threadId=1)["stackFrames"]

    def step(self, command):
        self.ask(command, threadId=1)
        self.event("continued")
        return self.stops("step")

    def variables(self, frame):
        scopes = self.ask("scopes", frameId=frame["id"])["scopes"]
        assert scopes[0]["name"] == "Locals"
        return self.parts(scopes[0])

    def parts(self, whole):
        found = self.ask("variables", variablesReference=whole["variablesReference"])["variables"]
        return {variable["name"]: variable for variable in found}

    def ends(self):
        """Lets the cell run to its end: the reply, and all that was said."""
        self.ask("continue", threadId=1)
        return self.reply()

    def reply(self):
        reply = self.kernel.reply(self.request)
        self.said += self.kernel.published(self.request)
        return reply


@pytest.fixture
def debugger(kernel):
    return Debugger(kernel)


FUNCTION = """fn scaled(x, by) {
    // The product.

    let y = x * by;
    y + 1
}
"""


def test_the_kernel_says_that_it_can_be_debugged(kernel, debugger):
    kernel.client.kernel_info()
    info = kernel.client.get_shell_msg(timeout=60)["content"]
    assert info["debugger"] is True and "debugger" in info["supported_features"]
    assert kernel.manager.kernel_spec.metadata["debugger"] is True
    found = debugger.ask("debugInfo")
    assert found["isStarted"] is False and found["breakpoints"] == [] and found["stoppedThreads"] == []
    # As clients work it out for cells that they have not sent.
    code = "let größe = 1;\n"
    path = f"{found['tmpFilePrefix']}{murmur2_x86(code, found['hashSeed'])}{found['tmpFileSuffix']}"
    assert found["hashMethod"] == "Murmur2"
    assert debugger.ask("dumpCell", code=code)["sourcePath"] == path
    assert debugger.ask("source", source={"path": path})["content"] == code
    assert debugger.refused("source", source={"path": "/nowhere"})
    assert "knows no request" in debugger.refused("gotoTargets")


def test_variables_are_inspected_without_a_debugger(kernel, debugger):
    kernel.run(
        "let n = 3; let word = \"a\\nb\"; let list = [1, [2, 3]]; let m = #{a: 1};\n"
        "let t = torch.arange(6.0).reshape([2, 3]); let lin = nn.Linear(2, 1);"
    )
    found = {variable["name"]: variable for variable in debugger.ask("inspectVariables")["variables"]}
    assert list(found) == ["n", "word", "list", "m", "t", "lin"]
    assert (found["n"]["type"], found["n"]["value"], found["n"]["variablesReference"]) == ("int", "3", 0)
    assert found["list"]["value"] == "2 items" and found["list"]["indexedVariables"] == 2
    assert found["t"]["type"] == "Tensor" and "[2, 3]" in found["t"]["value"]
    tensor = debugger.parts(found["t"])
    assert {"shape", "dtype", "device", "requires_grad", "min", "max", "mean", "values"} <= set(tensor)
    assert (tensor["max"]["value"], tensor["dtype"]["value"]) == ("5", "torch.float32")
    assert [part["value"] for part in debugger.parts(tensor["shape"]).values()] == ["2", "3"]
    inner = debugger.parts(debugger.parts(found["list"])["1"])
    assert [part["value"] for part in inner.values()] == ["2", "3"]
    second = debugger.ask("variables", variablesReference=found["list"]["variablesReference"], start=1, count=1)
    assert [part["name"] for part in second["variables"]] == ["1"]
    assert list(debugger.parts(found["m"])) == ["a"]
    module = debugger.parts(found["lin"])
    assert list(module)[:2] == ["weight", "bias"] and module["training"]["value"] == "true"
    data = debugger.ask("richInspectVariables", variableName="t")["data"]
    assert "tensor" in data["text/plain"] and "<table" in data["text/html"]
    assert "no variable 'nothing'" in debugger.refused("richInspectVariables", variableName="nothing")
    # What was told of holds no longer than until the next cell.
    kernel.run("1")
    assert debugger.refused("variables", variablesReference=found["t"]["variablesReference"])
    assert debugger.frames() == []


def test_a_cell_stops_shows_what_it_holds_and_goes_on(kernel, debugger):
    kernel.run("let before = 10;")
    capabilities = debugger.start()
    assert capabilities["exceptionBreakpointFilters"] == []
    code = "let a = before + 1;\nlet t = torch.ones([2]);\n\n// here\nprint(a);\na * 2"
    # A line without a statement means the next one that has one.
    assert debugger.break_at(code, 3) == [5]
    path = debugger.ask("dumpCell", code=code)["sourcePath"]
    info = debugger.ask("debugInfo")
    assert info["isStarted"] is True and info["breakpoints"] == [{"source": path, "breakpoints": [{"line": 5}]}]
    assert debugger.run(code) == ("cell 2", 5)
    assert debugger.ask("debugInfo")["stoppedThreads"] == [1]
    (frame,) = debugger.frames()
    assert frame["source"]["path"] == path and frame["column"] == 1
    variables = debugger.variables(frame)
    assert variables["a"]["value"] == "11" and variables["before"]["value"] == "10"
    assert "shape" in debugger.parts(variables["t"])
    inspected = [variable["name"] for variable in debugger.ask("inspectVariables")["variables"]]
    assert inspected == ["before", "a", "t"]
    assert debugger.ask("evaluate", expression="a + t.sum().item()", frameId=frame["id"])["result"] == "13.0"
    assert debugger.ask("evaluate", expression="[1, a].map(|x| x * 2)[1]", frameId=frame["id"])["result"] == "22"
    assert "NameError" in debugger.refused("evaluate", expression="nowhere", frameId=frame["id"])
    assert debugger.refused("evaluate", expression="1 +", frameId=frame["id"])
    # What is assigned stays; what is declared does not.
    debugger.ask("evaluate", expression="a = 20", frameId=frame["id"])
    debugger.ask("evaluate", expression="let hidden = 1;", frameId=frame["id"])
    rich = debugger.ask("richInspectVariables", variableName="t", frameId=frame["id"])
    assert "text/html" in rich["data"]
    assert debugger.step("next") == ("cell 2", 6)
    reply = debugger.ends()
    assert reply["status"] == "ok"
    assert result_of(debugger.said) == "40" and text_of(debugger.said) == "20\n"
    assert debugger.ask("debugInfo")["stoppedThreads"] == []
    _, said = kernel.run("hidden")
    assert any(kind == "error" for kind, _ in said)


def test_steps_go_into_over_and_out_of_functions(kernel, debugger):
    kernel.run(FUNCTION)
    debugger.start()
    code = "let x = 2;\nlet y = scaled(x, 10);\nlet z = scaled(y, 1);\nz"
    debugger.break_at(code, 2)
    assert debugger.run(code) == ("cell 2", 2)
    assert debugger.step("stepIn") == ("scaled", 4)
    inner, outer = debugger.frames()
    assert (outer["name"], outer["line"]) == ("cell 2", 2)
    assert inner["source"]["name"] == "cell 1" and outer["source"]["name"] == "cell 2"
    variables = debugger.variables(inner)
    assert {name: found["value"] for name, found in variables.items()} == {"x": "2", "by": "10"}
    # The call that waits has its own.
    assert debugger.variables(outer)["x"]["value"] == "2" and "by" not in debugger.variables(outer)
    assert debugger.ask("evaluate", expression="x * 100", frameId=outer["id"])["result"] == "200"
    assert debugger.step("next") == ("scaled", 5)
    assert debugger.ask("copyToGlobals", srcVariableName="y", dstVariableName="kept", srcFrameId=inner["id"]) == {}
    assert debugger.step("stepOut") == ("cell 2", 3)
    assert debugger.step("next") == ("cell 2", 4)
    assert debugger.ends()["status"] == "ok"
    assert result_of(debugger.said) == "22"
    assert result_of(kernel.run("kept")[1]) == "20"


def test_functions_of_earlier_cells_and_closures_stop(kernel, debugger):
    code = "fn inner(x) {\n    x + 1\n}\nlet f = |x| {\n    let y = inner(x);\n    y * 2\n};"
    kernel.run(code)
    debugger.start()
    debugger.break_at(code, 2, 6)
    request = "let total = 0;\nfor i in 0..2 {\n    total += f(i);\n}\ntotal"
    assert debugger.run(request) == ("inner", 2)
    assert [frame["name"] for frame in debugger.frames()] == ["inner", "closure", "cell 2"]
    places = []
    for _ in range(3):
        debugger.ask("continue", threadId=1)
        places.append(debugger.stops("breakpoint"))
    assert places == [("closure", 6), ("inner", 2), ("closure", 6)]
    # Native code calls it.
    debugger.ask("continue", threadId=1)
    debugger.reply()
    assert debugger.run("[5].map(f)") == ("inner", 2)
    assert [frame["name"] for frame in debugger.frames()][:2] == ["inner", "closure"]
    debugger.ask("setBreakpoints", source=debugger.frames()[0]["source"], breakpoints=[])
    assert debugger.ends()["status"] == "ok"
    assert result_of(debugger.said) == "[12]"


def test_hooks_and_callbacks_of_python_stop(kernel, debugger):
    debugger.start()
    code = (
        "let w = torch.ones([2], requires_grad: true);\n"
        "w.register_hook(|g| {\n    let twice = g * 2;\n    twice\n});\n"
        "w.sum().backward();\n"
        "w.grad[0].item()"
    )
    debugger.break_at(code, 4)
    assert debugger.run(code) == ("closure", 4)
    assert "[2]" in debugger.variables(debugger.frames()[0])["twice"]["value"]
    assert debugger.ends()["status"] == "ok"
    assert result_of(debugger.said) == "2.0"
    code = "let triple = |x| {\n    x * 3\n};\n%%python\ntriple(4)"
    assert debugger.break_at(code, 2) == [2]
    assert debugger.run(code)[1] == 2
    assert debugger.ends()["status"] == "ok"
    assert result_of(debugger.said) == "12"
    # Lines of Python have no statements of a script.
    path = debugger.ask("dumpCell", code="%%python\nx = 1")["sourcePath"]
    found = debugger.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 2}])
    assert [point["verified"] for point in found["breakpoints"]] == [False]


def test_a_breakpoint_is_kept_in_a_file_that_is_not_known_yet(kernel, debugger):
    debugger.start()
    code = "let a = 1;\na + 1"
    info = debugger.ask("debugInfo")
    path = f"{info['tmpFilePrefix']}{murmur2_x86(code, info['hashSeed'])}{info['tmpFileSuffix']}"
    found = debugger.ask("setBreakpoints", source={"path": path}, breakpoints=[{"line": 2}])["breakpoints"]
    assert [(point["verified"], point["line"]) for point in found] == [(False, 2)]
    assert debugger.ask("debugInfo")["breakpoints"] == [{"source": path, "breakpoints": [{"line": 2}]}]
    assert debugger.run(code) == ("cell 1", 2)
    assert debugger.ends()["status"] == "ok"


def test_an_interrupt_ends_a_cell_that_stands(kernel, debugger):
    debugger.start()
    code = "let stays = 5;\nlet gone = stays + 1;"
    debugger.break_at(code, 2)
    assert debugger.run(code) == ("cell 1", 2)
    waits = kernel.client.execute("stays + 1")
    kernel.client.control_channel.send(kernel.client.session.msg("interrupt_request", {}))
    debugger.event("continued")
    reply = debugger.reply()
    assert reply["status"] == "error" and reply["ename"] == "KeyboardInterrupt"
    assert kernel.reply(waits)["status"] == "aborted"
    assert result_of(kernel.run("stays + 1")[1]) == "6"


def test_a_pause_stops_what_runs(kernel, debugger):
    debugger.start()
    debugger.request = kernel.client.execute("let i = 0;\nprint(1);\nwhile i >= 0 {\n    i += 1;\n}")
    while kernel.client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
        pass
    debugger.ask("pause", threadId=1)
    name, line = debugger.stops("pause")
    assert name == "cell 1" and line >= 2
    debugger.ask("evaluate", expression="i = -2", frameId=debugger.frames()[0]["id"])
    assert debugger.ends()["status"] == "ok"


def test_who_goes_leaves_nothing_that_stops(kernel, debugger):
    debugger.start()
    code = "let x = 1;\nx + 1"
    debugger.break_at(code, 1, 2)
    assert debugger.run(code) == ("cell 1", 1)
    debugger.ask("disconnect", restart=False, terminateDebuggee=False)
    assert debugger.reply()["status"] == "ok"
    assert result_of(debugger.said) == "2"
    info = debugger.ask("debugInfo")
    assert info["isStarted"] is False and info["breakpoints"] == [] and info["stoppedThreads"] == []
    assert result_of(kernel.run(code)[1]) == "2"
    # Nor does it find its breakpoints when it comes back.
    debugger.start()
    assert result_of(kernel.run(code)[1]) == "2"


def test_a_kernel_ends_while_a_cell_stands(kernel, debugger):
    debugger.start()
    debugger.break_at("1 + 1", 1)
    assert debugger.run("1 + 1") == ("cell 1", 1)
    kernel.client.shutdown()
    end = time.monotonic() + 30
    while kernel.manager.is_alive() and time.monotonic() < end:
        time.sleep(0.05)
    assert not kernel.manager.is_alive()


def test_shared_variables_and_named_arguments_are_seen_as_they_were_written(kernel, debugger):
    # The sugar puts statements, calls and closures into this code; none of them is stopped at.
    debugger.start()
    code = (
        "let count = 1;\n"
        "fn next() { count + 1 }\n"
        "let list = [3, 1];\n"
        "let add = |x| list.push(x);\n"
        "add(2);\n"
        "let best = torch.tensor([1.0, 3.0]).argmax(dim: 0);\n"
        "try {\n    throw \"no\";\n} catch (e) {\n    print(`${e}`);\n}\n"
        "list.len() + next() + best.item()"
    )
    debugger.break_at(code, 1)
    assert debugger.run(code) == ("cell 1", 1)
    places = []
    while len(places) < 20:
        debugger.ask("stepIn", threadId=1)
        debugger.event("continued")
        places.append(debugger.stops("step")[1])
        if places[-1] == 2:
            break
    assert places == [3, 4, 5, 4, 6, 7, 8, 10, 12, 2]
    frame = debugger.frames()[-1]
    values = {name: found["value"] for name, found in debugger.variables(frame).items()}
    assert values["list"] == "3 items" and values["count"] == "1"
    assert debugger.ends()["status"] == "ok"
    assert result_of(debugger.said) == "6"
