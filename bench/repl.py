"""A prompt in a terminal of its own: how soon it is there and how soon it answers.

    repl.py flambeau|ipython COMMAND...

Both sides see the same keys. IPython has torch imported when its first prompt is there. Prints `NAME NUMBER` lines:
seconds to the prompt, from a key to the screen with completions shown, and for `1+1`; bytes of memory at most.
"""

import os
import pty
import re
import select
import statistics
import struct
import sys
import time
import fcntl
import termios

PROMPT = {"flambeau": r"\[(\d+)\]> ", "ipython": r"In \[(\d+)\]: "}
ESCAPES = re.compile(rb"\x1b(\[[0-9;?]*[A-Za-z]|\][^\x07]*\x07|[()][A-Z0-9]|[=>])")
PATIENCE = 120


class Prompt:
    """A program in a terminal."""

    def __init__(self, kind, command):
        self.pattern = re.compile(PROMPT[kind])
        self.begin = time.perf_counter()
        self.pid, self.terminal = pty.fork()
        if self.pid == 0:
            os.environ["TERM"] = "xterm-256color"
            os.execvp(command[0], command)
        fcntl.ioctl(self.terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 40, 120, 0, 0))
        self.shown = ""

    def read(self, timeout):
        """What the program writes next, without escape sequences; None when nothing comes in time."""
        if not select.select([self.terminal], [], [], timeout)[0]:
            return None
        data = os.read(self.terminal, 65536)
        # Some ask where the cursor is before they go on.
        for _ in range(data.count(b"\x1b[6n")):
            os.write(self.terminal, b"\x1b[1;1R")
        return ESCAPES.sub(b"", data).decode(errors="replace")

    def until(self, found):
        """Reads until `found(text since the last key)` and says when that was."""
        end = time.monotonic() + PATIENCE
        while not found(self.shown):
            if time.monotonic() > end:
                sys.exit(f"nothing came after {self.shown[-300:]!r}")
            self.shown += self.read(1) or ""
        return time.perf_counter()

    def press(self, keys):
        """Sends keys once nothing more is written; says when that was."""
        while self.read(0.15) is not None:
            pass
        self.shown = ""
        now = time.perf_counter()
        os.write(self.terminal, keys.encode())
        return now

    def at_prompt(self, number):
        """Waits for the prompt of this number."""
        return self.until(lambda text: any(int(n) == number for n in self.pattern.findall(text)))

    def memory(self):
        """The most bytes that the program has held."""
        with open(f"/proc/{self.pid}/status") as status:
            return 1024 * int(re.search(r"VmHWM:\s+(\d+)", status.read())[1])


def main():
    kind, command = sys.argv[1], sys.argv[2:]
    prompt = Prompt(kind, command)
    print("prompt", prompt.at_prompt(1) - prompt.begin)
    # The engine has loaded once the first cell has been evaluated.
    first = "torch.ones([2, 2])\r" if kind == "flambeau" else "torch.ones(2, 2)\r"
    prompt.press(first)
    prompt.at_prompt(2)
    times = []
    for number in range(2, 12):
        begin = prompt.press("1+1\r")
        times.append(prompt.at_prompt(number + 1) - begin)
    print("answer", statistics.median(times))
    times = []
    for _ in range(10):
        prompt.press("torch.lin")
        prompt.press("\t")
        prompt.until(lambda text: "linspace" in text)
        begin = prompt.press("s")
        times.append(prompt.until(lambda text: "s" in text) - begin)
        prompt.press("\x03" if kind == "ipython" else "\x15")
    print("key", statistics.median(times))
    print("held", prompt.memory())
    os.close(prompt.terminal)
    os.kill(prompt.pid, 9)
    os.waitpid(prompt.pid, 0)


if __name__ == "__main__":
    main()
