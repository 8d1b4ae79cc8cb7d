"""Whether imputed rows are distributed as the true ones: the joint energy distance, and the log score of levels.

Proper: a method that draws from the law of the data wins on average, and one that imputes conditional means, which win
on squared error, loses.
"""

from __future__ import annotations

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.metrics.completions import completions
from lacuna.metrics.display import metric
from lacuna.rng import stream
from lacuna.types import Answer, Imputation, where

MOST_ROWS = 1000  # distances are taken between all pairs
MOST_DRAWS = 5
PRIOR = 0.5  # cells that each state is credited with before any draw (Jeffreys)


@metric(label="energy distance of rows", better=-1, headline=False)
def energy_distance(answer: Answer, imputation: Imputation) -> float | None:
    """Energy distance between the true and the imputed rows that have hidden cells, over all columns at once.

    The root of 2 E|X - Y| - E|X - X'| - E|Y - Y'| (Szekely and Rizzo 2013) for true rows X and completed rows Y, of
    each of up to 5 draws and averaged before the root; of the best guesses where a method gives no draws. Numbers count
    in sds of the observed training cells, two levels differ by 1, and NA is a level, of columns of numbers too. Rows
    whose truth is not known in all columns do not count; of more than 1,000 a fixed choice does.
    """
    unknown = np.isnan(answer.values) & ~answer.meaningful
    rows = np.flatnonzero(answer.hidden.any(1) & ~unknown.any(1))
    if not len(rows):
        raise NothingToScore("energy_distance: no row with hidden cells is known in all columns")
    if len(rows) > MOST_ROWS:
        rows = np.sort(stream(0, "metrics", "rows").choice(rows, MOST_ROWS, replace=False))
    seen = ~np.isnan(answer.values[rows])
    center = np.where(seen, answer.values[rows], 0.0).sum(0) / np.maximum(seen.sum(0), 1)
    truth = coordinates(answer.values[rows], answer, center)
    within = _mean_distance(truth, truth)
    squares = []
    for completed in completions(imputation, MOST_DRAWS):
        done = coordinates(completed[rows], answer, center)
        squares.append(2 * _mean_distance(truth, done) - within - _mean_distance(done, done))
    return max(float(np.mean(squares)), 0.0) ** 0.5


@metric(label="log score of levels", better=-1, headline=False)
def log_score_levels(answer: Answer, imputation: Imputation) -> float | None:
    """Mean of -log P(true state) over the hidden cells of categorical columns; None where a method gives no draws.

    P is the share of draws, with half a draw for each state (Jeffreys's prior). States are the levels and, in candidate
    columns, NA, which has the probability that the method gives it: none where it tells no blanks that are meant.
    """
    columns = where(answer.columns, discrete=True)
    if not columns.any() or imputation.draws is None or imputation.draws.samples is None:
        return None
    at = imputation.draws.cells
    chosen = (answer.hidden & columns)[tuple(at.T)]
    if not chosen.any():
        raise NothingToScore("log_score_levels: the draws hold no cell of a categorical column whose state is known")
    cells, samples = tuple(at[chosen].T), imputation.draws.samples[:, chosen]
    m, truth = len(samples), answer.values[cells]
    kept = imputation.meaningful if imputation.meaningful_probability is None else imputation.meaningful_probability
    na = np.zeros(len(truth)) if kept is None else kept[cells].astype(float)
    states = np.array([column.n_levels + column.mm_candidate for column in answer.columns])[cells[1]]
    share = np.where(np.isnan(truth), na, (samples == truth).mean(0) * (1 - na))
    return float(-np.log((m * share + PRIOR) / (m + PRIOR * states)).mean())


def coordinates(rows: np.ndarray, answer: Answer, center: np.ndarray) -> np.ndarray:
    """(n, k): numbers in sds from ``center`` (d,), levels as indicators; states of a categorical column lie 1 apart."""
    scale = np.ones(len(center)) if answer.scale is None else answer.scale
    found = []
    for j, column in enumerate(answer.columns):
        x, blank = rows[:, j], np.isnan(rows[:, j])
        if column.discrete:
            states = np.where(blank, column.n_levels, x)[:, None] == np.arange(column.n_levels + 1)
            found.append(states / np.sqrt(2))
        else:
            found.append(np.where(blank, 0.0, (x - center[j]) / scale[j])[:, None])
            if column.mm_candidate:
                found.append(blank[:, None] / 1.0)
    return np.concatenate(found, axis=1)


def _mean_distance(a: np.ndarray, b: np.ndarray) -> float:
    from scipy.spatial.distance import cdist

    return float(cdist(a, b).mean())
