"""The jobs of a multirun as Hydra is about to make them, each checked before the first begins."""

from __future__ import annotations

import shlex
import warnings
from collections.abc import Sequence
from functools import cache
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.global_hydra import GlobalHydra
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.core.override_parser.types import Override, OverrideType
from omegaconf import DictConfig, OmegaConf

from lacuna import paths
from lacuna.config.compose import COMPOSITION_ERRORS, explain, plain, settle
from lacuna.errors import MissingPackage, UserError, require
from lacuna.runner import experiment

PLAIN = ("seed", "ratio", "dataset.table")  # keys that choose no file: jobs that differ in them alone are composed once


def overrides_of_jobs(config: DictConfig) -> list[list[str]]:
    """The overrides of every job that Hydra's sweeper is about to make of this configuration."""
    params = [f"{key}={value}" for key, value in (config.hydra.sweeper.params or {}).items()]
    overrides = override_parser().parse_overrides([*params, *typed_overrides(config.hydra)])
    for override in overrides:
        if override.is_sweep_override() and not override.is_discrete_sweep():
            raise UserError(
                f"{override.input_line} has no list of values: add hydra/sweeper=optuna to search the interval, "
                f"or list values, such as {override.get_key_element()}=0.1,0.2"
            )
    return [list(job) for batch in BasicSweeper.split_arguments(overrides, None) for job in batch]


def typed_overrides(about: DictConfig) -> list[str]:
    """The overrides as they were typed: what they refer to, such as a password, is not looked up."""
    unresolved: Any = OmegaConf.to_container(about.overrides, resolve=False)
    return list(unresolved["task"])


def settle_jobs(config: DictConfig, jobs: Sequence[Sequence[str]]) -> list[dict[str, Any]]:
    """The settled configuration of every job, after everything in it was built once.

    A package that a method needs and that is not here fails the jobs of that method, and is warned of.

    Args:
        config: of the multirun.
        jobs: the overrides of each.

    Raises:
        UserError: a job cannot be run as it is written.
    """
    folders, parser = config_dirs(config.hydra), override_parser()

    @cache
    def composed(job: tuple[str, ...]) -> tuple[DictConfig, DictConfig]:
        try:
            cfg = GlobalHydra.instance().config_loader().load_sweep_config(config, list(job))
        except COMPOSITION_ERRORS as error:
            reason = explain(error, list(job), folders[0] if folders else None)
            raise UserError(f"{reason}, in the job {shlex.join(job)}") from error
        OmegaConf.set_struct(cfg, False)
        return cfg, cfg.pop("hydra")

    def settled(job: Sequence[str]) -> dict[str, Any]:
        overrides = parser.parse_overrides(list(job))
        cfg, about = composed(tuple(text for text, o in zip(job, overrides, strict=True) if not _plain(o)))
        cfg = cfg.copy()
        for override in filter(_plain, overrides):
            OmegaConf.update(cfg, override.key_or_group, override.value())
        return _of_job(cfg, about)

    return [settled(job) for job in jobs]


def _plain(override: Override) -> bool:
    return override.type is OverrideType.CHANGE and override.key_or_group in PLAIN


def config_dirs(about: DictConfig) -> list[str]:
    """The folders of further configs that were named on the command line.

    Args:
        about: Hydra's node of the configuration.
    """
    return [source.path for source in about.runtime.config_sources if source.provider == "command-line"]


def command(about: DictConfig, overrides: Sequence[str]) -> str:
    """What to type to run one job.

    Args:
        about: Hydra's node of the configuration.
        overrides: of the job.
    """
    options = [part for folder in config_dirs(about) for part in ("--config-dir", folder)]
    return shlex.join([*paths.program(), *options, *overrides])


def _of_job(cfg: DictConfig, about: DictConfig) -> dict[str, Any]:
    if "slurm" in about.launcher._target_:
        require("hydra/launcher=slurm", "slurm", "hydra_plugins.hydra_submitit_launcher")
        # the machines of the jobs have other devices and packages than this one
        device = "cuda" if about.launcher.gpus_per_node else "cpu"
        return plain(settle(cfg, about, device if cfg.device == "auto" else cfg.device))
    settled = plain(settle(cfg, about))
    try:
        experiment.check(settled)
    except MissingPackage as error:
        warnings.warn(str(error), stacklevel=1)
    return settled


def override_parser() -> OverridesParser:
    """Hydra's, which knows the groups of configs."""
    return OverridesParser.create(GlobalHydra.instance().config_loader())
