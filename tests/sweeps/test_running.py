"""Sweeps that are killed, resumed, damaged or run in parallel: the same records, each once, and MLflow like them."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from lacuna.records.record import find_records
from lacuna.runner.mlflow_tracking import Tracker

ROOT = Path(__file__).parents[2]
EXTRAS = ROOT / "tests" / "extras"
SYNC = ROOT / "scripts" / "sync_mlflow.py"
ENVIRONMENT = os.environ | {"PYTHONPATH": os.pathsep.join([str(ROOT / "src"), str(EXTRAS)]), "OMP_NUM_THREADS": "1"}

pytestmark = pytest.mark.slow


def start(outputs: Path, *arguments: str) -> subprocess.Popen[str]:
    """A sweep in a process of its own, and in a session of its own with those that it starts."""
    outputs.mkdir(exist_ok=True)
    command = [sys.executable, str(ROOT / "run.py"), "--config-dir", str(EXTRAS / "conf"), "-m", "method=drift"]
    command += ["dataset.n_train=150", "dataset.n_test=60", "device=cpu", f"outputs={outputs}", *arguments]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    return subprocess.Popen(command, env=ENVIRONMENT, cwd=outputs, start_new_session=True, **pipes)


def finish(outputs: Path, *arguments: str) -> tuple[str, str]:
    """What a sweep that must succeed prints."""
    sweep = start(outputs, *arguments)
    out, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, out + err
    return out, err


def scores(outputs: Path) -> dict[str, tuple[dict, list]]:
    return {record.name: (record.scores, record.iterations) for _, record in find_records(outputs)}


def table(out: str) -> list[str]:
    """The comparison that a sweep ends with, without the times."""
    lines = out[out.index("bayesnet, mcar 0.1, test rows") :].splitlines()
    return [re.sub(r"\s+\d+\.\d( ±\d+\.\d)?\s*$", "", line) for line in lines if line.startswith("  drift")]


def wait_for(condition: Any, seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.05)


def test_a_sweep_killed_again_and_again_ends_with_the_same_table(tmp_path: Path) -> None:
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    arguments = ("tracking=none", "seed=0,1,2,3", "method.pause=0.3")
    expected, _ = finish(whole, *arguments)
    moments = random.Random(0)
    for n_done in range(3):
        sweep = start(broken, *arguments)
        # counted from when a run begins that was not done, for starting Python takes as long as it takes
        wait_for(lambda n=n_done: len(list(broken.glob("runs/**/log.txt"))) > n)
        time.sleep(moments.uniform(0, 0.9))
        os.killpg(sweep.pid, signal.SIGKILL)
        sweep.communicate()
    resumed, _ = finish(broken, *arguments)
    assert table(resumed) == table(expected)
    assert len(table(expected)) == 1
    assert scores(broken) == scores(whole)
    assert not list(broken.glob("runs/**/checkpoint.pt"))


def test_one_record_deleted_or_damaged_is_one_job_to_do(tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    arguments = ("tracking=none", "seed=0,1,2", f"method.trace={trace}", "method.iterations=1")
    first, _ = finish(tmp_path, *arguments)
    assert trace.read_text().split() == ["1"] * 3
    before = scores(tmp_path)
    (_, (gone, _), (damaged, _)) = find_records(tmp_path)

    (gone / "record.json").unlink()
    again, _ = finish(tmp_path, *arguments)
    assert len(trace.read_text().split()) == 4

    text = (damaged / "record.json").read_text()
    (damaged / "record.json").write_text(text[: len(text) // 2])
    planned, err = finish(tmp_path, *arguments, "sweep.dry_run=true")
    assert planned.startswith("3 runs: 2 exist, 1 missing, 0 failed")
    assert f"{damaged / 'record.json'} is not a whole record" in err
    last, err = finish(tmp_path, *arguments)
    assert f"{damaged / 'record.json'} is not a whole record" in err
    assert len(trace.read_text().split()) == 5
    assert scores(tmp_path) == before
    assert table(first) == table(again) == table(last)


def test_jobs_in_parallel_leave_what_jobs_in_turn_leave(tmp_path: Path) -> None:
    arguments = ("seed=0,1,2,3", "method.iterations=1")
    finish(tmp_path / "basic", *arguments, "tracking=none")
    finish(tmp_path / "local", *arguments, "hydra/launcher=local", "hydra.launcher.n_jobs=2")
    assert scores(tmp_path / "basic") == scores(tmp_path / "local")
    found = runs(tmp_path / "local")
    (parent,) = (run for run in found if "lacuna.sweep" in run.data.tags)
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent.info.run_id]
    assert sorted(run.info.run_name for run in children) == [f"drift-mcar-0.1-{seed}-n150+60" for seed in range(4)]
    assert len(found) == 5
    assert {run.info.status for run in found} == {"FINISHED"}
    for run in children:
        kept, _ = scores(tmp_path / "local")[run.info.run_name.removesuffix("-n150+60")]
        assert run.data.metrics["test/rmse"] == pytest.approx(kept["test/rmse"])
        assert (run.data.tags["method"], run.data.tags["mask"], run.data.tags["ratio"]) == ("drift", "mcar", "0.1")


@pytest.mark.parametrize("signum", [signal.SIGTERM, signal.SIGKILL])
def test_no_run_stays_open(tmp_path: Path, signum: signal.Signals) -> None:
    sweep = start(tmp_path, "seed=0,1", "method.pause=0.5")
    wait_for(lambda: len(list(find_records(tmp_path))) == 1 and len(list(tmp_path.glob("runs/**/log.txt"))) == 2)
    os.kill(sweep.pid, signum)
    out, _ = sweep.communicate()
    if signum == signal.SIGKILL:
        assert [run.info.status for run in runs(tmp_path) if "lacuna.sweep" in run.data.tags] == ["RUNNING"]
        done = subprocess.run(
            [sys.executable, SYNC, "--outputs", tmp_path], env=ENVIRONMENT, capture_output=True, text=True, check=True
        )
        assert "1 runs closed" in done.stdout
    else:
        planned, _ = finish(tmp_path, "seed=0,1", "method.pause=0.5", "sweep.dry_run=true")
        assert planned.startswith("2 runs: 1 exist, 0 missing, 0 failed, 1 interrupted (to go on)")
        assert "interrupted: 1 of 2 runs are left; the same command goes on" in out
        assert "failed" not in out
    status = {run.info.run_name: run.info.status for run in runs(tmp_path)}
    assert status.pop("drift-mcar-0.1-0-n150+60") == "FINISHED"
    assert set(status.values()) == {"KILLED"}
    finish(tmp_path, "seed=0,1", "method.pause=0.5")
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED"}
    assert len(runs(tmp_path)) == 3


def runs(outputs: Path) -> list:
    client = Tracker(f"sqlite:///{outputs}/mlflow.db", outputs).client
    return list(client.search_runs([client.get_experiment_by_name("bayesnet").experiment_id]))
