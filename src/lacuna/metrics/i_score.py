"""The energy-I-Score: which imputation is distributed as the data are, without a truth.

Näf, Grzesiak, Scornet, "How to rank imputation methods?", 2025. A column's own blanks are not scored, for nobody knows
them. Its observed cells are: a fresh method learns the column from the *imputed* cells, and draws what is observed.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from lacuna.methods.base import Method
from lacuna.metrics.completions import completions
from lacuna.types import Imputation, Incomplete

LEAST_ROWS = 10  # that a column is scored on, and learned from


@dataclass(frozen=True)
class IScore:
    """The score of a table, and of the columns that could be scored; the less, the better."""

    score: float  # mean over columns by weight; NaN where no column could be scored
    columns: dict[str, float]  # energy score in sds of the observed cells; of levels, half the Brier score
    weights: dict[str, float]  # share of blank times share of observed cells
    left_out: dict[str, str]  # by column: why it has blanks, but no score


def energy_i_score(
    make: Callable[[], Method],
    rows: Incomplete,
    done: Imputation,
    *,
    draws: int = 20,
    seed: int = 0,
    columns: tuple[str, ...] | None = None,
) -> IScore:
    """Score an imputation of ``rows``; a method is fitted again for each column with blanks.

    For column j: rows where it is blank keep what was imputed, rows where it is observed are blanked; other columns are
    those without a blank in the latter, or the one with the fewest where all have some, and then rows that have it. A
    fresh method completes that table, and its draws of the blanked cells meet the observed ones in the energy score,
    E|X - y| - E|X - X'| / 2. A method without draws is scored by its best guess. Cells that are kept as NA have no
    value to learn from, and are left out.

    Args:
        make: a fresh method as that which made ``done``.
        done: of ``rows``; of several draws the first one is learned from, without draws the best guesses.
        draws: for each observed cell.
        seed: of the fits.
        columns: that are to be scored; None: all that have blanks.
    """
    completed = next(completions(done, 1))
    scores, weights, left_out = {}, {}, {}
    for j, column in enumerate(rows.columns):
        blank = rows.hidden[:, j]
        if not blank.any() or (columns is not None and column.name not in columns):
            continue
        found = _question(rows, completed, j)
        if isinstance(found, str):
            left_out[column.name] = found
            continue
        question, truth = found
        answered = make().fit(question, seed).impute(question, draws)
        at = np.flatnonzero(question.hidden[:, -1])
        if answered.draws is None or answered.draws.samples is None:
            samples = answered.values[at, -1][None]
        else:
            samples = answered.draws.samples[:, answered.draws.cells[:, 1] == len(question.columns) - 1]
        unit = 1.0 if column.discrete else float(truth.std()) or 1.0
        scores[column.name] = float(energy_score(samples.astype(float) / unit, truth / unit, column.discrete).mean())
        weights[column.name] = float(blank.mean() * (1 - blank.mean()))
    score = float(np.average(list(scores.values()), weights=list(weights.values()))) if scores else float("nan")
    return IScore(score, scores, weights, left_out)


def energy_score(samples: np.ndarray, truth: np.ndarray, discrete: bool = False) -> np.ndarray:
    """(k,) E|X - y| - E|X - X'| / 2 of samples (m, k) for truth (k,); with distances of 0 and 1 between levels.

    X and X' are any two samples, so that it is the score of the law of the samples themselves, not of one of which
    they are drawn; all methods should give the same number of draws. Gneiting and Raftery 2007.
    """
    m = len(samples)
    if discrete:
        same = sum(((samples == level).sum(0) / m) ** 2 for level in np.unique(samples))
        return np.asarray((samples != truth).mean(0) - (1 - same) / 2)
    ordered = np.sort(samples, axis=0)
    ranks = 2 * np.arange(1, m + 1) - m - 1
    return np.asarray(np.abs(samples - truth).mean(0) - ranks @ ordered / m**2)


def _question(rows: Incomplete, completed: np.ndarray, j: int) -> tuple[Incomplete, np.ndarray] | str:
    """A table whose last column is j, blank where it is observed, and what was observed there; or why there is none."""
    seen, others = rows.observed[:, j], [k for k in range(len(rows.columns)) if k != j]
    if not others:
        return "there is no other column"
    shown = [k for k in others if rows.observed[seen, k].all()]
    if not shown:
        shown = [max(others, key=lambda k: int(rows.observed[seen, k].sum()))]
        seen = seen & rows.observed[:, shown[0]]
    learned = rows.hidden[:, j] & ~np.isnan(completed[:, [*shown, j]]).any(1)
    if min(int(seen.sum()), int(learned.sum())) < LEAST_ROWS:
        return f"fewer than {LEAST_ROWS} rows to learn from or to score"
    values = completed[:, [*shown, j]].copy()
    values[seen, -1] = np.nan
    values = values[seen | learned]
    columns = tuple(rows.columns[k] for k in (*shown, j))
    return Incomplete(columns, values, ~np.isnan(values)), rows.values[seen, j]
