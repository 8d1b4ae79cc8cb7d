"""Errors of imputed numbers, over ordinary hidden cells, pooled over columns.

``rmse`` and ``mae`` follow Diff-Joint: continuous columns that may not hold meaningful missingness, raw units;
their ``_std`` twins divide each error by the sd of the column's observed training cells. ``rmse_all`` follows
MissBGM: every numeric column, on the scale that the data set hands to methods. ``rmse_std_all`` and ``mae_std_all`` are
over every numeric column too, integers and candidates included, in sds, so that columns of any unit count alike. A cell
that a method keeps as NA is scored by the regular value beside the flag.
"""

from __future__ import annotations

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.metrics.display import metric
from lacuna.types import Answer, Imputation, where


@metric(label="RMSE", better=-1, unit="raw units")
def rmse(answer: Answer, imputation: Imputation) -> float | None:
    """Root mean squared error, raw units."""
    return _root_mean_square(_errors(answer, imputation, _plain_numeric(answer), "rmse"))


@metric(label="MAE", better=-1, unit="raw units", headline=False)
def mae(answer: Answer, imputation: Imputation) -> float | None:
    """Mean absolute error, raw units."""
    return _mean_absolute(_errors(answer, imputation, _plain_numeric(answer), "mae"))


@metric(label="RMSE, standardised", better=-1, unit="sd", headline=False)
def rmse_std(answer: Answer, imputation: Imputation) -> float | None:
    """Root mean squared error in sds of the observed training cells."""
    return _root_mean_square(_errors(answer, imputation, _plain_numeric(answer), "rmse_std", _scale(answer)))


@metric(label="MAE, standardised", better=-1, unit="sd", headline=False)
def mae_std(answer: Answer, imputation: Imputation) -> float | None:
    """Mean absolute error in sds of the observed training cells."""
    return _mean_absolute(_errors(answer, imputation, _plain_numeric(answer), "mae_std", _scale(answer)))


@metric(label="RMSE", better=-1, unit="units of the data")
def rmse_all(answer: Answer, imputation: Imputation) -> float | None:
    """Root mean squared error over all numeric columns, candidates included, raw units."""
    return _root_mean_square(_errors(answer, imputation, where(answer.columns, discrete=False), "rmse_all"))


@metric(label="RMSE, standardised, all numbers", better=-1, unit="sd", headline=False)
def rmse_std_all(answer: Answer, imputation: Imputation) -> float | None:
    """Root mean squared error over all numeric columns, in sds of the observed training cells."""
    columns = where(answer.columns, discrete=False)
    return _root_mean_square(_errors(answer, imputation, columns, "rmse_std_all", _scale(answer)))


@metric(label="MAE, standardised, all numbers", better=-1, unit="sd", headline=False)
def mae_std_all(answer: Answer, imputation: Imputation) -> float | None:
    """Mean absolute error over all numeric columns, in sds of the observed training cells."""
    columns = where(answer.columns, discrete=False)
    return _mean_absolute(_errors(answer, imputation, columns, "mae_std_all", _scale(answer)))


def _plain_numeric(answer: Answer) -> np.ndarray:
    """(d,) bool: continuous columns that may not hold meaningful missingness"""
    return where(answer.columns, kind="continuous", mm_candidate=False)


def _scale(answer: Answer) -> np.ndarray:
    if answer.scale is None:
        raise ValueError("errors on the standardised scale need Answer.scale, which problem.hide sets")
    return answer.scale


def _errors(
    answer: Answer, imputation: Imputation, columns: np.ndarray, name: str, scale: np.ndarray | None = None
) -> np.ndarray | None:
    """Errors (c,) at the ordinary hidden cells of ``columns``; None without such columns."""
    if not columns.any():
        return None
    scored = answer.ordinary & columns
    if not scored.any():
        names = [c.name for c, chosen in zip(answer.columns, columns, strict=True) if chosen]
        raise NothingToScore(f"{name}: no cell with a known value is hidden in {names}")
    errors = imputation.values[scored] - answer.values[scored]
    return errors if scale is None else errors / scale[np.nonzero(scored)[1]]


def _root_mean_square(errors: np.ndarray | None) -> float | None:
    return None if errors is None else float(np.sqrt(np.mean(errors**2)))


def _mean_absolute(errors: np.ndarray | None) -> float | None:
    return None if errors is None else float(np.mean(np.abs(errors)))
