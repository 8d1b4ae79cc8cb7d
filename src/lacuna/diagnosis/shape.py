"""What the observed values of a column allow to say about blanks that depend on the value they hide: limits only."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

FEWEST_VALUES = 50
FEWEST_DISTINCT = 20  # scales of few values end sharply by nature
SHARP = 0.05  # share of a half's values in the outermost tenth of its range; of a normal half 0.01 or less


@dataclass(frozen=True)
class Shape:
    """How far a mean can be from that of the observed values, and whether these end sharply."""

    mean: float  # of the observed values
    mean_if_low: float  # if every blank were at the 5% quantile of the observed values
    mean_if_high: float  # at the 95% quantile
    sharp_low: float | None  # the smallest value where many values lie near it, else None
    sharp_high: float | None


def observed_shape(values: np.ndarray) -> Shape | None:
    """Describe numbers (n,), NaN where blank; None where there are too few."""
    known = values[~np.isnan(values)]
    if len(known) < FEWEST_VALUES:
        return None
    rate = 1 - len(known) / len(values)
    low, high = np.quantile(known, [0.05, 0.95])
    mean = float(known.mean())
    least, most = _sharp_end(known), _sharp_end(-known)
    return Shape(
        mean,
        (1 - rate) * mean + rate * float(low),
        (1 - rate) * mean + rate * float(high),
        least,
        None if most is None else -most,
    )


def _sharp_end(known: np.ndarray) -> float | None:
    """The least value, where many lie near it and the column is no scale of few values."""
    if len(np.unique(known)) < FEWEST_DISTINCT:
        return None
    least, median = float(known.min()), float(np.median(known))
    below = known[known <= median]
    near = (below <= least + (median - least) / 10).mean()
    return least if near >= SHARP else None
