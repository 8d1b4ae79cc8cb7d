"""Which printed figures are about a run's very data, size and settings."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from lacuna.tables.experiments import differences
from lacuna.tables.papers.catalogue import CATALOGUE
from lacuna.tables.papers.definition import PaperTable
from lacuna.tables.papers.published import published_for
from lacuna.tables.published_number import PublishedNumber

NOUNS = ("dataset", "mask", "method")


def comparable(config: Mapping[str, Any]) -> dict[str, PublishedNumber]:
    """What the papers print for a configuration, by the key of the score; nothing where a setting is not the paper's.

    Args:
        config: of a record.
    """
    found = published_for(config)
    same = {table for table in {row.table for row in found.values()} if not departures(config, table)}
    return {key: row for key, row in found.items() if row.table in same}


def reasons_against(config: Mapping[str, Any]) -> list[str]:
    """Settings that keep every printed figure for a problem and method from a configuration, as ``key=value``."""
    found = [departures(config, table) for table in {row.table for row in published_for(config).values()}]
    fewest: Mapping[str, Any] = min(found, key=len, default={})
    return [f"{key}={value}" for key, value in fewest.items()]


def departures(config: Mapping[str, Any], table: str) -> dict[str, Any]:
    """Settings of a configuration that the experiment behind a printed table does not have, by dotted key."""
    tables = (each for each in CATALOGUE.tables.values() if isinstance(each, PaperTable))
    design = next(each.design for each in tables if table in each.published)
    settings = {axis: _value(config, axis) for axis in design.axes if _chooses_the_problem(axis)}
    return differences(config, design.expected(settings, "paper"))


def _chooses_the_problem(axis: str) -> bool:
    return axis in NOUNS or axis.startswith("dataset.")


def _value(config: Mapping[str, Any], axis: str) -> str:
    if axis in NOUNS:
        return str(config["names"][axis])
    return str(config["dataset"][axis.removeprefix("dataset.")])
