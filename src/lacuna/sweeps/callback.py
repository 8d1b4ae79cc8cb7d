"""Before the first job of a multirun: check every job, and announce the sweep."""

from __future__ import annotations

import json
import shlex
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hydra.core.override_parser.types import Quote, QuotedString
from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from lacuna import paths
from lacuna.config.compose import literal
from lacuna.records.record import run_folder
from lacuna.runner import experiment
from lacuna.runner.tracking import Tracking, forgiven, open_tracker
from lacuna.sweeps.dry_run import print_plan
from lacuna.sweeps.expand import command, overrides_of_jobs, settle_jobs, typed_overrides
from lacuna.sweeps.naming import description, title
from lacuna.sweeps.running import RunningSweep, Sweep, tell
from lacuna.sweeps.tuning import Tuning, is_tuning, search


class PastHydra(BaseException):
    """Carries its cause past Hydra, which comments on a job's exceptions and makes warnings of a callback's."""


class SweepCallback(Callback):
    """Hydra calls this in the launching process.

    There is no counterpart at the end: ``on_multirun_end`` is not called where a job failed, so the command
    line closes the sweep itself.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        if is_tuning(config):
            _start_tuning(config)
        else:
            _start_sweep(config)


def _start_tuning(config: DictConfig) -> None:
    try:
        found = search(config)
        if found.settled["sweep"]["dry_run"]:
            Console().print(found.plan(), markup=False, highlight=False, soft_wrap=True)
            sys.exit(0)
        config.hydra.sweep.dir = str(found.folder)
        folder = QuotedString(literal(str(found.folder)), Quote.single).with_quotes()
        config.hydra.overrides.hydra.append(f"hydra.sweep.dir={folder}")  # jobs are composed anew
        with forgiven("this search", found.settled["tracking"]["uri"] or ""):
            RunningSweep.current = Tuning(found, _typed(), _tracker(found.settled))
        RunningSweep.current = RunningSweep.current or Tuning(found, _typed(), None)
    except Exception as error:
        raise PastHydra() from error


def _start_sweep(config: DictConfig) -> None:
    try:
        jobs = overrides_of_jobs(config)
        settled = settle_jobs(config, jobs)
        if settled[0]["sweep"]["dry_run"]:
            print_plan(settled, Console())
            sys.exit(0)
        typed = _typed()
        sweep = Sweep(
            command=typed,
            jobs=[command(config.hydra, job) for job in jobs],
            datasets=list(dict.fromkeys(each["names"]["dataset"] for each in settled)),
            title=title(settled[0]["names"]["experiment"], jobs, typed_overrides(config.hydra)),
            description=description(jobs, typed),
        )
        folder = Path(config.hydra.sweep.dir)
        sweep.write(folder)
        for number, each in enumerate(settled):
            kept_in = run_folder(each)
            if experiment.settled(each, kept_in):
                tell(folder, number, folder=str(kept_in))
    except Exception as error:
        raise PastHydra() from error
    kinds = [json.dumps([each["names"]["method"], each["dataset"]]) for each in settled]
    with forgiven("this sweep", settled[0]["tracking"]["uri"] or ""):
        RunningSweep.current = RunningSweep(sweep, folder, _tracker(settled[0]), kinds)
    RunningSweep.current = RunningSweep.current or RunningSweep(sweep, folder, None, kinds)


def _typed() -> str:
    return shlex.join([*paths.program(), *sys.argv[1:]])


def _tracker(settled: Mapping[str, Any]) -> Tracking | None:
    uri = settled["tracking"]["uri"]
    with forgiven("this sweep", uri or ""):
        return open_tracker(uri, Path(settled["outputs"])) if uri else None
    return None
