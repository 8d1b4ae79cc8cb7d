"""The mean of a column given the rest of the row, among observed cells: ridge regression, trees, or a mix."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, TypeAlias

import numpy as np
from scipy.optimize import nnls
from sklearn.ensemble import ExtraTreesRegressor, HistGradientBoostingRegressor

from lacuna.crossfit import Boosting, CrossFitted, cross_fit, fitting_threads
from lacuna.methods.selection.likelihood import Cells, Selected, fit_selected, left_out_means
from lacuna.numerics.ridge import Ridge

MeanKind = Literal["linear", "boosted", "mixed"]
Part: TypeAlias = Ridge | CrossFitted | ExtraTreesRegressor
FEW = 30  # observed cells below which there are no trees
SCREENED = 600  # observed cells that decide whether trees are worth their time
SMALL_SHARE = 0.1  # of a part in the mix, below which it is left out
TRUST = (0.0, 1.0, 3.0)  # powers of the share of rows that show a feature, by which it may weigh less
SPREAD = 0.1  # between those shares, from which on it matters
GROUPS = 100


@dataclass(frozen=True)
class Mean:
    """A mix of models of one column; ``features`` are the coordinates that they use."""

    features: np.ndarray  # (f,) int
    parts: tuple[Part, ...]
    shares: tuple[float, ...]
    left_out: np.ndarray  # (n,) prediction of each observed cell by models that did not learn from it
    low: float  # a mean of observed values does not leave their range
    high: float

    @property
    def is_linear(self) -> bool:
        """Whether it is a ridge regression alone."""
        return all(isinstance(part, Ridge) for part in self.parts)

    def predict(self, encoded: np.ndarray) -> np.ndarray:
        """(h,) for encoded rows (h, width)."""
        chosen = encoded[:, self.features]
        if not len(chosen):
            return np.empty(0)
        mixed = sum(share * _predict(part, chosen) for part, share in zip(self.parts, self.shares, strict=True))
        return np.clip(mixed, self.low, self.high)


def nearest_features(others: np.ndarray, encoded: np.ndarray, target: np.ndarray, most: int) -> np.ndarray:
    """Of the coordinates ``others`` (f,), the ``most`` that are most correlated with target (n,), in order."""
    if len(others) <= most:
        return others
    centred = encoded[:, others] - encoded[:, others].mean(0)
    covariance = np.abs((target - target.mean()) @ centred) / np.maximum(np.sqrt((centred**2).sum(0)), 1e-12)
    return np.sort(others[np.argsort(-covariance, kind="stable")[:most]])


def fit_mean(
    encoded: np.ndarray,
    target: np.ndarray,
    features: np.ndarray,
    seen_share: np.ndarray,
    kind: MeanKind,
    rng: np.random.Generator,
) -> Mean:
    """From the observed cells, (n, width) and (n,); ``seen_share`` (f,) of the rows show each of the features (f,)."""
    chosen = encoded[:, features]
    uneven = len(features) > 0 and np.ptp(seen_share) > SPREAD
    fits = [Ridge.fit(chosen, target, seen_share**power) for power in (TRUST if uneven else TRUST[:1])]
    linear = min(fits, key=lambda fit: float(((fit.left_out - target) ** 2).sum()))
    if kind == "linear" or not len(features) or len(target) < FEW:
        return _mix(features, (linear,), target)
    boosted = _boost(chosen, target, rng)
    if kind == "boosted":
        return _mix(features, (boosted,), target)
    return _mix(features, (linear, boosted, _forest(chosen, target, rng)), target)


def _mix(features: np.ndarray, parts: tuple[Part, ...], target: np.ndarray) -> Mean:
    """The mix that predicts best what each part had not seen."""
    left_out = np.stack([_left_out(part) for part in parts], axis=1)
    center = target.mean()
    shares, _ = nnls(left_out - center, target - center)
    shares = np.where(shares < SMALL_SHARE * shares.sum(), 0.0, shares)
    if not shares.any():
        shares = np.eye(len(parts))[0]
    shares /= shares.sum()
    used = np.flatnonzero(shares)
    low, high = float(target.min()), float(target.max())
    left_out = np.clip(left_out @ shares, low, high)
    return Mean(features, tuple(parts[i] for i in used), tuple(shares[used].tolist()), left_out, low, high)


def trees_help(features: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> bool:
    """Whether boosted trees predict, of rows that they have not seen, what ridge regression leaves."""
    if not features.shape[1] or len(target) < FEW:
        return False
    residuals = target - Ridge.fit(features, target).left_out
    order = rng.permutation(len(residuals))[:SCREENED]
    seen, unseen = order[: 2 * len(order) // 3], order[2 * len(order) // 3 :]
    trees = HistGradientBoostingRegressor(
        max_iter=30, learning_rate=0.1, max_leaf_nodes=8, early_stopping=False, random_state=0
    )
    with fitting_threads(len(order)):
        predicted = trees.fit(features[seen], residuals[seen]).predict(features[unseen])
    held_out = residuals[unseen]
    return bool(((held_out - predicted) ** 2).sum() < (held_out**2).sum())


def _boost(features: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> CrossFitted:
    return cross_fit(features, target, 0, np.zeros(features.shape[1], bool), Boosting(100, 0.1, 15, 10, 3), rng)


def _forest(features: np.ndarray, target: np.ndarray, rng: np.random.Generator) -> ExtraTreesRegressor:
    forest = ExtraTreesRegressor(100, bootstrap=True, oob_score=True, random_state=int(rng.integers(2**31)))
    return forest.fit(features, target)


def _left_out(part: Part) -> np.ndarray:
    if isinstance(part, Ridge):
        return part.left_out
    return part.out_of_fold[:, 0] if isinstance(part, CrossFitted) else part.oob_prediction_


def _predict(part: Part, features: np.ndarray) -> np.ndarray:
    if not isinstance(part, CrossFitted):
        return part.predict(features)
    return part.predict(features)[:, 0]


def refined(mean: Mean, encoded: np.ndarray, seen: np.ndarray, hidden: np.ndarray, at: int, model: Selected) -> Mean:
    """A linear mean fitted jointly with the blanks, whose edge tells more than least squares does.

    Args:
        encoded: (n, width) rows, in which coordinate ``at`` is ``seen`` (n,), ``hidden`` (n,), or of no account.
        model: of the blanks, given ``mean``.
    """
    (linear,) = mean.parts
    assert isinstance(linear, Ridge)
    chosen, target = encoded[seen][:, mean.features], encoded[seen, at]
    blank = encoded[hidden][:, mean.features]
    groups = alike(blank @ linear.weights)
    center = chosen.mean(0)
    # features on the scale on which the penalty is that of ridge regression
    design, blank_design = (
        np.column_stack([(x - center) / linear.scale, np.ones(len(x))])
        for x in (chosen, np.array([blank[group].mean(0) for group in groups]))
    )
    cells = Cells(design, target, blank_design, np.array([float(len(group)) for group in groups]))
    # the prior of the weights is that of ridge regression, beside another sd of the residuals
    penalty = np.append(
        np.full(chosen.shape[1], linear.penalty * model.sd**2 / np.mean((target - linear.left_out) ** 2)), 0.0
    )
    (joint,) = fit_selected(cells, model.own_value, np.array([model.k]), penalty=penalty)
    slopes = np.where(np.isfinite(linear.scale), joint.slopes[:-1] / linear.scale, 0.0)
    left_out = left_out_means(joint, cells)
    ridge = Ridge(slopes, float(joint.slopes[-1] - center @ slopes), linear.penalty, linear.scale, left_out)
    # The mean of all values, of which those that are seen are one side. Where the residual decides, blanks have the
    # same predictions as observed cells.
    low, high = (-np.inf, np.inf) if model.own_value else (float(left_out.min()), float(left_out.max()))
    return Mean(mean.features, (ridge,), (1.0,), left_out, low, high)


def alike(predicted: np.ndarray) -> list[np.ndarray]:
    """Indices of predictions (h,) in groups of neighbours, one at least, so that groups may stand for many."""
    return np.array_split(np.argsort(predicted, kind="stable"), max(1, min(GROUPS, len(predicted))))
