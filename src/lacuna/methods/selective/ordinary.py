"""The ordinary part of a column's blanks, told apart from the meaningful part without a label.

A cell of the column is hidden when the observation process hides it, with probability p(x), or when its blank is
meaningful, with probability phi(z): P(hidden | z) = 1 - (1 - p(x)) (1 - phi(z)). Only the product is seen. Three
things part the factors:

- p is logistic in a few scores x, phi is anything, but the same within a stratum of the rest of the row z;
- over the strata, phi follows one distribution on a grid of values, estimated along with p (an empirical Bayes
  prior): a p that leaves phi at few values, such as 0, explains the blanks better than one that scatters it;
- averaged over the rows, p is near a rate learned elsewhere, from columns that hold no meaningful blanks, or lies
  below it in a column that the observation process spares.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import minimize
from scipy.special import expit, log_softmax, logit, logsumexp, softmax
from sklearn.tree import DecisionTreeClassifier

from lacuna.methods.selective.references import RatePrior

ATOMS = np.array([0.0, 0.03, 0.08, 0.15, 0.22, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 0.97, 1.0])  # values of phi
MAX_LEAVES = 64
SPARED_WIDTH = 10.0  # how far below, on the scale of log-odds
GREED = 20.0  # log density per log-odds of p where no rate is known: blanks count as ordinary as far as they can
N_DRAWS = 20
N_BINS = 24  # scores are rounded to so many quantiles: the likelihood hardly sees it, and is much faster
PROBIT = np.pi / 8  # the logistic function averaged over a normal is nearly one of a flatter score


@dataclass(frozen=True)
class OrdinaryRate:
    """p = sigmoid(intercept + weights . score), averaged over k draws of the parameters.

    A score that is uncertain is averaged over too, as a normal.
    """

    weights: np.ndarray  # (k, f)
    intercepts: np.ndarray  # (k,)
    masses: np.ndarray  # (k,) sum to 1

    def probability(self, scores: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """(n,) of scores (n, f), the mean of each, and variances (n, f), 0 where a score is known."""
        return self.masses @ self.by_draw(scores, variances)

    def by_draw(self, scores: np.ndarray, variances: np.ndarray) -> np.ndarray:
        """(k, n) by each draw of the parameters."""
        flatter = 1 / np.sqrt(1 + PROBIT * self.weights**2 @ variances.T)
        return expit((self.weights @ scores.T + self.intercepts[:, None]) * flatter)


@dataclass(frozen=True)
class _Counts:
    """Rows of one stratum and (nearly) one score, added up; sorted by stratum."""

    scores: np.ndarray  # (c, f)
    variances: np.ndarray  # (c, f)
    hidden: np.ndarray  # (c,) rows; 0, as in ``seen``, where the stratum is -1
    seen: np.ndarray  # (c,) rows
    stratum: np.ndarray  # (c,) int
    share: np.ndarray  # (c,) of all rows


def crossed_strata(features: np.ndarray, hidden: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Strata (n,) of rows alike in how often they are hidden.

    A tree grown on one half of the rows parts the other half, so that the blanks of a stratum had no say in it.
    """
    n = len(hidden)
    half = rng.permutation(n) % 2
    leaf = half.copy()
    if features.shape[1] and n > 1:
        tree = DecisionTreeClassifier(
            max_leaf_nodes=MAX_LEAVES,
            min_samples_leaf=max(20, n // 500),
            random_state=int(rng.integers(2**31)),
        )
        for side in (0, 1):
            tree.fit(features[half == side], hidden[half == side])
            leaf[half != side] = 2 * tree.apply(features[half != side]) + side
    return np.unique(leaf, return_inverse=True)[1]


def fit_ordinary_rate(
    hidden: np.ndarray,
    scores: np.ndarray,
    variances: np.ndarray,
    strata: np.ndarray,
    prior: RatePrior | None,
    spared: float,
    rng: np.random.Generator,
) -> OrdinaryRate:
    """p of a column, by the posterior of its parameters around each mode (Laplace's approximation).

    Args:
        hidden: (n,) bool.
        scores: (n, f) on which weights are about 1 in size, f may be 0: then p is one number.
        variances: (n, f) of each score, 0 where it is known.
        strata: (n,) int from 0, see ``crossed_strata``; -1 for rows that count in the average of p only. Let them be
            those with uncertain scores: where phi depends on what is not known of a score, the factors are tied.
        prior: of the rate that p should have on average; None: anywhere, so that p takes all it can explain.
        spared: prior probability that the process has a rate of its own on this column.
    """
    counts = _count(hidden, scores, variances, strata)
    n_scores = scores.shape[1]
    start = logit(np.clip(hidden.mean(), 0.01, 0.99) / 2) if prior is None else prior.mean
    atom_start = np.where(ATOMS == 0, 2.0, 0.0)
    # The likelihood has a mode for either direction of the strongest score.
    directions = [np.zeros(n_scores)] + [s * np.eye(n_scores)[0] for s in (1.0, -1.0) if n_scores]
    bounds = [(-6.0, 6.0)] * n_scores + [(-12.0, 12.0)] + [(-8.0, 8.0)] * len(ATOMS)
    fits = [
        minimize(
            _objective,
            np.concatenate([direction, [start], atom_start]),
            args=(counts, prior, spared),
            jac=True,
            method="L-BFGS-B",
            bounds=bounds,
            options={"maxiter": 80},
        )
        for direction in directions
    ]
    least = min(fit.fun for fit in fits)
    modes: list = []
    for fit in sorted(fits, key=lambda f: f.fun):
        if fit.fun < least + 20 and all(np.abs(fit.x - m.x)[: n_scores + 1].max() > 0.2 for m in modes):
            modes.append(fit)
    draws, masses = [], []
    for fit in modes:
        covariance = _covariance(fit.x, n_scores + 1, (counts, prior, spared))
        draws.append(rng.multivariate_normal(fit.x[: n_scores + 1], covariance, size=N_DRAWS, method="eigh"))
        masses.append(np.exp(least - fit.fun) * np.sqrt(max(np.linalg.det(covariance), 1e-30)))
    parameters = np.concatenate(draws)
    mass = np.repeat(masses, N_DRAWS) / (np.sum(masses) * N_DRAWS)
    return OrdinaryRate(parameters[:, :n_scores], parameters[:, n_scores], mass)


def _covariance(at, k, args):
    step = 1e-3
    H = np.empty((k, k))
    for i in range(k):
        e = np.zeros(len(at))
        e[i] = step
        H[i] = (_objective(at + e, *args)[1] - _objective(at - e, *args)[1])[:k] / (2 * step)
    values, vectors = np.linalg.eigh((H + H.T) / 2)
    return (vectors / np.maximum(values, 1.0)) @ vectors.T


def _objective(
    parameters: np.ndarray, counts: _Counts, prior: RatePrior | None, spared: float
) -> tuple[float, np.ndarray]:
    """Minus the log posterior of (weights, intercept, log of the atoms' masses), and its gradient."""
    n_scores = counts.scores.shape[1]
    weights, intercept = parameters[:n_scores], parameters[n_scores]
    log_mass = log_softmax(parameters[n_scores + 1 :])
    flatter = 1 / np.sqrt(1 + PROBIT * counts.variances @ weights**2)
    linear = counts.scores @ weights + intercept
    p = expit(linear * flatter)

    survival = np.clip((1 - p)[:, None] * (1 - ATOMS), 1e-9, 1 - 1e-9)  # (c, atoms) P(seen)
    log_likelihood = counts.hidden[:, None] * np.log1p(-survival) + counts.seen[:, None] * np.log(survival)
    first = np.searchsorted(counts.stratum, np.arange(counts.stratum[-1] + 1))  # after those of stratum -1
    by_stratum = np.add.reduceat(log_likelihood, first, axis=0) + log_mass
    evidence = logsumexp(by_stratum, axis=1)
    responsibility = np.exp(by_stratum - evidence[:, None])

    slope = counts.hidden[:, None] / (1 - survival) - counts.seen[:, None] / survival
    by_p = (slope * (1 - ATOMS) * responsibility[counts.stratum]).sum(1)
    mean = np.clip(counts.share @ p, 1e-9, 1 - 1e-9)
    log_prior, by_mean = GREED * logit(mean), GREED
    if prior is not None:
        log_prior, by_mean = _log_prior(logit(mean), prior, spared)
    by_p += by_mean / (mean * (1 - mean)) * counts.share
    by_score = by_p * p * (1 - p)
    by_flatter = by_score * linear * -PROBIT * flatter**3
    by_weights = counts.scores.T @ (by_score * flatter) + (counts.variances.T @ by_flatter) * weights
    by_mass = responsibility.sum(0) - len(first) * softmax(parameters[n_scores + 1 :])
    gradient = np.concatenate([by_weights - weights, [(by_score * flatter).sum()], by_mass])
    return -(evidence.sum() + log_prior - weights @ weights / 2), -gradient


def _log_prior(log_odds: float, prior: RatePrior, spared: float) -> tuple[float, float]:
    """Log density and slope of a column's rate: as the references say, or anywhere."""
    near, slope = prior.log_density(log_odds)
    near += np.log1p(-spared)
    log_density = np.logaddexp(near, np.log(spared / SPARED_WIDTH))
    return float(log_density), float(np.exp(near - log_density) * slope)


def _count(hidden: np.ndarray, scores: np.ndarray, variances: np.ndarray, strata: np.ndarray) -> _Counts:
    keys = [strata]
    for score, variance in zip(scores.T, variances.T, strict=True):
        cuts = np.unique(np.quantile(score, np.linspace(0, 1, N_BINS + 1)[1:-1]))
        keys += [np.searchsorted(cuts, score), variance > 0]
    cells, cell = np.unique(np.stack(keys, axis=1).astype(np.intp), axis=0, return_inverse=True)
    cell = cell.ravel()  # numpy 2.0 gives it as a column
    size = np.bincount(cell)

    def mean(columns: np.ndarray) -> np.ndarray:
        means = np.zeros((len(cells), columns.shape[1]))
        np.add.at(means, cell, columns)
        return means / size[:, None]

    judged = np.where(cells[:, 0] < 0, 0, size)
    n_hidden = np.minimum(np.bincount(cell, hidden), judged)
    return _Counts(mean(scores), mean(variances), n_hidden, judged - n_hidden, cells[:, 0], size / size.sum())
