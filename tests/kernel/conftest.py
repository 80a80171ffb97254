import os

import pytest
from jupyter_client.blocking import BlockingKernelClient
from jupyter_client.manager import KernelManager


class Kernel:
    """A kernel and one client of it."""

    def __init__(self, **environment):
        self.manager = KernelManager(kernel_name="flambeau")
        self.manager.start_kernel(env={**os.environ, **environment})
        self.client = self.connect()

    def connect(self):
        # With a session of its own: the sockets of two clients are told apart by that.
        client = BlockingKernelClient(connection_file=self.manager.connection_file)
        client.load_connection_file()
        client.start_channels()
        client.wait_for_ready(timeout=60)
        return client

    def run(self, code, **options):
        """Executes a cell: the reply's content, and what was said meanwhile as (type, content)."""
        said = []
        hook = lambda message: said.append((message["msg_type"], message["content"]))  # noqa: E731
        reply = self.client.execute_interactive(code, timeout=60, output_hook=hook, **options)
        return reply["content"], said

    def reply(self, request):
        """The answer on the shell channel to a request that was sent."""
        while True:
            message = self.client.get_shell_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request:
                return message["content"]

    def published(self, request):
        """All that is said of a request, until the kernel is idle again."""
        said = []
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") != request:
                continue
            said.append((message["msg_type"], message["content"]))
            if message["content"].get("execution_state") == "idle":
                return said

    def wait_until_busy(self, request):
        while True:
            message = self.client.get_iopub_msg(timeout=60)
            if message["parent_header"].get("msg_id") == request and message["msg_type"] == "execute_input":
                return

    def close(self):
        self.client.stop_channels()
        if self.manager.is_alive():
            self.manager.shutdown_kernel(now=True)


@pytest.fixture
def kernel():
    kernel = Kernel()
    yield kernel
    kernel.close()


def text_of(said, name="stdout"):
    return "".join(content["text"] for kind, content in said if kind == "stream" and content["name"] == name)


def result_of(said):
    results = [content["data"]["text/plain"] for kind, content in said if kind == "execute_result"]
    return results[0] if results else None
