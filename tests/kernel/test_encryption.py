"""CurveZMQ: what a kernel with keys says is encrypted, and who does not speak so is not heard."""

import json
import os
import subprocess

import pytest
import zmq
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager

from conftest import result_of


@pytest.fixture(params=["tcp", "ipc"])
def encrypted(request, tmp_path):
    manager = KernelManager(kernel_name="flambeau", transport=request.param, transport_encryption="required")
    if request.param == "ipc":
        manager.ip = str(tmp_path / "socket")
    manager.start_kernel(env=dict(os.environ))
    yield manager
    manager.shutdown_kernel(now=True)


def connect(manager):
    client = BlockingKernelClient(connection_file=manager.connection_file)
    client.load_connection_file()
    client.start_channels()
    return client


def test_a_client_with_the_key_is_served(encrypted):
    assert "curve_secretkey" in json.loads(open(encrypted.connection_file).read())
    client = connect(encrypted)
    client.wait_for_ready(timeout=60)
    said = []
    reply = client.execute_interactive(
        "6 * 7", timeout=60, output_hook=lambda message: said.append((message["msg_type"], message["content"]))
    )
    assert reply["content"]["status"] == "ok"
    assert result_of(said) == "42"
    assert client.hb_channel.is_beating()
    client.stop_channels()


def test_a_client_without_the_key_is_not_heard(encrypted):
    client = connect(encrypted)
    client.wait_for_ready(timeout=60)
    info = encrypted.get_connection_info()
    port = info["shell_port"]
    endpoint = f"tcp://{info['ip']}:{port}" if info["transport"] == "tcp" else f"ipc://{info['ip']}-{port}"
    socket = zmq.Context.instance().socket(zmq.DEALER)
    socket.linger = 0
    socket.connect(endpoint)
    message = client.session.msg("kernel_info_request")
    socket.send_multipart(client.session.serialize(message))
    assert not socket.poll(1000)
    socket.close()
    # Who has it still is.
    reply = client.execute_interactive("1", timeout=60)
    assert reply["content"]["status"] == "ok"
    client.stop_channels()


def test_a_key_that_is_none_is_refused(tmp_path):
    path = tmp_path / "connection.json"
    ports = {f"{name}_port": 0 for name in ["shell", "control", "stdin", "iopub", "hb"]}
    path.write_text(json.dumps({"transport": "tcp", "ip": "127.0.0.1", "curve_secretkey": "short", **ports}))
    spec = KernelManager(kernel_name="flambeau").kernel_spec
    command = [spec.argv[0], "kernel", "-f", str(path)]
    outcome = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert outcome.returncode != 0
    assert "curve_secretkey is no key of CurveZMQ" in outcome.stderr
