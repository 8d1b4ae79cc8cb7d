"""What the blanks of a column go with: values and blanks of the other columns, by permutation tests.

The null hypothesis is that a column's blanks have nothing to do with the rest of their row. Each permutation moves
the blanks of the one column between rows; the smallest p-value over the other columns is compared with its own
distribution (Westfall and Young 1993), so that it needs no further correction.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.stats import chi2, rankdata

PERMUTATIONS = 999
MOST_LEVELS = 20  # rarer levels count as one
FEWEST_OBSERVED = 20
MAX_CELLS = 20_000_000  # permutations x rows held at once


@dataclass(frozen=True)
class Feature:
    """A column, or its blanks, as scores whose sum over the blank rows of another column is tested."""

    column: int
    scores: np.ndarray  # (n, g) mean 0 and orthonormal up to scale over the observed rows; 0 elsewhere
    observed: np.ndarray  # (n,) bool
    freedom: int


@dataclass(frozen=True)
class Associations:
    """How the blanks of one column go with values, or with blanks, of each of the others."""

    columns: np.ndarray  # (k,) int
    strength: np.ndarray  # (k,) in [0, 1]: multiple correlation of the blanks with the feature
    p_values: np.ndarray  # (k,) of each alone
    adjusted: np.ndarray  # (k,) for having looked at k of them
    p_value: float | None  # that nothing goes with the blanks; None where there was nothing to look at


def value_feature(column: int, values: np.ndarray, discrete: bool) -> Feature | None:
    """Scores of a column's observed values: one for each level, or rank and squared rank of numbers.

    Args:
        values: (n,) NaN where blank.
        discrete: whether they are codes of levels.
    """
    observed = ~np.isnan(values)
    known = values[observed]
    if len(known) < FEWEST_OBSERVED or known.min() == known.max():
        return None
    parts = _level_scores(known) if discrete else _rank_scores(known)
    scores = np.zeros((len(values), parts.shape[1]), np.float32)
    scores[observed] = parts
    return Feature(column, scores, observed, parts.shape[1] - discrete)


def blank_feature(column: int, blank: np.ndarray) -> Feature | None:
    """The score of a column's blanks (n,); None where all cells are alike."""
    if blank.all() or not blank.any():
        return None
    scores = ((blank - blank.mean()) / blank.std()).astype(np.float32)
    return Feature(column, scores[:, None], np.ones(len(blank), bool), 1)


def _level_scores(codes: np.ndarray) -> np.ndarray:
    _, codes, counts = np.unique(codes, return_inverse=True, return_counts=True)
    rank = np.empty(len(counts), int)
    rank[np.argsort(-counts, kind="stable")] = np.minimum(np.arange(len(counts)), MOST_LEVELS)
    indicators = np.eye(rank.max() + 1)[rank[codes]]
    share = indicators.mean(0)
    return (indicators - share) / np.sqrt(share)


def _rank_scores(numbers: np.ndarray) -> np.ndarray:
    rank = rankdata(numbers)
    linear = (rank - rank.mean()) / rank.std()
    square = linear**2 - 1 - (linear**3).mean() * linear
    spread = square.std()
    return linear[:, None] if spread < 1e-6 else np.stack([linear, (square - square.mean()) / spread], axis=1)


def associations(
    blank: np.ndarray, families: list[list[Feature]], rng: np.random.Generator, permutations: int = PERMUTATIONS
) -> list[Associations]:
    """Test the blanks (n,) of one column against families of features of other columns.

    All families see the same permutations; each has an answer of its own.
    """
    features = [feature for family in families for feature in family]
    observed_statistic = _statistics(blank[None], features)
    step = max(1, MAX_CELLS // len(blank))
    parts = [
        _statistics(rng.permuted(np.tile(blank, (min(step, permutations - at), 1)), axis=1), features)
        for at in range(0, permutations, step)
    ]
    statistic = np.concatenate([observed_statistic, *parts])
    freedom = np.array([feature.freedom for feature in features], float)
    n_observed = np.array([feature.observed.sum() for feature in features], float)
    log_p = chi2.logsf(statistic, freedom) if features else statistic
    found, start = [], 0
    for family in families:
        of = slice(start, start + len(family))
        start += len(family)
        columns = np.array([feature.column for feature in family], int)
        strength = np.sqrt(np.minimum(statistic[0, of] / np.maximum(n_observed[of] - 1, 1), 1.0))
        p_values = _share(statistic[1:, of] >= statistic[0, of] - 1e-4)
        if family:
            smallest = log_p[1:, of].min(1)
            adjusted = _share(smallest[:, None] <= log_p[0, of] + 1e-6)
        else:
            adjusted = p_values
        found.append(Associations(columns, strength, p_values, adjusted, float(adjusted.min()) if family else None))
    return found


def _share(at_least: np.ndarray) -> np.ndarray:
    """P-values of permutations (b, k) that were at least as extreme; the data count as one of them."""
    return (1 + at_least.sum(0)) / (len(at_least) + 1)


def _statistics(blanks: np.ndarray, features: list[Feature]) -> np.ndarray:
    """(b, k) chi-squared statistics of blanks (b, n) bool for each feature.

    The sum of a feature's scores over the blank rows among those in which it is observed, squared, over its variance
    if these were drawn at random.
    """
    if not features:
        return np.empty((len(blanks), 0))
    blanks = blanks.astype(np.float32)
    sums = blanks @ np.concatenate([feature.scores for feature in features], axis=1)
    n_blank = (blanks @ np.stack([feature.observed for feature in features], axis=1).astype(np.float32)).astype(float)
    n = np.array([feature.observed.sum() for feature in features], float)
    ends = np.cumsum([feature.scores.shape[1] for feature in features])
    squares = np.add.reduceat(sums.astype(float) ** 2, np.r_[0, ends[:-1]], axis=1)
    spread = n_blank * (n - n_blank)
    return np.where(spread > 0, squares * (n - 1) / np.maximum(spread, 1), 0.0)


def overdispersion(blank: np.ndarray, rng: np.random.Generator, permutations: int = 199) -> tuple[float, float | None]:
    """Variance of the number of blanks in a row over what independent columns would have, and a permutation p-value.

    Args:
        blank: (n, d) bool.
    """
    blank = blank[:, blank.any(0) & ~blank.all(0)]
    rates = blank.mean(0)
    if blank.shape[1] < 2:
        return 1.0, None
    independent = (rates * (1 - rates)).sum()
    ratios = [blank.sum(1).var() / independent]
    for _ in range(permutations):
        ratios.append(rng.permuted(blank, axis=0).sum(1).var() / independent)
    return float(ratios[0]), float(_share(np.array(ratios[1:])[:, None] >= ratios[0] - 1e-12)[0])
