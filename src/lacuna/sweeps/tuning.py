"""The best settings of a method by held-out error: ``hydra/sweeper=optuna``.

A trial is a run with ``held_out``. The study lies in a folder of its own below sweeps/, found again by the same
command: trials that were stopped go on, and a greater ``n_trials`` adds to those that are there.
"""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lacuna.errors import UserError, require
from lacuna.files import locked, whole, write_text
from lacuna.records.record import run_id
from lacuna.runner.experiment import Outcome
from lacuna.runner.tracking import Tracking
from lacuna.sweeps.expand import command, settle_jobs
from lacuna.sweeps.running import RunningSweep, Sweep, results, told_in
from lacuna.sweeps.search_space import SearchSpace, search_space

if TYPE_CHECKING:
    from optuna import Study

SWEEPER = "lacuna_optuna_sweeper"
SCORE = "held_out/error"
SHARE = 0.1  # of the observed training cells, where ``held_out`` is not given
NAME = "lacuna"  # of the study in its database


def is_tuning(config: DictConfig) -> bool:
    """Whether a multirun has ``hydra/sweeper=optuna``."""
    return SWEEPER in config.hydra.sweeper._target_


@dataclass(frozen=True)
class Search:
    """What is searched, and how."""

    config: DictConfig  # of the multirun
    space: SearchSpace
    settled: dict[str, Any]  # the configuration of one trial
    n_trials: int
    n_jobs: int
    seed: int

    @cached_property
    def key(self) -> str:
        """The same search has the same study."""
        about = [run_id(self.settled), self.space.typed, self.seed]
        return hashlib.sha256(json.dumps(about).encode()).hexdigest()[:10]

    @property
    def folder(self) -> Path:
        return Path(self.settled["outputs"], "sweeps", f"optuna-{self.key}")

    def plan(self) -> str:
        """How many trials are there, and how many are missing; nothing is run or written."""
        there = (self.folder / "study.db").exists()
        done = sum(trial.state.is_finished() for trial in open_study(self.folder).trials) if there else 0
        return f"{self.n_trials} trials: {done} exist, {max(0, self.n_trials - done)} missing"

    def command(self, values: dict[str, Any], tuned: bool = False) -> str:
        """What to type to run one trial, or with ``tuned`` to run its settings where nothing is held out."""
        overrides = self.space.overrides(values)
        return command(self.config.hydra, [o for o in overrides if not tuned or not o.startswith("held_out=")])


def search(config: DictConfig) -> Search:
    """What a multirun with ``hydra/sweeper=optuna`` searches, after the corners of the space were checked.

    Raises:
        UserError: it cannot be searched.
        MissingPackage: Optuna is not installed.
    """
    require("hydra/sweeper=optuna", "optuna", "optuna")
    space, how = search_space(config), config.hydra.sweeper
    for key, least in (("n_trials", 1), ("n_jobs", 1), ("seed", 0)):
        if not isinstance(how[key], int) or (how[key] < least and key != "n_jobs"):
            raise UserError(f"hydra.sweeper.{key} must be a whole number from {least}, got {how[key]!r}")
    if not any(override.startswith("held_out=") for override in space.fixed):
        space.fixed.append(f"held_out={SHARE}")
    try:
        settled = settle_jobs(config, [space.overrides(values) for values in space.probes()])
    except UserError as error:
        whole_number = "must be a valid integer" in str(error)
        hint = "; for whole numbers write int(interval(...))" if whole_number else ""
        raise UserError(f"{error}{hint}") from error
    return Search(config, space, settled[0], how.n_trials, max(1, how.n_jobs), how.seed)


class Tuning(RunningSweep):
    """A search in the process that launched it.

    Args:
        found: what is searched.
        typed: the command.
        tracker: of the runs; None where nothing is tracked.
    """

    def __init__(self, found: Search, typed: str, tracker: Tracking | None) -> None:
        names, keys = found.settled["names"], ", ".join(found.space.dimensions)
        varied = ", ".join(found.space.typed.values())
        sweep = Sweep(
            command=typed,
            jobs=[],
            datasets=[names["dataset"]],
            title=f"tuning {names['method']}: {keys}",
            description=f"{found.n_trials} trials of {varied} by the error on held-out cells\n\n`{typed}`",
            study=found.key,
        )
        super().__init__(sweep, found.folder, tracker, [names["method"]] * found.n_trials)
        self.search = found
        self.study = open_study(found.folder)
        self._note_jobs()

    def overrides(self, trial: Any) -> list[str]:
        return self.search.space.overrides(trial.params)

    def batches(self) -> Iterator[list[Any]]:
        """The trials to launch next, of consecutive numbers; first those that were stopped."""
        from optuna.trial import TrialState

        waiting = lambda: print(f"waiting: another process is at this search in {self.folder}")  # noqa: E731
        with locked(self.folder, waiting):
            stopped = self.study.get_trials(states=(TrialState.RUNNING,))
            for _, group in groupby(enumerate(stopped), key=lambda place: place[1].number - place[0]):
                yield self._ready([trial._trial_id for _, trial in group])
            while (left := self.search.n_trials - len(self.study.trials)) > 0:
                yield self._ready([None] * min(left, self.search.n_jobs))

    def learn(self, trials: Sequence[Any]) -> None:
        """Tell the study what came out of trials that were launched; those that were stopped stay open."""
        from optuna.trial import TrialState

        found = results(self.sweep, self.folder)
        for trial in trials:
            result = found[trial.number]
            record = result.record if isinstance(result, Outcome) else None
            value = math.nan if record is None else record.scores.get(SCORE, math.nan)
            if record and record.status == "interrupted":
                continue
            if math.isfinite(value):
                self.study.tell(trial.number, value)
            else:
                self.study.tell(trial.number, state=TrialState.FAIL)

    def close(self, console: Console, stopped: bool = False) -> int:
        code = super().close(console, stopped)
        done: list[Any] = [trial for trial in self.study.trials if trial.value is not None]
        if not done:
            _say(console, "no trial has a held-out error yet")
            return code
        best = min(done, key=lambda trial: trial.value)
        typed = self.search.command(best.params, tuned=True)
        about = {"error": best.value, "trial": best.number, "trials": len(done), "settings": best.params}
        path = self.folder / "best.yaml"
        write_text(path, OmegaConf.to_yaml(OmegaConf.create({**about, "command": typed})))
        _say(console, f"best of {len(done)} trials by held-out error: {best.value:.4g}, trial {best.number}, in {path}")
        _say(console, typed)
        return code

    def _ready(self, ids: Sequence[int | None]) -> list[Any]:
        """Trials with all their values, those of the given ids or new ones; nothing is told of them yet."""
        import optuna

        trials = []
        for known in ids:
            number = len(self.study.trials) if known is None else self.study.trials[known - 1].number
            # a sampler of its own for each trial: a search that was stopped goes on as if it had not been
            liar = self.search.n_jobs > 1
            self.study.sampler = optuna.samplers.TPESampler(seed=self.search.seed + 1000 * number, constant_liar=liar)
            trial = self.study.ask() if known is None else optuna.Trial(self.study, known)
            self.search.space.suggest(trial)
            told_in(self.folder, trial.number).unlink(missing_ok=True)
            trials.append(trial)
        self._note_jobs()
        return trials

    def _note_jobs(self) -> None:
        jobs = [self.search.command(trial.params) for trial in self.study.trials]
        self.sweep = replace(self.sweep, jobs=jobs)
        self.sweep.write(self.folder)


def open_study(folder: Path) -> Study:
    """The study of a folder, created where there is none."""
    import optuna

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    path = folder / "study.db"
    if not path.exists():
        with whole(path) as temporary:
            optuna.create_study(study_name=NAME, storage=f"sqlite:///{temporary}", direction="minimize")
    return optuna.load_study(study_name=NAME, storage=f"sqlite:///{path}")


def _say(console: Console, text: str) -> None:
    console.print(text, markup=False, highlight=False, soft_wrap=True)
