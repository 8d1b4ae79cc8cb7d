"""Self-masking by quantile on any table: a number is hidden where it is large for its row."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.detection_limit import why_no_limit
from lacuna.masks.logistic import n_driving, standardised
from lacuna.numerics.moments import column_moments
from lacuna.numerics.ridge import Ridge
from lacuna.types import OrdinaryMask, Table, where


@dataclass(frozen=True)
class ThresholdHiding:
    """A target is hidden where it lies more than ``limits`` above its regression on the other columns."""

    mean: np.ndarray  # (d,)
    sd: np.ndarray  # (d,)
    targets: np.ndarray  # (t,) int
    weights: np.ndarray  # (d, t) on standard scores; 0 for targets
    limits: np.ndarray  # (t,) in sds

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """(n, t) of rows (n, d), in sds of the columns; NaN where a target is."""
        expected = standardised(values, self.mean, self.sd) @ self.weights
        own = (values[:, self.targets] - self.mean[self.targets]) / self.sd[self.targets]
        return own - expected

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) 0 or 1, given true values (n, d); 0 where a value is NaN."""
        hidden = np.zeros(values.shape)
        hidden[:, self.targets] = self.residuals(values) > self.limits
        return hidden


class SelfThreshold(Mask):
    """A random half of the numeric columns hides its largest values given the others, a share ``ratio`` of them.

    As ``mask=self`` (MissBGM, equation 64), with a ridge regression on the columns that are never hidden in place of
    the law. Nothing is random but which columns hide themselves. Where residuals are tied, all or none of the tied are
    hidden, whichever comes nearer to ``ratio``.

    Args:
        hiding_share: share of the numeric columns that hide themselves (rounded down, at least one).
    """

    label = "self-masked by a threshold"
    equal_rates = False

    def __init__(self, hiding_share: float = 0.5) -> None:
        if not 0 < hiding_share <= 1:
            raise ValueError(f"hiding_share must lie in (0, 1], got {hiding_share}")
        self.hiding_share = hiding_share

    def unsupported(self, table: Table) -> str | None:
        return why_no_limit(table)

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        if reason := self.unsupported(table):
            raise UserError(reason)
        numeric = np.flatnonzero(where(table.columns, discrete=False))
        targets = np.sort(rng.permutation(numeric)[: n_driving(len(numeric), self.hiding_share)])
        anchors = np.setdiff1d(np.arange(len(table.columns)), targets)
        mean, sd = column_moments(table.values)
        standard = standardised(table.values, mean, sd)
        weights = np.zeros((len(table.columns), len(targets)))
        for k, j in enumerate(targets) if len(anchors) else ():
            known = ~np.isnan(table.values[:, j])
            weights[anchors, k] = Ridge.fit(standard[known][:, anchors], standard[known, j]).weights
        law = ThresholdHiding(mean, sd, targets, weights, np.zeros(len(targets)))
        limits = np.array([_limit(column[~np.isnan(column)], ratio) for column in law.residuals(table.values).T])
        law = ThresholdHiding(mean, sd, targets, weights, limits)
        return OrdinaryMask(law.hide_probability(table.values).astype(bool), law)


def _limit(residuals: np.ndarray, ratio: float) -> float:
    """The value above which the share of ``residuals`` (n,) is nearest to ``ratio``; inf where there is none."""
    if not len(residuals):
        return np.inf
    distinct, counts = np.unique(residuals, return_counts=True)
    above = 1 - counts.cumsum() / len(residuals)
    return float(distinct[np.abs(above - ratio).argmin()])
