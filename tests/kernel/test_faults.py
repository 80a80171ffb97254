"""Clients that sleep, stall and die, messages that are none, and more output than anybody reads."""

import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import time

import pytest
import zmq
from conftest import Kernel, result_of
from jupyter_client.session import Session

MANY = 20_000
MB = 1 << 20


class Listener:
    """A bare subscriber with room for little, which reads when it is told to."""

    def __init__(self, kernel):
        self.context = zmq.Context()
        self.socket = self.context.socket(zmq.SUB)
        self.socket.setsockopt(zmq.RCVHWM, 1)
        self.socket.setsockopt(zmq.RCVBUF, 4096)
        self.socket.setsockopt(zmq.RCVTIMEO, 60_000)
        self.socket.setsockopt(zmq.LINGER, 0)
        self.socket.setsockopt(zmq.SUBSCRIBE, b"")
        self.socket.connect(kernel.client._make_url("iopub"))
        assert b'"iopub_welcome"' in self.socket.recv_multipart()[-4]

    def until_idle(self, request):
        """The header and content of each message of a request up to idle, undecoded."""
        while True:
            frames = self.socket.recv_multipart()
            header, parent, content = frames[-4], frames[-3], frames[-1]
            if request.encode() in parent:
                yield header, content
                if b'"status"' in header and b'"idle"' in content:
                    return

    def close(self):
        self.context.destroy()


def held(kernel):
    """Bytes of memory that the kernel has now."""
    status = pathlib.Path(f"/proc/{kernel.manager.provisioner.process.pid}/status").read_text()
    return next(int(line.split()[1]) << 10 for line in status.splitlines() if line.startswith("VmRSS:"))


def test_a_client_that_sleeps_misses_nothing_and_costs_little(kernel):
    kernel.run("torch.ones([1])")
    before = held(kernel)
    sleeping, stalled = Listener(kernel), Listener(kernel)
    request = kernel.client.execute(f"for i in 0..{MANY} {{ display(i); }}")
    # The first client is not kept waiting by the others.
    kinds = [kind for kind, _ in kernel.published(request)]
    assert kinds.count("display_data") == MANY and kinds[-1] == "status"
    time.sleep(15)
    assert held(kernel) - before < 200 * MB
    heard = list(sleeping.until_idle(request))
    assert sum(b'"display_data"' in header for header, _ in heard) == MANY
    numbers = [json.loads(content)["data"]["text/plain"] for header, content in heard if b'"display_data"' in header]
    assert numbers == [str(i) for i in range(MANY)]
    sleeping.close()
    stalled.close()


def test_a_gigabyte_of_prints_arrives_in_bounded_memory(kernel):
    assert result_of(kernel.run('let text = "x"; text.pad(1 << 20, "x"); text.len()')[1]) == str(MB)
    before = held(kernel)
    listener = Listener(kernel)
    request = kernel.client.execute("for i in 0..1024 { print(text); }")
    count = 0
    most = 0
    for header, content in listener.until_idle(request):
        if b'"stream"' in header:
            count += content.count(b"x") - content.count(b"text")
            most = max(most, held(kernel) - before)
    assert count == 1024 * MB
    assert most < 256 * MB, most
    listener.close()


CLIENT = """
import sys
from jupyter_client.blocking import BlockingKernelClient
client = BlockingKernelClient(connection_file=sys.argv[1])
client.load_connection_file()
client.start_channels()
client.wait_for_ready(timeout=60)
client.execute("let kept = 41; loop { print(1); }")
while client.get_iopub_msg(timeout=60)["msg_type"] != "stream":
    pass
print("busy", flush=True)
while True:
    client.get_iopub_msg(timeout=60)
"""


def test_a_client_that_is_killed_leaves_the_session_to_the_next(kernel):
    client = subprocess.Popen(
        [sys.executable, "-c", CLIENT, kernel.manager.connection_file], stdout=subprocess.PIPE, text=True
    )
    assert client.stdout.readline() == "busy\n"
    client.kill()
    client.wait()
    time.sleep(0.5)
    kernel.manager.interrupt_kernel()
    kernel.client = kernel.connect()
    assert result_of(kernel.run("kept + 1")[1]) == "42"


def anything(dice, depth=0):
    """JSON of any shape."""
    leaf = dice.choice([None, True, -1, 2**70, 1.5, "", "x", "\ud83d", "π" * 50, "comm_open"])
    if depth == 3 or dice.random() < 0.5:
        return leaf
    if dice.random() < 0.5:
        return [anything(dice, depth + 1) for _ in range(dice.randrange(4))]
    keys = ["code", "silent", "cursor_pos", "comm_id", "target_name", "data", "user_expressions", "session", "n", "x"]
    return {dice.choice(keys): anything(dice, depth + 1) for _ in range(dice.randrange(5))}


KINDS = [
    "execute_request", "inspect_request", "complete_request", "history_request", "is_complete_request",
    "comm_info_request", "comm_open", "comm_msg", "comm_close", "kernel_info_request", "debug_request",
    "input_reply", "interrupt_request", "nothing_known", "", "x" * 5000,
]


def test_ten_thousand_malformed_messages_change_nothing(kernel):
    kernel.run("let kept = 41;")
    seed = int(os.environ.get("FLAMBEAU_SEED", "1"))
    dice = random.Random(seed)
    session = Session(key=kernel.client.session.key)
    context = zmq.Context()
    sockets = []
    for channel in ["shell", "control", "stdin"]:
        socket = context.socket(zmq.DEALER)
        socket.setsockopt(zmq.LINGER, 5000)
        # The answers wait there unread.
        socket.setsockopt(zmq.RCVHWM, 0)
        socket.connect(kernel.client._make_url(channel))
        sockets.append(socket)
    for _ in range(10_000):
        kind = dice.choice(KINDS)
        content = anything(dice)
        if kind == "execute_request" and isinstance(content, dict):
            # What is executed is not the matter here, only that what is no cell is none.
            content["code"] = dice.choice([None, 1, [], "1"])
        message = session.msg(kind, {})
        message["content"] = json.dumps(content).encode()
        frames = session.serialize(message)
        trick = dice.randrange(5)
        at = dice.randrange(len(frames))
        if trick == 0:
            del frames[at]
        elif trick == 1 and frames[at]:
            damaged = bytearray(frames[at])
            damaged[dice.randrange(len(damaged))] ^= 1 << dice.randrange(8)
            frames[at] = bytes(damaged)
        elif trick == 2:
            frames.insert(at, dice.randbytes(dice.randrange(100)))
        elif trick == 3:
            frames = [dice.randbytes(dice.randrange(20)) for _ in range(dice.randrange(1, 9))]
        dice.choice(sockets).send_multipart(frames)
    # There are interrupts among them: an answer to what was sent last says that all have come.
    for socket in sockets[:2]:
        message = session.msg("kernel_info_request", {})
        socket.send_multipart(session.serialize(message))
        while message["header"]["msg_id"].encode() not in b"".join(socket.recv_multipart()):
            pass
    context.destroy(linger=5000)
    assert result_of(kernel.run("kept + 1")[1]) == "42", f"FLAMBEAU_SEED={seed}"


@pytest.mark.parametrize("by", ["signal", "request"])
def test_what_cells_have_started_ends_with_the_kernel(by):
    kernel = Kernel()
    code = "%%python\nimport subprocess\nsubprocess.Popen(['sleep', '1000']).pid"
    child = int(result_of(kernel.run(code)[1]))
    if by == "signal":
        os.kill(kernel.manager.provisioner.process.pid, signal.SIGTERM)
    else:
        kernel.client.shutdown()
    kernel.manager.provisioner.process.wait(60)
    end = time.monotonic() + 60
    while pathlib.Path(f"/proc/{child}").exists():
        # Once its parent has gone it is the system's to be buried.
        state = pathlib.Path(f"/proc/{child}/stat")
        if state.read_text().rsplit(")", 1)[1].split()[0] == "Z":
            break
        assert time.monotonic() < end, "the child goes on"
        time.sleep(0.05)
    kernel.client.stop_channels()
