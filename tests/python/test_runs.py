"""`flambeau.runs` and `flambeau.metrics`: folders of sweeps and runs as frames of pandas."""

import json
import math
import os
import sqlite3
import subprocess
import sys

import flambeau
import pytest

TABLE = """CREATE TABLE trials (
    id INTEGER PRIMARY KEY, params TEXT NOT NULL UNIQUE, state TEXT NOT NULL DEFAULT 'waiting',
    attempts INTEGER NOT NULL DEFAULT 0, result TEXT, error TEXT, started REAL, ended REAL
) STRICT"""


def write_sweep(out):
    """Two learning rates, two seeds; trial 4 has failed."""
    out.mkdir()
    asked = {"format": 1, "script": "exp.rhai", "metric": "acc", "varied": ["lr", "seed"]}
    (out / "sweep.json").write_text(json.dumps(asked))
    table = sqlite3.connect(out / "sweep.db")
    table.execute("PRAGMA journal_mode = wal")
    table.execute("PRAGMA user_version = 1")
    table.execute(TABLE)
    for number, (lr, seed) in enumerate([(0.1, 0), (0.1, 1), (0.01, 0), (0.01, 1)], 1):
        failed = number == 4
        state, result = ("failed", None) if failed else ("done", json.dumps({"acc": 0.5 + lr}))
        error = "ValueError: no" if failed else None
        params = json.dumps({"lr": lr, "seed": seed})
        row = (number, params, state, 1, result, error, 100.0, 102.5)
        table.execute("INSERT INTO trials VALUES (?, ?, ?, ?, ?, ?, ?, ?)", row)
        write_run(out / "trials" / f"{number:04}", {"lr": lr, "seed": seed, "hidden": 64})
    table.commit()
    return table


def write_run(out, params, **status):
    out.mkdir(parents=True)
    config = {"format": 1, "script": "exp.rhai", "params": params}
    (out / "config.json").write_text(json.dumps(config))
    if status:
        (out / "status.json").write_text(json.dumps(status))
    with open(out / "metrics.jsonl", "w") as file:
        for step in range(3):
            loss = "NaN" if step == 2 else 1.0 / (step + 1)
            record = {"_time": 100.0 + step, "step": step * 10, "loss": {"train": loss}}
            file.write(json.dumps(record) + "\n")
        # A killed process leaves an unfinished line.
        file.write('{"step": 30, "lo')


def test_a_row_for_each_trial(tmp_path):
    # The table is read while the sweep has it open.
    table = write_sweep(tmp_path / "lr")
    frame = flambeau.runs(tmp_path / "lr")
    assert list(frame)[:6] == ["trial", "lr", "seed", "hidden", "state", "acc"]
    assert list(frame.trial) == [1, 2, 3, 4]
    assert frame.lr.tolist() == [0.1, 0.1, 0.01, 0.01]
    assert frame.state.tolist() == ["done"] * 3 + ["failed"]
    assert frame.acc[:3].tolist() == [0.6, 0.6, 0.51] and math.isnan(frame.acc[3])
    assert frame.step.tolist() == [20] * 4 and frame.seconds.tolist() == [2.5] * 4
    assert frame.error[3] == "ValueError: no"
    means = frame.groupby("lr").acc.mean()
    assert means[0.1] == pytest.approx(0.6) and means[0.01] == pytest.approx(0.51)
    table.close()


def test_a_row_for_each_record(tmp_path):
    write_sweep(tmp_path / "lr").close()
    frame = flambeau.metrics(str(tmp_path / "lr"))
    assert list(frame) == ["trial", "lr", "seed", "hidden", "step", "time", "loss/train"]
    assert len(frame) == 12
    first = frame[frame.trial == 1]
    assert first.step.tolist() == [0, 10, 20] and first.time.tolist() == [100.0, 101.0, 102.0]
    assert first["loss/train"].tolist()[:2] == [1.0, 0.5] and math.isnan(first["loss/train"].iloc[2])


def test_runs_and_folders_of_them(tmp_path):
    params = {"lr": 0.1, "state": "cold", "acc": 3}
    result = {"acc": 0.75, "confusion": {"a": 1}}
    write_run(tmp_path / "a", params, state="done", result=result, started=1.0, ended=3.0, attempts=2)
    frame = flambeau.runs(tmp_path / "a")
    row = frame.iloc[0]
    assert len(frame) == 1 and row.state == "done" and row.attempts == 2 and row.seconds == 2.0
    # What a column is already called is told apart.
    assert row["params.state"] == "cold" and row.acc == 3 and row["metrics.acc"] == 0.75
    assert row["confusion/a"] == 1
    write_run(tmp_path / "b", {"lr": 0.2})
    frame = flambeau.runs(tmp_path)
    assert frame.sweep.tolist() == ["a", "b"] and frame.state.tolist() == ["done", "waiting"]
    assert flambeau.metrics(tmp_path).groupby("sweep").size().tolist() == [3, 3]


def test_a_command_and_the_frames_agree(tmp_path):
    import pandas

    write_sweep(tmp_path / "lr").close()
    params = {"lr": 0.1, "seed": 3, "time": 1}
    status = {"state": "done", "result": {"acc": 0.9}, "attempts": 1, "started": 1.0, "ended": 2.0}
    write_run(tmp_path / "one", params, **status)
    file, exported = tmp_path / "frame.csv", tmp_path / "export.csv"
    for out in (tmp_path / "lr", tmp_path / "one", tmp_path):
        for frame, options in ((flambeau.runs(out), []), (flambeau.metrics(out), ["--metrics"])):
            frame.to_csv(file, index=False)
            command = [os.environ["FLAMBEAU_PROGRAM"], "runs", "export", out, "-o", exported, *options]
            subprocess.run(command, check=True)
            # Missing values turn integers into floats in one and not in the other.
            written, other = pandas.read_csv(file), pandas.read_csv(exported)
            pandas.testing.assert_frame_equal(written, other, check_dtype=False)


def test_errors_say_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder .*missing"):
        flambeau.runs(tmp_path / "missing")
    with pytest.raises(FileNotFoundError, match="no folder of a run or of a sweep; .*--out"):
        flambeau.metrics(tmp_path)
    write_sweep(tmp_path / "lr").close()
    (tmp_path / "lr/trials/0002/metrics.jsonl").write_text("{]\n")
    with pytest.raises(ValueError, match="0002/metrics.jsonl is damaged"):
        flambeau.metrics(tmp_path / "lr")
    (tmp_path / "lr/sweep.db").write_text("no table, but longer than nothing")
    with pytest.raises(ValueError, match="sweep.db cannot be read"):
        flambeau.runs(tmp_path / "lr")
    (tmp_path / "old").mkdir()
    (tmp_path / "old/config.json").write_text('{"format": 2, "script": "", "params": {}}')
    with pytest.raises(ValueError, match="has format 2, and this version of flambeau reads format 1"):
        flambeau.runs(tmp_path / "old")


def test_without_pandas_the_error_names_it(tmp_path):
    code = "import sys; sys.modules['pandas'] = None\nimport flambeau; flambeau.runs('.')"
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert ended.returncode == 1
    assert "flambeau.runs() needs pandas: python -m pip install pandas" in ended.stderr


def test_pandas_is_not_loaded_before_it_is_needed():
    code = "import sys, flambeau; assert 'pandas' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
