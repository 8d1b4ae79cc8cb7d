"""The cohort as recorded -> the 30 columns: cleaned, split, filled, scored."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from lacuna.datasets.mimic_ed.schema import COLUMNS, RANGES, measured
from lacuna.datasets.mimic_ed.scores import CCI_WEIGHTS, NEWS_BANDS, cci, news
from lacuna.errors import UserError
from lacuna.rng import stream

if TYPE_CHECKING:
    import pandas as pd

TRAIN_SHARE = 0.8
SPLIT_SEED = 0
MEASURED = tuple(column.name for column in COLUMNS if column.kind == "continuous")


@dataclass(frozen=True)
class Cohort:
    """Finished: n stays."""

    table: pd.DataFrame  # (n, 30) in the order of the schema, without blanks
    train_rows: np.ndarray  # (n,) bool
    medians: dict[str, float]  # of the training stays, by measured column
    repairs: dict[str, dict[str, int]]  # how many cells of each measured column were what


def finish(features: pd.DataFrame) -> Cohort:
    """Clean, split, fill and score the result of features.sql.

    Raises:
        UserError: there is no stay, or no stay has a valid value of a column.
    """
    import pandas as pd

    if len(features) < 2:
        raise UserError(f"{len(features)} stays are adult and have a triage acuity: too few for training and test")
    train_rows = split(len(features))
    measurements, repairs = {}, {}
    for name in MEASURED:
        recorded = features[name].to_numpy(np.float64, na_value=np.nan)
        measurements[name] = RANGES[measured(name)].clean(recorded)
        repairs[name] = count_repairs(recorded, measurements[name])
    medians = {name: training_median(name, cells, train_rows) for name, cells in measurements.items()}
    filled = {name: np.where(np.isnan(cells), medians[name], cells) for name, cells in measurements.items()}
    age = features["age"].to_numpy(np.int64)
    scores = {
        "score_NEWS": news({vital: filled[f"triage_{vital}"] for vital in NEWS_BANDS}),
        "score_CCI": cci(age, {group: features[f"cci_{group}"].to_numpy(bool) for group in CCI_WEIGHTS}),
    }
    return Cohort(pd.DataFrame(_in_order(features, filled | scores)), train_rows, medians, repairs)


def split(n: int) -> np.ndarray:
    """(n,) bool: four in five rows, the same for the same n"""
    train_rows = np.zeros(n, bool)
    train_rows[stream(SPLIT_SEED, "mimic_ed", "split").permutation(n)[: round(TRAIN_SHARE * n)]] = True
    return train_rows


def count_repairs(recorded: np.ndarray, cleaned: np.ndarray) -> dict[str, int]:
    """How many cells had nothing, something impossible, or something to clip.

    >>> count_repairs(np.array([np.nan, 500.0, 360.0, 80.0]), np.array([np.nan, np.nan, 350.0, 80.0]))
    {'blank': 1, 'out_of_range': 1, 'clipped': 1}
    """
    blank, lost = np.isnan(recorded), np.isnan(cleaned)
    clipped = ~lost & (recorded != cleaned)
    counts = {"blank": blank, "out_of_range": lost & ~blank, "clipped": clipped}
    return {name: int(cells.sum()) for name, cells in counts.items()}


def training_median(name: str, cells: np.ndarray, train_rows: np.ndarray) -> float:
    """Of the known cells of the training stays; of all stays where those have none."""
    known = ~np.isnan(cells)
    chosen = known & train_rows if (known & train_rows).any() else known
    if not chosen.any():
        raise UserError(f"no stay has a valid {name}: there is nothing to fill the others with")
    return float(np.median(cells[chosen]))


def _in_order(features: pd.DataFrame, made: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    types = {"continuous": np.float64, "integer": np.int64, "categorical": np.int8}
    return {
        column.name: np.asarray(made.get(column.name, features.get(column.name))).astype(types[column.kind])
        for column in COLUMNS
    }
