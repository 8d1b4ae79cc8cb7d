"""Three kinds of blanks in one column, with their law.

Predictors z1 .. z4 are independent standard normals and never blank. Targets x1 .. x4 are linear in them with
independent residuals of sd 0.7: normal, gamma(4) or t3, standardised. x1 and x2 are blank by meaning with a
probability phi(z) that a tree gives. Under ``masks.lost_or_self`` targets are also lost by a logistic of z1, or hide
themselves by a sigmoid of their residual e, so that

    P(blank | z) = phi + (1 - phi) h,    h = E[hide(z, e)],    P(meaningful | blank, z) = phi / P(blank | z),

and the value behind an ordinary blank has the density f(e) hide(z, e) / h. Expectations over e are quadratures.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Any, Literal

import numpy as np
from scipy import stats

from lacuna.datasets.base import Dataset
from lacuna.laws import HidingLaw, Posterior
from lacuna.numerics.quadrature import Panels
from lacuna.types import Column, Draws, Incomplete, Table

Residual = Literal["normal", "gamma", "t3"]
RESIDUALS: dict[Residual, Any] = {  # mean 0, sd 1
    "normal": stats.norm(),
    "gamma": stats.gamma(4, loc=-2, scale=0.5),
    "t3": stats.t(3, scale=1 / np.sqrt(3)),
}
N_PREDICTORS, N_TARGETS, N_CANDIDATES = 4, 4, 2
SIGMA = 0.7
SLOPES = np.array(  # (predictors, targets)
    [[0.8, 0.0, -0.5, 0.4], [0.5, -0.7, 0.0, 0.4], [0.0, 0.6, 0.6, -0.4], [-0.4, 0.4, 0.5, 0.4]]
)
COLUMNS = tuple(Column(f"z{i + 1}") for i in range(N_PREDICTORS)) + tuple(
    Column(f"x{j + 1}", mm_candidate=j < N_CANDIDATES) for j in range(N_TARGETS)
)
MAX_STATES = 4_000_000  # cells x nodes held at once


def meaningful_probability(z: np.ndarray) -> np.ndarray:
    """phi (n, N_TARGETS) of predictors z (n, N_PREDICTORS): a tree for x1 and one for x2; x3 and x4 are never blank so.

    >>> meaningful_probability(np.array([[0.0, 1.0, 1.0, 0.0], [0.0, 0.0, 0.0, 0.0]]))
    array([[0.9 , 0.05, 0.  , 0.  ],
           [0.05, 0.05, 0.  , 0.  ]])
    """
    first = np.where(z[:, 1] > 0.5, np.where(z[:, 2] > 0, 0.9, 0.3), 0.05)
    second = np.where(z[:, 3] < -0.8, 0.8, np.where(z[:, 0] > 1, 0.4, 0.05))
    never = np.zeros(len(z))
    return np.stack([first, second, never, never], axis=1)


@cache
def panels(residual: Residual) -> Panels:
    """Where residuals are integrated: what lies beyond the ends changes no digit of a sd that matters."""
    if residual == "normal":
        return Panels.between((-9.0, 9.0), width=0.5)
    if residual == "gamma":  # starts at -2
        return Panels.between((-2.0, 8.0, 30.0), width=0.5)
    tail = np.geomspace(4.0, 1e7, 60)  # the variance of t3 converges as slowly as 1 / end
    return Panels(np.concatenate([-tail[::-1], np.linspace(-4.0, 4.0, 17)[1:-1], tail]))


@dataclass(frozen=True)
class ThreeKindsLaw:
    """The table without a mask."""

    residual: Residual

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """Standardised residuals (n, N_TARGETS) of rows (n, d); NaN where a target is."""
        z, x = values[:, :N_PREDICTORS], values[:, N_PREDICTORS:]
        return (x - z @ SLOPES) / SIGMA

    def under(self, mechanism: HidingLaw | None) -> ThreeKindsPosterior | None:
        """The posterior under a mask that knows the residuals and loses no predictor; None under any other."""
        # by what it offers, not by class: a data set does not import masks
        return ThreeKindsPosterior(self.residual, mechanism) if hasattr(mechanism, "given_residual") else None


@dataclass(frozen=True)
class ThreeKindsPosterior:
    """Hidden targets, each by quadrature over its residual: given the predictors they are independent."""

    residual: Residual
    mechanism: Any  # a HidingLaw with given_residual

    def posterior(
        self, rows: Incomplete, draws: int = 0, rng: np.random.Generator | None = None, alpha: float = 0.05
    ) -> Posterior:
        """See ``laws.HiddenLaw``.

        Raises:
            ValueError: a predictor is hidden, or draws were asked for without a generator.
        """
        if rows.hidden[:, :N_PREDICTORS].any():
            raise ValueError("the law of three_kinds needs every predictor to be observed")
        if draws and rng is None:
            raise ValueError("draws need a random generator")
        cells = np.argwhere(rows.hidden)
        step = max(1, MAX_STATES // len(panels(self.residual).nodes))
        parts = [self._cells(rows, cells[i : i + step], draws, rng, alpha) for i in range(0, len(cells), step)]
        if not parts:
            parts = [(np.empty((5, 0)), np.empty((draws, 0), np.float32))]
        meaningful, mean, sd, lower, upper = np.concatenate([found for found, _ in parts], axis=1)
        samples = np.concatenate([drawn for _, drawn in parts], axis=1) if draws else None
        regular = Draws(cells, mean, sd, lower, upper, alpha, samples)
        return Posterior(meaningful, np.zeros((len(cells), 1)), regular)

    def _cells(
        self, rows: Incomplete, cells: np.ndarray, draws: int, rng: np.random.Generator | None, alpha: float
    ) -> tuple[np.ndarray, np.ndarray]:
        """(5, k) P(meaningful), mean, sd and both quantiles of some of the cells (k, 2); samples (draws, k)."""
        grid = panels(self.residual)
        density = RESIDUALS[self.residual].pdf(grid.nodes) * grid.weights
        row, target = cells[:, 0], cells[:, 1] - N_PREDICTORS
        values = rows.values[row]
        z = values[:, :N_PREDICTORS]
        masses = density * self.mechanism.given_residual(values, np.broadcast_to(grid.nodes, (len(row), len(density))))
        rate = masses.sum(1)
        phi = meaningful_probability(z)[np.arange(len(row)), target]
        meaningful = phi / (phi + (1 - phi) * rate)
        masses /= rate[:, None]
        mean = masses @ grid.nodes
        sd = np.sqrt((masses * (grid.nodes - mean[:, None]) ** 2).sum(1))
        lower, upper = (grid.quantile(masses, level) for level in (alpha / 2, 1 - alpha / 2))
        center = (z @ SLOPES)[np.arange(len(row)), target]
        found = np.stack(
            [meaningful, center + SIGMA * mean, SIGMA * sd, center + SIGMA * lower, center + SIGMA * upper]
        )
        if not draws:
            return found, np.empty((0, len(row)), np.float32)
        assert rng is not None  # posterior has seen to it
        samples = center + SIGMA * _draw(grid, masses, draws, rng)
        samples[rng.random(samples.shape) < meaningful] = np.nan
        return found, samples.astype(np.float32)


def _draw(grid: Panels, masses: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Samples (draws, k) of densities with ``masses`` (k, nodes), sum 1: a node's cell, and a uniform place in it."""
    k = np.arange(len(masses))
    # one search for all: the distribution functions of the cells, stacked one above the other
    stacked = (masses.cumsum(1) / masses.sum(1, keepdims=True) + k[:, None]).ravel()
    found = np.searchsorted(stacked, k + rng.random((draws, len(k))), side="right") - k * masses.shape[1]
    node = np.clip(found, 0, masses.shape[1] - 1)
    return grid.cell_starts[node] + rng.random(node.shape) * grid.weights[node]


class ThreeKinds(Dataset):
    """``n_train + n_test`` independent rows. Meaningful: 22% of x1, 25% of x2; x3 and x4 are references.

    Args:
        residual: the law of the targets' residuals: normal, gamma (shape 4) or t3.
    """

    def __init__(self, n_train: int = 3_000, n_test: int = 1_000, residual: Residual = "normal") -> None:
        if n_train < 1 or n_test < 0:
            raise ValueError(f"n_train must be at least 1 and n_test at least 0, got {n_train} and {n_test}")
        if residual not in RESIDUALS:
            raise ValueError(f"residual must be one of {', '.join(RESIDUALS)}, got {residual!r}")
        self.n_train, self.n_test, self.residual = n_train, n_test, residual

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        n = self.n_train + self.n_test
        z = rng.standard_normal((n, N_PREDICTORS))
        residual = RESIDUALS[self.residual].rvs((n, N_TARGETS), random_state=rng)
        meaningful = np.zeros((n, N_PREDICTORS + N_TARGETS), bool)
        meaningful[:, N_PREDICTORS:] = rng.random((n, N_TARGETS)) < meaningful_probability(z)
        values = np.where(meaningful, np.nan, np.concatenate([z, z @ SLOPES + SIGMA * residual], axis=1))
        train_rows = split_rng.permutation(n) < self.n_train if self.n_test else None
        return Table("three_kinds", COLUMNS, values, meaningful, train_rows, ThreeKindsLaw(self.residual))
