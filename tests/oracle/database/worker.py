"""What runs inside the program: names come in on standard input, one answer goes out for each."""

import json
import os
import sys
import tempfile
import warnings

import torch

from .calls import Script

MARK = "@@ "


def run(args, call, gradients):
    """Works through the names on standard input."""
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    (kind,) = args
    with tempfile.TemporaryDirectory() as folder:
        script = Script(call, folder)
        if kind == "operators":
            from .operators import Operators as Database
        else:
            from .modules import Modules as Database
        database = Database(script, gradients)
        say({"ready": len(database.entries), "names": list(database.entries)})
        for line in sys.stdin:
            name = line.rstrip("\n")
            say({"begin": name})
            try:
                say(database.run(name))
            except Exception as error:
                say({"name": name, "samples": 0, "passed": 0, "refused": 0, "absent": [],
                     "first": f"{type(error).__name__}: {' '.join(str(error).split())}"})  # fmt: skip


def say(message):
    # Past `sys.stdout`, which the operators' own warnings share.
    os.write(1, (MARK + json.dumps(message) + "\n").encode())
