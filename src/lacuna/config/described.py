"""What the classes and functions that a configuration names say of themselves, such as their labels.

Records outlive code: where a class can no longer be found or built, the id in the configuration stands in.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import cache
from typing import Any

from hydra.utils import get_object
from omegaconf import OmegaConf

from lacuna import paths
from lacuna.config.instantiate import instantiate
from lacuna.metrics.display import Display, display_of


def label(config: Mapping[str, Any], noun: str) -> str:
    """The label of the data set, mask or method of a configuration; its id where the class declares none."""
    return _own(config, noun, "label") or str(config["names"][noun])


def source(config: Mapping[str, Any]) -> str:
    """Where the rows of a data set come from, in words; its id where the class does not say."""
    return _own(config, "dataset", "description") or str(config["names"]["dataset"])


def stand_in_for(config: Mapping[str, Any]) -> str:
    """Id of the data set in whose place the rows were generated; "" for data of their own."""
    return _own(config, "dataset", "stand_in_for")


def seeded(config: Mapping[str, Any], noun: str) -> bool:
    """Whether the seed has a say in the data, the mask or the method."""
    return bool(getattr(_built(_as_text(config[noun]), noun), "seeded", True))


def display(name: str, metrics: Mapping[str, Any]) -> Display:
    """How the scores of a metric are shown.

    Args:
        name: its id.
        metrics: the config of each metric by id; what is not among them is looked for in conf/metric.
    """
    node = metrics.get(name) or _shipped(name)
    try:
        return display_of(get_object(node["_target_"]), name)
    except Exception:
        return Display(name)


@cache
def _shipped(name: str) -> Any:
    file = paths.CONF / "metric" / f"{name}.yaml"
    return OmegaConf.load(file) if file.is_file() else {}


def _own(config: Mapping[str, Any], noun: str, attribute: str) -> str:
    """What a class says itself: a subclass is another data set or method, and does not inherit it."""
    built = _built(_as_text(config[noun]), noun)
    return str(getattr(built, attribute)) if attribute in vars(type(built)) else ""


def _as_text(node: Mapping[str, Any]) -> str:
    return json.dumps(node, sort_keys=True)


@cache
def _built(node: str, noun: str) -> Any:
    """What a node, as JSON, describes: thousands of records share a few. None where it cannot be built any more."""
    try:
        return instantiate(json.loads(node), noun)
    except Exception:  # a constructor may raise anything
        return None
