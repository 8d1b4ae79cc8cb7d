"""Self-masking by quantile (MissBGM, equation 64): a cell is hidden where it is large given its row's anchors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol, runtime_checkable

import numpy as np
from scipy.stats import norm

from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.types import OrdinaryMask, Table


@runtime_checkable
class AnchoredLaw(Protocol):
    """A law that knows the last t columns given the others, the anchors."""

    def given_anchors(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n, t) and sd (t,) of the last t columns, for rows (n, d)."""


@dataclass(frozen=True)
class SelfHiding:
    """A target is hidden where it lies more than ``threshold`` sds above its mean given the anchors."""

    law: AnchoredLaw
    threshold: float

    def hide_probability(self, values: np.ndarray) -> np.ndarray:
        """(n, d) 0 or 1, given the true values (n, d)."""
        mean, sigma = self.law.given_anchors(values)
        hidden = np.zeros(values.shape)
        hidden[:, -mean.shape[1] :] = values[:, -mean.shape[1] :] > mean + sigma * self.threshold
        return hidden


class SelfMasking(Mask):
    """Each target is hidden exactly where it exceeds its (1 - ratio) quantile given the anchors.

    Nothing is random. Anchors are always seen, so that ``ratio`` is the expected rate in each target column.
    """

    label = "self-masked"
    seeded = False

    def unsupported(self, table: Table) -> str | None:
        if not isinstance(table.law, AnchoredLaw):
            return f"mask=self needs the law of each value given its row: dataset=mnar_oracle, not {table.name!r}"
        return None

    def draw(self, table: Table, ratio: float, rng: np.random.Generator) -> OrdinaryMask:
        if reason := self.unsupported(table):
            raise UserError(reason)
        assert isinstance(table.law, AnchoredLaw)
        law = SelfHiding(table.law, float(norm.isf(ratio)))
        return OrdinaryMask(law.hide_probability(table.values).astype(bool), law)
