"""A sweep on a real Slurm of one node: jobs that fail, are cancelled or requeued, and resuming to completion."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from mlflow import MlflowClient

from lacuna.records.record import find_records

ROOT = Path(__file__).parents[2]
EXTRAS = ROOT / "tests" / "extras"
START = Path(__file__).parent / "start.sh"
JOBS = 6

pytestmark = pytest.mark.slow
sweeps: list[subprocess.Popen[str]] = []


@pytest.fixture(scope="module")
def slurm() -> Iterator[dict[str, str]]:
    """The environment in which Slurm's commands reach a cluster of this machine alone."""
    missing = [tool for tool in ("munged", "slurmctld", "slurmd", "sbatch") if not shutil.which(tool)]
    reason = f"no {missing[0]} (apt-get install slurm-wlm munge)" if missing else "needs root" if os.getuid() else ""
    if reason and not os.environ.get("LACUNA_REQUIRE_SLURM"):
        pytest.skip(f"no Slurm can be started here: {reason}")
    assert not reason
    folder = tempfile.mkdtemp(prefix="slurm", dir="/tmp")  # the names of sockets must be short
    subprocess.run([START, "start", folder], check=True, timeout=60)
    path = os.pathsep.join([str(ROOT / "src"), str(EXTRAS)])
    sweeps.clear()
    yield os.environ | {"SLURM_CONF": f"{folder}/slurm.conf", "PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    for sweep in sweeps:
        sweep.kill()
    subprocess.run([START, "stop", folder], check=True)


def wait_for(condition: Callable[[], object], seconds: float = 240.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.1)


def start(outputs: Path, environment: dict[str, str], *arguments: str) -> subprocess.Popen[str]:
    """The sweep, in a process of its own."""
    method = [] if "method=drift" in arguments else ["method=fragile", f"method.folder={outputs}"]
    always = [*method, "device=cpu", f"outputs={outputs}", f"seed=range(0,{JOBS})"]
    cluster = ["hydra/launcher=slurm", "hydra.launcher.poll_seconds=0.5", "hydra.launcher.cpus_per_task=1"]
    size = ["dataset.n_train=60", "dataset.n_test=30", "hydra.launcher.mem_gb=1"]
    command = [sys.executable, str(ROOT / "run.py"), "--config-dir", str(EXTRAS / "conf"), "-m", *always, *cluster]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    sweep = subprocess.Popen([*command, *size, *arguments], env=environment, cwd=outputs, **pipes)
    sweeps.append(sweep)
    return sweep


def queue(environment: dict[str, str]) -> list[str]:
    """The ids of the jobs that wait or run."""
    command = ["squeue", "--noheader", "--array", "--format=%i"]
    return subprocess.run(command, env=environment, capture_output=True, text=True, check=True).stdout.split()


def begun(outputs: Path) -> list[int]:
    """The seeds of the fits that began, in order."""
    path = outputs / "begun"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_a_sweep_survives_its_jobs_and_is_resumed_to_completion(slurm: dict[str, str], tmp_path: Path) -> None:
    fails, waits = tmp_path / "fail-1", tmp_path / "wait-2"
    fails.touch()
    waits.touch()
    sweep = start(tmp_path, slurm)
    wait_for(lambda: len(begun(tmp_path)) == JOBS)
    wait_for(lambda: len(list(find_records(tmp_path))) == JOBS - 1)
    wait_for(lambda: len(queue(slurm)) == 1)
    (job,) = queue(slurm)
    subprocess.run(["scancel", job], env=slurm, check=True)
    out, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 1, err
    assert out.count("run again: python run.py") == 1
    assert "failed: ZeroDivisionError: a bug in a method" in out
    assert 'raise ZeroDivisionError("a bug in a method")' in out
    assert "interrupted: 1 of 6 runs are left; the same command goes on: python" in out
    statuses = {r.config["seed"]: r.status for _, r in find_records(tmp_path)}
    assert statuses == {0: "finished", 1: "failed", 2: "interrupted", 3: "finished", 4: "finished", 5: "finished"}
    assert {run.info.status for run in runs(tmp_path)} == {"FINISHED", "FAILED", "KILLED"}

    fails.unlink()
    waits.unlink()
    planned = start(tmp_path, slurm, "sweep.dry_run=true")
    assert planned.communicate()[0].startswith(
        "6 runs: 4 exist, 0 missing, 1 failed, 1 interrupted (to go on); to do about "
    )
    before = begun(tmp_path)
    again = start(tmp_path, slurm, "hydra.launcher.jobs_per_task=2")
    out, err = again.communicate(timeout=240)
    assert again.returncode == 0, err
    assert begun(tmp_path)[len(before) :] == [1, 2]
    assert {r.status for _, r in find_records(tmp_path)} == {"finished"}
    found = runs(tmp_path)
    (parent,) = (run.info.run_id for run in found if "lacuna.sweep" in run.data.tags)
    children = [run for run in found if run.data.tags.get("mlflow.parentRunId") == parent]
    assert len(found) == len(children) + 1 == JOBS + 1
    assert {run.info.status for run in found} == {"FINISHED"}


def runs(outputs: Path) -> list:
    client = MlflowClient(f"sqlite:///{outputs}/mlflow.db")
    return list(client.search_runs([client.get_experiment_by_name("bayesnet").experiment_id]))


def test_a_requeued_job_goes_on_and_a_lost_one_is_told(slurm: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "wait-0").touch()
    sweep = start(tmp_path, slurm, "tracking=none", "seed=0,1")
    wait_for(lambda: sorted(begun(tmp_path)) == [0, 1])
    wait_for(lambda: len(list(find_records(tmp_path))) == 1)
    wait_for(lambda: len(queue(slurm)) == 1)
    (job,) = queue(slurm)
    subprocess.run(["scancel", "--signal=USR2", job], env=slurm, check=True)  # as Slurm does before the time limit
    wait_for(lambda: begun(tmp_path).count(0) == 2)
    (tmp_path / "wait-0").unlink()
    out, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, out + err
    assert {r.status for _, r in find_records(tmp_path)} == {"finished"}

    trace = tmp_path / "trace"
    long = ["method=drift", "method.iterations=4", "method.pause=2", f"method.trace={trace}"]
    sweep = start(tmp_path, slurm, "tracking=none", "seed=0", *long)
    wait_for(lambda: trace.exists() and len(trace.read_text().split()) == 3)
    subprocess.run(["scancel", "--signal=USR2", *queue(slurm)], env=slurm, check=True)
    out, err = sweep.communicate(timeout=240)
    assert sweep.returncode == 0, out + err
    assert trace.read_text().split() == ["1", "2", "3", "3", "4"]  # from its checkpoint

    lost = start(tmp_path, slurm, "tracking=none", "seed=7,8", "hydra.launcher.setup=[exit 3]")
    out, err = lost.communicate(timeout=240)
    assert lost.returncode == 1, err
    assert out.count("did not run to its end (log: ") == 2


def test_a_search_runs_its_trials_on_the_cluster(tmp_path: Path, slurm: dict[str, str]) -> None:
    pytest.importorskip("optuna")
    small = ["device=cpu", f"outputs={tmp_path}", "dataset.n_train=60", "dataset.n_test=30", "tracking=none"]
    cluster = ["hydra/launcher=slurm", "hydra.launcher.poll_seconds=0.5", "hydra.launcher.cpus_per_task=1"]
    search = ["hydra/sweeper=optuna", "hydra.sweeper.n_trials=4", "hydra.sweeper.n_jobs=2"]
    search += ["method=boosting", "method.rounds=range(5,50,5)"]
    command = [sys.executable, str(ROOT / "run.py"), "-m", *search, *small, *cluster, "hydra.launcher.mem_gb=1"]
    done = subprocess.run(command, env=slurm, capture_output=True, text=True, check=False, cwd=tmp_path, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("python run.py method=boosting ")
    assert "best of 4 trials" in done.stdout
    assert all("held_out/error" in record.scores for _, record in find_records(tmp_path))
