"""How the blanks of a column depend on what they hide: what the data say, and what follows for a blank."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal, Protocol

import numpy as np
from scipy.special import expit, logsumexp
from scipy.stats import chi2

from lacuna.methods.selection.identification import NO_INDEX, Index, shape_log_likelihood
from lacuna.methods.selection.likelihood import (
    GRID,
    MASS,
    SLOPES,
    STEP,
    Cells,
    Selected,
    blank_moments,
    draw_blank,
    fit_selected,
    unselected_log_likelihood,
)
from lacuna.methods.selection.means import alike
from lacuna.methods.selection.rivals import (
    cut_off_log_likelihood,
    histogram_log_likelihood,
    limit_log_likelihood,
    polynomial_log_likelihoods,
    skewed_log_likelihoods,
)
from lacuna.methods.selection.sinh_arcsinh import max_log_likelihood
from lacuna.methods.selection.tilting import Residuals, SlopeFit, fit_slope

Form = Literal["none", "residual", "slope", "value"]
FEW_SEEN, FEW_BLANK = 20, 5  # cells below which a column says nothing of its blanks
GROUPS = 25  # parameters drawn for any number of draws
TIED = 0.1  # share of one value from which on a column is not taken for Gaussian
BINS = 400  # of residuals, a fiftieth of their sd or so each
ASKED = 2.7  # likelihood ratio from which on it is asked what share is missing
EVEN = 1e-2  # log likelihood of a value
SMALL_SHARE = 1e-3  # of a threshold, below which it is left out
STRONG = 4.0  # standard errors of the slope from which on a threshold in the value is looked for


class Blanks(Protocol):
    """What a blank hides, given what is predicted of it among observed cells; standardised."""

    def mean(self, predicted: np.ndarray) -> np.ndarray:
        """(h,)"""

    def draw(self, predicted: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        """(draws, h)"""


@dataclass(frozen=True)
class Tilted:
    """Residuals of observed cells, tilted; slope 0 is no selection."""

    residuals: Residuals
    slope: float = 0.0
    error: float = 0.0  # sd of what is not known of the slope
    width: float = 1.0  # ratio of their spread to that of observed cells

    def mean(self, predicted: np.ndarray) -> np.ndarray:
        return predicted + self.residuals.shift(predicted, self.slope)

    def draw(self, predicted: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        slopes = self.slope + self.error * rng.normal(size=GROUPS if self.error else 1)
        parts = _parts(draws, len(slopes))
        drawn = np.concatenate([self.residuals.draw(predicted, s, n, rng) for s, n in zip(slopes, parts, strict=True)])
        center = self.residuals.shift(predicted, self.slope)
        return predicted + center + self.width * (drawn - center)


@dataclass(frozen=True)
class Thresholded:
    """A Gaussian of which a sigmoid has taken its part, each of some with the probability that it was that one."""

    models: tuple[Selected, ...]
    shares: tuple[float, ...]
    width: float = 1.0  # ratio of their spread to that which the models give

    def mean(self, predicted: np.ndarray) -> np.ndarray:
        means = np.zeros(len(predicted))
        for share, model in zip(self.shares, self.models, strict=True):
            center = _line(model, predicted)
            means += share * (center + model.sd * blank_moments(model.k, _offset(model, center))[1])
        return means

    def draw(self, predicted: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        drawn = []
        # systematic, so that each model gets its share of the groups
        chosen = np.searchsorted(np.cumsum(self.shares), (np.arange(GROUPS) + rng.random()) / GROUPS)
        for which, n in zip(rng.permutation(chosen), _parts(draws, GROUPS), strict=True):
            model = self.models[min(which, len(self.models) - 1)].perturbed(rng)
            center = _line(model, predicted)
            drawn.append(center + model.sd * draw_blank(model.k, model.offset(center), n, rng))
        center = self.mean(predicted)
        return center + self.width * (np.concatenate(drawn) - center)


def _line(model: Selected, predicted: np.ndarray) -> np.ndarray:
    return model.slopes[0] + model.slopes[1] * predicted


def _offset(model: Selected, center: np.ndarray) -> np.ndarray:
    """One for all where the residual decides."""
    return model.offset(center) if model.own_value else np.array([model.c])


def _parts(draws: int, groups: int) -> list[int]:
    return [len(part) for part in np.array_split(np.arange(draws), groups)]


@dataclass(frozen=True)
class Evidence:
    """What one column says of its blanks; log likelihoods are of its values and of which are blank."""

    cells: Cells
    residuals: Residuals
    by_residual: tuple[Selected, ...]  # one for each k; none: too few cells to say
    by_value: tuple[Selected, ...]  # none: not looked for
    slope: SlopeFit | None
    ratio: float  # of likelihoods, against k = 0 with residuals of any tails
    rivals: np.ndarray  # (r,) log likelihoods of what has no threshold, less what Schwarz's criterion takes
    value_rival: float = 0.0  # the largest of what has no threshold in the value
    limit: float = -np.inf  # of a sharp limit of the value, by the same criterion
    index: Index = NO_INDEX
    misfit: float = 0.0  # of the likeliest threshold in the residual, where its density is bent
    shape: np.ndarray | None = None  # see ``shape_log_likelihood``; None: nothing to be told

    @property
    def errors(self) -> np.ndarray:
        """(n,) of what models that had not seen them predict of the observed cells."""
        return self.cells.values - self.cells.features[:, 1]

    @property
    def p_value(self) -> float:
        return float(chi2.sf(self.ratio, 1))

    @property
    def advantage(self) -> float:
        """Of a threshold in the residual over all that has none, in log likelihood by the criterion of Schwarz."""
        return _best(self.by_residual) - self.rival

    @property
    def rival(self) -> float:
        """The mean of them as likelihoods."""
        return float(logsumexp(self.rivals) - np.log(max(1, len(self.rivals))))

    @property
    def advantages(self) -> np.ndarray:
        """(r,) over each of the rivals."""
        return _best(self.by_residual) - self.rivals

    def models(self, form: Form) -> tuple[Selected, ...]:
        """Of each k that was compared, where the form is a threshold."""
        return {"residual": self.by_residual, "value": self.by_value}.get(form, ())

    def form(self, threshold: bool, margin: float) -> Form:
        """The likeliest form.

        Args:
            threshold: whether one in the residual has been found.
            margin: of log likelihood, by which one in the value has to be better than the others.
        """
        if threshold and self.by_residual:
            likeliest: tuple[float, Form] = (_best(self.by_residual), "residual")
        else:
            likeliest = (self.rival, "none")
        likeliest = max(likeliest, (self.value_rival, likeliest[1]))
        return max(likeliest, (max(_best(self.by_value), self.limit) - margin, "value"))[1]

    def blanks(
        self, form: Form, shares: np.ndarray, slope: float, error: float, width: float = 1.0
    ) -> Tilted | Thresholded:
        """What the blanks hide in this form.

        Args:
            shares: (g,) posterior of the thresholds ``models(form)``, where there are any.
            slope: with its ``error``, where the form is not a threshold.
            width: ratio of the spread of blanks to that of observed cells.
        """
        models = self.models(form)
        if not models:
            return Tilted(self.residuals, slope, error, width)
        kept = np.flatnonzero(shares > SMALL_SHARE)
        weights = shares[kept] / shares[kept].sum()
        return Thresholded(tuple(models[i] for i in kept), tuple(weights.tolist()), width)


def _best(models: tuple[Selected, ...]) -> float:
    """The largest log likelihood of any k: between those compared, of a parabola in log |k|."""
    best = -np.inf
    for side in (-1, 1):
        found = np.array([model.log_likelihood for model in models if model.k * side > 0])
        if not len(found):
            continue
        at = int(found.argmax())
        best = max(best, float(found[at]))
        if 0 < at < len(found) - 1:
            before, here, after = found[at - 1 : at + 2]
            best = max(best, float(here + (after - before) ** 2 / (8 * max(2 * here - before - after, 1e-9))))
    return best


def weigh(predicted: np.ndarray, values: np.ndarray, predicted_blanks: np.ndarray) -> Evidence:
    """Fit every form to one column.

    Args:
        predicted: (n,) of the observed values (n,), by models that had not seen them.
        predicted_blanks: (h,)
    """
    design, residuals = _design(predicted), Residuals.of(predicted, values - predicted)
    cells = Cells(design, values, *_binned(predicted_blanks))
    n_blank = len(predicted_blanks)
    if len(values) < FEW_SEEN or n_blank < FEW_BLANK or float((values - predicted).std()) < 1e-6:
        return Evidence(cells, residuals, (), (), None, 0.0, np.zeros(1))
    line, *_ = np.linalg.lstsq(design, values, rcond=None)
    straightened = values - design @ line
    none = unselected_log_likelihood(straightened, n_blank)
    blank_share = none - unselected_log_likelihood(straightened, 0)
    slope = _fit_slope(predicted, predicted_blanks)
    by_residual: tuple[Selected, ...] = ()
    by_value: tuple[Selected, ...] = ()
    if np.unique(values, return_counts=True)[1].max() < TIED * len(values):
        by_residual = _by_residual(values, design, n_blank, SLOPES)
        if abs(slope.slope) > STRONG * slope.error:
            by_value = tuple(fit_selected(cells, True))
    # Residuals of rows with blanks here and there have long tails, which are no selection.
    symmetric = max(none, max_log_likelihood(straightened, symmetric=True) + blank_share)
    ratio = max(0.0, 2 * (_best(by_residual) - symmetric))
    asked = bool(by_residual) and ratio > ASKED
    at_random = max(blank_share, slope.log_likelihood - np.log(len(values)) / 2)
    rivals = _rivals(straightened, none - blank_share, asked) + at_random
    limit = cut_off = -np.inf
    if by_value:
        cut_off = cut_off_log_likelihood(predicted, values) + at_random
        # one parameter less: its end is where k and c would be
        limit = limit_log_likelihood(predicted, values, predicted_blanks) + np.log(len(values)) / 2
    found = Evidence(
        cells, residuals, by_residual, by_value, slope, ratio, rivals, max(float(rivals.max()), cut_off), limit
    )
    if not asked:
        return found
    likeliest = max(by_residual, key=lambda fit: fit.log_likelihood)
    shape = shape_log_likelihood(_counted(straightened, n_blank), likeliest.k)
    return replace(found, shape=shape, misfit=_misfit(likeliest, cells))


def _misfit(model: Selected, cells: Cells) -> float:
    """Log likelihood that observed values gain, by the criterion of Schwarz, where the density of a model is bent.

    What is bent by less than is worth ``EVEN`` a value counts as straight, however many values show it.
    """
    below = (expit(-model.k * GRID - model.c) * MASS).cumsum()
    e = (cells.values - cells.features @ model.slopes) / model.sd
    bent = polynomial_log_likelihoods(np.interp(e, GRID + STEP / 2, below / below[-1]))
    return float((bent - np.arange(len(bent)) * np.log(len(e)) / 2).max()) - EVEN * len(e)


def _rivals(residuals: np.ndarray, normal: float, asked: bool) -> np.ndarray:
    """(r,) log likelihoods of residuals (n,) in populations without a threshold; few of them unless ``asked``.

    By the criterion of Schwarz, beside a threshold that has two parameters more than a level: sd and k.
    """
    price = np.log(len(residuals)) / 2
    found = [normal + price, max_log_likelihood(residuals) - price]
    if asked:
        smooth = polynomial_log_likelihoods(residuals)
        found += [*skewed_log_likelihoods(residuals), *(smooth + (1 - np.arange(len(smooth))) * price)]
        found.append(histogram_log_likelihood(residuals) + 3 * price)  # its price is paid
    return np.array(found)


def weigh_again(
    before: Evidence, form: Form, side: float, predicted: np.ndarray, values: np.ndarray, predicted_blanks: np.ndarray
) -> Evidence:
    """Fit the form that has been decided on to better predictions; what was tested before stands.

    Args:
        side: of a threshold: above 0 where large values hide, below 0 where small ones. The other side is not looked
            at, where fits would follow what the fills have made.
    """
    found = replace(
        before,
        cells=Cells(_design(predicted), values, *_binned(predicted_blanks)),
        residuals=Residuals.of(predicted, values - predicted),
    )
    compared = SLOPES[SLOPES * side >= 0]
    if form == "residual":
        return replace(found, by_residual=_by_residual(values, found.cells.features, len(predicted_blanks), compared))
    if form == "value":
        return replace(found, by_value=tuple(fit_selected(found.cells, True, compared)))
    return found if before.slope is None else replace(found, slope=_fit_slope(predicted, predicted_blanks))


def _fit_slope(predicted: np.ndarray, predicted_blanks: np.ndarray) -> SlopeFit:
    blank = np.repeat([False, True], [len(predicted), len(predicted_blanks)])
    return fit_slope(np.append(predicted, predicted_blanks), blank)


def _by_residual(values: np.ndarray, design: np.ndarray, n_blank: int, compared: np.ndarray) -> tuple[Selected, ...]:
    """Thresholds in the residual; the line is fitted with the likeliest of them, the level with each."""
    line, *_ = np.linalg.lstsq(design, values, rcond=None)
    fits = fit_selected(_counted(values - design @ line, n_blank), False, compared)
    likeliest = max(fits, key=lambda fit: fit.log_likelihood)
    whole = Cells(design, values, np.ones((1, 2)), np.array([float(n_blank)]))
    start = replace(likeliest, slopes=np.array([line[0] + likeliest.slopes[0], line[1]]))
    (joint,) = fit_selected(whole, False, np.array([likeliest.k]), [start])
    line = np.array([line[0], joint.slopes[1]])
    fits = fit_selected(_counted(values - design @ line, n_blank), False, compared, fits)
    # parameters without the line to those with it
    add = np.array([[1.0, line[0], 0.0], [0.0, line[1], 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])
    return tuple(
        replace(fit, slopes=np.array([line[0] + fit.slopes[0], line[1]]), covariance=add @ fit.covariance @ add.T)
        for fit in fits
    )


def _counted(residuals: np.ndarray, n_blank: int) -> Cells:
    """Residuals (n,), those that are nearly alike together, about a level that is not known."""
    low, high = residuals.min(), residuals.max()
    which = ((residuals - low) / (high - low) * (BINS - 1)).astype(np.intp)
    weights = np.bincount(which, minlength=BINS).astype(np.float64)
    sums = np.bincount(which, residuals, minlength=BINS)
    used = weights > 0
    ones = np.ones((int(used.sum()), 1))
    return Cells(ones, sums[used] / weights[used], ones[:1], np.array([float(n_blank)]), weights[used])


def _design(predicted: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(predicted)), predicted], axis=1)


def _binned(predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and counts of blanks, those of like predictions together."""
    if not len(predicted):
        return _design(np.zeros(1)), np.zeros(1)
    groups = alike(predicted)
    return _design(np.array([predicted[g].mean() for g in groups])), np.array([float(len(g)) for g in groups])
