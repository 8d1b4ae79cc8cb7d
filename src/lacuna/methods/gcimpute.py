"""Gaussian copula: Zhao, Udell, "Missing Value Imputation for Mixed Data via Gaussian Copula", KDD 2020.

The package of the authors, gcimpute 0.0.4, calls functions that numpy 2 no longer has. This is its algorithm, all rows
at once.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import log_ndtr, ndtr, ndtri

from lacuna.methods.base import Method
from lacuna.numerics import truncated_normal
from lacuna.rng import stream
from lacuna.types import Column, Draws, Imputation, Incomplete

MOST_FREQUENT = 0.1  # share of the cells from which on a value makes a column of numbers ordinal
JITTER = 1e-4  # of the identity in a correlation matrix, which keeps near copies of a column apart
NUMBERS_AT_ONCE = 2**22  # of the matrices that rows have of their own
GIBBS = 10  # sweeps over ordinal cells before a draw


class GaussianCopula(Method):
    """Every column is an increasing function of one of d correlated normal variables.

    The functions are empirical quantiles. Observed numbers give the normal variable, observed ordinal values (levels
    of two, integers, numbers with many ties) an interval for it. A category of more levels has a normal variable for
    each level, and the level is the one that exceeds its threshold by most. EM estimates the correlations; of the
    truncated normals it takes mean and variance given the last means of the others, as the paper does.

    Point imputations are the quantile at the conditional mean, that is the conditional median, and the likeliest level.
    Draws are from the conditional distribution at the estimated correlations, ordinal cells by Gibbs sampling.

    Args:
        iterations: of EM, at most.
        tolerance: relative change of the correlations below which EM has converged.
        max_rows: a random subset of so many learns the correlations.
    """

    label = "Gaussian copula"

    def __init__(self, iterations: int = 50, tolerance: float = 0.01, max_rows: int = 20_000) -> None:
        if iterations < 1 or tolerance <= 0 or max_rows < 2:
            raise ValueError(f"need an iteration, a tolerance, two rows, got {iterations}, {tolerance}, {max_rows}")
        self.iterations, self.tolerance, self.max_rows = iterations, tolerance, max_rows

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        self.margins_ = tuple(
            Margin.of(column, train.values[seen, j])
            for j, (column, seen) in enumerate(zip(train.columns, train.observed.T, strict=True))
        )
        if len(train) > self.max_rows:
            train = train.take(stream(seed, "gcimpute", "rows").permutation(len(train))[: self.max_rows])
        latent = self._latent(train)
        centred = latent.start - latent.start.mean(0)
        correlations = _jittered(centred.T @ centred / len(centred))
        latent.update(correlations)
        self.steps_: list[float] = []
        for i in range(self.iterations):
            self.monitor.progress("EM", i, self.iterations)
            before, correlations = correlations, _jittered(latent.second_moment(correlations))
            latent.update(correlations)
            self.steps_.append(float(np.linalg.norm(correlations - before) / np.linalg.norm(before)))
            if self.steps_[-1] < self.tolerance:
                break
        self.correlations_ = correlations

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values, cells = rows.values.copy(), np.argwhere(rows.hidden)
        rng, samples, filled = stream(self.seed_, "gcimpute", "draws"), np.empty((draws, len(cells))), 0
        for part in _chunks(len(rows), len(self.correlations_)):
            some = rows.take(part)
            latent = self._latent(some)
            for _ in range(2):  # as often as the package does
                latent.update(self.correlations_)
            values[part] = self._values(*latent.given(self.correlations_))
            here = slice(filled, filled + int(some.hidden.sum()))
            for i in range(draws):
                samples[i, here] = self._values(latent.drawn(self.correlations_, rng))[some.hidden]
            filled = here.stop
        found = Draws.from_samples(cells, samples) if draws else None
        return Imputation(values, draws=found, diagnostics={"EM steps": len(self.steps_)})

    def _latent(self, rows: Incomplete) -> Latent:
        limits = [margin.limits(rows.values[:, j]) for j, margin in enumerate(self.margins_)]
        low, high = (np.hstack([limit[end] for limit in limits]) for end in (0, 1))
        seen = np.repeat(rows.observed, [margin.width for margin in self.margins_], axis=1)
        return Latent(low, high, seen)

    def _values(self, latent: np.ndarray, variance: np.ndarray | None = None) -> np.ndarray:
        """Values (n, d) at latent variables (n, w), or at their means, given with their variances."""
        values, start = [], 0
        variance = np.zeros_like(latent) if variance is None else variance
        for margin in self.margins_:
            block = slice(start, start + margin.width)
            values.append(margin.value(latent[:, block], variance[:, block]))
            start = block.stop
        return np.stack(values, axis=1)


@dataclass(frozen=True)
class Margin:
    """One column as a function of ``width`` normal variables."""

    column: Column
    support: np.ndarray  # observed values in order: all of a continuous column, the different ones of an ordinal one
    thresholds: np.ndarray  # (k - 1,) between ordinal values, (k,) of the levels of a category; none if continuous

    @classmethod
    def of(cls, column: Column, cells: np.ndarray) -> Self:
        """From observed cells (k,)."""
        values, counts = np.unique(cells, return_counts=True)
        if column.n_levels > 2 and len(values) > 2:
            return cls(column, values, ndtri(1 - counts / len(cells)))
        if column.discrete or counts.max() > MOST_FREQUENT * len(cells):
            return cls(column, values, ndtri(counts.cumsum()[:-1] / len(cells)))
        return cls(column, np.sort(cells), np.empty(0))

    @property
    def nominal(self) -> bool:
        return self.column.discrete and len(self.support) > 2

    @property
    def continuous(self) -> bool:
        return len(self.support) > len(self.thresholds) + 1 and not self.nominal

    @property
    def width(self) -> int:
        return len(self.support) if self.nominal else 1

    def limits(self, cells: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(n, width) each: between which the normal variables of cells (n,) lie; NaN cells are anywhere.

        A value that was not seen in training lies where its neighbours put it.
        """
        blank = np.isnan(cells)
        if self.nominal:
            levels = cells[:, None] == self.support
            shown = levels.any(1, keepdims=True)
            low = np.where(levels, self.thresholds, -np.inf)
            return low, np.where(shown & ~levels, self.thresholds, np.inf)
        if self.continuous:
            n = len(self.support)
            rank = np.searchsorted(self.support, cells, side="right")
            latent = ndtri(np.maximum(rank, 0.5) / (n + 1))[:, None]
            ends = latent, latent
        else:
            edges = np.concatenate([[-np.inf], self.thresholds, [np.inf]])
            place = np.searchsorted(self.support, cells).clip(0, len(self.support) - 1)
            ends = edges[place][:, None], edges[place + 1][:, None]
        return np.where(blank[:, None], -np.inf, ends[0]), np.where(blank[:, None], np.inf, ends[1])

    def value(self, latent: np.ndarray, variance: np.ndarray) -> np.ndarray:
        """(n,) at normal variables (n, width) that are known up to ``variance`` (n, width)."""
        if self.nominal:
            excess = latent - self.thresholds
            spread = np.sqrt(variance)
            score = np.where(variance > 0, log_ndtr(excess / np.where(variance > 0, spread, 1.0)), excess)
            return self.support[score.argmax(1)]
        if not self.continuous:
            return self.support[np.searchsorted(self.thresholds, latent[:, 0])]
        n = len(self.support)
        found = np.interp(ndtr(latent[:, 0]) * (n + 1) - 1, np.arange(n), self.support)
        return np.round(found) if self.column.kind == "integer" else found


class Latent:
    """Normal variables of n rows, known between limits.

    Attributes:
        start: (n, w) means as if no variable knew of the others, 0 where hidden.
        mean, variance: (n, w) of the seen cells, 0 where hidden.
    """

    def __init__(self, low: np.ndarray, high: np.ndarray, seen: np.ndarray) -> None:
        self.low, self.high, self.seen = low, high, seen
        self.interval = seen & (low < high)
        self.start = np.where(seen & ~self.interval, low, 0.0)
        mean, variance = truncated_normal.moments(low[self.interval], high[self.interval])
        self.start[self.interval] = mean
        self.mean, self.variance = self.start.copy(), np.zeros(seen.shape)
        self.variance[self.interval] = variance

    def update(self, correlations: np.ndarray) -> None:
        """Means and variances of the intervals given the last means of the row's other seen cells."""
        for part in _chunks(len(self.seen), len(correlations)):
            where = self.interval[part]
            centre, spread = self._rest(part, correlations, self.mean[part])
            low, high = ((end[part] - centre)[where] / spread[where] for end in (self.low, self.high))
            mean, variance = truncated_normal.moments(low, high)
            self.mean[part][where] = centre[where] + spread[where] * mean
            self.variance[part][where] = spread[where] ** 2 * variance

    def _rest(self, part: slice, correlations: np.ndarray, known: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and sd (n, w) of each seen cell given the ``known`` (n, w) values of the others; junk where hidden."""
        precision = _precision(correlations, self.seen[part])
        diagonal = np.diagonal(precision, axis1=1, axis2=2)
        return known - (precision @ known[..., None])[..., 0] / diagonal, 1 / np.sqrt(diagonal)

    def second_moment(self, correlations: np.ndarray) -> np.ndarray:
        """(w, w): the mean over rows of E[z z' | row]."""
        total = np.zeros_like(correlations)
        for part in _chunks(len(self.seen), len(correlations)):
            loadings, rest = _regression(correlations, self.seen[part])
            mean = (loadings @ self.mean[part][..., None])[..., 0]
            spread = loadings * np.sqrt(self.variance[part])[:, None, :]
            total += mean.T @ mean + np.einsum("nij,nkj->ik", spread, spread, optimize=True) + rest.sum(0)
        return total / len(self.seen)

    def given(self, correlations: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean and variance (n, w) of all cells."""
        loadings, rest = _regression(correlations, self.seen)
        mean = (loadings @ self.mean[..., None])[..., 0]
        variance = np.diagonal(rest, axis1=1, axis2=2) + (loadings**2 @ self.variance[..., None])[..., 0]
        return mean, np.maximum(variance, 0)

    def drawn(self, correlations: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n, w): one draw of all cells."""
        known = self.mean.copy()
        precision = _precision(correlations, self.seen)
        for _ in range(GIBBS):
            for j in np.flatnonzero(self.interval.any(0)):
                where = self.interval[:, j]
                spread = 1 / np.sqrt(precision[where, j, j])
                centre = known[where, j] - spread**2 * (precision[where, j] * known[where]).sum(1)
                low, high = ((end[where, j] - centre) / spread for end in (self.low, self.high))
                known[where, j] = centre + spread * truncated_normal.draw(low, high, rng)
        loadings, rest = _regression(correlations, self.seen)
        noise = np.linalg.cholesky(rest + np.eye(len(correlations)) * np.where(self.seen, 1.0, 1e-9)[:, None, :])
        fresh = (noise @ rng.normal(size=(*known.shape, 1)))[..., 0]
        return np.where(self.seen, known, (loadings @ known[..., None])[..., 0] + fresh)


def _precision(correlations: np.ndarray, seen: np.ndarray) -> np.ndarray:
    """(n, w, w): the inverse of each row's correlations of seen (n, w) cells; the identity elsewhere."""
    both = seen[:, :, None] & seen[:, None, :]
    inverse = np.linalg.inv(np.where(both, correlations, np.eye(len(correlations))))
    return (inverse + inverse.transpose(0, 2, 1)) / 2


def _regression(correlations: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Matrices (n, w, w) that give all cells their means from the seen ones, and the covariance that is left."""
    precision = _precision(correlations, seen)
    hidden = ~seen
    weights = (correlations @ (precision * seen[:, None, :] * seen[:, :, None])) * hidden[:, :, None]
    rest = (correlations - weights @ correlations) * hidden[:, :, None] * hidden[:, None, :]
    return weights + np.eye(len(correlations)) * seen[:, None, :], (rest + rest.transpose(0, 2, 1)) / 2


def _jittered(moment: np.ndarray) -> np.ndarray:
    """The correlation matrix of a second moment (w, w), off any singular one."""
    scale = np.sqrt(np.diagonal(moment))
    with np.errstate(divide="ignore", invalid="ignore"):
        found = np.nan_to_num(moment / scale / scale[:, None])
    np.fill_diagonal(found, 1.0)
    return (1 - JITTER) * found + JITTER * np.eye(len(found))


def _chunks(n: int, width: int) -> Iterator[slice]:
    size = max(1, NUMBERS_AT_ONCE // width**2)
    return (slice(start, start + size) for start in range(0, n, size))
