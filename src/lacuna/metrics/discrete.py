"""Accuracy of the final state, a level or NA, of hidden cells in discrete columns."""

from __future__ import annotations

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.metrics.display import metric
from lacuna.types import Answer, Imputation, where


@metric(label="accuracy, candidates", better=1, percent=True)
def acc(answer: Answer, imputation: Imputation) -> float | None:
    """Share of right final states among hidden cells of discrete candidate columns."""
    return _accuracy(answer, imputation, where(answer.columns, discrete=True, mm_candidate=True), "acc")


@metric(label="accuracy, discrete", better=1, percent=True)
def acc_discrete(answer: Answer, imputation: Imputation) -> float | None:
    """Share of right final states among hidden cells of all discrete columns."""
    return _accuracy(answer, imputation, where(answer.columns, discrete=True), "acc_discrete")


@metric(label="accuracy, discrete and integer", better=1, percent=True)
def acc_with_integers(answer: Answer, imputation: Imputation) -> float | None:
    """Share of right final states among hidden cells of discrete and integer columns; None without integer ones."""
    integer = where(answer.columns, kind="integer")
    if not integer.any():
        return None
    return _accuracy(answer, imputation, integer | where(answer.columns, discrete=True), "acc_with_integers")


@metric(label="accuracy of levels", better=1, percent=True, headline=False)
def acc_levels(answer: Answer, imputation: Imputation) -> float | None:
    """Share of right levels among ordinary hidden cells of discrete columns, whether or not they are kept as NA."""
    columns = where(answer.columns, discrete=True)
    if not columns.any():
        return None
    scored = answer.ordinary & columns
    if not scored.any():
        raise NothingToScore(f"acc_levels: no cell with a known level is hidden in {_names(answer, columns)}")
    return float(np.mean(answer.values[scored] == imputation.values[scored]))


def _accuracy(answer: Answer, imputation: Imputation, columns: np.ndarray, name: str) -> float | None:
    if not columns.any():
        return None
    scored = answer.hidden & columns
    if not scored.any():
        raise NothingToScore(f"{name}: no cell is hidden in {_names(answer, columns)}")
    # Truth is NaN exactly where NA is the right state, for only cells with a known state are hidden.
    truth, final = answer.values[scored], imputation.final[scored]
    return float(np.mean((truth == final) | (np.isnan(truth) & np.isnan(final))))


def _names(answer: Answer, columns: np.ndarray) -> list[str]:
    return [c.name for c, chosen in zip(answer.columns, columns, strict=True) if chosen]
