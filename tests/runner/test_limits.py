"""Limits end a run wherever it is, and all that it started; the record says so, and what comes next goes on."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import suppress
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import psutil
import pytest

from lacuna.config.compose import compose, plain
from lacuna.records.record import find_records, read_record
from lacuna.runner import experiment, limits
from lacuna.runner.experiment import Outcome
from lacuna.runner.limits import Stopped, stoppable
from lacuna.runner.process_tree import ProcessTree, memory_gb

ROOT = Path(__file__).parents[2]
EXTRAS = ROOT / "tests" / "extras"
pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="limits need POSIX signals")


@pytest.fixture
def carry_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch):
    monkeypatch.syspath_prepend(str(EXTRAS))

    def run(*overrides: str) -> Outcome:
        small = ["dataset.n_train=150", "dataset.n_test=60", "device=cpu", "tracking=none", f"outputs={tmp_path}"]
        return experiment.run(plain(compose(["method=stubborn", *small, *overrides], EXTRAS / "conf")))

    return run


def alive(pid: int) -> bool:
    return bool(ProcessTree(pid).members())


def test_limits_that_are_not_reached_change_nothing(carry_out, tmp_path: Path) -> None:
    free, limited = (
        carry_out("method=drift", f"outputs={tmp_path / name}", *more).record
        for name, more in (("free", []), ("limited", ["limits.seconds=300", "limits.memory_gb=50"]))
    )
    assert limited.status == "finished"
    assert (limited.scores, limited.iterations) == (free.scores, free.iterations)
    assert limited.seconds.keys() == free.seconds.keys()


def test_time_ends_a_method_that_hears_no_signal(carry_out, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr(limits, "GRACE", 0.5)
    child = tmp_path / "child"
    outcome = carry_out("method.blocks=true", f"method.child={child}", "limits.seconds=0.5")
    record = outcome.record
    assert (record.status, record.error, record.traceback) == ("timeout", "limits.seconds=0.5 reached", None)
    assert 0.5 <= record.seconds["total"] < 30
    assert not alive(int(child.read_text()))
    assert read_record(outcome.folder) == record
    assert carry_out("method=drift").record.status == "finished"


def test_a_limit_is_the_reason_also_where_a_method_swallows_it_and_fails(carry_out) -> None:
    outcome = carry_out("method.swallows=true", "limits.seconds=0.5")
    assert (outcome.record.status, outcome.record.error) == ("timeout", "limits.seconds=0.5 reached")
    assert outcome.record.traceback is None
    assert outcome.record.mask_rates  # it wrote its record itself
    assert read_record(outcome.folder) == outcome.record


def test_memory_counts_the_processes_that_a_method_started(carry_out, tmp_path: Path) -> None:
    child = tmp_path / "child"
    record = carry_out(f"method.child={child}", "method.child_gb=1.5", "limits.memory_gb=1.4").record
    assert (record.status, record.error) == ("out_of_memory", "limits.memory_gb=1.4 reached")
    assert record.peak_memory_gb > 1.4
    assert record.mask_rates  # it wrote its record itself
    assert not alive(int(child.read_text()))


def test_a_run_that_dies_under_limits_leaves_a_record(carry_out, tmp_path: Path) -> None:
    child = tmp_path / "child"

    def shoot() -> None:
        while not child.exists() or not child.read_text():
            time.sleep(0.05)
        parent = int(Path(f"/proc/{child.read_text()}/stat").read_text().rpartition(")")[2].split()[1])
        os.kill(parent, signal.SIGKILL)

    threading.Thread(target=shoot).start()
    record = carry_out(f"method.child={child}", "limits.seconds=300").record
    assert record.status == "failed"
    assert "exit code -9" in record.error
    assert not alive(int(child.read_text()))


def test_a_signal_stops_a_run_under_limits_and_all_it_started(carry_out, tmp_path: Path) -> None:
    child = tmp_path / "child"

    def interrupt() -> None:
        while not child.exists() or not child.read_text():
            time.sleep(0.05)
        signal.raise_signal(signal.SIGTERM)

    threading.Thread(target=interrupt).start()
    with pytest.raises(Stopped), stoppable():
        carry_out(f"method.child={child}", "limits.seconds=300")
    ((_, record),) = find_records(tmp_path)
    assert (record.status, record.error) == ("interrupted", "stopped by SIGTERM")
    assert not alive(int(child.read_text()))


@pytest.mark.slow
def test_a_sweep_goes_on_after_a_run_that_hears_no_signal(tmp_path: Path) -> None:
    command = [sys.executable, ROOT / "run.py", "--config-dir", EXTRAS / "conf", "-m", "method=stubborn"]
    small = ["dataset.n_train=150", "dataset.n_test=60", "device=cpu", "tracking=none", f"outputs={tmp_path}"]
    swept = ["method.blocks=true,false", "limits.seconds=15"]
    path = os.pathsep.join([str(EXTRAS), *sys.path])
    done = subprocess.run(
        [*command, *small, *swept], env=os.environ | {"PYTHONPATH": path}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {record.config["method"]["blocks"]: record for _, record in find_records(tmp_path)}
    assert {blocks: record.status for blocks, record in found.items()} == {True: "timeout", False: "finished"}
    assert "timeout: limits.seconds=15 reached" in done.stdout


@pytest.mark.slow
def test_baselines_that_a_wide_table_is_too_much_for_are_results_of_a_sweep(tmp_path: Path) -> None:
    """What MissBGM's authors saw with 13,500 x 5,000 cells happens with fewer columns where there is less time."""
    packages = {"ice": "sklearn", "miceforest": "miceforest", "forest_diffusion": "ForestDiffusion"}
    methods = [method for method, package in packages.items() if find_spec(package)]
    wide = ["dataset=mnar_oracle", "dataset.n=1500", "dataset.p=500", "mask=self", "ratio=0.2", "budget=paper"]
    swept = [f"method={','.join(methods)},mean_mode", "limits.seconds=10", "limits.memory_gb=8"]
    command = [sys.executable, ROOT / "run.py", "-m", *wide, *swept, "device=cpu", "tracking=none"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "LACUNA_SWEEP": str(tmp_path)}
    done = subprocess.run(
        [*command, f"outputs={tmp_path}"], env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    found = {record.config["names"]["method"]: record.status for _, record in find_records(tmp_path)}
    assert found == {**dict.fromkeys(methods, "timeout"), "mean_mode": "finished"}
    assert not living(f"LACUNA_SWEEP={tmp_path}")


def living(variable: str) -> list[int]:
    """Ids of the processes that were started with an environment variable."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        with suppress(OSError):
            if variable.encode() in path.read_bytes().split(b"\0"):
                found.append(int(path.parent.name))
    return found


def test_the_tree_of_a_session_and_its_memory() -> None:
    program = (
        "import subprocess, sys, time; x = b'x' * 2**27;"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'], start_new_session=True);"
        "print('up', flush=True); time.sleep(60)"
    )
    leader = subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, start_new_session=True)
    try:
        assert leader.stdout is not None
        leader.stdout.readline()
        tree = ProcessTree(leader.pid)
        assert len(tree.members()) == 2  # also the one that left the session
        assert os.getpid() not in [process.pid for process in tree.members()]
        assert 0.125 < tree.memory_gb() < 0.5
        assert memory_gb([psutil.Process()]) > np.float64(0.05)
    finally:
        tree.kill()
        leader.wait()
    assert tree.members() == []


def test_a_daemon_that_left_its_session_and_lost_its_parent_belongs_to_the_tree() -> None:
    program = """
import os, sys, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        x = b"x" * 2**27
        print("up", os.getpid(), flush=True)
        time.sleep(60)
    os._exit(0)
os.wait()
time.sleep(60)
"""
    mark = "test-of-a-daemon"
    command = [sys.executable, "-c", program]
    environment = ProcessTree.environment(mark)
    leader = subprocess.Popen(command, stdout=subprocess.PIPE, start_new_session=True, env=environment)
    tree = ProcessTree(leader.pid, mark)
    try:
        assert leader.stdout is not None
        daemon = int(leader.stdout.readline().split()[1])
        assert {process.pid for process in tree.members()} == {leader.pid, daemon}
        assert daemon not in [process.pid for process in ProcessTree(leader.pid).members()]  # by its mark alone
        assert tree.memory_gb() > 0.125
        leader.kill()
        leader.wait()
        assert [process.pid for process in tree.members()] == [daemon]
    finally:
        tree.kill()
        leader.wait()
    assert tree.members() == []
