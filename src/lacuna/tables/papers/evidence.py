"""Evidence from benchmarks on why a figure may differ from print: files beside this module, read once."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from functools import cache
from pathlib import Path

DRAWS = Path(__file__).parent / "draws.csv"  # made by benchmarks/draws.py
SETTINGS = Path(__file__).parent / "settings.csv"  # made by benchmarks/downstream.py
OPEN_SETTINGS = Path(__file__).parent / "open_settings.csv"  # made by benchmarks/open_settings.py


@dataclass(frozen=True)
class Spread:
    """Of one figure over fresh draws of data and mask."""

    draws: int
    mean: float
    sd: float


@dataclass(frozen=True)
class ScoreRange:
    """Of one downstream score over the settings of the classifier that are tried, all on one draw."""

    settings: int
    lowest: float
    highest: float


@dataclass(frozen=True)
class Tried:
    """Error with the paper's budget, but for one setting, on the paper's own draw and mask."""

    setting: str  # in words; "" for the method as it is
    seeds: int
    mean: float
    sd: float  # NaN for a single seed


Key = tuple[str, ...]  # data set, mask, method, ratio and metric


def _lines(path: Path) -> list[dict[str, str]]:
    return list(csv.DictReader(path.read_text(encoding="utf-8").splitlines()))


def _key(line: dict[str, str]) -> Key:
    return tuple(line[name] for name in ("dataset", "mask", "method", "ratio", "metric"))


@cache
def spreads() -> dict[Key, Spread]:
    return {_key(line): Spread(int(line["draws"]), float(line["mean"]), float(line["sd"])) for line in _lines(DRAWS)}


@cache
def ranges() -> dict[Key, ScoreRange]:
    """Trained on a completed table; under the method ``truth``, without mask and ratio, on the true one."""
    return {
        _key(line): ScoreRange(int(line["settings"]), float(line["lowest"]), float(line["highest"]))
        for line in _lines(SETTINGS)
    }


@cache
def tried() -> dict[tuple[str, str, str, str], list[Tried]]:
    """By data set, its rows where the paper varies them, ratio and method as printed."""
    found: dict[tuple[str, str, str, str], list[Tried]] = {}
    for line in _lines(OPEN_SETTINGS):
        key = line["dataset"], line["n"], line["ratio"], line["method"]
        one = Tried(line["setting"], int(line["seeds"]), float(line["mean"]), float(line["sd"] or "nan"))
        found.setdefault(key, []).append(one)
    return found
