"""What other systems lack, taken away here: runs, sweeps and MLflow work all the same, or a line says what does not."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import psutil
import pytest

from lacuna import files, paths
from lacuna.records import environment
from lacuna.records.record import find_records
from lacuna.runner import limits, mlflow_tracking
from lacuna.runner.limits import Limits
from lacuna.runner.mlflow_tracking import Tracker

ROOT = Path(__file__).parents[1]
PROGRAM = """
import os, pathlib, signal, sys
import filelock, hydra, joblib, matplotlib.pyplot, mlflow, psutil, pyarrow.parquet, rich.console, sklearn, sqlalchemy

sys.platform = {platform!r}
lacking = ["sched_getaffinity", "fork", "forkpty"]
if sys.platform == "win32":
    lacking += ["sysconf", "getsid", "killpg", "getuid", "geteuid"]
    sys.modules["resource"] = None
    for name in ("SIGUSR1", "SIGUSR2", "SIGKILL", "SIGHUP"):
        delattr(signal, name)
    class Memory:
        peak_wset = rss = 2**29
    psutil.Process.memory_info = lambda self: Memory()
    def kill(pid, signum):
        raise AssertionError("os.kill ends a process on Windows")
    os.kill = kill
for name in lacking:
    delattr(os, name)

def absent(method):
    def replaced(self, *args, **kwargs):
        if str(self).startswith("/proc"):
            raise FileNotFoundError(2, "No such file or directory", str(self))
        return method(self, *args, **kwargs)
    return replaced

for name in ("open", "read_text", "write_text", "stat"):
    setattr(pathlib.Path, name, absent(getattr(pathlib.Path, name)))
from lacuna.cli.run import main
main()
"""


def run(platform: str, outputs: Path, *overrides: str) -> subprocess.CompletedProcess[str]:
    small = ["method=mean_mode", "dataset.n_train=100", "dataset.n_test=50", "device=cpu", f"outputs={outputs}"]
    environ = os.environ | {"PYTHONPATH": str(ROOT / "src"), "OMP_NUM_THREADS": "1"}
    environ.pop("MLFLOW_TRACKING_URI", None)
    command = [sys.executable, "-c", PROGRAM.format(platform=platform), *overrides, *small]
    return subprocess.run(command, env=environ, capture_output=True, text=True, check=False, cwd=outputs)


@pytest.mark.slow
@pytest.mark.parametrize("platform", ["win32", "darwin"])
def test_a_sweep_is_carried_out_and_tracked(platform: str, tmp_path: Path) -> None:
    done = run(platform, tmp_path, "-m", "seed=0,1")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in done.stderr
    records = [record for _, record in find_records(tmp_path)]
    assert [record.status for record in records] == ["finished"] * 2
    assert all(record.peak_memory_gb > 0 and record.hardware["memory_gb"] > 0 for record in records)
    client = Tracker(f"sqlite:///{tmp_path}/mlflow.db", tmp_path).client
    assert len(client.search_runs([client.get_experiment_by_name("bayesnet").experiment_id])) == 3


@pytest.mark.slow
def test_limits_on_windows_are_refused_at_the_start(tmp_path: Path) -> None:
    done = run("win32", tmp_path, "limits.seconds=100")
    assert done.returncode == 2, done.stdout + done.stderr
    assert done.stderr.endswith("error: limits.seconds and limits.memory_gb need Linux or macOS: leave them out here\n")
    assert not list(find_records(tmp_path))


def test_shared_memory_on_macos_is_said_at_the_start(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits.sys, "platform", "darwin")
    with pytest.warns(UserWarning, match="memory that processes of a run share counts for each here"):
        Limits(memory_gb=1).check()
    Limits(seconds=1).check()


def test_no_process_is_ended_by_asking_whether_it_lives(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(mlflow_tracking, "os", SimpleNamespace(getpid=os.getpid))  # os.kill would end it on Windows
    host = mlflow_tracking.platform.node()
    assert not mlflow_tracking._abandoned(mlflow_tracking._process())
    assert mlflow_tracking._abandoned(f"{host}:{max(psutil.pids()) + 10**6}:1")
    assert mlflow_tracking._abandoned(f"{host}:{os.getpid()}:1")  # its number went to another process
    assert not mlflow_tracking._abandoned(f"elsewhere:{os.getpid()}:1")


def test_without_affinity_all_cores_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity", raising=False)
    assert environment.n_cores() == os.cpu_count()


def test_a_file_is_flushed_through_a_handle_that_may_write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fsync(number: int) -> None:  # as on Windows
        os.write(number, b"")

    monkeypatch.setattr(files.os, "fsync", fsync)
    files.write_text(tmp_path / "a.txt", "whole")
    assert (tmp_path / "a.txt").read_text() == "whole"


def test_a_checkout_without_links_has_its_configs(tmp_path: Path) -> None:
    """git writes a link as a file with its target where the system has no links."""
    package = tmp_path / "src" / "lacuna"
    package.mkdir(parents=True)
    (tmp_path / "conf").mkdir()
    (package / "conf").write_text("../../conf")
    source = Path(paths.__file__).read_text(encoding="utf-8")
    found: dict = {"__file__": str(package / "paths.py"), "__name__": "paths"}
    exec(compile(source, "paths", "exec"), found)
    assert found["CONF"] == tmp_path / "conf"
