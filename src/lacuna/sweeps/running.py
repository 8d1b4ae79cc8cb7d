"""Many runs of one command: what came out, what failed and how to run it again, and their parent in MLflow.

Jobs may run in other processes and on other machines: what they tell lies in the sweep's folder.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import mean
from textwrap import indent
from typing import TYPE_CHECKING

from rich.console import Console

from lacuna.files import write_text
from lacuna.records.record import find_records, read_record
from lacuna.reports.terminal import print_comparison
from lacuna.runner.experiment import Outcome
from lacuna.runner.progress import duration
from lacuna.runner.tracking import Tracking, forgiven

if TYPE_CHECKING:
    from lacuna.runner.mlflow_tracking import Tracker

NOT_TOLD = "it did not run to its end"


@dataclass(frozen=True)
class Sweep:
    """The jobs of one multirun."""

    command: str
    jobs: list[str]  # the command that runs each of them alone
    datasets: list[str]
    title: str = ""  # a sweep of an earlier version has none
    description: str = ""  # Markdown
    study: str = ""  # key of a search, whose jobs are not known beforehand

    def write(self, folder: Path) -> None:
        write_text(folder / "sweep.json", json.dumps(asdict(self), indent=2))

    @property
    def key(self) -> str:
        """The same jobs are the same sweep, whenever they run."""
        return self.study or hashlib.sha256(json.dumps(self.jobs).encode()).hexdigest()[:10]

    def parents(self, tracker: Tracking) -> dict[str, str]:
        """The parent run in MLflow for each data set."""
        name = self.title or self.command.split(" ", maxsplit=2)[2].removeprefix("-m ")  # without the program
        about = (self.key, name, self.command, self.description)
        return {dataset: tracker.parent(dataset, *about) for dataset in self.datasets}


def tell(sweep_folder: Path, number: int, **what: str) -> None:
    """From a job to whoever asks: ``folder`` of its record, or the ``error`` for which there is none."""
    write_text(told_in(sweep_folder, number), json.dumps(what))


def was_told(sweep_folder: Path, number: int) -> bool:
    """Whether a job, or someone in its place, has told what became of it."""
    return told_in(sweep_folder, number).exists()


def told_in(sweep_folder: Path, number: int) -> Path:
    """The file in which a job tells what became of it."""
    return sweep_folder / f"{number}.json"


def results(sweep: Sweep, folder: Path) -> list[Outcome | str]:
    """Each job's record, or what kept it from having one."""
    return [_result(told_in(folder, number)) for number in range(len(sweep.jobs))]


def _result(path: Path) -> Outcome | str:
    try:
        told = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return NOT_TOLD
    record = read_record(Path(told["folder"])) if "folder" in told else None
    return Outcome(record, Path(told["folder"])) if record else told.get("error", "the record is gone")


class RunningSweep:
    """A sweep in the process that launched it.

    Args:
        sweep: its jobs.
        folder: where they tell what became of them.
        tracker: of the runs; None where nothing is tracked.
        kinds: of each job, what takes about as long as others of its kind; default: all are of one.
    """

    current: RunningSweep | None = None

    def __init__(
        self, sweep: Sweep, folder: Path, tracker: Tracking | None, kinds: Sequence[str] | None = None
    ) -> None:
        self.sweep, self.folder, self.tracker = sweep, folder, tracker
        self.parents: dict[str, str] = {}
        self._kinds = [""] * len(sweep.jobs) if kinds is None else kinds
        self._todo = [number for number in range(len(self._kinds)) if not was_told(folder, number)]
        self._took: dict[str, list[float]] = {}  # seconds of finished jobs, by kind
        if tracker:
            self.parents = sweep.parents(tracker)
            for parent in self.parents.values():
                tracker.reopen(parent)

    def publish(self, outcome: Outcome) -> None:
        """Write a job's record into MLflow, as a child of this sweep."""
        if self.tracker:
            with forgiven(f"run {outcome.record.name}", self.tracker.uri):
                parent = self.parents[outcome.record.config["names"]["dataset"]]
                self.tracker.publish(outcome.record, outcome.folder, parent)

    def left(self, number: int, seconds: float | None) -> str:
        """In words, how long the jobs after one take in turn, each as long as the mean of those of its kind.

        Nothing is said of the time while a kind that is left has no finished job.

        Args:
            number: of the job that ended.
            seconds: that it took; None where it did not finish.
        """
        if seconds is not None and number in self._todo:
            self._took.setdefault(self._kinds[number], []).append(seconds)
        todo = [each for each in self._todo if each > number]
        done = len(self._todo) - len(todo)
        if not done or not todo:
            return ""
        text = f"; {done} of {len(self._todo)} runs done"
        kinds = [self._kinds[each] for each in todo]
        if not set(kinds) <= self._took.keys():
            return text
        return f"{text}, about {duration(sum(mean(self._took[kind]) for kind in kinds))} left"

    def close(self, console: Console, stopped: bool = False) -> int:
        """Print what came out and what did not; returns the exit code.

        Args:
            console: where to print.
            stopped: by a signal; jobs that did not run to their end are then interrupted, not failed.
        """
        found = results(self.sweep, self.folder)
        outcomes = [result for result in found if isinstance(result, Outcome)]
        for outcome in outcomes:
            self.publish(outcome)
        if finished := [o.record for o in outcomes if o.record.status == "finished"]:
            print_comparison(finished, console)
        ends = []
        for command, result in zip(self.sweep.jobs, found, strict=True):
            status, error = _status(result, stopped)
            ends.append(status)
            if status not in ("finished", "interrupted"):
                _say(console, f"{status}: {error}\n  run again: {command}{_evidence(result)}")
        if n := ends.count("interrupted"):
            left = f"interrupted: {n} of {len(ends)} runs are left"
            _say(console, f"{left}; the same command goes on: {self.sweep.command}")
        failed, interrupted = "failed" in ends, "interrupted" in ends or stopped
        if self.tracker:
            with forgiven("the end of this sweep", self.tracker.uri):
                for parent in self.parents.values():
                    self.tracker.close(parent, "KILLED" if interrupted else "FAILED" if failed else "FINISHED")
        return int(failed or interrupted)


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)


def _status(result: Outcome | str, stopped: bool) -> tuple[str, str]:
    if isinstance(result, str):
        return "interrupted" if stopped and result == NOT_TOLD else "failed", result
    return result.record.status, result.record.error or ""


def _evidence(result: Outcome | str) -> str:
    """Where a job's log lies, and the traceback of an error that is not the user's."""
    if isinstance(result, str):
        return ""
    log = result.folder / "log.txt"
    lines = [f"log: {log}"] if log.exists() else []
    return indent("\n".join(["", *lines, *(result.record.traceback or "").splitlines()]), "  ")


def sync(tracker: Tracker, outputs: Path) -> dict[str, int]:
    """Bring MLflow up to the records: close runs whose process died, write what is missing, regroup sweeps.

    Returns:
        How many records there are, how many were written, how many runs were closed.
    """
    counts = {"records": 0, "written": 0, "closed": tracker.close_abandoned()}
    for folder, record in find_records(outputs):
        counts["records"] += 1
        counts["written"] += tracker.publish(record, folder)
    for sweep, folder in _sweeps(outputs):
        parents = sweep.parents(tracker)
        for result in results(sweep, folder):
            if isinstance(result, Outcome):
                parent = parents[result.record.config["names"]["dataset"]]
                tracker.publish(result.record, result.folder, parent)
    return counts


def _sweeps(outputs: Path) -> Iterator[tuple[Sweep, Path]]:
    for path in sorted((outputs / "sweeps").glob("*/sweep.json")):
        yield Sweep(**json.loads(path.read_text(encoding="utf-8"))), path.parent
