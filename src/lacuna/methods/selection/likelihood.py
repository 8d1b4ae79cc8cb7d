"""Gaussian values, blank with a probability that rises or falls with the value itself.

A value is x = mu + s e, with mu linear in known features and e a standard normal. It is blank with probability
sigmoid(k e + c), its own standardised *residual* deciding, or with sigmoid(k x / s + c), its own *value* deciding.
With a = -c / k the first is sigmoid(k (e - a)). Observed values have density N(x; mu, s^2) P(seen | x); a blank has
the integral of N(x; mu, s^2) P(blank | x) over x. Heckman's selection model has the same structure.

At a given k the log likelihood is concave in (weights / s, 1 / s, c): what Olsen (1978) found for the Tobit model
holds here as well, since the sigmoid is log-concave and so are its Gaussian averages. Every k thus has one fit,
wherever Newton's method starts from; k itself is compared on a grid.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from scipy.special import expit, log_expit, logit
from scipy.stats import norm

K_MAX = 40.0  # from here on the sigmoid is a step as far as any data can tell
SIZES = np.geomspace(1.0, K_MAX, 10)  # of k; below the first, a sigmoid within the bulk of a Gaussian is a line
SLOPES = np.concatenate([-SIZES[::-1], SIZES])  # every k that is compared
STEP = 0.025  # the trapezoid rule on this grid is exact to 1e-8 up to K_MAX
GRID = np.linspace(-8.0, 8.0, round(16 / STEP) + 1)
MASS = norm.pdf(GRID) * STEP
PROBIT = np.pi / 8  # sigmoid(c / sqrt(1 + PROBIT k^2)) is nearly the blank rate of a standard normal
POOLING = 100  # steps
NEWTON, HALVINGS, TOLERANCE = 60, 12, 1e-7
MOST_LEVERAGE = 0.1  # what is left of a value's own weight, at least, in the mean without it
TINY = np.finfo(float).tiny


def blank_moments(k: float, offset: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """P(blank), mean and sd of e given blank, (h,) each, where P(blank | e) = sigmoid(k e + offset), offset (h,).

    >>> [abs(round(float(x[0]), 3)) for x in blank_moments(0.0, np.array([0.0]))]
    [0.5, 0.0, 1.0]
    """
    masses = expit(k * GRID + np.asarray(offset)[:, None]) * MASS
    total = np.maximum(masses.sum(1), TINY)
    mean = masses @ GRID / total
    return total, mean, np.sqrt(np.maximum(masses @ GRID**2 / total - mean**2, 0.0))


def draw_blank(k: float, offset: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Residuals e (draws, h) of blanks by the inverse of their distribution function.

    Where offsets differ, each draw takes one of the two neighbours in a table of them, with the shares that give
    back its own offset on average.
    """
    low, high = float(offset.min()), float(offset.max())
    nodes = np.linspace(low, high, 2 + int((high - low) / 0.25)) if high > low else np.array([low])
    position = (offset - low) / (nodes[1] - nodes[0]) if high > low else np.zeros(len(offset))
    row = np.minimum((position + rng.random((draws, len(offset)))).astype(np.intp), len(nodes) - 1)
    level = rng.random(row.shape)
    edges = np.append(GRID - STEP / 2, GRID[-1] + STEP / 2)
    sample = np.empty(row.shape)
    for i, node in enumerate(nodes):
        chosen = slice(None) if len(nodes) == 1 else row == i
        below = np.concatenate([[0.0], (expit(k * GRID + node) * MASS).cumsum()])
        sample[chosen] = np.interp(level[chosen], below / below[-1], edges)
    return sample


@dataclass(frozen=True)
class Selected:
    """A fitted model; ``slopes`` go with the q features of the mean."""

    slopes: np.ndarray  # (q,)
    sd: float  # of the residual
    k: float
    c: float
    own_value: bool  # whether the value decides, or its residual
    log_likelihood: float = np.nan
    covariance: np.ndarray | None = None  # (q + 2, q + 2) of the parameters in the order of ``parameters``

    @property
    def threshold(self) -> float:
        """a: where a blank is as probable as not; in sds of the residual, or in units of the value over sd."""
        return -self.c / self.k if self.k else np.nan

    def offset(self, mean: np.ndarray) -> np.ndarray:
        """(h,) the logit of P(blank) at e = 0, for values of this mean (h,)."""
        return self.c + (self.k / self.sd * mean if self.own_value else np.zeros(len(mean)))

    @property
    def parameters(self) -> np.ndarray:
        """(q + 2,): slopes / sd, 1 / sd, c, in which the log likelihood is concave."""
        return np.concatenate([self.slopes / self.sd, [1 / self.sd, self.c]])

    def perturbed(self, rng: np.random.Generator) -> Selected:
        """Parameters drawn from their approximate posterior at this k."""
        if self.covariance is None:
            return self
        *ratios, inverse, c = rng.multivariate_normal(self.parameters, self.covariance, method="eigh")
        sd = 1 / max(float(inverse), 0.2 / self.sd)
        return replace(self, slopes=np.array(ratios) * sd, sd=sd, c=float(c))


class Cells(NamedTuple):
    """What a column shows. Features hold a column of ones; values are on a scale on which their sd is near 1."""

    features: np.ndarray  # (n, q) of the observed values
    values: np.ndarray  # (n,)
    blank_features: np.ndarray  # (h, q) of the blanks; like ones may be one row, with their count
    counts: np.ndarray  # (h,) of blanks in each row of ``blank_features``
    weights: np.ndarray | float = 1.0  # (n,) of the observed values: how many each stands for

    @property
    def n_seen(self) -> float:
        """Observed values that these stand for."""
        return float(np.broadcast_to(self.weights, len(self.values)).sum())

    @property
    def blank_rate(self) -> float:
        """Kept away from 0 and 1."""
        n_blank = self.counts.sum()
        return float(np.clip(n_blank / (n_blank + self.n_seen), 1e-3, 1 - 1e-3))


def fit_selected(
    cells: Cells,
    own_value: bool,
    slopes: np.ndarray = SLOPES,
    start: Sequence[Selected] | None = None,
    penalty: np.ndarray | float = 0.0,
) -> list[Selected]:
    """Maximum likelihood at each k of ``slopes`` (g,), with its covariance.

    Args:
        own_value: whether the value decides on the blank, or its residual.
        start: of each k; where to start from, which spares steps.
        penalty: (q,) precision of a normal prior of the weights over sd around 0.
    """
    if not own_value:  # the chance of a blank is the same in every row
        cells = cells._replace(blank_features=cells.blank_features[:1], counts=cells.counts.sum(keepdims=True))
    surface = _Surface(cells, own_value, np.asarray(slopes, float), penalty)
    at = _start(cells, own_value, surface.k) if start is None else np.stack([model.parameters for model in start])
    value, gradient, curvature = surface(at)
    for _ in range(NEWTON):
        step = np.linalg.solve(curvature, -gradient[..., None])[..., 0]
        decrement = -(gradient * step).sum(1)
        if decrement.max() < TOLERANCE:
            break
        # 1 / sd stays positive
        share = np.where(step[:, -2] < 0, np.minimum(1.0, -0.8 * at[:, -2] / np.minimum(step[:, -2], -1e-12)), 1.0)
        for _ in range(HALVINGS):
            found = surface.value(at + share[:, None] * step)
            worse = ~(found <= value - 1e-4 * share * decrement + 1e-9 * np.abs(value))
            if not worse.any():
                break
            share = np.where(worse, share / 2, share)
        at = at + np.where(worse, 0.0, share)[:, None] * step
        if worse.all():
            break
        value, gradient, curvature = surface(at)
    covariance = np.linalg.inv(curvature)
    sd = 1 / at[:, -2]
    return [
        Selected(
            at[g, :-2] * sd[g], float(sd[g]), float(k), float(at[g, -1]), own_value, -float(value[g]), covariance[g]
        )
        for g, k in enumerate(surface.k)
    ]


@dataclass(frozen=True)
class _Surface:
    """Negative log likelihoods at each k (g,) as functions of ``Selected.parameters`` (g, q + 2)."""

    cells: Cells
    own_value: bool
    k: np.ndarray
    penalty: np.ndarray | float

    def value(self, at: np.ndarray) -> np.ndarray:
        """(g,), with the penalty."""
        e, z, offset = self._linear(at)
        weights, counts = self.cells.weights, self.cells.counts
        seen = (weights * (e**2 / 2 - log_expit(-z))).sum(1) + self.cells.n_seen * (
            np.log(2 * np.pi) / 2 - np.log(at[:, -2])
        )
        mass = np.maximum(expit(self.k[:, None, None] * GRID + offset[..., None]) @ MASS, TINY)
        return seen - np.log(mass) @ counts + (self.penalty * at[:, :-2] ** 2).sum(1) / 2

    def __call__(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The value (g,), its gradient (g, q + 2) and curvature (g, q + 2, q + 2)."""
        features, values, blank_features, counts, weights = self.cells
        size, k = at.shape[1], self.k[:, None, None]
        ones = np.eye(size)
        e, z, offset = self._linear(at)
        blank = expit(z)
        by_e = np.column_stack([-features, values, np.zeros(len(values))])  # (n, q + 2)
        by_value = np.column_stack([np.zeros_like(features), values, np.zeros(len(values))])
        by_z = k * (by_value if self.own_value else by_e) + ones[-1]  # (g, n, q + 2)
        by_offset = ones[-1] + k * np.pad(blank_features, ((0, 0), (0, 2))) * self.own_value  # (g, h, q + 2)

        probability = expit(k * GRID + offset[..., None])  # (g, h, grid)
        slope = probability * (1 - probability)
        mass = np.maximum(probability @ MASS, TINY)
        first, second = slope @ MASS / mass, (slope * (1 - 2 * probability)) @ MASS / mass

        def squares(by: np.ndarray, weight: np.ndarray) -> np.ndarray:
            return np.swapaxes(by * weight[..., None], -1, -2) @ by

        gradient = (weights * e) @ by_e + ((weights * blank)[:, None] @ by_z - (counts * first)[:, None] @ by_offset)[
            :, 0
        ]
        curvature = squares(by_e, weights * np.ones_like(e)) + squares(by_z, weights * blank * (1 - blank))
        curvature -= squares(by_offset, counts * (second - first**2))
        gradient[:, :-2] += self.penalty * at[:, :-2]
        curvature += np.diag(np.append(np.broadcast_to(self.penalty, size - 2), [0.0, 0.0]))
        gradient[:, -2] -= self.cells.n_seen / at[:, -2]
        curvature[:, -2, -2] += self.cells.n_seen / at[:, -2] ** 2
        return self.value(at), gradient, curvature + 1e-9 * np.eye(size)

    def _linear(self, at: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Residuals and logits of observed values, (g, n) each; logits of the blanks at e = 0, (g, h)."""
        features, values, blank_features, *_ = self.cells
        scaled = at[:, -2:-1] * values
        e = scaled - at[:, :-2] @ features.T
        k, c = self.k[:, None], at[:, -1:]
        if self.own_value:
            return e, k * scaled + c, k * (at[:, :-2] @ blank_features.T) + c
        return e, k * e + c, np.broadcast_to(c, (len(at), len(self.cells.counts)))


def left_out_means(model: Selected, cells: Cells) -> np.ndarray:
    """(n,) means of observed values by fits without them, to first order (Rad and Maleki 2020).

    Args:
        model: fitted to these cells.
    """
    assert model.covariance is not None
    features, values, *_ = cells
    mean = features @ model.slopes
    e = (values - mean) / model.sd
    k = 0.0 if model.own_value else model.k
    blank = expit(k * e + model.c)
    pull, bend = e + k * blank, 1 + k**2 * blank * (1 - blank)
    q = features.shape[1]
    leverage = ((features @ model.covariance[:q, :q]) * features).sum(1)
    return mean - model.sd * leverage * pull / np.maximum(1 - leverage * bend, MOST_LEVERAGE)


def _start(cells: Cells, own_value: bool, slopes: np.ndarray) -> np.ndarray:
    """(g, q + 2) parameters at each k that give the observed values their moments, and the blanks their rate."""
    features, values, *_, weights = cells
    weighted = features * np.sqrt(np.broadcast_to(weights, len(values)))[:, None]
    root = np.sqrt(np.broadcast_to(weights, len(values)))
    line, *_ = np.linalg.lstsq(weighted, values * root, rcond=None)
    ones, *_ = np.linalg.lstsq(weighted, root, rcond=None)
    observed = max(float(np.sqrt(np.average((values - features @ line) ** 2, weights=root**2))), 1e-6)
    t = logit(cells.blank_rate)
    at = []
    for k in slopes.tolist():
        stretch = float(np.sqrt(1 + PROBIT * k**2))
        _, mean, sd = blank_moments(-k, np.array([-t * stretch]))  # of what is seen
        spread = observed / max(float(sd[0]), 0.1)
        shifted = line - ones * spread * mean[0]
        own = k / spread * float(np.average(features @ shifted, weights=root**2)) if own_value else 0.0
        at.append([*shifted / spread, 1 / spread, t * stretch - own])
    return np.array(at)


def unselected_log_likelihood(residuals: np.ndarray, n_blank: int) -> float:
    """Of k = 0: Gaussian residuals (n,) about their fit, blanks at one rate."""
    n = len(residuals)
    variance = max(float(np.mean(residuals**2)), np.finfo(float).tiny)
    rate = n_blank / (n + n_blank)
    blanks = n_blank * np.log(rate) + n * np.log1p(-rate) if n_blank else 0.0
    return float(-n / 2 * (np.log(2 * np.pi * variance) + 1) + blanks)


def pooled(log_likelihood: np.ndarray) -> np.ndarray:
    """(c, g) posterior of k in each column, given log likelihoods (c, g) at its values; -inf: excluded.

    The prior is what the columns have in common, by maximum likelihood (Kiefer and Wolfowitz 1956), every k counted
    as if one more column had it.

    >>> pooled(np.log([[0.9, 0.1]] * 8 + [[0.4, 0.6]]))[-1].round(1).tolist()
    [0.8, 0.2]
    """
    likelihood = np.exp(log_likelihood - log_likelihood.max(1, keepdims=True))
    n_columns, n_slopes = likelihood.shape
    prior = np.full(n_slopes, 1 / n_slopes)
    for _ in range(POOLING):
        shares = likelihood * prior
        shares /= shares.sum(1, keepdims=True)
        prior = (shares.sum(0) + 1) / (n_columns + n_slopes)
    return shares
