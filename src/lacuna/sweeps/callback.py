"""Before the first job of a multirun: check every job, and announce the sweep."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from hydra.experimental.callback import Callback
from omegaconf import DictConfig
from rich.console import Console

from lacuna import paths
from lacuna.records.record import run_folder
from lacuna.runner import experiment
from lacuna.runner.mlflow_tracking import Tracker, forgiven
from lacuna.sweeps.dry_run import print_plan
from lacuna.sweeps.expand import config_dirs, overrides_of_jobs, settle_jobs, typed_overrides
from lacuna.sweeps.naming import description, title
from lacuna.sweeps.running import RunningSweep, Sweep, tell


class PastHydra(BaseException):
    """Carries its cause past Hydra, which comments on a job's exceptions and makes warnings of a callback's."""


class SweepCallback(Callback):
    """Hydra calls this in the launching process.

    There is no counterpart at the end: ``on_multirun_end`` is not called where a job failed, so the command
    line closes the sweep itself.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            jobs = overrides_of_jobs(config)
            settled = settle_jobs(config, jobs)
            if settled[0]["sweep"]["dry_run"]:
                print_plan(settled, Console())
                sys.exit(0)
            typed = shlex.join([*paths.program(), *sys.argv[1:]])
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
        uri = settled[0]["tracking"]["uri"]
        with forgiven("this sweep"):
            tracker = Tracker(uri, Path(settled[0]["outputs"])) if uri else None
            RunningSweep.current = RunningSweep(sweep, folder, tracker)
        RunningSweep.current = RunningSweep.current or RunningSweep(sweep, folder, None)


def command(about: DictConfig, overrides: Sequence[str]) -> str:
    """What to type to run one job.

    Args:
        about: Hydra's node of the configuration.
        overrides: of the job.
    """
    options = [part for folder in config_dirs(about) for part in ("--config-dir", folder)]
    return shlex.join([*paths.program(), *options, *overrides])
