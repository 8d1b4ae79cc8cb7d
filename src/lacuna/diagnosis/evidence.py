"""The evidence on one column's blanks, and the sentence that each cause gets."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from lacuna.diagnosis.association import Associations
from lacuna.diagnosis.reading import Cells
from lacuna.diagnosis.rules import Rule
from lacuna.diagnosis.shape import Shape

LEVEL = 0.05
NAMED = 3  # columns that a sentence names; the rest are counted
FEWEST_IN_GROUP = 10
MATERIAL = 0.1  # share of a column's blanks that a rule has to account for to suggest the column


@dataclass(frozen=True)
class Evidence:
    """Of one column with blanks."""

    column: int
    rules: list[Rule]
    rest: np.ndarray  # (n,) bool: rows in which no rule holds, on which the associations rest
    values: Associations  # with values of the other columns
    blanks: Associations  # with blanks of the other columns
    shape: Shape | None

    @property
    def suggested(self) -> bool:
        """Whether a rule accounts for enough of the blanks to make the column a candidate."""
        return bool(self.rules) and self.rules[0].coverage >= MATERIAL

    def all_by_rule(self, cells: Cells) -> bool:
        """Whether no blank is left besides those of the rules."""
        return not cells.blank[self.rest, self.column].any()

    def sentences(
        self, cells: Cells, drivers: dict[int, set[int]], candidates: list[int], references: list[int]
    ) -> dict[str, str]:
        """One sentence or a few for each cause.

        Args:
            drivers: by column with blanks, the columns whose values go with them.
            candidates: the columns that may hold meaningful blanks.
            references: other columns, for which no rule was found.
        """
        return {
            "lost at random": self._lost_at_random(cells),
            "lost together": self._lost_together(cells, drivers),
            "hides itself": self._hides_itself(cells),
            "meaningful": self._meaningful(cells, candidates, references),
        }

    def _lost_at_random(self, cells: Cells) -> str:
        if self.all_by_rule(cells):
            return "The rule below accounts for every blank."
        apart = "Apart from the rule below, the" if self.rules else "The"
        if self.values.p_value is None:
            return f"{apart} blanks cannot be compared with values: no other column has enough of them."
        if self.values.p_value > LEVEL:
            return (
                f"{apart} blanks go with no observed value of the other {len(self.values.columns)} columns "
                f"({p_text(self.values.p_value)}): as far as these can tell, they are lost completely at random."
            )
        found = significant(self.values)
        first = found[0]
        others = [cells.names[k] for k in found[1:NAMED]]
        more = f" and of {listed(others, len(found) - 1 - len(others))}" if others else ""
        return (
            f"{apart} blanks go with the values of {cells.names[first]} ({p_text(self.values.p_value)}: "
            f"{contrast(cells, self.column, first, self.rest)}){more}. Blanks that are lost are then at best lost at "
            "random given these columns, not completely at random."
        )

    def _lost_together(self, cells: Cells, drivers: dict[int, set[int]]) -> str:
        if self.all_by_rule(cells):
            return "The rule below accounts for every blank."
        if self.blanks.p_value is None:
            return "No other column has blanks."
        if self.blanks.p_value > LEVEL:
            return f"Its blanks do not go with those of other columns ({p_text(self.blanks.p_value)})."
        found = significant(self.blanks)
        blank = cells.blank[self.rest]
        own = blank[:, self.column]
        parts = []
        for k in found[:NAMED]:
            there = blank[:, k]
            if np.array_equal(own, there):
                parts.append(f"exactly where {cells.names[k]} is")
            else:
                parts.append(
                    f"in {own[there].mean():.0%} of the rows in which {cells.names[k]} is blank, "
                    f"in {own[~there].mean():.0%} of the others"
                )
        rest = f"; likewise for {len(found) - NAMED} more" if len(found) > NAMED else ""
        common = drivers.get(self.column, set()) & drivers.get(found[0], set())
        shared = f" Values of {cells.names[min(common)]} go with both, which may explain a part." if common else ""
        return f"Blank {'; '.join(parts)}{rest} ({p_text(self.blanks.p_value)}).{shared}"

    def _hides_itself(self, cells: Cells) -> str:
        if self.all_by_rule(cells):
            return "The rule below accounts for every blank; none is left for its value to explain."
        if cells.codings[self.column] is None:
            return "Not identified; its values are not looked at."
        if self.shape is None:
            return "Not identified: whether some values are left out more than others cannot be seen from the rest."
        shape, shown = self.shape, lambda value: cells.rounded(self.column, value)
        text = (
            f"Not identified; it only might. The mean of the observed values is {shown(shape.mean)}; with every blank "
            f"at their 5% quantile it would be {shown(shape.mean_if_low)}, at their 95% quantile "
            f"{shown(shape.mean_if_high)}."
        )
        ends = [shown(end) for end in (shape.sharp_low, shape.sharp_high) if end is not None]
        if ends:
            text += (
                f" Observed values end sharply at {' and '.join(ends)}, as with a limit of detection or reporting, "
                "and as with a population that ends there."
            )
        return text

    def _meaningful(self, cells: Cells, candidates: list[int], references: list[int]) -> str:
        if self.rules:
            first = self.rules[0]
            others = [rule.condition for rule in self.rules[1:NAMED]]
            also = f" The same holds where {', or where '.join(others)}." if others else ""
            elsewhere = "nowhere else" if first.elsewhere == 0 else f"in {first.elsewhere:.1%} of the other rows"
            text = (
                f"Blank without exception where {first.condition} ({first.rows.sum():,} rows, {first.coverage:.0%} of "
                f"the blanks), and {elsewhere}.{also} It looks structurally missing (not applicable) there, unless it "
                "is always lost there."
            )
            if self.suggested and self.column not in candidates:
                text += " Consider it for mm_candidates."
        elif self.values.p_value is not None and self.values.p_value <= LEVEL:
            text = (
                "Not identified: no exact rule was found, and blanks that go with values can be meaningful or lost. "
                "Columns that are never blank by meaning, and lose cells in the same way, can tell (method selective)."
            )
        else:
            text = (
                "Nothing points to it: no exact rule was found, and no observed value goes with the blanks. "
                "A meaning that depends on nothing recorded would leave no trace."
            )
        if self.column in candidates:
            text += self._as_candidate(cells, candidates, references)
        return text

    def _as_candidate(self, cells: Cells, candidates: list[int], references: list[int]) -> str:
        """What being one of the candidates adds."""
        text = ""
        if references:
            rates, rate = cells.blank[:, references].mean(0), cells.blank[:, self.column].mean()
            text += f" Columns outside mm_candidates are blank in {rates.min():.1%} to {rates.max():.1%} of the rows"
            text += ": the higher rate here alone shows nothing." if rate > rates.max() else "."
        partners = []
        if self.blanks.p_value is not None and self.blanks.p_value <= LEVEL:
            strong = self.blanks.columns[self.blanks.strength >= self.blanks.strength.max() / 2].tolist()
            own, blank = cells.blank[self.rest, self.column], cells.blank[self.rest]
            more_often = [k for k in strong if own[blank[:, k]].mean() > own.mean()]
            partners = [k for k in significant(self.blanks) if k in more_often]
        if partners and set(partners) <= set(candidates):
            names = listed([cells.names[k] for k in partners[:NAMED]], max(0, len(partners) - NAMED))
            text += (
                f" Its blanks go with those of {names}, of mm_candidates alone: whether these are lost together or "
                "mean something together cannot be told."
            )
        return text


def significant(found: Associations) -> list[int]:
    """The columns whose adjusted p-value is at most 5%, the strongest first."""
    order = np.lexsort((-found.strength, found.adjusted))
    return [int(found.columns[i]) for i in order if found.adjusted[i] <= LEVEL]


def p_text(p: float) -> str:
    """
    >>> p_text(0.0), p_text(0.001), p_text(0.2345)
    ('p < 0.001', 'p = 0.001', 'p = 0.23')
    """
    if p < 0.0005:
        return "p < 0.001"
    return f"p = {p:.3f}" if p < 0.1 else f"p = {p:.2f}"


def listed(names: list[str], n_more: int) -> str:
    """
    >>> listed(["age", "job"], 2), listed(["age", "job"], 0)
    ('age, job and 2 more', 'age and job')
    """
    if n_more:
        return f"{', '.join(names)} and {n_more} more"
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


def contrast(cells: Cells, column: int, driver: int, rows: np.ndarray) -> str:
    """Where the column is blank most and least often, by levels or fifths of the driver, in words."""
    values, blank = cells.values[rows, driver], cells.blank[rows, column]
    observed = ~np.isnan(values)
    values, blank = values[observed], blank[observed]
    if cells.discrete[driver]:
        group = values.astype(int)
        names = [f"= {cells.shown(driver, code)}" for code in range(int(values.max()) + 1)]
    else:
        cuts = np.unique(np.quantile(values, [0.2, 0.4, 0.6, 0.8], method="closest_observation"))
        group = np.searchsorted(cuts, values)
        ends = [values[group == g] for g in range(len(cuts) + 1)]
        shown = [(cells.shown(driver, v.min()), cells.shown(driver, v.max())) if len(v) else ("", "") for v in ends]
        names = [low if low == high else f"{low} to {high}" for low, high in shown]
    n = np.bincount(group, minlength=len(names))
    rate = np.where(n >= FEWEST_IN_GROUP, np.bincount(group, blank, len(names)) / np.maximum(n, 1), np.nan)
    if np.isnan(rate).all():
        return "too few rows to show"
    most, least = int(np.nanargmax(rate)), int(np.nanargmin(rate))
    name = cells.names[driver]
    return (
        f"blank in {rate[most]:.0%} of the rows with {name} {names[most]}, "
        f"in {rate[least]:.0%} of those with {name} {names[least]}"
    )
