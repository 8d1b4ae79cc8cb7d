"""What an experiment of conf/experiment asks for: the values that it sweeps over, and the settings it fixes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser
from omegaconf import DictConfig, OmegaConf

from lacuna.config import described
from lacuna.config.compose import COMPOSITION_ERRORS, compose, explain, group, method_below, plain, unresolved
from lacuna.config.discovery import config_folder, make_importable
from lacuna.errors import UserError
from lacuna.tables.labels import axis_label, value_label

Settings = Mapping[str, str]  # of one cell: key of the configuration -> value, as on the command line
Config = Mapping[str, Any]  # resolved
PLACES = frozenset(("device", "folder", "jobs", "path"))  # keys that say where or by how many, not what
NOUNS = ("dataset", "mask", "method")
COMPARED = ("names", "ratio", "draws", "alpha", "score_iterations", "downstream", *NOUNS)
BUDGETS = ("quick", "paper")


@dataclass(frozen=True)
class Design:
    """One experiment."""

    experiment: str  # id in conf/experiment
    config_dir: Path | None = None  # of further configs

    @cached_property
    def _composed(self) -> tuple[DictConfig, DictConfig]:
        """Unresolved, and its ``hydra`` node."""
        overrides = [f"experiment={self.experiment}", "device=cpu"]
        folder = config_folder(self.config_dir)
        try:
            composed, hydra = unresolved(overrides, folder)
        except COMPOSITION_ERRORS as error:
            raise UserError(explain(error, overrides, folder)) from error
        make_importable(hydra)
        return composed, hydra

    @cached_property
    def _groups(self) -> dict[str, dict[str, Any]]:
        hydra = self._composed[1]
        return {kind: group(kind, hydra) for kind in hydra.runtime.choices if not kind.startswith("hydra/")}

    @property
    def _own(self) -> Any:
        """The experiment's file."""
        return self._groups["experiment"][self.experiment]()

    @cached_property
    def axes(self) -> dict[str, tuple[str, ...]]:
        """The values of each key that the experiment sweeps over."""
        params = OmegaConf.select(self._own, "hydra.sweeper.params") or {}
        parser = OverridesParser.create()
        found = {}
        for key, values in params.items():
            jobs = BasicSweeper.split_arguments(parser.parse_overrides([f"{key}={values}"]), None)[0]
            found[str(key)] = tuple(_as_typed(job[0].partition("=")[2]) for job in jobs)
        return found

    @property
    def seeds(self) -> tuple[int, ...]:
        """The seeds that the experiment asks for."""
        return tuple(map(int, self.axes.get("seed", ("0",))))

    def seeds_of_cell(self, settings: Settings) -> tuple[int, ...]:
        """Those of its seeds that a cell needs: one where all of them give the same."""
        return self.seeds if seeded(self.expected(settings, "paper")) else self.seeds[:1]

    def base(self, fixed: Settings) -> Config:
        """The configuration of some run: what all of them share, and the first of what they do not."""
        overrides = {
            key: values[0] for key, values in self.axes.items() if key != "seed" and not key.startswith("method")
        }
        any_method = {"method": "mean_mode"} if "method" in self.axes else {}
        return self.expected({**overrides, **any_method, **fixed}, "quick")

    def expected(self, settings: Settings, budget: str) -> Config:
        """The configuration of a run that belongs to a cell; its ratio and seed are not to be looked at.

        Args:
            settings: of the cell.
            budget: quick or paper.
        """
        return _expected(self, tuple((k, v) for k, v in settings.items() if k not in ("ratio", "seed")))[budget]

    def resolved(self, settings: tuple[tuple[str, str], ...]) -> dict[str, Config]:
        """By budget: what Hydra would compose for a cell, in a fraction of the time; uncached.

        Hydra composes the experiment once, and the files that the cell chooses replace parts of it.
        """
        composed, hydra = self._composed
        settings = tuple((key, value) for key, value in settings if key != "budget")
        choices = {key: value for key, value in settings if key in self._groups}
        names = {key: hydra.runtime.choices[key] for key in composed.names} | choices
        nodes = {kind: self._chosen(kind, name) for kind, name in choices.items()}
        nodes["method"] = method_below(names["method"], names["dataset"], hydra)
        if any("defaults" in node for node in nodes.values()):  # a file that is made of others is left to Hydra
            overrides = [f"experiment={self.experiment}", *(f"{key}={value}" for key, value in settings), "device=cpu"]
            return {budget: plain(compose([*overrides, f"budget={budget}"], self.config_dir)) for budget in BUDGETS}
        cfg = composed.copy()
        cfg.names = names
        for kind, node in nodes.items():
            cfg[kind] = OmegaConf.merge(node, self._own[kind]) if kind in self._own else node
        values = [f"{key}={value}" for key, value in settings if key not in nodes]
        for override in OverridesParser.create().parse_overrides(values):
            OmegaConf.update(cfg, override.key_or_group, override.value())
        if isinstance(base := cfg.method.get("base"), str):
            cfg.method.base = method_below(base, names["dataset"], hydra)
        found: dict[str, Config] = {}
        for budget in BUDGETS:
            cfg.names.budget, cfg.budget = budget, self._chosen("budget", budget)
            found[budget] = {key: _plain(cfg[key]) for key in COMPARED}
        return found

    def _chosen(self, kind: str, name: str) -> Any:
        if name not in self._groups[kind]:
            raise UserError(f"experiment {self.experiment} asks for an unknown {kind} {name!r}")
        return self._groups[kind][name]()

    def depends_on_budget(self, settings: Settings) -> bool:
        """Whether the method of a cell has other settings on a laptop than in the paper."""
        quick, paper = (self.expected(settings, budget)["method"] for budget in ("quick", "paper"))
        return bool(quick != paper)

    def label(self, axis: str, value: str) -> str:
        """Of a value on an axis; values that would be called alike keep their ids."""
        return _label_of_noun(self, axis, value) if axis in NOUNS else value_label(axis, value)

    def column_label(self, axis: str, value: str) -> str:
        """A value on its own: numbers are told what they count, as in ``columns 50``."""
        label = self.label(axis, value)
        return f"{axis_label(axis)} {label}" if label.replace(",", "").replace(".", "").isdigit() else label


@cache
def design_of(experiment: str, config_dir: Path | None) -> Design:
    """Composed once for all tables of an experiment."""
    return Design(experiment, config_dir)


@cache
def _expected(design: Design, settings: tuple[tuple[str, str], ...]) -> dict[str, Config]:
    return design.resolved(settings)


@cache
def _label_of_noun(design: Design, noun: str, value: str) -> str:
    own, *others = (
        described.label(design.expected({noun: name}, "paper"), noun)
        for name in dict.fromkeys((value, *design.axes.get(noun, ())))
    )
    return value if own in others else own


def _plain(node: Any) -> Any:
    return OmegaConf.to_container(node, resolve=True, throw_on_missing=True) if OmegaConf.is_config(node) else node


def _as_typed(value: str) -> str:
    """Hydra writes booleans as Python does."""
    return value.lower() if value in ("True", "False") else value


def seeded(config: Config) -> bool:
    """Whether the seed has a say in a run's point imputation: in its data, its mask or its method."""
    return any(described.seeded(config, noun) for noun in NOUNS)


def drawn(config: Config) -> bool:
    """Whether the seed has a say in a run's data or mask."""
    return any(described.seeded(config, noun) for noun in ("dataset", "mask"))


def differences(config: Config, wanted: Config) -> dict[str, Any]:
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
    for noun in NOUNS:
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
