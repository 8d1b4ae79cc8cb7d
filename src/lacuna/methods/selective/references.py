"""The rate of ordinary blanks as columns show it that hold no others, and how far another column may lie from it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logit, logsumexp
from scipy.stats import halfcauchy, norm

COMMON_SPREAD = 0.05  # sd between columns, in log-odds, where there is one common rate
SPREADS = np.r_[COMMON_SPREAD, np.geomspace(0.02, 5.0, 40)]  # that are weighed; the first as likely as all others
SPREAD_SCALE = 0.5  # of the half-Cauchy prior of the spread
FEWEST = 3  # columns that can say how far rates lie apart
WIDE_SPREAD = 0.5  # log-odds: columns with 10% and 16% of blanks are so far apart
OUTLYING = 3.0  # robust standard scores beyond which a column's rate is no example


@dataclass(frozen=True)
class RatePrior:
    """What is known of the log-odds of another column's rate: a mixture of normals, one for each spread."""

    masses: np.ndarray  # (s,) sum 1
    means: np.ndarray  # (s,)
    sds: np.ndarray  # (s,)

    @classmethod
    def of(cls, rates: np.ndarray, n: int) -> Self:
        """From rates (k,) of k columns of n cells, k at least 1; the mean of the columns' log-odds has a flat prior."""
        rates = np.clip(rates, 0.5 / n, 1 - 0.5 / n)
        log_odds, variance = logit(rates), 1 / (n * rates * (1 - rates))
        total = SPREADS[:, None] ** 2 + variance  # (s, k)
        precision = (1 / total).sum(1)
        means = (log_odds / total).sum(1) / precision
        fit = norm.logpdf(log_odds, means[:, None], np.sqrt(total)).sum(1) - np.log(precision) / 2
        # the grid is even in log spread
        log_prior = halfcauchy.logpdf(SPREADS, scale=SPREAD_SCALE) + np.log(SPREADS)
        log_prior[0] = logsumexp(log_prior[1:])
        log_mass = fit + log_prior
        masses = np.exp(log_mass - logsumexp(log_mass))
        if masses[0] > 0.5:  # they agree within their sampling error
            masses = np.eye(1, len(SPREADS))[0]
        return cls(masses, means, np.sqrt(SPREADS**2 + 1 / precision))

    @property
    def mean(self) -> float:
        """Log-odds."""
        return float(self.masses @ self.means)

    @property
    def spread(self) -> float:
        """The median sd between columns, in log-odds."""
        order = np.argsort(SPREADS)
        return float(SPREADS[order][np.searchsorted(self.masses[order].cumsum(), 0.5)])

    def log_density(self, log_odds: float) -> tuple[float, float]:
        """And its slope."""
        parts = np.log(np.maximum(self.masses, 1e-300)) + norm.logpdf(log_odds, self.means, self.sds)
        total = logsumexp(parts)
        return float(total), float(np.exp(parts - total) @ ((self.means - log_odds) / self.sds**2))


@dataclass(frozen=True)
class References:
    """The columns that cannot be meaningful, as far as they are examples of the process."""

    columns: np.ndarray  # (k,) int: those with blanks, unless none has; without such as lie apart or drive blanks
    rates: np.ndarray  # (k,)
    prior: RatePrior | None  # None: there are none

    @classmethod
    def of(cls, hidden: np.ndarray, candidates: np.ndarray, drivers: tuple[int, ...]) -> Self:
        """From blanks (n, d), candidate columns (d,) and columns whose values move blanks."""
        n = len(hidden)
        rates = hidden.mean(0)
        columns = np.flatnonzero(~candidates & (rates > 0))
        if apart := set(columns) - set(drivers):
            columns = np.array(sorted(apart))
        if len(columns) > FEWEST:
            log_odds = logit(np.clip(rates[columns], 0.5 / n, 1 - 0.5 / n))
            from_median = np.abs(log_odds - np.median(log_odds))
            scale = 1.4826 * np.median(from_median) + 2 / np.sqrt(n * np.median(rates[columns]))
            columns = columns[from_median <= OUTLYING * scale]
        if not len(columns):
            columns = np.flatnonzero(~candidates)
        prior = RatePrior.of(rates[columns], n) if len(columns) else None
        return cls(columns, rates[columns], prior)

    @property
    def mean(self) -> float | None:
        """The common rate; None: nothing shows it."""
        return None if self.prior is None else float(self.rates.mean())

    @property
    def agree(self) -> bool:
        """Whether they tell the rate of another column: several that lie near each other, or two that are as one."""
        if self.prior is None or len(self.columns) < 2:
            return False
        return self.prior.spread < (WIDE_SPREAD if len(self.columns) >= FEWEST else 2 * COMMON_SPREAD)
