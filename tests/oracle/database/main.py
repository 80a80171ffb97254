"""Compares the program with torch by torch's own databases of operators and modules, in child processes, and with
what the lists in tests/conformance/databases say of each entry.

    main.py           everything
    main.py --tenth   a tenth of the entries; FLAMBEAU_CONFORMANCE_SEED chooses another one
    main.py --write   everything, and writes the lists anew; reasons in them stay
    main.py NAME …    these entries

The exit status is 1 where an entry does not do what the list says, or fails."""

import argparse
import json
import os
import queue
import random
import subprocess
import sys
import threading

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__)))))
LISTS = {
    kind: os.path.join(ROOT, "tests/conformance/databases", name)
    for kind, name in (("operators", "op_db.txt"), ("modules", "module_db.txt"))
}
# The longest time that an entry may say nothing, in seconds.
PATIENCE = 300
MARK = "@@ "
NOT_APPLICABLE, KNOWN, FAILED = "not applicable: ", "known: ", "failed: "
NO_SAMPLE = "torch has no sample of it for the CPU"
REFUSED = "Python itself refuses every sample on the CPU"


class Child:
    """The program with one of the databases."""

    def __init__(self, kind):
        program = os.environ.get("FLAMBEAU_PROGRAM", os.path.join(ROOT, "target/release/flambeau"))
        script = os.path.join(ROOT, "tests/oracle/database.rhai")
        self.process = subprocess.Popen(
            [program, "run", script, "--", kind],
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, cwd=ROOT,
        )  # fmt: skip
        self.messages = queue.Queue()
        self.complaints = []
        threading.Thread(target=self._read, daemon=True).start()
        threading.Thread(target=self._listen, daemon=True).start()

    def _read(self):
        for line in self.process.stdout:
            if line.startswith(MARK):
                self.messages.put(json.loads(line[len(MARK) :]))
        self.messages.put(None)

    def _listen(self):
        self.complaints.extend(self.process.stderr)

    def next(self):
        """Its next message, or what ended it."""
        try:
            message = self.messages.get(timeout=PATIENCE)
        except queue.Empty:
            self.process.kill()
            self.process.wait()
            return f"no end within {PATIENCE} s"
        if message is not None:
            return message
        status = self.process.wait()
        return f"ended with status {status}: {''.join(self.complaints).strip()[-300:]}" if status else None

    def give(self, names):
        """The names that it shall work through."""
        try:
            self.process.stdin.write("".join(f"{name}\n" for name in names))
            self.process.stdin.close()
        except BrokenPipeError:
            pass  # How it ended is its next message.


def results(kind, choose):
    """What became of each entry that `choose(names)` chooses. An entry that ends the process has failed, and
    the others go on in a new one."""
    waiting = None
    while waiting is None or waiting:
        child = Child(kind)
        ready = child.next()
        if not isinstance(ready, dict):
            sys.exit(f"the {kind} cannot be compared: {ready}")
        if waiting is None:
            waiting = choose(ready["names"])
        child.give(waiting)
        current = None
        while isinstance(message := child.next(), dict):
            if "begin" in message:
                current = message["begin"]
                continue
            waiting.remove(message["name"])
            current = None
            yield message
        if message is not None and current is None:
            sys.exit(f"the {kind} were not compared to the end: {message}")
        if current is not None:
            waiting.remove(current)
            yield {"name": current, "samples": 1, "passed": 0, "refused": 0, "absent": [], "first": message}


def read_list(path):
    """What the list says of each entry."""
    known = {}
    if os.path.exists(path):
        with open(path, encoding="utf-8") as file:
            for line in file:
                if line.strip() and not line.startswith("#"):
                    name, _, said = line.strip().partition(" ")
                    known[name] = said.strip()
    return known


def judge(result, said):
    """What is to be said of a result; `said` is what the list says, whose reasons stay."""
    passed, samples = result["passed"], result["samples"]
    if samples == 0 and result["first"] is None:
        return NOT_APPLICABLE + NO_SAMPLE
    if samples and result["refused"] == samples:
        return NOT_APPLICABLE + REFUSED
    if samples and passed == samples:
        return f"{samples} samples"
    if passed == 0 and result["absent"] and said.startswith(NOT_APPLICABLE):
        return said
    text = f"{passed} of {samples} samples; "
    if said.startswith(text + KNOWN):
        return said
    return text + FAILED + (result["first"] or "")


def write_list(kind, said):
    """Writes a list anew, under the comment that it begins with."""
    path = LISTS[kind]
    with open(path, encoding="utf-8") as file:
        comment = [line for line in file if line.startswith("#")]
    width = max(map(len, said)) + 1
    with open(path, "w", encoding="utf-8") as file:
        file.writelines(comment)
        file.write("\n")
        file.writelines(f"{name:<{width}} {what}\n" for name, what in said.items())


def compare(kind, choose, write):
    """Compares a database; whether all is as the list says and nothing failed."""
    known = read_list(LISTS[kind])
    counts = {"passed": 0, "known differences": 0, "failed": 0, "not applicable": 0}
    samples = 0
    good = True
    now = {}
    for result in results(kind, choose):
        name, said = result["name"], known.get(result["name"], "")
        what = now[name] = judge(result, said)
        if what.startswith(NOT_APPLICABLE):
            counts["not applicable"] += 1
        elif FAILED in what:
            counts["failed"] += 1
        elif KNOWN in what:
            counts["known differences"] += 1
        else:
            counts["passed"] += 1
        samples += 0 if what.startswith(NOT_APPLICABLE) else result["passed"]
        if FAILED in what or (what != said and not write):
            good = False
            print(f"{name}: {what}" + (f" (the list says: {said or 'nothing'})" if what != said else ""))
    if write:
        write_list(kind, now)
    elif missing := [name for name in known if name not in now] if len(now) >= len(known) else []:
        good = False
        print(f"{kind}: the list names what torch does not have: {', '.join(missing)}")
    print(f"{kind}: " + ", ".join(f"{n} {what}" for what, n in counts.items()) + f"; {samples} samples passed")
    return good


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--tenth", action="store_true")
    parser.add_argument("--write", action="store_true")
    parser.add_argument("names", nargs="*")
    options = parser.parse_args()
    seed = os.environ.get("FLAMBEAU_CONFORMANCE_SEED", "1")

    def choose(names):
        if options.names:
            return [name for name in names if name in options.names]
        if options.tenth:
            return random.Random(seed).sample(names, len(names) // 10)
        return list(names)

    if options.tenth:
        print(f"a tenth of the entries, chosen by FLAMBEAU_CONFORMANCE_SEED={seed}")
    good = [compare(kind, choose, options.write) for kind in LISTS]
    sys.exit(0 if all(good) else 1)


if __name__ == "__main__":
    main()
