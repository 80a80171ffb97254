"""A Jupyter kernel and a client that reads as fast as it can: how soon the kernel is there, answers and shows.

    kernel.py flambeau|ipykernel COMMAND...

COMMAND gets `-f CONNECTION_FILE`. The client uses the sockets without decoding what it only counts, lest it is itself
what is measured. Prints `NAME NUMBER` lines: seconds to the answer to `kernel_info`, from the start to the first tensor
on the screen, to a reply (median and 99th of a hundred) and to idle, for 200,000 prints; displays per second, each
as seconds; bytes that the idle kernel holds.
"""

import os
import pathlib
import subprocess
import sys
import tempfile
import time

import zmq
from jupyter_client.connect import write_connection_file
from jupyter_client.session import Session

CODE = {
    "flambeau": {
        "tensor": "torch.ones([2, 2])",
        "display": "for i in 0..20000 { display(i); }",
        "print": "for i in 0..200000 { print(i); }",
    },
    "ipykernel": {
        "tensor": "import torch; torch.ones(2, 2)",
        "display": "for i in range(20000): display(i)",
        "print": "for i in range(200000): print(i)",
    },
}
# Messages are signed, as between every client and kernel.
KEY = b"a key"
PATIENCE = 120_000
REPLIES = 1000


class Client:
    def __init__(self, command, folder):
        # With pipes for sockets: no other process can have taken a port.
        path, info = write_connection_file(os.path.join(folder, "kernel.json"), ip=os.path.join(folder, "k"), transport="ipc", key=KEY)
        self.session = Session(key=KEY)
        self.begin = time.perf_counter()
        self.process = subprocess.Popen([*command, "-f", path], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        self.context = zmq.Context()
        # The kernel's sockets are not there yet: looked for again at once, not after a tenth of a second.
        self.context.setsockopt(zmq.RECONNECT_IVL, 1)
        self.context.setsockopt(zmq.RCVTIMEO, PATIENCE)
        self.context.setsockopt(zmq.LINGER, 0)
        self.shell = self.socket(zmq.DEALER, info, "shell")
        self.iopub = self.context.socket(zmq.SUB)
        # None of what is counted is dropped here.
        self.iopub.setsockopt(zmq.RCVHWM, 0)
        self.iopub.setsockopt(zmq.SUBSCRIBE, b"")
        self.iopub.connect(f"ipc://{info['ip']}-{info['iopub_port']}")

    def socket(self, kind, info, name):
        socket = self.context.socket(kind)
        socket.connect(f"ipc://{info['ip']}-{info[name + '_port']}")
        return socket

    def ask(self, kind, content):
        return self.session.send(self.shell, kind, content)["header"]["msg_id"].encode()

    def execute(self, code):
        content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
        return self.ask("execute_request", {**content, "stop_on_error": True})

    def published(self, request, kind):
        """How many messages of a kind come until the kernel is idle after a request."""
        count = 0
        while True:
            frames = self.iopub.recv_multipart()
            header, parent, content = frames[-4], frames[-3], frames[-1]
            if request not in parent:
                continue
            count += kind in header
            if b'"error"' in header:
                sys.exit(content.decode())
            if b'"status"' in header and b"idle" in content:
                return count


def held(pid):
    """Bytes of memory that a process has for itself, and its share of what it has with others."""
    lines = pathlib.Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("Pss:"))


def main():
    kind, *command = sys.argv[1:]
    code = CODE[kind]
    with tempfile.TemporaryDirectory() as folder:
        client = Client(command, folder)
        request = client.ask("kernel_info_request", {})
        client.shell.recv_multipart()
        print("info", time.perf_counter() - client.begin)
        if client.published(client.execute(code["tensor"]), b'"execute_result"') != 1:
            sys.exit("no tensor")
        print("tensor", time.perf_counter() - client.begin)
        client.shell.recv_multipart()
        replies, idles = [], []
        for _ in range(REPLIES):
            begin = time.perf_counter()
            request = client.execute("1 + 1")
            client.shell.recv_multipart()
            replies.append(time.perf_counter() - begin)
            client.published(request, b"")
            idles.append(time.perf_counter() - begin)
        print("reply", sorted(replies)[REPLIES // 2])
        print("late", sorted(replies)[REPLIES * 99 // 100])
        print("idle", sorted(idles)[REPLIES // 2])
        print("memory", held(client.process.pid))
        begin = time.perf_counter()
        count = client.published(client.execute(code["display"]), b'"display_data"')
        if count != 20_000:
            sys.exit(f"{count} of 20000 displays came")
        print("display", (time.perf_counter() - begin) / 20_000)
        begin = time.perf_counter()
        client.published(client.execute(code["print"]), b'"stream"')
        print("print", time.perf_counter() - begin)
        client.process.terminate()
        client.process.wait(10)
        client.context.destroy()


if __name__ == "__main__":
    main()
