"""Do a column's blanks depend on what they hide? In numbers, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import chi2

from lacuna.methods.selection.blanks import Evidence, Form, Thresholded, Tilted
from lacuna.methods.selection.likelihood import Selected, pooled
from lacuna.methods.selection.tilting import shrink

SLOPES_LEVEL = 0.1  # of the level, for each of the two tests of slopes
SLACK, ALONE = 6.0, 5.0  # log likelihood: odds of 400 and 150


@dataclass(frozen=True)
class Verdict:
    """Of one column; ``slope`` is per sd of its observed values."""

    name: str
    evidence: Evidence
    form: Form = "none"
    slope: float = 0.0
    slope_error: float = 0.0
    shares: np.ndarray = field(default_factory=lambda: np.empty(0))  # (g,) posterior of the thresholds of this form
    sought: bool = True  # False: not asked

    def as_dict(self) -> dict[str, Any]:
        """Plain values, with the verdict in words."""
        found = self.evidence
        n_seen, n_blank = len(found.cells.values), float(found.cells.counts.sum())
        values: dict[str, Any] = {"blank_rate": n_blank / (n_seen + n_blank), "selection": self.form}
        if self.form in ("residual", "value"):
            values |= {"k": self.model.k, "threshold": self.model.threshold}
        if found.by_residual:
            values |= {"likelihood_ratio": found.ratio, "p_value": found.p_value}
        if found.slope is not None:
            values |= {"slope": self.slope, "slope_p_value": float(chi2.sf(found.slope.ratio, 1))}
        return values | {"verdict": f"{values['blank_rate']:.1%} of {self.name} is blank{self._words}"}

    @property
    def model(self) -> Selected:
        """The likeliest threshold, where there is one."""
        return self.evidence.models(self.form)[int(self.shares.argmax())]

    @property
    def direction(self) -> float:
        """Above 0 where blanks are larger than they would be unselected, below 0 where smaller."""
        return self.model.k if self.form in ("residual", "value") else self.slope

    def blanks(self, width: float = 1.0) -> Tilted | Thresholded:
        """What the blanks hide; ``width``: ratio of their spread to that of observed cells."""
        return self.evidence.blanks(self.form, self.shares, self.slope, self.slope_error, width)

    @property
    def _words(self) -> str:
        found = self.evidence
        if not self.sought:
            return "; whether blanks depend on what they hide was not asked: imputed as if they do not"
        if found.slope is None:
            return ": too few cells to say whether blanks depend on what they hide; imputed as if they do not"
        if self.form in ("residual", "value"):
            side = "large" if self.model.k > 0 else "small"
            what = "given the rest of the row " if self.form == "residual" else ""
            return (
                f", {side} values {what}above all: sigmoid({self.model.k:.1f} (e - {self.model.threshold:.2f})), "
                f"likelihood ratio {found.ratio:.1f} against no selection (p {_p(found.p_value)})"
            )
        if self.form == "slope":
            side = "larger" if self.slope > 0 else "smaller"
            return f", {side} values more often: log-odds change by {self.slope:+.2f} per standard deviation"
        if found.p_value < 0.05:
            return (
                f"; residuals are skewed (p {_p(found.p_value)}), but selection does not explain that better than "
                "skewness does; imputed as if blanks do not depend on what they hide"
            )
        p_value = found.p_value if found.by_residual else float(chi2.sf(found.slope.ratio, 1))
        return f"; nothing says that blanks depend on what they hide (p = {p_value:.2f}): imputed as if they do not"


def decide(evidence: Sequence[Evidence], level: float) -> list[Form]:
    """The form of each column, before any blank was filled.

    Thresholds are found at the false discovery rate ``level``. A skewed residual without selection is their rival: it
    has to lose over the table, of whose columns each says little, or else in the column itself, by more the more
    columns there are. Where it loses over the table, a column that speaks for it is taken for noise up to ``SLACK``,
    and beyond that up to what its middle column says against it: such ratios scatter as widely as they are large
    (Vuong 1989). Columns without a threshold have slopes, all or none of them: whether those are 0 on average,
    and whether they are alike, is tested at a tenth of ``level`` each, since they are all or none.
    """
    discovered = discoveries(np.array([found.p_value for found in evidence]), level)
    advantage = np.array([found.advantage for found in evidence])
    finite = advantage[np.isfinite(advantage)]
    alone = ALONE + np.log(max(1, len(evidence)))
    least = -SLACK - max(0.0, float(np.median(finite))) if finite.sum() > 0 else alone
    discovered &= advantage > least
    forms = [found.form(bool(chosen), alone) for found, chosen in zip(evidence, discovered, strict=True)]
    sloped = _slopes(evidence, [form == "none" for form in forms], level * SLOPES_LEVEL)[0]
    return ["slope" if slope else form for form, slope in zip(forms, sloped, strict=True)]


def judge(names: Sequence[str], evidence: Sequence[Evidence], forms: Sequence[Form]) -> list[Verdict]:
    """How strong the selection of each form is by the present evidence.

    Thresholds are compared, and slopes drawn, together: columns of one table tend to lose their cells in one way.
    """
    slopes, errors = _slopes(evidence, [form == "slope" for form in forms], 1.0)
    verdicts = [
        Verdict(name, found, form, float(slope), float(error))
        for name, found, form, slope, error in zip(names, evidence, forms, slopes, errors, strict=True)
    ]
    for form in ("residual", "value"):
        chosen = [i for i, found in enumerate(forms) if found == form]
        if not chosen:
            continue
        grids = [{model.k: model.log_likelihood for model in evidence[i].models(form)} for i in chosen]
        every = sorted(set().union(*grids))
        shares = pooled(np.array([[grid.get(k, -np.inf) for k in every] for grid in grids]))
        for i, grid, share in zip(chosen, grids, shares, strict=True):
            verdicts[i] = replace(verdicts[i], shares=share[[k in grid for k in every]])
    return verdicts


def _slopes(evidence: Sequence[Evidence], asked: Sequence[bool], level: float) -> tuple[np.ndarray, np.ndarray]:
    """Slopes (c,) and their errors (c,) of the columns that are asked for, by what they have in common; 0 elsewhere."""
    slopes, errors = np.zeros((2, len(evidence)))
    fits = {i: found.slope for i, found in enumerate(evidence) if asked[i] and found.slope}
    if fits:
        columns = list(fits)
        raw = np.array([(fit.slope, fit.error) for fit in fits.values()])
        slopes[columns], errors[columns] = shrink(raw[:, 0], raw[:, 1], level)
    return slopes, errors


def discoveries(p_values: np.ndarray, rate: float) -> np.ndarray:
    """(c,) bool: tests (c,) that fail at this false discovery rate.

    The share of true null hypotheses is estimated by how many p-values exceed a half (Storey, Taylor and Siegmund
    2004), so that a column goes with the others where nearly all of them fail.

    >>> discoveries(np.array([0.001, 0.6, 0.03, 0.2]), 0.05).tolist()
    [True, False, False, False]
    >>> bool(discoveries(np.array([0.001] * 9 + [0.1]), 0.05).all())
    True
    """
    n = len(p_values)
    null = min(1.0, 2 * ((p_values > 0.5).sum() + 1) / max(n, 1))
    order = np.argsort(p_values)
    passed = (p_values[order] <= rate * np.arange(1, n + 1) / (n * null)) & (p_values[order] <= 0.5)
    count = int(np.flatnonzero(passed).max(initial=-1)) + 1
    found = np.zeros(n, bool)
    found[order[:count]] = True
    return found


def warnings_for(verdicts: Sequence[Verdict], level: float) -> list[str]:
    """Where an assumption is in doubt."""
    found = [
        f"{v.name}: its blanks have no known upper end; the mean of {v.evidence.cells.blank_rate:.0%} of its cells "
        "rests on the Gaussian shape of the others"
        for v in verdicts
        if v.form in ("residual", "value") and v.evidence.cells.blank_rate > 0.8
    ]
    p_values = np.array([v.evidence.others_p_value for v in verdicts])
    found += [
        f"{v.name}: its blanks go with other columns beyond what those tell of its own value (p {_p(p_value)}); if "
        "they depend on those columns alone, `select: false` is right"
        for v, p_value, doubtful in zip(verdicts, p_values.tolist(), discoveries(p_values, level), strict=True)
        if doubtful and v.form != "none"
    ]
    return found


def _p(value: float) -> str:
    return "< 0.001" if value < 1e-3 else f"= {value:.3f}"
