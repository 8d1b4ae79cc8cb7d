"""How long a sweep still takes is said of kinds of jobs that have finished, and of no other."""

from __future__ import annotations

from pathlib import Path

from lacuna.sweeps.running import RunningSweep, Sweep, tell


def test_each_kind_takes_what_its_finished_jobs_took(tmp_path: Path) -> None:
    jobs = [f"python run.py seed={i}" for i in range(6)]
    tell(tmp_path, 5, folder="there before")  # reused: it takes no time
    running = RunningSweep(Sweep("x", jobs, ["d"]), tmp_path, None, ["fast", "slow", "fast", "slow", "fast", "fast"])
    assert running.left(0, 1.0) == "; 1 of 5 runs done"  # nothing is known of the slow ones
    assert running.left(1, None) == "; 2 of 5 runs done"  # it failed
    assert running.left(2, 3.0) == "; 3 of 5 runs done"
    assert running.left(3, 100.0) == "; 4 of 5 runs done, about 2.0 s left"
    assert running.left(4, 2.0) == ""


def test_jobs_of_one_kind(tmp_path: Path) -> None:
    running = RunningSweep(Sweep("x", ["a", "b", "c"], ["d"]), tmp_path, None)
    assert running.left(0, 10.0) == "; 1 of 3 runs done, about 20.0 s left"
