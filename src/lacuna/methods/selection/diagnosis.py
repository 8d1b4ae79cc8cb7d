"""Do a column's blanks depend on what they hide? In numbers, and in words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
from scipy.stats import chi2

from lacuna.methods.selection.blanks import EVEN, Evidence, Form, Thresholded, Tilted
from lacuna.methods.selection.identification import Index, missing_share
from lacuna.methods.selection.likelihood import Selected, pooled
from lacuna.methods.selection.tilting import shrink

SLOPES_LEVEL = 0.1  # of the level, for each of the two tests of slopes
OTHERS_LEVEL = 0.2  # of the level, at which blanks that go with other columns keep a form from being used
INDEX_LEVEL = 0.01  # at which the columns without a threshold must not go with others, taken together
MANY = 4  # columns that agree, at least: two may do so by accident
AGREED, APART = 1.0, 6.0  # log odds of a missing share: of the table, and against it in a column that is left out
DOUBT = 0.01  # p-value from which on it is said that a column may be selected
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
        if self.is_open:
            values |= {"lowest_mean": self.range_of_mean[0], "highest_mean": self.range_of_mean[1]}
        return values | {"verdict": f"{values['blank_rate']:.1%} of {self.name} is blank{self.words}"}

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
    def words(self) -> str:
        """What follows the name of the column, or its blank rate."""
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
        if self.is_open:
            low, high = self.range_of_mean
            return (
                f"; whether they depend on what they hide is not identified ({self._doubt}): imputed as if they do "
                f"not; the mean of the blanks lies between {low:+.2f} and {high:+.2f} sds of the observed values"
            )
        p_value = found.p_value if found.by_residual else float(chi2.sf(found.slope.ratio, 1))
        return f"; nothing says that blanks depend on what they hide (p = {p_value:.2f}): imputed as if they do not"

    @property
    def is_open(self) -> bool:
        """Whether something speaks for selection that is not identified."""
        found = self.evidence
        if not self.sought or self.form != "none" or found.slope is None:
            return False
        return found.p_value < DOUBT or float(chi2.sf(found.slope.ratio, 1)) < DOUBT

    @property
    def range_of_mean(self) -> tuple[float, float]:
        """Of the blanks, in sds of observed values about their mean: without selection, and by what may be there."""
        found = self.evidence
        predicted, counts = found.cells.blank_features[:, 1], found.cells.counts
        readings: list[Tilted | Thresholded] = [Tilted(found.residuals)]
        if found.slope is not None and float(chi2.sf(found.slope.ratio, 1)) < DOUBT:
            readings.append(Tilted(found.residuals, found.slope.slope))
        if found.by_residual and found.p_value < DOUBT:
            readings.append(Thresholded((max(found.by_residual, key=lambda fit: fit.log_likelihood),), (1.0,)))
        means = [float(np.average(reading.mean(predicted), weights=counts)) for reading in readings]
        return min(means), max(means)

    @property
    def _doubt(self) -> str:
        found = self.evidence
        if found.index.p_value < DOUBT:
            return f"blanks go with other columns beyond what those tell of its own value (p {_p(found.index.p_value)})"
        if found.p_value < DOUBT:
            return f"residuals are skewed or cut off (p {_p(found.p_value)}), as they may be in the population"
        return "blanks go with what the other columns tell of the value, and may depend on these alone"


def decide(evidence: Sequence[Evidence], level: float) -> list[Form]:
    """The form of each column that is identified, before any blank was filled.

    Thresholds are found at the false discovery rate ``level``. Other populations are their rivals: they have to lose
    over the table, of whose columns each says little. Where they do, a column that speaks for them is taken for noise
    up to ``SLACK``, and beyond that up to what its middle column says against it: such ratios scatter as widely as
    they are large (Vuong 1989). A threshold in the residual also has to take the share of values that its edge says
    is missing. One in the value is told by how blanks go with what is predicted, and stands alone.

    Columns without a threshold have slopes, all or none of them, where the index says so over the table.
    """
    edged = _edged(evidence, discoveries(np.array([found.p_value for found in evidence]), level))
    others = discoveries(np.array([found.index.p_value for found in evidence]), level * OTHERS_LEVEL)
    alone = ALONE + np.log(max(1, len(evidence)))
    # a limit of the value says itself how blanks go with other columns
    forms: list[Form] = [
        found.form(bool(chosen and not doubtful), alone)
        for found, chosen, doubtful in zip(evidence, edged, others, strict=True)
    ]
    # columns in doubt count too: where some are driven by others, the rest may be
    if not _index_holds([found.index for found, form in zip(evidence, forms, strict=True) if form == "none"]):
        return forms
    asked = [form == "none" and not doubtful for form, doubtful in zip(forms, others, strict=True)]
    sloped = _slopes(evidence, asked, level * SLOPES_LEVEL)[0]
    return ["slope" if slope else form for form, slope in zip(forms, sloped, strict=True)]


def _edged(evidence: Sequence[Evidence], discovered: np.ndarray) -> np.ndarray:
    """(c,) bool: of the columns that are ``discovered`` (c,), those in which an edge has taken what is blank."""
    discovered &= np.array([found.shape is not None and found.misfit < SLACK for found in evidence], bool)
    advantage = np.array([found.advantage for found in evidence])
    usual = advantage[discovered]
    # an edge may be sharper than any threshold that is compared
    slack = SLACK + EVEN * np.array([found.cells.n_seen for found in evidence])
    chosen = discovered & (advantage > -slack - max(0.0, float(np.median(usual)) if len(usual) else 0.0))
    # rivals of each column as they come, and one for all
    alike = np.array([found.advantages for found, used in zip(evidence, chosen, strict=True) if used])
    if not chosen.any() or min(advantage[chosen].sum(), *alike.sum(0)) < ALONE:
        return np.zeros(len(evidence), bool)

    def agreed(columns: list[int]) -> float:
        cells = [evidence[i].cells for i in columns]
        shapes = [shape for i in columns if (shape := evidence[i].shape) is not None]
        blanks = [float(found.counts.sum()) for found in cells]
        return missing_share(shapes, blanks, [n + found.n_seen for n, found in zip(blanks, cells, strict=True)])

    agreeing = [i for i in np.flatnonzero(chosen).tolist() if agreed([i]) > -APART]
    if len(agreeing) < MANY or agreed(agreeing) < AGREED:
        return np.zeros(len(evidence), bool)
    return np.isin(np.arange(len(evidence)), agreeing)


def _index_holds(found: Sequence[Index]) -> bool:
    """Whether blanks of these columns go with others as these move the values, and not otherwise."""
    beyond = chi2.sf(sum(i.beyond for i in found), sum(i.freedom for i in found))
    return sum(i.log_odds for i in found) > ALONE and beyond > INDEX_LEVEL


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


def warnings_for(verdicts: Sequence[Verdict]) -> list[str]:
    """Of columns that may be selected, but are imputed as if they are not."""
    return [f"{v.name}{v.words}" for v in verdicts if v.is_open]


def _p(value: float) -> str:
    return "< 0.001" if value < 1e-3 else f"= {value:.3f}"
