"""SIGKILL at any moment of a fresh folder costs nothing: the same command finishes, and MLflow has every run once.

``LACUNA_KILLS=20`` tries more moments.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from lacuna.records.record import find_records
from lacuna.runner.mlflow_tracking import Tracker

ROOT = Path(__file__).parents[2]
KILLS = int(os.environ.get("LACUNA_KILLS", "2"))
LONGEST = 9.0  # seconds that the command takes, more or less
MOMENTS = [round(random.Random(16).uniform(i, i + 1) * LONGEST / KILLS, 2) for i in range(KILLS)]

pytestmark = pytest.mark.slow


@pytest.mark.parametrize("seconds", MOMENTS)
def test_the_same_command_finishes_and_mlflow_is_complete(tmp_path: Path, seconds: float) -> None:
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "run.py"), "-m", "method=mean_mode", "seed=0,1", "device=cpu"]
    command += ["dataset.n_train=100", "dataset.n_test=50", f"outputs={out}"]
    environment = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    environment.pop("MLFLOW_TRACKING_URI", None)
    about = {"env": environment, "cwd": tmp_path, "stdout": subprocess.PIPE, "stderr": subprocess.STDOUT, "text": True}
    killed = subprocess.Popen(command, start_new_session=True, **about)
    time.sleep(seconds)
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()

    done = subprocess.run(command, timeout=240, check=False, **about)
    assert done.returncode == 0, done.stdout
    assert "warning" not in done.stdout, done.stdout
    assert sorted(record.name for _, record in find_records(out)) == ["mean_mode-mcar-0.1-0", "mean_mode-mcar-0.1-1"]
    client = Tracker(f"sqlite:///{out}/mlflow.db", out).client
    runs = client.search_runs([client.get_experiment_by_name("bayesnet").experiment_id])
    (parent,) = (run for run in runs if "lacuna.sweep" in run.data.tags)
    children = [run for run in runs if "lacuna.run" in run.data.tags]
    assert sorted(run.data.tags["seed"] for run in children) == ["0", "1"]
    assert {run.data.tags["mlflow.parentRunId"] for run in children} == {parent.info.run_id}
    assert {run.info.status for run in runs} == {"FINISHED"}
    assert all(run.data.metrics and run.data.params for run in children)
    for run in children:
        kept = {each.path for each in client.list_artifacts(run.info.run_id)}
        assert {"config.yaml", "record.json", "log.txt"} <= kept
