"""Soft-thresholded singular values: Mazumder, Hastie, Tibshirani, "Spectral Regularization Algorithms for Learning
Large Incomplete Matrices", JMLR 2010.
"""

from __future__ import annotations

import numpy as np

from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.methods.held_out import held_out_cells, normalised_error
from lacuna.numerics.low_rank import ridge_scores, soft_impute, spectral_norm
from lacuna.rng import stream
from lacuna.types import Imputation, Incomplete

SMALLEST_SHARE = 0.01  # the end of the path, as a share of the penalty at which nothing is left


class SoftImpute(Method):
    """A table of low rank: least squares on the observed cells with a penalty on the sum of singular values.

    Columns are standardised, categories are one coordinate a level. The penalty is the one of a path, each fit started
    from the one before it, with the least error on observed cells that were held out; then all of them count. A new row
    gets the coefficients of a ridge regression on the right factor, which at the optimum is what a training row has.

    Args:
        penalties: on the path, equally spaced in the logarithm, from where nothing is left to a hundredth of it.
        iterations: of each fit, at most.
        tolerance: relative change of the table below which a fit has converged.
    """

    label = "softImpute"

    def __init__(self, penalties: int = 20, iterations: int = 500, tolerance: float = 1e-5) -> None:
        if penalties < 1 or iterations < 1 or tolerance <= 0:
            raise ValueError(
                f"need a penalty, an iteration and a tolerance, got {penalties}, {iterations}, {tolerance}"
            )
        self.penalties, self.iterations, self.tolerance = penalties, iterations, tolerance

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.encoder_ = Encoder.fit(train)
        values, seen = self._encoded(train)
        held_out = held_out_cells(train, stream(seed, "softimpute", "held out"))
        kept = seen & ~held_out[:, self.encoder_.column_of]
        shares = np.geomspace(1.0, SMALLEST_SHARE, self.penalties + 1)[1:]
        norm = spectral_norm(values * kept)
        errors, filled = [], np.zeros_like(values)
        for i, share in enumerate(shares):
            self.monitor.progress("penalties", i, len(shares))
            filled, _ = soft_impute(values, kept, share * norm, filled, self.iterations, self.tolerance)
            errors.append(normalised_error(train, self.encoder_.decode_array(filled), held_out))
        chosen = int(np.argmin(errors))
        norm, filled = spectral_norm(values), np.zeros_like(values)
        for share in shares[: chosen + 1]:
            filled, self.factor_ = soft_impute(values, seen, share * norm, filled, self.iterations, self.tolerance)
        self.penalty_ = float(shares[chosen] * norm)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values, seen = self._encoded(rows)
        scores = ridge_scores(values, seen, self.factor_, self.penalty_)
        diagnostics = {"penalty": self.penalty_, "rank": self.factor_.shape[1]}
        return Imputation(self.encoder_.decode_array(scores @ self.factor_.T), diagnostics=diagnostics)

    def _encoded(self, rows: Incomplete) -> tuple[np.ndarray, np.ndarray]:
        """Standardised coordinates (n, w), 0 where hidden, and which are seen, (n, w) bool."""
        values = self.encoder_.encode(rows.values).astype(np.float64)
        return values, rows.observed[:, self.encoder_.column_of]
