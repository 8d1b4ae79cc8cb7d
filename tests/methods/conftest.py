"""A Gaussian table whose hidden cells have known means and standard deviations given the rest of their row."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pytest

from lacuna.masks.mcar import MCAR
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Imputation, Problem, Table


@dataclass(frozen=True)
class GaussianProblem:
    problem: Problem
    mean: np.ndarray  # (n, d) of each cell given the row's observed cells
    sd: np.ndarray  # (n, d)

    def rmse(self, values: np.ndarray) -> float:
        """Of ``values`` (n, d) against the truth, over the hidden cells."""
        answer = self.problem.answers["train"]
        return float(np.sqrt(np.mean((values - answer.values)[answer.ordinary] ** 2)))

    def error(self, done: Imputation) -> float:
        """Root mean square distance of ``done`` to the exact conditional means, over the hidden cells."""
        hidden = self.problem.train.hidden
        return float(np.sqrt(np.mean((done.values - self.mean)[hidden] ** 2)))

    def mean_imputed(self) -> np.ndarray:
        """(n, d): column means everywhere"""
        values = self.problem.train.values
        return np.broadcast_to(np.nanmean(values, axis=0), values.shape)


def gaussian(n: int, d: int, correlation: float, ratio: float) -> GaussianProblem:
    """Unit variances, one correlation between every two columns, blanks completely at random."""
    covariance = np.full((d, d), correlation) + (1 - correlation) * np.eye(d)
    values = stream(0, "gaussian").multivariate_normal(np.zeros(d), covariance, size=n)
    table = Table("gaussian", tuple(Column(f"x{j}") for j in range(d)), values, np.zeros((n, d), bool))
    problem = hide(table, MCAR().draw(table, ratio, stream(0, "mask")))
    mean, sd = values.copy(), np.zeros((n, d))
    for i, seen in enumerate(problem.train.observed):
        weights = np.linalg.solve(covariance[np.ix_(seen, seen)], covariance[np.ix_(seen, ~seen)])
        mean[i, ~seen] = values[i, seen] @ weights
        sd[i, ~seen] = np.sqrt(1 - (covariance[np.ix_(seen, ~seen)] * weights).sum(0))
    return GaussianProblem(problem, mean, sd)


@pytest.fixture(scope="session", name="gaussian")
def gaussian_factory() -> Callable[..., GaussianProblem]:
    return gaussian
