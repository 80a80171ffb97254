"""What runs and sweeps have written, as frames of pandas. Their folders are described in the crate `experiments`."""

from __future__ import annotations

import json
import math
import os
import sqlite3
import urllib.parse
from pathlib import Path

# What a trial has beside parameters and metrics: a parameter of such a name is the column `params.NAME`, a metric that
# is also one of these or a parameter the column `metrics.NAME`.
_OWN = {"sweep", "trial", "state", "step", "time", "seconds", "attempts", "started", "ended", "error"}
_NUMBERS = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}
# How much of a file's end is read for the last values, in bytes.
_END = 1 << 16
_FORMAT = 1


def runs(out):
    """The trials of the sweep or run in the folder `out`, or of all that lie directly in it, as a DataFrame.

    One row per trial: `trial`, its parameters (those that vary first), `state`, what it reported (or, where no trial
    has reported anything, what was logged last), `step`, `seconds`, `attempts`, `started`, `ended` (seconds since 1970)
    and `error`; with several sweeps also `sweep`.
    """
    pandas = _pandas("runs")
    sweeps = _find(Path(out))
    trials = [trial for sweep in sweeps for trial in sweep["trials"]]
    params = _params(sweeps, trials)
    for trial in trials:
        trial["latest"] = _latest(trial["folder"] / "metrics.jsonl")
    metrics = _metrics(sweeps, trials)
    rows = []
    for trial in trials:
        reported = trial["result"] or {}
        latest = trial["latest"]
        row = {"sweep": trial["sweep"]} if len(sweeps) > 1 else {}
        row["trial"] = trial["id"]
        row |= {_param_column(name): trial["params"].get(name) for name in params}
        row["state"] = trial["state"]
        for name in metrics:
            row[_metric_column(name, params)] = reported.get(name, latest.get(name))
        row["step"] = latest.get("step")
        over = trial["started"] is not None and trial["ended"] is not None
        row["seconds"] = max(trial["ended"] - trial["started"], 0.0) if over else None
        row |= {name: trial[name] for name in ("attempts", "started", "ended", "error")}
        rows.append(row)
    return pandas.DataFrame(rows)


def metrics(out):
    """All records that the trials in the folder `out` logged, as a long DataFrame.

    One row per record: `trial`, its parameters, `step` (the record's number where there is none), `time` (seconds since
    1970), and a column for each metric; with several sweeps also `sweep`.
    """
    pandas = _pandas("metrics")
    sweeps = _find(Path(out))
    trials = [trial for sweep in sweeps for trial in sweep["trials"]]
    params = _params(sweeps, trials)
    rows = []
    for trial in trials:
        head = {"sweep": trial["sweep"]} if len(sweeps) > 1 else {}
        head["trial"] = trial["id"]
        head |= {_param_column(name): trial["params"].get(name) for name in params}
        for number, record in enumerate(_records(trial["folder"] / "metrics.jsonl")):
            row = head | {"step": record.pop("step", number), "time": record.pop("_time", None)}
            row |= {_metric_column(name, params): value for name, value in sorted(record.items())}
            rows.append(row)
    columns = [] if rows else [_param_column(name) for name in params]
    return pandas.DataFrame(rows, columns=["trial", *columns, "step", "time"] if not rows else None)


def _pandas(function):
    try:
        import pandas
    except ImportError as error:
        message = f"flambeau.{function}() needs pandas: python -m pip install pandas"
        raise ImportError(message, name="pandas") from error
    return pandas


def _find(folder):
    """The sweeps and runs of a folder: itself, or those directly in it."""
    if not folder.is_dir():
        raise FileNotFoundError(f"there is no folder {folder}")
    if sweep := _open(folder):
        return [sweep]
    within = sorted(path for path in folder.iterdir() if path.is_dir())
    if sweeps := [sweep for path in within if (sweep := _open(path))]:
        return sweeps
    raise FileNotFoundError(
        f"{folder} is no folder of a run or of a sweep; `flambeau run SCRIPT --out FOLDER` and `flambeau sweep` make one"
    )


def _open(folder):
    """The sweep or run in a folder; None where there is none."""
    name = os.path.basename(os.path.abspath(folder))
    if (folder / "sweep.db").is_file():
        asked = _json(folder / "sweep.json") or {}
        _check(folder / "sweep.json", asked.get("format", _FORMAT))
        trials = _table(folder)
        for trial in trials:
            trial["folder"] = folder / "trials" / f"{trial['id']:04}"
            config = _json(trial["folder"] / "config.json") or {}
            _check(trial["folder"] / "config.json", config.get("format", _FORMAT))
            # What the script declares beside what the trial was given.
            trial["params"] = config.get("params", {}) | trial["params"]
    else:
        config, status = _json(folder / "config.json"), _json(folder / "status.json")
        if config is None and status is None:
            return None
        config, status, asked = config or {}, status or {}, {}
        _check(folder / "config.json", config.get("format", _FORMAT))
        trial = {name: status.get(name) for name in ("result", "error", "started", "ended")}
        trial |= {"id": 1, "state": status.get("state", "waiting"), "folder": folder}
        trial |= {"params": config.get("params", {}), "attempts": status.get("attempts", 0)}
        trials = [trial]
    for trial in trials:
        trial["sweep"] = name
        trial["result"] = _flat(trial["result"]) if trial["result"] is not None else None
    return {"trials": trials, "metric": asked.get("metric"), "varied": asked.get("varied", [])}


def _table(folder):
    """The rows of a sweep's table, which is read also while the sweep writes it."""
    path = folder / "sweep.db"
    names = ("id", "params", "state", "attempts", "result", "error", "started", "ended")
    try:
        uri = f"file:{urllib.parse.quote(str(path.absolute()))}?mode=ro"
        connection = sqlite3.connect(uri, uri=True, timeout=10)
        try:
            (version,) = connection.execute("PRAGMA user_version").fetchone()
            if version:
                _check(path, version)
            rows = connection.execute(f"SELECT {', '.join(names)} FROM trials ORDER BY id").fetchall()
        finally:
            connection.close()
    except sqlite3.DatabaseError as error:
        raise ValueError(f"{path} cannot be read: {error}") from error
    trials = [dict(zip(names, row)) for row in rows]
    for trial in trials:
        trial["params"] = json.loads(trial["params"])
        trial["result"] = json.loads(trial["result"]) if trial["result"] else None
    return trials


def _check(path, found):
    if found != _FORMAT:
        raise ValueError(f"{path} has format {found}, and this version of flambeau reads format {_FORMAT}")


def _json(path):
    try:
        return json.loads(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _records(path, within=False, begin=0):
    """The records from a place on; a line that has not ended is none."""
    try:
        with open(path, "rb") as file:
            file.seek(begin)
            lines = file.read().split(b"\n")[:-1]
    except FileNotFoundError:
        return []
    try:
        return [_flat(json.loads(line)) for line in lines[within:] if line]
    except ValueError as error:
        raise ValueError(f"{path} is damaged: {error}") from error


def _latest(path):
    """The last values by name, without reading all of a long file."""
    size = path.stat().st_size if path.exists() else 0
    begin = max(size - _END, 0)
    latest = {}
    for record in _records(path, within=begin > 0, begin=begin):
        latest |= record
    return latest


def _flat(record, prefix=""):
    """A record whose maps are laid flat, with numbers for the texts that stand for those that JSON has not."""
    flat = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}/")
        else:
            flat[prefix + name] = _NUMBERS.get(value, value) if isinstance(value, str) else value
    return flat


def _params(sweeps, trials):
    """The names of all parameters: first those that vary, of them the seed last."""
    varied = dict.fromkeys(name for sweep in sweeps for name in sweep["varied"])
    known = sorted({name for trial in trials for name in trial["params"]})
    for name in known:
        values = {json.dumps(trial["params"][name]) for trial in trials if name in trial["params"]}
        if len(values) > 1:
            varied.setdefault(name)
    varied = sorted(varied, key=lambda name: name == "seed")
    return varied + [name for name in known if name not in varied]


def _metrics(sweeps, trials):
    """The metrics that are worth a column: what was reported, or what was logged where nothing was."""
    asked = [sweep["metric"] for sweep in sweeps if sweep["metric"]]
    names = {name for trial in trials for name in trial["result"] or {}}
    if not names:
        names = {name for trial in trials for name in trial["latest"]} - {"step", "_time"}
    return list(dict.fromkeys(asked + sorted(names)))


def _param_column(name):
    return f"params.{name}" if name in _OWN else name


def _metric_column(name, params):
    return f"metrics.{name}" if name in _OWN or name in params else name
