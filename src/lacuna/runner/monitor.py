"""The runner's side of a method's Monitor: shows progress, scores outer iterations, keeps checkpoints."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from lacuna.errors import MissingPackage, StorageError
from lacuna.methods.base import Monitor
from lacuna.runner.checkpoint import Checkpoint
from lacuna.runner.progress import Clock, Display
from lacuna.types import Imputation, Incomplete

Impute = Callable[[Incomplete], Imputation]


@dataclass(frozen=True)
class Stage:
    """Where the phases of a run are timed and shown, and where it keeps what it needs to go on later."""

    clock: Clock
    display: Display
    checkpoint: Checkpoint

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        self.display.phase(name)
        with self.clock.phase(name):
            yield


class RunMonitor(Monitor):
    """Listens to a method while it is fitted.

    Args:
        stage: the run's; scoring time is kept apart from the method's own.
        owner: digest of the data; a checkpoint made with other data counts as none.
        score: the scores of an imputer, under ``<split>/<metric>``.
    """

    def __init__(self, stage: Stage, owner: str, score: Callable[[Impute], dict[str, float]]) -> None:
        self.iterations: list[dict[str, Any]] = []
        self._stage, self._owner, self._score = stage, owner, score

    def progress(self, phase: str, done: int, total: int, **info: float) -> None:
        self._stage.display.update(phase, done, total, **info)

    def iteration(self, index: int, impute: Impute) -> None:
        with self._stage.clock.phase("score_iterations"):
            self.iterations.append({"iteration": index, "scores": self._score(impute)})

    def save(self, state: dict[str, Any]) -> None:
        try:
            kept = {"owner": self._owner, "iterations": self.iterations, "seconds": self._stage.clock.total()}
            self._stage.checkpoint.save(kept | {"state": state})
        except (StorageError, MissingPackage) as error:  # the run itself can go on
            warnings.warn(f"no checkpoint: {error}", stacklevel=2)

    def restore(self) -> dict[str, Any] | None:
        kept = self._stage.checkpoint.load()
        if kept is None or kept["owner"] != self._owner:
            return None
        self.iterations[:] = kept["iterations"]
        self._stage.clock.seconds["before_resume"] = kept["seconds"]
        return kept["state"]
