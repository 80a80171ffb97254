#!/usr/bin/env python
"""This program beside Python, on the same machine in the same run.

    .venv/bin/python bench/bench.py [--quick] [--rows hello,ops] [--write]

Each row runs both sides alternately (A B A B ...) and compares the medians. Rows that measure operators
do so inside the scripts with their own clock, so that the start does not count. `--write` puts the table
into BENCHMARKS.md.
"""

import argparse
import datetime
import math
import os
import pathlib
import platform
import re
import statistics
import subprocess
import sys
import sysconfig
import tempfile
import time
from dataclasses import dataclass, field

ROOT = pathlib.Path(__file__).resolve().parent.parent
BENCH = ROOT / "bench"
BEGIN, END = "<!-- bench: begin -->", "<!-- bench: end -->"
# One thread in both, so that neither is helped or hurt by how many cores are free.
ONE_THREAD = {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}


class Failed(Exception):
    """A side that could not be run; the message says why."""


@dataclass
class Row:
    """One line of the table."""

    name: str
    group: str
    key: str
    unit: str
    scale: float
    most: float | None
    ours: list = field(default_factory=list)
    peer: list = field(default_factory=list)


def rows():
    """Targets are those of the design; digits has none."""
    return [
        Row("hello: start to end", "hello", "seconds", "ms", 1e3, 0.18),
        Row("hello: peak memory", "hello", "memory", "MB", 1e-6, 0.6),
        Row("`a * b`, 4 elements, in a loop", "ops", "multiply", "ns", 1, 0.8),
        Row("`a + b`, 4 elements, in a loop", "ops", "add", "ns", 1, 0.8),
        Row("chain of ten mixed small ops, per op", "ops", "chain", "ns", 1, 0.8),
        Row("MLP training step, 64→128→10, batch 32, AdamW", "step", "step", "µs", 1e-3, 0.75),
        Row("digits, the training as a whole", "digits", "seconds", "ms", 1e3, None),
        Row("a tensor to Python and back; DLPack in Python", "crossing", "crossed", "ns", 1, 0.1),
        Row("a script calls a Python function with two tensors", "crossing", "called", "ns", 1, None),
        Row("Python calls a script's closure with two tensors", "crossing", "back", "ns", 1, None),
        Row("MLP training step, Python's module and optimiser", "python_step", "step", "µs", 1e-3, 1.0),
        Row("a CPU-bound script on 2 workers; on 1", "workers", "seconds", "ms", 1e3, 0.556),
        Row("an empty trial of a sweep; `import torch`", "trials", "trial", "ms", 1e3, None),
        Row("`log` of two numbers; JSON and TensorBoard's writer", "logging", "log", "µs", 1e-3, None),
        Row("a training with records and checkpoints; without", "recorded", "train", "ms", 1e-6, 1.02),
        Row("hello with Python's torch: start to end", "hello_python", "seconds", "ms", 1e3, 1.1),
        Row("prompt: on the screen; IPython with torch imported", "repl", "prompt", "ms", 1e3, None),
        Row("prompt: a key to the screen with completions shown", "repl", "key", "ms", 1e3, None),
        Row("prompt: `1+1` to its result and the next prompt", "repl", "answer", "ms", 1e3, None),
        Row("prompt: peak memory", "repl", "held", "MB", 1e-6, None),
        Row("kernel: start to kernel_info", "kernel", "info", "ms", 1e3, None),
        Row("kernel: start to the first tensor", "kernel", "tensor", "ms", 1e3, 0.25),
        Row("kernel: `1 + 1` to its reply", "kernel", "reply", "ms", 1e3, 0.2),
        Row("kernel: `1 + 1` to its reply, 99th of a hundred", "kernel", "late", "ms", 1e3, 0.2),
        Row("kernel: `1 + 1` to idle", "kernel", "idle", "ms", 1e3, None),
        Row("kernel: idle, with torch loaded", "kernel", "memory", "MB", 1e-6, None),
        Row("kernel: a display of 20,000", "kernel", "display", "µs", 1e6, 1 / 3),
        Row("kernel: 200,000 prints", "kernel", "print", "ms", 1e3, None),
    ]


@dataclass
class Group:
    """Rows that one pair of scripts measures."""

    ours: pathlib.Path
    peer: pathlib.Path
    runs: int
    quick: int
    env: dict
    arguments: tuple = ()
    same_output: bool = False
    # The other side is this program too, with these arguments.
    peer_is_ours: bool = False
    peer_arguments: tuple = ()
    # A prompt or a kernel is not run but used, by this script, with these arguments on the two sides.
    user: pathlib.Path | None = None
    sides: tuple = ()


DIGITS = pathlib.Path(sysconfig.get_paths()["purelib"]) / "sklearn/datasets/data/digits.csv.gz"
# An interpreter that has IPython besides what .venv has; .ci/bench makes it.
IPYTHON = ROOT / "target/bench-python/bin/python"
# What is used on either side: a name, and the command; PROGRAM stands for ours.
PROGRAM = "PROGRAM"
PROMPTS = (
    ("flambeau", PROGRAM),
    ("ipython", IPYTHON, "-m", "IPython", "--no-banner", "--no-confirm-exit", "-i", "-c", "import torch"),
)
# The user's first word says what is measured; both sides of the last are ours.
TRIALS = (("trials", PROGRAM), ("imports", sys.executable))
LOGGING = (("logging", PROGRAM), ("summaries", sys.executable))
RECORDED = (("recorded", PROGRAM), ("plain", PROGRAM))
KERNELS = (("flambeau", PROGRAM, "kernel"), ("ipykernel", IPYTHON, "-m", "ipykernel_launcher"))
GROUPS = {
    "hello": Group(BENCH / "hello.rhai", BENCH / "hello.py", 15, 3, {}, same_output=True),
    "ops": Group(BENCH / "ops.rhai", BENCH / "ops.py", 7, 2, ONE_THREAD),
    "step": Group(BENCH / "step.rhai", BENCH / "step.py", 7, 2, ONE_THREAD),
    "crossing": Group(BENCH / "crossing.rhai", BENCH / "crossing.py", 7, 2, ONE_THREAD),
    "python_step": Group(BENCH / "python_step.rhai", BENCH / "step.py", 15, 2, ONE_THREAD),
    # Both sides are ours: two workers with half of the work each, and one with all of it.
    "workers": Group(BENCH / "workers.rhai", BENCH / "workers.rhai", 7, 2, ONE_THREAD, peer_arguments=("1",), peer_is_ours=True),
    "trials": Group(ROOT / "flambeau", ROOT / "python", 7, 1, {}, user=BENCH / "experiment.py", sides=TRIALS),
    "logging": Group(ROOT / "flambeau", ROOT / "python", 7, 1, ONE_THREAD, user=BENCH / "experiment.py", sides=LOGGING),
    "recorded": Group(ROOT / "flambeau", ROOT / "plain", 9, 1, ONE_THREAD, user=BENCH / "experiment.py", sides=RECORDED),
    "hello_python": Group(BENCH / "hello_python.rhai", BENCH / "hello.py", 9, 2, {}, same_output=True),
    "repl": Group(ROOT / "flambeau", ROOT / "ipython", 5, 1, {}, user=BENCH / "repl.py", sides=PROMPTS),
    "kernel": Group(ROOT / "flambeau", ROOT / "ipykernel", 5, 1, {}, user=BENCH / "kernel.py", sides=KERNELS),
    "digits": Group(ROOT / "notebooks/digits.rhai", BENCH / "digits.py", 5, 1, ONE_THREAD, (DIGITS,)),
}


def run(command, env, folder):
    """Runs in `folder` to the end; returns what it printed and what was measured."""
    start = time.perf_counter()
    process = subprocess.Popen(
        command,
        cwd=folder,
        env={**os.environ, **env},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    output = process.stdout.read().decode(errors="replace")
    _, status, usage = os.wait4(process.pid, 0)
    seconds = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        said = [text.strip() for text in output.splitlines() if text.strip()]
        reason = next((text for text in said if "Error: " in text), (said or ["no output"])[-1])
        raise Failed(f"{script(command)} ended with {process.returncode}: {reason}")
    # Linux counts in KiB, macOS in bytes.
    unit = 1 if sys.platform == "darwin" else 1024
    measured = {"seconds": seconds, "memory": usage.ru_maxrss * unit}
    # A script that measures several times prints as many lines.
    found = re.findall(r"^(\w+) ([\d.eE+-]+)$", output, re.MULTILINE)
    for name in {name for name, _ in found}:
        measured[name] = statistics.median(float(text) for other, text in found if other == name)
    return output, measured


def script(command):
    """The name of the script that a command runs."""
    return next(pathlib.Path(word).name for word in command if word.endswith((".rhai", ".py")))


def measure(group, program, quick, chosen):
    """Fills the rows of one group: one run of each that does not count, then A B A B."""
    if group.user:
        if any(IPYTHON in side for side in group.sides) and not IPYTHON.exists():
            raise Failed(f"{IPYTHON.relative_to(ROOT)} is not there: `make bench` installs IPython")
        words = [[program if word is PROGRAM else str(word) for word in side] for side in group.sides]
        ours, peer = ([sys.executable, str(group.user), *side] for side in words)
        with tempfile.TemporaryDirectory() as home:
            # Neither finds a history or settings, and neither leaves any.
            env = {"HOME": home, "XDG_STATE_HOME": home, "IPYTHONDIR": home, "VIRTUAL_ENV": str(ROOT / ".venv")}
            group.env.update(env)
            return alternate(group, ours, peer, group.quick if quick else group.runs, home, chosen)
    ours = [program, "run", str(group.ours), "--", *map(str, group.arguments)]
    peer = [sys.executable, str(group.peer), *map(str, group.arguments)]
    if group.peer_is_ours:
        peer = [program, "run", str(group.peer), "--", *group.peer_arguments]
    with tempfile.TemporaryDirectory() as folder:
        alternate(group, ours, peer, group.quick if quick else group.runs, folder, chosen)


def alternate(group, ours, peer, runs, folder, chosen):
    text, _ = run(ours, group.env, folder)
    other, _ = run(peer, group.env, folder)
    if group.same_output and text != other:
        raise Failed(f"{group.ours.name} printed {text!r}, {group.peer.name} printed {other!r}")
    # Where both print a loss, equal losses show that both did the same work.
    losses = [re.search(r"^loss (\S+)$", said, re.MULTILINE) for said in (text, other)]
    if all(losses) and not math.isclose(*(float(loss[1]) for loss in losses), rel_tol=1e-3):
        raise Failed(f"{group.ours.name} ended at {losses[0][0]}, {group.peer.name} at {losses[1][0]}")
    for _ in range(runs):
        for side, command in [("ours", ours), ("peer", peer)]:
            _, measured = run(command, group.env, folder)
            for row in chosen:
                if row.key not in measured:
                    raise Failed(f"{script(command)} printed no line '{row.key} NUMBER'")
                getattr(row, side).append(measured[row.key] * row.scale)


def figure(values, unit):
    """Median, and the least and the most."""
    middle = statistics.median(values)
    digits = 0 if middle >= 100 else 1 if middle >= 10 else 2
    return f"{middle:.{digits}f} {unit} ({min(values):.{digits}f}–{max(values):.{digits}f})"


def line(row, problem):
    if problem:
        return f"| {row.name} | not measured: {problem} | | | | no |"
    ratio = statistics.median(row.ours) / statistics.median(row.peer)
    most = f"{row.most:.2f} ×" if row.most else "–"
    holds = "–" if row.most is None else "yes" if ratio <= row.most else "**no**"
    ours, peer = figure(row.ours, row.unit), figure(row.peer, row.unit)
    return f"| {row.name} | {ours} | {peer} | {ratio:.2f} × | {most} | {holds} |"


def processor():
    try:
        for text in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
            if text.startswith("model name"):
                return text.split(":", 1)[1].strip()
    except OSError:
        pass
    return platform.processor() or platform.machine()


def header(program, machine, groups):
    said = subprocess.run([program, "--version"], capture_output=True, text=True).stdout
    version = (said.splitlines() or ["flambeau of an unknown version"])[0]
    probe = "import torch; print(torch.__version__, torch.get_num_threads())"
    found = subprocess.run([sys.executable, "-c", probe], capture_output=True, text=True).stdout
    torch, threads = (found.split() + ["?", "?"])[:2]
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    counts = ", ".join(f"{name} {count}" for name, count in groups)
    return [
        f"- {datetime.date.today().isoformat()}, {machine}: {processor()}, {os.cpu_count()} cores,"
        f" {memory:.0f} GiB, {platform.system()} {platform.release()}.",
        f"- {version}; Python {platform.python_version()} with torch {torch}."
        f" One thread on both sides (libtorch's default here: {threads}), hello with the default.",
        f"- Medians (least–most) of alternating runs: {counts}.",
    ]


def write(lines):
    path = ROOT / "BENCHMARKS.md"
    text = path.read_text() if path.exists() else f"# Benchmarks\n\n{BEGIN}\n{END}\n"
    if BEGIN not in text or END not in text:
        sys.exit(f"{path.name} has no markers {BEGIN} and {END}")
    before, rest = text.split(BEGIN, 1)
    after = rest.split(END, 1)[1]
    beside = path.with_suffix(".tmp")
    beside.write_text(before + BEGIN + "\n" + "\n".join(lines) + "\n" + END + after)
    beside.replace(path)


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--quick", action="store_true", help="few runs: a look, not a measurement")
    parser.add_argument("--rows", default=",".join(GROUPS), help=f"some of {','.join(GROUPS)}")
    parser.add_argument("--write", action="store_true", help="put the table into BENCHMARKS.md")
    built = str(ROOT / "target/release/flambeau")
    parser.add_argument("--program", default=built, type=os.path.abspath, metavar="PATH")
    parser.add_argument("--machine", default=platform.machine(), help="a name for this machine")
    options = parser.parse_args()
    names = options.rows.split(",")
    unknown = [name for name in names if name not in GROUPS]
    if unknown:
        parser.error(f"no rows {', '.join(unknown)}: choose from {', '.join(GROUPS)}")
    if options.write and (options.quick or set(names) != set(GROUPS)):
        parser.error("--write wants all rows in full: leave --quick and --rows out")
    if not pathlib.Path(options.program).exists():
        sys.exit(f"{options.program} is not there: build it with `cargo build --release`")
    if subprocess.run([sys.executable, "-c", "import torch"], capture_output=True).returncode:
        sys.exit(f"{sys.executable} has no torch: run this with .venv/bin/python")

    table, problems, missed = [], [], []
    measured = rows()
    for name in names:
        group = GROUPS[name]
        chosen = [row for row in measured if row.group == name]
        print(f"{name} ...", file=sys.stderr, flush=True)
        problem = None
        try:
            measure(group, options.program, options.quick, chosen)
        except (Failed, OSError) as error:
            problem = str(error)
            problems.append(problem)
        table += [line(row, problem) for row in chosen]
        missed += [row.name for row, text in zip(chosen, table[-len(chosen) :]) if "**no**" in text]
    counts = [(name, GROUPS[name].quick if options.quick else GROUPS[name].runs) for name in names]
    lines = [
        *header(options.program, options.machine, counts),
        "",
        "| what | flambeau | Python | ratio | at most | holds |",
        "| --- | --- | --- | --- | --- | --- |",
        *table,
    ]
    print("\n".join(lines))
    for name in missed:
        print(f"above its target: {name}", file=sys.stderr)
    if problems:
        sys.exit(1)
    if options.write:
        write(lines)


if __name__ == "__main__":
    main()
