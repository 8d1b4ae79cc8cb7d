"""Are a column's blanks explained by the observation process alone? In numbers, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

from lacuna.methods.selective.references import FEWEST, References

LEVEL = 0.05
NAMED = 3  # columns in a sentence


@dataclass(frozen=True)
class ColumnDiagnosis:
    """What the blanks of one candidate column say. Verdict, rate, interval and kept blanks are of one posterior."""

    name: str
    blank_rate: float
    ordinary_rate: float  # of it, by the observation process
    meaningful_rate: float  # share of all rows whose cell is meaningfully missing
    meaningful_low: float  # 95% interval
    meaningful_high: float
    probability: float  # that the column has meaningful blanks at all
    p_value: float | None  # of the tests below: the pattern's, or of both where the rate is given
    p_rate: float | None  # that the column's rate is one of those that the references show
    p_pattern: float | None  # that where blanks are has nothing to do with values, beyond what drives ordinary ones
    identified: bool  # False: there is no rate to compare with, and meaningful_rate is a lower bound
    rate_alone: bool  # blank more often than references, and nothing else tells

    @property
    def explained(self) -> bool | None:
        """Whether ordinary blanks are explanation enough; None where their rate is not identified."""
        return self.probability <= 0.5 if self.identified else None

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the verdict in words."""
        values = asdict(self)
        del values["name"]
        return values | {"explained_by_ordinary_rate": self.explained, "verdict": self.verdict}

    @property
    def verdict(self) -> str:
        """One sentence."""
        blank = f"{self.blank_rate:.1%} of {self.name} is blank"
        if not self.identified:
            return (
                f"{blank}; the ordinary rate is not identified: lower bound, {self.meaningful_low:.1%} of the rows "
                f"are meaningfully missing if ordinary blanks fall on all rows alike"
            )
        if self.rate_alone:
            return f"{blank}; what is meaningful is not identified: the rate alone speaks for it, and nothing is kept"
        shares = f"{blank}, {self.ordinary_rate:.1%} by the ordinary rate"
        p = "no test" if self.p_value is None else f"p {_p(self.p_value)}"
        if self.explained:
            return f"{shares}: that explains the blanks ({p}); few, if any, are meaningful"
        return (
            f"{shares}; {self.meaningful_rate:.1%} of the rows are meaningfully missing "
            f"(95% interval {self.meaningful_low:.1%} to {self.meaningful_high:.1%}, {p})"
        )


def _p(value: float) -> str:
    return "< 0.01" if value < 1e-2 else f"= {value:.2f}"


@dataclass(frozen=True)
class Together:
    """Columns that are blank in the same rows as one candidate."""

    name: str
    references: tuple[str, ...]
    candidates: tuple[str, ...]  # of which nothing tells whether they are lost or meant together


def warnings_for(
    references: References,
    given: bool,
    drivers: Sequence[tuple[str, float]],
    together: Sequence[Together],
    columns: Sequence[ColumnDiagnosis],
) -> list[str]:
    """Where an assumption is in doubt, and what to do.

    Args:
        given: whether the user has said how often cells are lost.
        drivers: columns whose values move ordinary blanks, with their own blank rates.
    """
    found: list[str] = []
    if not columns or given:
        return found
    if references.mean is None:
        found.append(
            "no column is without meaningful missingness, so the ordinary rate is not identified: blanks count as "
            "ordinary as far as they can; give the rate (method.ordinary=0.1) or leave a column out of mm_candidates"
        )
    elif references.mean == 0:
        found.append(
            "columns outside mm_candidates have no blanks: where values tell the blanks of a column apart, every blank "
            "counts as meaningful; give the rate (method.ordinary=0.1) if some are not"
        )
    for name, rate in drivers:
        where = f", which is blank itself in {rate:.1%} of the rows" if rate else ""
        found.append(
            f"ordinary blanks depend on {name}{where}: the ordinary rate of each candidate column is fitted by "
            "row, which is less certain than one common rate"
        )
    for group in together:
        if group.references:
            found.append(
                f"blanks of {group.name} go with those of {_listed(group.references)}, outside mm_candidates: what "
                "they share counts as lost together"
            )
        if group.candidates:
            found.append(
                f"blanks of {group.name} go with those of {_listed(group.candidates)}, of mm_candidates: whether they "
                "are lost together or meaningful together is not identified, and none is kept blank on that"
            )
    for column in columns:
        if column.rate_alone:
            found.append(_rate_alone(column, references))
        elif column.p_rate is not None and column.p_rate > 1 - LEVEL / 2 and references.mean:
            found.append(f"{column.name} is blank less often than the common ordinary rate of {references.mean:.1%}")
    return found


def _rate_alone(column: ColumnDiagnosis, references: References) -> str:
    rates, rate = references.rates, references.mean or 0.0
    others = f"{rates.min():.1%} to {rates.max():.1%}" if len(rates) else "none"
    if len(rates) and len(rates) < FEWEST:
        others += f", too few ({len(rates)}) to show how far rates differ,"
    elif len(rates) and not references.agree:
        others += ", which is no common rate,"
    excess = max(column.blank_rate - rate, 0.0) / (1 - rate)
    return (
        f"{column.name} is blank in {column.blank_rate:.1%} of the rows, columns outside mm_candidates in {others}: "
        f"either it is lost more often, or about {excess:.1%} of the rows are meaningful; the rate alone cannot tell, "
        "and no blank is kept on it (method.ordinary=common or a rate says that rates are equal)"
    )


def _listed(names: Sequence[str]) -> str:
    more = len(names) - NAMED
    return ", ".join(names[:NAMED]) + (f" and {more} more" if more > 0 else "")
