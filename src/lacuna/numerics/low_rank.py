"""Incomplete matrices of low rank: penalised least squares, and probabilistic principal components."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Self

import numpy as np

NUMBERS_AT_ONCE = 2**22  # of the small matrices that rows have of their own
NEGLIGIBLE = 1e-10  # of the largest singular value
SMALLEST_VARIANCE = 1e-6  # of standardised coordinates


def spectral_norm(values: np.ndarray) -> float:
    """The largest singular value of (n, w)."""
    return float(np.sqrt(np.linalg.eigvalsh(_gram(values))[-1].clip(min=0)))


def soft_impute(
    values: np.ndarray, seen: np.ndarray, penalty: float, filled: np.ndarray, iterations: int, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Minimise ||P(values - Z)||^2 / 2 + penalty * ||Z||_*, P keeping the cells seen (Algorithm 1).

    At the optimum Z is the soft-thresholded singular value decomposition of P(values) + (1 - P)(Z).

    Args:
        values: (n, w), anything finite where it is not seen.
        seen: (n, w) bool.
        filled: (n, w), a first Z.
        iterations: at most.
        tolerance: on the relative change of Z.

    Returns:
        Z (n, w), and the right factor B (w, r) of Z = A B' with A'A = B'B.
    """
    for _ in range(iterations):
        before = filled
        filled, factor = _shrunk(np.where(seen, values, before), penalty)
        if np.square(filled - before).sum() <= tolerance**2 * max(np.square(before).sum(), np.finfo(float).tiny):
            break
    return filled, factor


def _shrunk(matrix: np.ndarray, penalty: float) -> tuple[np.ndarray, np.ndarray]:
    """(n, w) with its singular values reduced by ``penalty``, none below 0, and its right factor (w, r)."""
    n, w = matrix.shape
    squares, vectors = np.linalg.eigh(_gram(matrix))
    singular = np.sqrt(squares.clip(min=0))
    kept = (singular > penalty) & (singular > NEGLIGIBLE * singular[-1])
    singular, vectors = singular[kept], vectors[:, kept]
    left_over = singular - penalty
    if w <= n:  # right vectors
        return (matrix @ vectors * (left_over / singular)) @ vectors.T, vectors * np.sqrt(left_over)
    right = matrix.T @ vectors / singular
    return (vectors * left_over) @ right.T, right * np.sqrt(left_over)


def _gram(matrix: np.ndarray) -> np.ndarray:
    """The smaller of M'M and MM'."""
    return matrix.T @ matrix if matrix.shape[1] <= matrix.shape[0] else matrix @ matrix.T


def ridge_scores(values: np.ndarray, seen: np.ndarray, factor: np.ndarray, penalty: float) -> np.ndarray:
    """(n, r): of each row the coefficients of a ridge regression of its seen cells on the rows of ``factor`` (w, r)."""
    scores = np.zeros((len(values), factor.shape[1]))
    for rows in _chunks(len(values), factor):
        inner = _inner(seen[rows], factor) + penalty * np.eye(factor.shape[1])
        scores[rows] = np.linalg.solve(inner, ((values[rows] * seen[rows]) @ factor)[..., None])[..., 0]
    return scores


def _inner(seen: np.ndarray, factor: np.ndarray) -> np.ndarray:
    """(n, r, r): the sum over a row's seen cells of the outer products of their rows of ``factor`` (w, r)."""
    r = factor.shape[1]
    outer = (factor[:, :, None] * factor[:, None, :]).reshape(-1, r * r)
    return (seen.astype(np.float64) @ outer).reshape(-1, r, r)


def _chunks(n: int, factor: np.ndarray) -> Iterator[slice]:
    size = max(1, NUMBERS_AT_ONCE // max(1, factor.shape[1] ** 2))
    return (slice(start, start + size) for start in range(0, n, size))


@dataclass(frozen=True)
class PrincipalComponents:
    """x = W z + mean + noise, z standard normal, noise of one variance (Tipping, Bishop 1999)."""

    weights: np.ndarray  # (w, r)
    mean: np.ndarray  # (w,)
    variance: float

    @classmethod
    def start(cls, values: np.ndarray, seen: np.ndarray, rank: int) -> Self:
        """From the principal components of values (n, w) with 0 where not seen."""
        covariance = values.T @ values / len(values)
        squares, vectors = np.linalg.eigh(covariance)
        rest = squares[: len(squares) - rank]
        variance = max(float(rest.mean()) if len(rest) else 0.0, 0.1)
        top = (squares[-rank:] - variance).clip(min=0.01)
        return cls(vectors[:, -rank:] * np.sqrt(top), np.zeros(len(covariance)), variance)

    def scores(self, values: np.ndarray, seen: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (n, r) and covariance (n, r, r) of z given the cells seen."""
        inner = _inner(seen, self.weights) + self.variance * np.eye(self.weights.shape[1])
        covariance = np.linalg.inv(inner) * self.variance
        weighted = ((values - self.mean) * seen) @ self.weights
        return (covariance @ weighted[..., None])[..., 0] / self.variance, covariance

    def improved(self, values: np.ndarray, seen: np.ndarray) -> PrincipalComponents:
        """One step of EM: every column is regressed on the scores of the rows that show it."""
        w, r = self.weights.shape
        second, cross = np.zeros((w, (r + 1) ** 2)), np.zeros((w, r + 1))
        squares = np.zeros(w)
        for rows in _chunks(len(values), self.weights):
            mean, covariance = self.scores(values[rows], seen[rows])
            ones = np.hstack([mean, np.ones((len(mean), 1))])
            moments = ones[:, :, None] * ones[:, None, :]
            moments[:, :r, :r] += covariance
            shown = seen[rows].astype(np.float64)
            second += shown.T @ moments.reshape(len(mean), -1)
            cross += (shown * values[rows]).T @ ones
            squares += (shown * values[rows] ** 2).sum(0)
        inner = second.reshape(w, r + 1, r + 1)
        solved = np.linalg.solve(inner + 1e-8 * np.eye(r + 1), cross[..., None])[..., 0]
        residual = squares - 2 * (solved * cross).sum(1) + np.einsum("wi,wij,wj->w", solved, inner, solved)
        variance = max(float(residual.sum() / seen.sum()), SMALLEST_VARIANCE)
        return PrincipalComponents(solved[:, :r], solved[:, r], variance)

    def log_likelihood(self, values: np.ndarray, seen: np.ndarray) -> float:
        """Of the cells seen, all rows together."""
        total = 0.0
        for rows in _chunks(len(values), self.weights):
            n_seen, r = seen[rows].sum(1), self.weights.shape[1]
            inner = _inner(seen[rows], self.weights) / self.variance + np.eye(r)
            centred = (values[rows] - self.mean) * seen[rows]
            weighted = centred @ self.weights / self.variance
            explained = (weighted * np.linalg.solve(inner, weighted[..., None])[..., 0]).sum(1)
            quadratic = np.square(centred).sum(1) / self.variance - explained
            log_determinant = n_seen * np.log(self.variance) + np.linalg.slogdet(inner)[1]
            total -= 0.5 * float((n_seen * np.log(2 * np.pi) + log_determinant + quadratic).sum())
        return total


def fitted_components(
    values: np.ndarray, seen: np.ndarray, rank: int, iterations: int, tolerance: float
) -> PrincipalComponents:
    """EM until the log-likelihood rises by less than ``tolerance`` a cell seen, or for ``iterations`` steps."""
    model = PrincipalComponents.start(values, seen, rank)
    reached = model.log_likelihood(values, seen)
    for _ in range(iterations):
        model = model.improved(values, seen)
        before, reached = reached, model.log_likelihood(values, seen)
        if reached - before < tolerance * seen.sum():
            break
    return model
