"""The self-masked Gaussian benchmark of MissBGM, appendix C.1, and its law.

Anchors a ~ N(0, I); targets x_j | a ~ N(B_j' a + b_j, sigma_j^2), independent of each other given the anchors.
Under ``masks.self_masking`` a target is hidden where it exceeds a quantile of that very law, so that a hidden cell
follows a truncated Gaussian, known in closed form.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy.stats import norm, truncnorm

from lacuna.datasets.base import Dataset
from lacuna.laws import HidingLaw, Posterior
from lacuna.types import Column, Draws, Incomplete, Table

N_ANCHORS = 5
SLOPE_SD, INTERCEPT_SD, SIGMA_RANGE = 0.4, 0.3, (0.6, 1.2)
PUBLISHED_SEED = 123


@dataclass(frozen=True)
class AnchoredGaussian:
    """Targets given anchors; columns come anchors first."""

    slopes: np.ndarray  # (N_ANCHORS, t)
    intercepts: np.ndarray  # (t,)
    sigma: np.ndarray  # (t,)

    def given_anchors(self, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n, t) and sd (t,) of the targets of rows (n, N_ANCHORS + t)."""
        return values[:, :N_ANCHORS] @ self.slopes + self.intercepts, self.sigma

    def under(self, mechanism: HidingLaw | None) -> TruncatedAbove | None:
        """The posterior under self-masking; None under any other mask."""
        # by what it offers, not by class: a data set does not import masks
        threshold = getattr(mechanism, "threshold", None)
        return None if threshold is None else TruncatedAbove(self, threshold)


@dataclass(frozen=True)
class TruncatedAbove:
    """Hidden targets: the Gaussian cut off below ``threshold`` standard deviations (equations 65 and 66)."""

    law: AnchoredGaussian
    threshold: float

    def posterior(
        self, rows: Incomplete, draws: int = 0, rng: np.random.Generator | None = None, alpha: float = 0.05
    ) -> Posterior:
        """See ``laws.HiddenLaw``.

        Raises:
            ValueError: an anchor is hidden, or draws were asked for without a generator.
        """
        if rows.hidden[:, :N_ANCHORS].any():
            raise ValueError("the law of mnar_oracle needs every anchor to be observed")
        cells = np.argwhere(rows.hidden)
        mean, sigma = self.law.given_anchors(rows.values)
        location, scale = mean[cells[:, 0], cells[:, 1] - N_ANCHORS], sigma[cells[:, 1] - N_ANCHORS]
        standard = truncnorm(self.threshold, np.inf)
        lower, upper = (location + scale * q for q in standard.ppf([alpha / 2, 1 - alpha / 2]))
        samples = None
        if draws:
            if rng is None:
                raise ValueError("draws need a random generator")
            tail = norm.sf(self.threshold) * rng.random((draws, len(cells)))
            samples = (location + scale * norm.isf(tail)).astype(np.float32)
        regular = Draws(cells, location + scale * standard.mean(), scale * standard.std(), lower, upper, alpha, samples)
        return Posterior(np.zeros(len(cells)), np.zeros((len(cells), 1)), regular)


class MNAROracle(Dataset):
    """``n`` rows of 5 anchors and ``p - 5`` targets, on the raw scale.

    Args:
        published: False: fresh parameters and rows from the data set's own random stream. True: those behind the
            paper's tables, whatever the seed: one draw of ``default_rng(123)`` in float32, which depends on n and p.
    """

    description = "the self-masked Gaussian benchmark (MissBGM, C.1), the published draw"

    def __init__(self, n: int = 5_000, p: int = 50, published: bool = False) -> None:
        if n < 1 or p <= N_ANCHORS:
            raise ValueError(f"n must be at least 1 and p at least {N_ANCHORS + 1}, got n={n} and p={p}")
        self.n, self.p, self.published = n, p, published
        self.seeded = not published

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        dtype: Any = np.float32 if self.published else np.float64
        if self.published:
            rng = np.random.default_rng(PUBLISHED_SEED)
        n_targets = self.p - N_ANCHORS
        anchors = rng.normal(size=(self.n, N_ANCHORS)).astype(dtype)
        law = AnchoredGaussian(
            rng.normal(scale=SLOPE_SD, size=(N_ANCHORS, n_targets)).astype(dtype),
            rng.normal(scale=INTERCEPT_SD, size=n_targets).astype(dtype),
            rng.uniform(*SIGMA_RANGE, n_targets).astype(dtype),
        )
        mean, sigma = law.given_anchors(anchors)
        targets = mean + sigma * rng.normal(size=mean.shape).astype(dtype)
        values = np.concatenate([anchors, targets], axis=1).astype(np.float64)
        names = [f"anchor{i + 1}" for i in range(N_ANCHORS)] + [f"target{i + 1}" for i in range(n_targets)]
        columns = tuple(map(Column, names))
        return Table("mnar_oracle", columns, values, np.zeros(values.shape, bool), law=law)
