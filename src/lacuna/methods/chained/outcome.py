"""Regression models of an outcome, drawn from their posterior: linear, logistic or multinomial, Poisson."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Self, TypeAlias

import numpy as np
from scipy.linalg import cho_factor, cho_solve, solve_triangular
from scipy.special import log_softmax, xlogy

from lacuna.methods.boosting import sample_levels

LEAST_SINGULAR = 1e-9  # of the largest singular value: directions below are not in the design
PRECISION = (
    0.1  # of the prior of a coefficient, on a standardised term: without it, levels may be told apart for certain
)
STEPS = 50  # of Newton's method
LARGEST_LOG = 30.0  # of a mean


@dataclass(frozen=True)
class Terms:
    """A design's columns, centred where it has a constant one, and scaled."""

    center: np.ndarray  # (k,)
    scale: np.ndarray  # (k,)
    constant: np.ndarray  # (k,) bool

    @classmethod
    def of(cls, design: np.ndarray) -> Self:
        constant = np.ptp(design, axis=0) == 0
        has_intercept = bool((constant & (design[:1] != 0)).any())
        center = np.where(constant | (not has_intercept), 0.0, design.mean(0))
        scale = np.sqrt(((design - center) ** 2).mean(0))
        return cls(center, np.where(scale > 0, scale, 1.0), constant)

    def __call__(self, design: np.ndarray) -> np.ndarray:
        return (design - self.center) / self.scale


@dataclass(frozen=True)
class LinearOutcome:
    """A number with normal errors."""

    terms: Terms
    weights: np.ndarray  # (k,)
    sd: float
    shift: float = 0.0  # of the mean of blanks

    @classmethod
    def drawn(cls, design: np.ndarray, y: np.ndarray, shift: np.ndarray | None, rng: np.random.Generator) -> Self:
        """One draw of the posterior under a flat prior, given design (n, k) and outcome (n,)."""
        terms = Terms.of(design)
        u, s, vt = np.linalg.svd(terms(design), full_matrices=False)
        within = s > LEAST_SINGULAR * s.max(initial=0.0)
        u, s, vt = u[:, within], s[within], vt[within]
        freedom = max(len(y) - len(s), 1)
        on_axes = u.T @ y
        left = float(((y - u @ on_axes) ** 2).sum())
        sd = np.sqrt(max(left, 1e-12 * float(y @ y)) / rng.chisquare(freedom)) or 1e-300
        weights = ((on_axes + sd * rng.normal(size=len(s))) / s) @ vt
        return cls(terms, weights, float(sd), 0.0 if shift is None else float(shift[0]) * float(y.std()))

    def mean(self, design: np.ndarray) -> np.ndarray:
        """(n, 1)"""
        return (self.terms(design) @ self.weights + self.shift)[:, None]

    def log_density(self, design: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n,) of outcomes (n,), relative to the highest that any design gives."""
        return -0.5 * ((y - self.terms(design) @ self.weights) / self.sd) ** 2

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n,) for means (n, 1)."""
        return mean[:, 0] + self.sd * rng.normal(size=len(mean))


@dataclass(frozen=True)
class CountOutcome:
    """A count of Poisson's law with a log-linear mean."""

    terms: Terms
    weights: np.ndarray  # (k,)
    shift: float = 0.0  # of the log of the mean of blanks

    @classmethod
    def drawn(cls, design: np.ndarray, y: np.ndarray, shift: np.ndarray | None, rng: np.random.Generator) -> Self:
        """One draw of the normal that is like the posterior at its peak, given design (n, k) and outcome (n,)."""
        terms = Terms.of(design)
        x, precision = terms(design), np.where(terms.constant, 1e-6, PRECISION)
        weights = np.linalg.lstsq(x, np.log(y + 0.5), rcond=None)[0]

        def loss(w: np.ndarray) -> float:
            eta = (x @ w).clip(-LARGEST_LOG, LARGEST_LOG)
            return float(np.exp(eta).sum() - y @ eta + precision @ w**2 / 2)

        def slopes(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            rate = np.exp((x @ w).clip(-LARGEST_LOG, LARGEST_LOG))
            return x.T @ (rate - y) + precision * w, (x.T * rate) @ x + np.diag(precision)

        weights = _draw_at_peak(weights, loss, slopes, rng)
        return cls(terms, weights, 0.0 if shift is None else float(shift[0]))

    def mean(self, design: np.ndarray) -> np.ndarray:
        """(n, 1)"""
        return np.exp((self._log_rate(design) + self.shift).clip(-LARGEST_LOG, LARGEST_LOG))[:, None]

    def log_density(self, design: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n,) of outcomes (n,), relative to the highest that any design gives."""
        log_rate = self._log_rate(design)
        return y * log_rate - np.exp(log_rate) - (xlogy(y, y) - y)

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n,) for means (n, 1)."""
        return rng.poisson(mean[:, 0]).astype(float)

    def _log_rate(self, design: np.ndarray) -> np.ndarray:
        return (self.terms(design) @ self.weights).clip(-LARGEST_LOG, LARGEST_LOG)


@dataclass(frozen=True)
class LevelOutcome:
    """Levels of a logistic or multinomial regression; the first has log-odds 0."""

    terms: Terms
    weights: np.ndarray  # (k, levels - 1)
    shift: np.ndarray | None = None  # (levels,) of the log-odds of blanks

    @classmethod
    def drawn(
        cls, design: np.ndarray, y: np.ndarray, n_levels: int, shift: np.ndarray | None, rng: np.random.Generator
    ) -> Self:
        """One draw of the normal that is like the posterior at its peak, given design (n, k) and codes (n,)."""
        terms = Terms.of(design)
        x, truth = terms(design), np.eye(n_levels)[y.astype(np.intp)][:, 1:]
        k, free = x.shape[1], n_levels - 1
        precision = np.repeat(np.where(terms.constant, 1e-3, PRECISION), free)

        def log_p(w: np.ndarray) -> np.ndarray:
            return log_softmax(np.column_stack([np.zeros(len(x)), x @ w.reshape(k, free)]), axis=1)

        def loss(w: np.ndarray) -> float:
            found = log_p(w)
            return float(-(truth * found[:, 1:]).sum() - (1 - truth.sum(1)) @ found[:, 0] + precision @ w**2 / 2)

        def slopes(w: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            p = np.exp(log_p(w)[:, 1:])
            spread = np.einsum("na,ab->nab", p, np.eye(free)) - np.einsum("na,nb->nab", p, p)
            curve = np.einsum("ni,nab,nj->iajb", x, spread, x, optimize=True).reshape(k * free, k * free)
            return (x.T @ (p - truth)).ravel() + precision * w, curve + np.diag(precision)

        weights = _draw_at_peak(np.zeros(k * free), loss, slopes, rng)
        return cls(terms, weights.reshape(k, free), shift)

    def mean(self, design: np.ndarray) -> np.ndarray:
        """(n, levels) probabilities."""
        log_p = self._log_p(design)
        return np.exp(log_p if self.shift is None else log_softmax(log_p + self.shift, axis=1))

    def log_density(self, design: np.ndarray, y: np.ndarray) -> np.ndarray:
        """(n,) log-probabilities of codes (n,)."""
        return self._log_p(design)[np.arange(len(y)), y.astype(np.intp)]

    def draw(self, mean: np.ndarray, rng: np.random.Generator) -> np.ndarray:
        """(n,) codes, for probabilities (n, levels)."""
        return sample_levels(mean, 1, rng)[0].astype(float)

    def _log_p(self, design: np.ndarray) -> np.ndarray:
        return log_softmax(np.column_stack([np.zeros(len(design)), self.terms(design) @ self.weights]), axis=1)


OutcomeModel: TypeAlias = LinearOutcome | CountOutcome | LevelOutcome


def _draw_at_peak(
    start: np.ndarray,
    loss: Callable[[np.ndarray], float],
    slopes: Callable[[np.ndarray], tuple[np.ndarray, np.ndarray]],
    rng: np.random.Generator,
) -> np.ndarray:
    """A draw (k,) of the normal about the minimum of a convex ``loss`` with its slope (k,) and curvature (k, k)."""
    w, now = start, loss(start)
    for _ in range(STEPS):
        slope, curve = slopes(w)
        step = cho_solve(cho_factor(curve), slope)
        gain = float(slope @ step)
        size = 1.0
        while loss(w - size * step) > now and size > 1e-3:
            size /= 2
        w = w - size * step
        now = loss(w)
        if gain < 1e-8:
            break
    upper, _ = cho_factor(slopes(w)[1])
    return w + solve_triangular(upper, rng.normal(size=len(w)))
