"""Methods that misbehave on demand, for the tests of the runner."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np

from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.rng import stream
from lacuna.runner.limits import LimitReached
from lacuna.types import Imputation, Incomplete


class Drift(Method):
    """Column means plus a sum of ``iterations`` random steps: its result tells whether a step was lost or redone.

    Args:
        iterations: outer iterations; each is scored and checkpointed.
        pause: seconds that each takes.
        failure: what happens in the last one: "", "bug", "user", "memory".
        trace: file that gets a line for each iteration begun.
    """

    def __init__(self, iterations: int = 3, pause: float = 0.0, failure: str = "", trace: str = "") -> None:
        self.iterations, self.pause, self.failure, self.trace = iterations, pause, failure, trace

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.means_, self.drift_ = np.nanmean(train.values, axis=0), np.zeros(train.values.shape[1])
        kept = self.monitor.restore() or {"iteration": 0, "drift": self.drift_}
        self.drift_ = kept["drift"]
        for t in range(kept["iteration"] + 1, self.iterations + 1):
            if self.trace:
                with Path(self.trace).open("a") as file:
                    file.write(f"{t}\n")
            self.monitor.progress("walking", t, self.iterations, loss=1 / t)
            time.sleep(self.pause)
            if t == self.iterations:
                self._fail()
            self.drift_ = self.drift_ + stream(seed, "drift", t).normal(size=self.drift_.shape)
            self.monitor.iteration(t, self.impute)
            self.monitor.save({"iteration": t, "drift": self.drift_})

    def _fail(self) -> None:
        if self.failure == "bug":
            raise ZeroDivisionError("a bug in a method")
        if self.failure == "user":
            raise UserError("the table does not suit this method: use another")
        if self.failure == "memory":
            raise MemoryError("cannot allocate 9 EiB")

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        levels = np.array([column.n_levels for column in rows.columns])
        guess = np.where(levels > 0, 0.0, self.means_ + 0.01 * self.drift_)
        return Imputation(np.where(rows.observed, rows.values, guess), diagnostics={"drift": self.drift_})


class Wrapper(Method):
    """Answers as its base does."""

    def __init__(self, base: Method) -> None:
        self.base = base

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.base.fit(train, seed)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        return self.base.impute(rows, draws)


class Fragile(Method):
    """Column means, unless a file in ``folder`` says otherwise: ``fail-<seed>`` makes it fail, ``wait-<seed>`` wait."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def _fit(self, train: Incomplete, seed: int) -> None:
        folder = Path(self.folder)
        with (folder / "begun").open("a") as file:
            file.write(f"{seed}\n")
        while (folder / f"wait-{seed}").exists():
            time.sleep(0.1)
        if (folder / f"fail-{seed}").exists():
            raise ZeroDivisionError("a bug in a method")
        self.means_ = np.nanmean(train.values, axis=0).round()

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        return Imputation(np.where(rows.observed, rows.values, self.means_))


class Stubborn(Method):
    """Column means, but for what limits are there to end.

    Args:
        blocks: sit in one call of compiled code that no signal interrupts.
        child: file that gets the id of a process that it starts and waits for; "": none.
        child_gb: memory that this process takes.
        swallows: fail of something else when a limit is reached, as compiled code does that calls Python back.
    """

    def __init__(self, blocks: bool = False, child: str = "", child_gb: float = 0.0, swallows: bool = False) -> None:
        self.blocks, self.child, self.child_gb, self.swallows = blocks, child, child_gb, swallows

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.means_ = np.nanmean(train.values, axis=0).round()
        if self.child:
            program = f"import time; x = b'x' * int({self.child_gb} * 2**30); time.sleep(600)"
            started = subprocess.Popen([sys.executable, "-c", program])
            Path(self.child).write_text(str(started.pid))
            if not self.blocks:
                started.wait()
        if self.blocks:
            sum(range(10**12))
        if self.swallows:
            try:
                time.sleep(600)
            except LimitReached:
                raise RuntimeError("a batch is missing") from None

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        return Imputation(np.where(rows.observed, rows.values, self.means_))


class Quoting(Method):
    """Fails with a message that quotes a cell.

    Args:
        failure: name of the exception, or "death": of the process.
    """

    def __init__(self, failure: str = "ValueError") -> None:
        self.failure = failure

    def _fit(self, train: Incomplete, seed: int) -> None:
        if self.failure == "death":
            os._exit(9)
        cell = float(train.values[train.observed].max()) + 1 / 3
        raise {"ValueError": ValueError, "UserError": UserError}[self.failure](f"cannot use the cell {cell}")

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        raise NotImplementedError
