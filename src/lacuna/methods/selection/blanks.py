"""How the blanks of a column depend on what they hide: what the data say, and what follows for a blank."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, Protocol

import numpy as np
from scipy.stats import chi2

from lacuna.methods.selection.means import alike
from lacuna.numerics.selection import (
    Cells,
    Selected,
    blank_moments,
    draw_blank,
    fit_selected,
    unselected_log_likelihood,
    with_covariance,
)
from lacuna.numerics.sinh_arcsinh import max_log_likelihood
from lacuna.numerics.tilting import Residuals, SlopeFit, fit_slope

Form = Literal["none", "residual", "slope", "value"]
FEW_SEEN, FEW_BLANK = 20, 5  # cells below which a column says nothing of its blanks
GROUPS = 25  # parameters drawn for any number of draws
TIED = 0.1  # share of one value from which on a column is not taken for Gaussian
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
    """A Gaussian of which the sigmoid has taken its part."""

    model: Selected
    width: float = 1.0  # ratio of their spread to that which the model gives

    def mean(self, predicted: np.ndarray) -> np.ndarray:
        center = _line(self.model, predicted)
        return center + self.model.sd * blank_moments(self.model.k, self.model.offset(center))[1]

    def draw(self, predicted: np.ndarray, draws: int, rng: np.random.Generator) -> np.ndarray:
        drawn = []
        for n in _parts(draws, GROUPS):
            model = self.model.perturbed(rng)
            center = _line(model, predicted)
            drawn.append(center + model.sd * draw_blank(model.k, model.offset(center), n, rng))
        center = self.mean(predicted)
        return center + self.width * (np.concatenate(drawn) - center)


def _line(model: Selected, predicted: np.ndarray) -> np.ndarray:
    return model.slopes[0] + model.slopes[1] * predicted


def _parts(draws: int, groups: int) -> list[int]:
    return [len(part) for part in np.array_split(np.arange(draws), groups)]


@dataclass(frozen=True)
class Evidence:
    """What one column says of its blanks; log likelihoods are of its values and of which are blank."""

    cells: Cells
    residuals: Residuals
    by_residual: Selected | None  # None: too few cells to say
    by_value: Selected | None  # None: not looked for
    slope: SlopeFit | None
    ratio: float  # of likelihoods, against k = 0 with residuals of any tails
    rival: float  # log likelihood of the best without a threshold, less what Schwarz's criterion takes for parameters
    others_p_value: float = 1.0  # of blanks that do not go with other columns but by what those tell of the value

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
        if self.by_residual is None:
            return -np.inf
        return self.by_residual.log_likelihood - self.rival

    def form(self, threshold: bool) -> Form:
        """The likeliest form; ``threshold``: whether one in the residual has been found."""
        if threshold and self.by_residual is not None:
            likeliest: tuple[float, Form] = (self.by_residual.log_likelihood, "residual")
        else:
            likeliest = (self.rival, "none")
        if self.by_value is not None:
            likeliest = max(likeliest, (self.by_value.log_likelihood, "value"))
        return likeliest[1]

    def blanks(self, form: Form, slope: float, error: float, width: float = 1.0) -> Tilted | Thresholded:
        """What the blanks hide in this form.

        Args:
            slope: with its ``error``, where the form is not a threshold.
            width: ratio of the spread of blanks to that of observed cells.
        """
        model = {"residual": self.by_residual, "value": self.by_value}.get(form)
        if model is None:
            return Tilted(self.residuals, slope, error, width)
        return Thresholded(model, width)

    def with_doubt(self, blanks: Tilted | Thresholded) -> Blanks:
        """``blanks`` whose draws count how well its parameters are known."""
        if isinstance(blanks, Tilted):
            return blanks
        return Thresholded(with_covariance(blanks.model, self.cells), blanks.width)


def weigh(
    predicted: np.ndarray, values: np.ndarray, predicted_blanks: np.ndarray, before: Evidence | None = None
) -> Evidence:
    """Fit every form to one column.

    Args:
        predicted: (n,) of the observed values (n,), by models that had not seen them.
        predicted_blanks: (h,)
        before: of an earlier sweep, to start from.
    """
    errors = values - predicted
    cells = Cells(_design(predicted), values, *_binned(predicted_blanks))
    residuals = Residuals.of(predicted, errors)
    spread = float(errors.std())
    if len(values) < FEW_SEEN or len(predicted_blanks) < FEW_BLANK or spread < 1e-6:
        return Evidence(cells, residuals, None, None, None, 0.0, 0.0)
    slopes, *_ = np.linalg.lstsq(cells.features, values, rcond=None)
    straightened = values - cells.features @ slopes
    n_blank = len(predicted_blanks)
    none = unselected_log_likelihood(straightened, n_blank)
    blank_share = none - unselected_log_likelihood(straightened, 0)
    by_residual = by_value = None
    ratio = 0.0
    if np.unique(values, return_counts=True)[1].max() < TIED * len(values):
        by_residual = fit_selected(cells, False, None if before is None else before.by_residual)
        # Residuals of rows with blanks here and there have long tails, which are no selection.
        symmetric = max(none, max_log_likelihood(straightened, symmetric=True) + blank_share)
        ratio = max(0.0, 2 * (by_residual.log_likelihood - symmetric))
    if before is not None:  # the test is that of the first sweep, before blanks were filled
        ratio = before.ratio
    others = 1.0 if before is None else before.others_p_value
    slope = fit_slope(np.append(predicted, predicted_blanks), np.repeat([False, True], [len(values), n_blank]))
    if by_residual is not None and (
        (before is not None and before.by_value) or abs(slope.slope) > STRONG * slope.error
    ):
        by_value = fit_selected(cells, True, None if before is None else before.by_value)
    # parameters beyond those of a threshold: one less without it, two more for skewness and tails, one for a slope
    price = np.log(len(values)) / 2
    shape = max(none - blank_share + price, max_log_likelihood(straightened) - price)
    rival = shape + max(blank_share, slope.log_likelihood - price)
    return Evidence(cells, residuals, by_residual, by_value, slope, ratio, rival, others)


def _design(predicted: np.ndarray) -> np.ndarray:
    return np.stack([np.ones(len(predicted)), predicted], axis=1)


def _binned(predicted: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Features and counts of blanks, those of like predictions together."""
    if not len(predicted):
        return _design(np.zeros(1)), np.zeros(1)
    groups = alike(predicted)
    return _design(np.array([predicted[g].mean() for g in groups])), np.array([float(len(g)) for g in groups])
