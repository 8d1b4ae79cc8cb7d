"""What an experiment of conf/experiment asks for: the values that it sweeps over, and the settings it fixes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from hydra.utils import get_object
from omegaconf import OmegaConf

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.config.instantiate import instantiate

Settings = Mapping[str, str]  # of one cell: key of the configuration -> value, as on the command line
PLACES = frozenset(("device", "folder", "jobs", "path"))  # keys that say where or by how many, not what


@cache
def axes(experiment: str) -> dict[str, tuple[str, ...]]:
    """The values of each key that the experiment sweeps over."""
    node: Any = OmegaConf.load(paths.CONF / "experiment" / f"{experiment}.yaml")
    params = OmegaConf.select(node, "hydra.sweeper.params") or {}
    parser = OverridesParser.create()
    found = {}
    for key, values in params.items():
        jobs = BasicSweeper.split_arguments(parser.parse_overrides([f"{key}={values}"]), None)[0]
        found[str(key)] = tuple(_as_typed(job[0].partition("=")[2]) for job in jobs)
    return found


def _as_typed(value: str) -> str:
    """Hydra writes booleans as Python does."""
    return value.lower() if value in ("True", "False") else value


def seeds(experiment: str) -> tuple[int, ...]:
    """The seeds that the experiment asks for."""
    return tuple(map(int, axes(experiment).get("seed", ("0",))))


def seeds_of_cell(experiment: str, settings: Settings) -> tuple[int, ...]:
    """Those of its seeds that a cell needs: one where all of them give the same."""
    asked = seeds(experiment)
    return asked if seeded(expected(experiment, settings, "paper")) else asked[:1]


def seeded(config: Mapping[str, Any]) -> bool:
    """Whether the seed has a say in a run's point imputation: in its data, its mask or its method."""
    return drawn(config) or bool(get_object(config["method"]["_target_"]).seeded)


def drawn(config: Mapping[str, Any]) -> bool:
    """Whether the seed has a say in a run's data or mask."""
    return any(_seeded(json.dumps(config[noun], sort_keys=True), noun) for noun in ("dataset", "mask"))


@cache
def _seeded(node: str, noun: str) -> bool:
    """Of what a node of a configuration, as JSON, builds: thousands of cells share a few."""
    return bool(instantiate(json.loads(node), noun).seeded)


@cache
def _composed(experiment: str, overrides: tuple[str, ...]) -> dict[str, Any]:
    return plain(compose([f"experiment={experiment}", *overrides, "device=cpu"]))


def base(experiment: str, fixed: Settings) -> dict[str, Any]:
    """The configuration of some run of the experiment: what all of them share, and the first of what they do not."""
    swept = axes(experiment)
    overrides = {key: values[0] for key, values in swept.items() if key != "seed" and not key.startswith("method")}
    any_method = {"method": "mean_mode"} if "method" in swept else {}
    return expected(experiment, {**overrides, **any_method, **fixed}, "quick")


def expected(experiment: str, settings: Settings, budget: str) -> dict[str, Any]:
    """The configuration of a run that belongs to a cell; its ratio and seed are not to be looked at.

    Args:
        experiment: id in conf/experiment.
        settings: of the cell.
        budget: quick or paper.
    """
    overrides = [f"{key}={value}" for key, value in settings.items() if key not in ("ratio", "seed")]
    return _composed(experiment, (*overrides, f"budget={budget}"))


def depends_on_budget(experiment: str, settings: Settings) -> bool:
    """Whether the method of a cell has other settings on a laptop than in the paper."""
    quick, paper = (expected(experiment, settings, budget)["method"] for budget in ("quick", "paper"))
    return bool(quick != paper)


def differences(config: Mapping[str, Any], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """Settings of a run that its cell does not ask for, by dotted key.

    A key that only one of the two has does not count: it came, or went, with a later version. More scores than the
    cell asks for do no harm.
    """
    found: dict[str, Any] = {}
    for key in ("draws", "alpha"):
        if key in config and config[key] != wanted[key]:
            found[key] = config[key]
    if wanted.get("downstream") and config.get("downstream") != wanted["downstream"]:
        found["downstream"] = config["names"].get("downstream", "none")
    if beyond := set(wanted["score_iterations"]) - set(config["score_iterations"]) - {"train"}:
        found["score_iterations"] = f"without {' '.join(sorted(beyond))}"
    for noun in ("dataset", "mask", "method"):
        found |= _unlike(config[noun], wanted[noun], f"{noun}.")
    return found


def _unlike(own: Mapping[str, Any], wanted: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for key in own.keys() & wanted.keys() - PLACES:
        if isinstance(own[key], Mapping) and isinstance(wanted[key], Mapping):
            found |= _unlike(own[key], wanted[key], f"{prefix}{key}.")
        elif own[key] != wanted[key]:
            found[f"{prefix}{key}"] = own[key]
    return dict(sorted(found.items()))
