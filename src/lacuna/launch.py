"""Before the first job of a multirun: check every job, and announce the sweep."""

from __future__ import annotations

import shlex
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.experimental.callback import Callback
from omegaconf import DictConfig, OmegaConf
from rich.console import Console

from lacuna import experiment, records
from lacuna.config import plain, settle
from lacuna.errors import UserError
from lacuna.plan import print_plan
from lacuna.sweep import RunningSweep, Sweep, tell
from lacuna.tracking import Tracker, forgiven


class PastHydra(BaseException):
    """Carries its cause past Hydra, which comments on a job's exceptions and makes warnings of a callback's."""


class SweepCallback(Callback):
    """Hydra calls this in the launching process.

    There is no counterpart at the end: ``on_multirun_end`` is not called where a job failed, so the command
    line closes the sweep itself.
    """

    def on_multirun_start(self, config: DictConfig, **kwargs: Any) -> None:
        try:
            jobs = _jobs(config)
            settled = [_checked(config, job) for job in jobs]
            if settled[0]["sweep"]["dry_run"]:
                print_plan(settled, Console())
                sys.exit(0)
            sweep = Sweep(
                command=shlex.join(["python", "run.py", *sys.argv[1:]]),
                jobs=[command(config.hydra, job) for job in jobs],
                datasets=list(dict.fromkeys(each["names"]["dataset"] for each in settled)),
            )
            folder = Path(config.hydra.sweep.dir)
            sweep.write(folder)
            for number, each in enumerate(settled):
                run_folder = records.run_folder(each)
                if experiment.settled(each, run_folder):
                    tell(folder, number, folder=str(run_folder))
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
    extra = [source.path for source in about.runtime.config_sources if source.provider == "command-line"]
    options = [part for folder in extra for part in ("--config-dir", folder)]
    return shlex.join(["python", "run.py", *options, *overrides])


def _jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of every job that Hydra's sweeper is about to make of this configuration."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    parser = OverridesParser.create(GlobalHydra.instance().config_loader())
    overrides = parser.parse_overrides([*params, *config.hydra.overrides.task])
    return [list(job) for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def _checked(config: DictConfig, job: list[str]) -> dict[str, Any]:
    """The settled configuration of one job, after everything in it was built once."""
    cfg = GlobalHydra.instance().config_loader().load_sweep_config(config, job)
    OmegaConf.set_struct(cfg, False)
    about = cfg.pop("hydra")
    if "slurm" not in about.launcher._target_:
        settled = plain(settle(cfg, about))
        experiment.check(settled)
        return settled
    if not find_spec("hydra_plugins.hydra_submitit_launcher"):
        raise UserError("hydra/launcher=slurm needs the extra slurm: pip install 'lacuna[slurm]'")
    # the machines of the jobs have other devices and packages than this one
    device = "cuda" if about.launcher.gpus_per_node else "cpu"
    return plain(settle(cfg, about, device if cfg.device == "auto" else cfg.device))
