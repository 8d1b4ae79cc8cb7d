"""How long a method takes, and how long it would take if it had not been cut short."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

import torch

from lacuna.backend.training import epochs_within
from lacuna.methods.base import Monitor

T = TypeVar("T")
CUTS = {"epochs", "max_batches", "iterations", "rounds"}  # arguments that a fit's time is proportional to


class Enough(Exception):
    """The time of one measurement is over."""


class Stopwatch(Monitor):
    """How long an epoch takes, and how many a method was to run."""

    def __init__(self, limit: float = float("inf")) -> None:
        self.deadline = time.perf_counter() + limit
        self.at = "the start"
        self.epochs = 0  # of one training; 0 before it or without one
        self.epoch_s = 0.0
        self.stopped = False  # the method has stopped by itself before its last epoch
        self._phase, self._begun, self._first = "", time.perf_counter(), (0, 0.0)

    def progress(self, phase: str, done: int, total: int, **info: float) -> None:
        now = time.perf_counter()
        if phase != self._phase:
            # the first epochs also pay for what is loaded and compiled: the others tell what one takes
            self._phase, self._first = phase, (done, now)
        if phase.endswith(("training", "fitting")):
            (since_epoch, since), (epochs, seconds) = self._first, (done, now - self._begun)
            if done > since_epoch:
                epochs, seconds = done - since_epoch, now - since
            self.epochs, self.epoch_s, self.stopped = total, seconds / max(epochs, 1), done < total
        else:
            self._begun = now
        self.at = f"{phase} {done}/{total}"
        if now > self.deadline:
            raise Enough(self.at)


def clocked(name: str, work: Callable[[], T]) -> tuple[T, dict[str, float]]:
    """What ``work`` gives, and its seconds: of the clock, the device's queue included, and of the processor."""
    wall, processor = time.perf_counter(), time.process_time()
    done = work()
    if torch.cuda.is_initialized():
        torch.cuda.synchronize()
    return done, {f"{name}_s": time.perf_counter() - wall, f"{name}_cpu_s": time.process_time() - processor}


def whole(fit_s: float, watch: Stopwatch, uncut: dict[str, Any], cut: dict[str, Any], n_rows: int) -> dict[str, float]:
    """What the fit of n rows would take with the arguments ``uncut``, of which ``cut`` replaced some."""
    if not cut:
        return {}
    if not watch.stopped and "epochs" in uncut:
        ran, wanted = (epochs_of(setting, n_rows) for setting in ({**uncut, **cut}, uncut))
        # a method may report none of a few epochs: then what came before them counts as theirs
        fit_s += (wanted - ran) * (watch.epoch_s or fit_s / ran)
    for repeated in ("iterations", "rounds"):
        fit_s *= uncut.get(repeated, 1) / cut.get(repeated, uncut.get(repeated, 1))
    return {"whole_fit_s": fit_s}


def epochs_of(setting: dict[str, Any], n_rows: int) -> int:
    batch = setting.get("batch", setting.get("batch_size", n_rows))
    return epochs_within(setting.get("max_batches"), setting["epochs"], batch, n_rows)
