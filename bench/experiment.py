"""What experiments cost, on one side: `experiment.py WHAT PROGRAM`.

    trials, imports        seconds of an empty trial in a sweep; of `python -c "import torch"`
    logging, summaries     nanoseconds of a record of two numbers: log() of a recorded run; a line of JSON and two
                           scalars of torch.utils.tensorboard
    recorded, plain        nanoseconds of a training with records and checkpoints; of the same without
"""

import pathlib
import re
import subprocess
import sys
import tempfile
import time

BENCH = pathlib.Path(__file__).resolve().parent
TRIALS, IMPORTS = 60, 4
SUMMARIES = """
import json, sys, time
from torch.utils.tensorboard import SummaryWriter
writer, lines = SummaryWriter(sys.argv[1]), open(sys.argv[1] + "/metrics.jsonl", "w", buffering=1)
def records(n, begun):
    for step in range(begun, begun + n):
        lines.write(json.dumps({"step": step, "loss": 0.5, "acc": 0.9, "time": time.time()}) + "\\n")
        writer.add_scalar("loss", 0.5, step)
        writer.add_scalar("acc", 0.9, step)
records(1000, 0)
for i in range(1, 21):
    begun = time.perf_counter()
    records(1000, i * 1000)
    print(f"log {(time.perf_counter() - begun) * 1e6}")
"""


def run(*command):
    done = subprocess.run([str(word) for word in command], capture_output=True, text=True)
    if done.returncode:
        sys.exit(f"{command[0]} ended with {done.returncode}: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout


def timed(count, *command):
    begun = time.perf_counter()
    run(*command)
    return (time.perf_counter() - begun) / count


def main():
    what, program = sys.argv[1:]
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder) / "out"
        if what == "trials":
            grid = f"n=0..{TRIALS}"
            print("trial", timed(TRIALS, program, "sweep", BENCH / "empty.rhai", "--grid", grid, "--out", out))
        elif what == "imports":
            print("trial", sum(timed(1, program, "-c", "import torch") for _ in range(IMPORTS)) / IMPORTS)
        elif what == "logging":
            text = run(program, "run", BENCH / "logging.rhai", "--threads", 1, "--quiet", "--out", out)
            print(text)
        elif what == "summaries":
            out.mkdir()
            print(run(program, "-c", SUMMARIES, out))
        else:
            given = ["--quiet", "--out", out] if what == "recorded" else ["--", "plain"]
            text = run(program, "run", BENCH / "recorded.rhai", "--threads", 1, *given)
            print("\n".join(re.findall(r"^train .*$", text, re.MULTILINE)))


main()
