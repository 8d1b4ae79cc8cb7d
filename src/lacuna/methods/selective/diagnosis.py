"""Are a column's blanks explained by the observation process alone? In numbers, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Self

import numpy as np
from scipy.stats import norm


from lacuna.types import Incomplete

LEVEL = 0.05
WIDE_SPREAD = 0.5  # log-odds: columns with 10% and 16% of blanks are so far apart


@dataclass(frozen=True)
class ColumnDiagnosis:
    """What the blanks of one candidate column say."""

    name: str
    blank_rate: float
    ordinary_rate: float  # of it, by the observation process
    meaningful_rate: float  # share of all rows whose cell is meaningfully missing
    meaningful_low: float  # 95% interval
    meaningful_high: float
    p_value: float | None  # that the ordinary rate alone explains the blanks: of the two tests below, combined
    p_rate: float | None  # that there are no more blanks than the ordinary rate accounts for
    p_pattern: float | None  # that where they are has nothing to do with the rest of the row, beyond that rate
    identified: bool  # False: there is no rate to test, and meaningful_rate is a lower bound

    @property
    def explained(self) -> bool | None:
        """Whether the ordinary rate is explanation enough; None where that rate is not identified."""
        return None if self.p_value is None else self.p_value > LEVEL

    @classmethod
    def of(
        cls,
        name: str,
        hidden: np.ndarray,
        ordinary: np.ndarray,
        meaning: np.ndarray,
        process: Any,
    ) -> Self:
        """Compare blanks (n,) with the probability (n,) of an ordinary one.

        Args:
            meaning: (n,) P(meaningful | rest of the row), out of fold and not calibrated: calibration has seen the row.
        """
        n = len(hidden)
        excess = hidden - ordinary
        variance = ordinary * (1 - ordinary)
        # what is not known of the common rate itself
        rate_variance, reference = 0.0, process.reference
        if reference.mean is not None and not process.given:
            spread = reference.spread * variance.mean()
            rate_variance = variance.mean() / reference.n_cells + spread**2
        share = excess / (1 - ordinary)
        slope = ((1 - hidden) / (1 - ordinary) ** 2).mean()
        margin = norm.ppf(0.975) * np.sqrt(share.var() / n + slope**2 * rate_variance)
        p_rate = _upper_tail(excess.mean(), variance.mean() / n + rate_variance)
        # A row's probability was learned without it, so that under no dependence it says nothing about the row:
        # score test of that probability against its mean.
        level = 1 - (1 - ordinary) * (1 - np.clip(share.mean(), 0.0, 0.99))
        pattern = (1 - ordinary) * (meaning - meaning.mean()) / np.maximum(level * (1 - level), 1e-9)
        p_pattern = _upper_tail(pattern @ (hidden - level), (level * (1 - level)) @ pattern**2)
        rate = float(np.clip(share.mean(), 0.0, 1.0))
        low, high = max(0.0, rate - float(margin)), min(1.0, rate + float(margin))
        rates = name, float(hidden.mean()), float(ordinary.mean()), rate
        if not process.identified:
            return cls(*rates, low, float(hidden.mean()), None, None, None, False)
        return cls(*rates, low, high, min(1.0, 2 * min(p_rate, p_pattern)), p_rate, p_pattern, True)

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the verdict in words."""
        values = asdict(self)
        del values["name"]
        return values | {"explained_by_ordinary_rate": self.explained, "verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """One sentence."""
        blank = f"{self.blank_rate:.1%} of {self.name} is blank"
        if self.p_value is None:
            return (
                f"{blank}; the ordinary rate is not identified: lower bound, {self.meaningful_low:.1%} of the rows "
                f"are meaningfully missing if ordinary blanks fall on all rows alike"
            )
        shares = f"{blank}, {self.ordinary_rate:.1%} by the ordinary rate"
        if self.explained:
            return f"{shares}: that explains the blanks (p = {self.p_value:.2f}); few, if any, are meaningful"
        return (
            f"{shares}; {self.meaningful_rate:.1%} of the rows are meaningfully missing "
            f"(95% interval {self.meaningful_low:.1%} to {self.meaningful_high:.1%}, p {_p(self.p_value)})"
        )


def _upper_tail(statistic: float, variance: float) -> float:
    """P-value of a statistic that is normal around 0 where nothing is going on."""
    return float(norm.sf(statistic / np.sqrt(variance))) if variance > 0 else float(statistic <= 0)


def _p(value: float) -> str:
    return "< 0.001" if value < 1e-3 else f"= {value:.3f}"


def warnings_for(train: Incomplete, process: Any, columns: Sequence[ColumnDiagnosis]) -> list[str]:
    """Where an assumption is in doubt, and what to do."""
    names = [c.name for c in train.columns]
    reference = process.reference
    found: list[str] = []
    if not columns or process.given:
        return found
    if reference.mean is None:
        found.append(
            "no column is without meaningful missingness, so the ordinary rate is not identified: blanks count as "
            "ordinary as far as they can; give the rate (method.ordinary=0.1) or leave a column out of mm_candidates"
        )
    elif reference.mean == 0:
        found.append(
            "columns outside mm_candidates have no blanks, so every blank counts as meaningful; give the rate "
            "(method.ordinary=0.1) if some are not"
        )
    elif reference.spread > WIDE_SPREAD:
        found.append(
            f"columns outside mm_candidates are blank at rates from {reference.lowest:.1%} to "
            f"{reference.highest:.1%}: there is no common rate, and what is meaningful rests on the pattern alone"
        )
    for k in process.drivers:
        blank = train.hidden[:, k].mean()
        where = f", which is blank itself in {blank:.1%} of the rows" if blank else ""
        found.append(
            f"ordinary blanks depend on {names[k]}{where}: the ordinary rate of each candidate column is fitted by "
            "row, which is less certain than one common rate"
        )
    return found + [
        f"{column.name} is blank less often than the common ordinary rate of {reference.mean:.1%}"
        for column in columns
        if reference.mean
        and column.blank_rate < reference.mean
        and column.p_rate is not None
        and column.p_rate > 1 - LEVEL / 2
    ]
