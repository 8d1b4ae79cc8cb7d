"""Two ordinary causes in one column: a cell is lost by a driver of its row, or its own residual hides it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.special import expit

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.logistic import intercept
from lacuna.types import OrdinaryMask, Table

SELF_SLOPE = 3.0  # of the log-odds that a value hides itself, per standard deviation of its residual


@runtime_checkable
class ResidualLaw(Protocol):
    """A law that knows the last t columns, the targets, given the others, which are never lost."""

    def residuals(self, values: np.ndarray) -> np.ndarray:
        """Standardised residuals (n, t) of the targets of rows (n, d); NaN where a target is."""


@dataclass(frozen=True)
class LostOrSelfHiding:
    """A target is hidden with probability 1 - (1 - q) (1 - S): q by the first column, S by its own residual."""

    law: ResidualLaw
    lost_intercept: float
    self_intercept: float

    def given_residual(self, values: np.ndarray, residual: np.ndarray) -> np.ndarray:
        """Probability that a target is hidden, given its row's values (n, d) and its residual.

        Args:
            residual: (n, ...), any residuals of targets of these rows.

        Returns:
            (n, ...)
        """
        driver = values[:, 0].reshape(-1, *[1] * (residual.ndim - 1))
        kept = expit(-(driver + self.lost_intercept))
        return 1 - kept * expit(-(SELF_SLOPE * residual + self.self_intercept))

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) probability that each cell is hidden, given true values (n, d); a NaN counts as residual 0."""
        residual = np.nan_to_num(self.law.residuals(values), nan=0.0)
        hidden = np.zeros(values.shape)
        hidden[:, -residual.shape[1] :] = self.given_residual(values, residual)
        return hidden


class LostOrSelf(Mask):
    """Targets are lost by a logistic of the first column, slope 1, or hide themselves where their residual is large.

    Each of the two causes alone has the rate 1 - sqrt(1 - ratio) over rows and targets, so that together, independent
    of each other, they hide a share ``ratio`` of the targets. Self-masking is sigmoid(3 (e - c)) of the standardised
    residual e; at ratio 0.5 and normal residuals c is near 0.65. The other columns are never lost.
    """

    def unsupported(self, table: Table) -> str | None:
        if not isinstance(table.law, ResidualLaw):
            return f"mask=lost_or_self needs the residual of each value: dataset=three_kinds, not {table.name!r}"
        return None

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        if reason := self.unsupported(table):
            raise UserError(reason)
        assert isinstance(table.law, ResidualLaw)
        residual = table.law.residuals(table.values)
        of_each = 1 - np.sqrt(1 - ratio)
        lost = intercept(table.values[:, :1], of_each)
        itself = intercept(SELF_SLOPE * residual[~np.isnan(residual)][:, None], of_each)
        law = LostOrSelfHiding(table.law, float(lost[0]), float(itself[0]))
        return OrdinaryMask(rng.random(table.values.shape) < law.hide_probability(table.values), law)
