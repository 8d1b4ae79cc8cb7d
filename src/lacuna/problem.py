"""Table + mask + split -> Problem: the one place where truth is hidden."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from lacuna.numerics.moments import column_moments
from lacuna.types import Answer, Incomplete, OrdinaryMask, Problem, Table


def hide(table: Table, mask: OrdinaryMask) -> Problem:
    """Apply ``mask`` to ``table`` and split both by ``table.train_rows``.

    A cell is observed when its value exists (it is not meaningful and the source is not blank there) and the
    observation process left it alone: omega = (1 - c)(1 - r).
    """
    observed = ~np.isnan(table.values) & ~mask.ordinary
    ordinary = ~np.isnan(table.values) & mask.ordinary
    train_rows = np.ones(len(observed), bool) if table.train_rows is None else table.train_rows

    _, scale = column_moments(np.where(observed, table.values, np.nan)[train_rows])

    def question(rows: np.ndarray) -> Incomplete:
        return Incomplete(table.columns, np.where(observed, table.values, np.nan)[rows], observed[rows])

    def answer(rows: np.ndarray) -> Answer:
        truth = table.values[rows], table.meaningful[rows], ordinary[rows]
        return Answer(table.columns, *truth, scale, meaningful_known=table.meaningful_known, estimands=table.estimands)

    has_test = not train_rows.all()
    answers = {"train": answer(train_rows)} | ({"test": answer(~train_rows)} if has_test else {})
    law = None if table.law is None else table.law.under(mask.mechanism)
    return Problem(table.name, question(train_rows), question(~train_rows) if has_test else None, answers, law)


def held_out(problem: Problem, share: float, rng: np.random.Generator) -> Problem:
    """The training rows alone with a part of their observed cells hidden again: what a method can be tuned by.

    Neither test rows nor the truth of cells that were hidden before are in it. Each column loses its share of observed
    cells, rounded, at least one and at most half of them, completely at random.

    Args:
        problem: as ``hide`` gives it.
        share: of the observed cells of each column, in (0, 1).
        rng: of the choice of cells.

    Returns:
        A problem whose only answer, ``held_out``, knows those cells.
    """
    values, observed = problem.train.values, problem.train.observed
    again = np.zeros_like(observed)
    for j in range(observed.shape[1]):
        rows = rng.permutation(np.flatnonzero(observed[:, j]))
        again[rows[: min(max(1, round(share * len(rows))), len(rows) // 2)], j] = True
    left = np.where(again, np.nan, values)
    none = np.zeros_like(observed)
    _, scale = column_moments(left)
    answer = Answer(problem.train.columns, values, none, again, scale, meaningful_known=False)
    return Problem(problem.name, Incomplete(problem.train.columns, left, observed & ~again), None, {"held_out": answer})


def with_posteriors(problem: Problem, alpha: float) -> Problem:
    """``problem`` whose answers are about draws: they say what the law of data and mask, if any, knows of hidden cells.

    Args:
        alpha: its intervals are at level 1 - alpha.
    """
    law = problem.law
    known = {} if law is None else {s: law.posterior(rows, alpha=alpha).regular for s, rows in problem.splits.items()}
    answers = {s: replace(a, posterior=known.get(s), draws_asked=True) for s, a in problem.answers.items()}
    return replace(problem, answers=answers)
