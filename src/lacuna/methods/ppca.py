"""Probabilistic principal components: Tipping, Bishop, JRSS B 1999; with blanks: Ilin, Raiko, JMLR 2010."""

from __future__ import annotations

import numpy as np

from lacuna.encoding import Encoder
from lacuna.methods.base import Method
from lacuna.methods.held_out import held_out_cells, normalised_error
from lacuna.numerics.low_rank import PrincipalComponents, fitted_components
from lacuna.rng import stream
from lacuna.types import Draws, Imputation, Incomplete

RANKS = (1, 2, 3, 4, 6, 8, 12, 16, 24, 32, 48, 64, 96, 128)
ROWS_AT_ONCE = 4096


class PPCA(Method):
    """A Gaussian with a covariance of low rank plus noise of one variance, fitted by EM to the observed cells.

    Columns are standardised, categories are one coordinate a level and get the level with the largest. The rank is the
    one of ``RANKS`` with the least error on observed cells that were held out; a rank a tenth worse ends the search.
    Draws are from the conditional distribution at the estimated parameters; their uncertainty is left out.

    Args:
        rank: at most.
        iterations: of EM, at most.
        tolerance: rise of the log-likelihood, a cell, below which EM has converged.
    """

    label = "PPCA"

    def __init__(self, rank: int = 32, iterations: int = 500, tolerance: float = 1e-5) -> None:
        if rank < 1 or iterations < 1 or tolerance <= 0:
            raise ValueError(f"need a rank, an iteration and a tolerance, got {rank}, {iterations} and {tolerance}")
        self.rank, self.iterations, self.tolerance = rank, iterations, tolerance

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_, self.encoder_ = seed, Encoder.fit(train)
        values, seen = self._encoded(train)
        most = max(1, min(self.rank, self.encoder_.width - 1, len(train) - 1))
        ranks = [rank for rank in RANKS if rank <= most]
        held_out = held_out_cells(train, stream(seed, "ppca", "held out"))
        kept = seen & ~held_out[:, self.encoder_.column_of]
        errors: list[float] = []
        for i, rank in enumerate(ranks):
            self.monitor.progress("ranks", i, len(ranks))
            model = fitted_components(values * kept, kept, rank, self.iterations, self.tolerance)
            scores, _ = model.scores(values * kept, kept)
            completed = self.encoder_.decode_array(scores @ model.weights.T + model.mean)
            errors.append(normalised_error(train, completed, held_out))
            if errors[-1] > 1.1 * min(errors):
                break
        self.rank_ = ranks[int(np.argmin(errors))]
        self.model_ = fitted_components(values, seen, self.rank_, self.iterations, self.tolerance)

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values, cells = rows.values.copy(), np.argwhere(rows.hidden)
        samples, rng = np.empty((draws, len(cells))), stream(self.seed_, "ppca", "draws")
        filled = 0
        for start in range(0, len(rows), ROWS_AT_ONCE):
            part = rows.take(slice(start, start + ROWS_AT_ONCE))
            mean, covariance = self.model_.scores(*self._encoded(part))
            values[start : start + ROWS_AT_ONCE] = self._decoded(mean)
            here = slice(filled, filled + int(part.hidden.sum()))
            root = np.linalg.cholesky(covariance) if draws else covariance
            for i in range(draws):
                scores = mean + (root @ rng.normal(size=(*mean.shape, 1)))[..., 0]
                samples[i, here] = self._decoded(scores, rng)[part.hidden]
            filled = here.stop
        found = Draws.from_samples(cells, samples) if draws else None
        return Imputation(values, draws=found, diagnostics={"rank": self.rank_})

    def _decoded(self, scores: np.ndarray, rng: np.random.Generator | None = None) -> np.ndarray:
        """Values (n, d) at scores (n, r), with noise of ``rng`` where there is one."""
        model: PrincipalComponents = self.model_
        encoded = scores @ model.weights.T + model.mean
        if rng is not None:
            encoded += np.sqrt(model.variance) * rng.normal(size=encoded.shape)
        return self.encoder_.decode_array(encoded)

    def _encoded(self, rows: Incomplete) -> tuple[np.ndarray, np.ndarray]:
        """Standardised coordinates (n, w), 0 where hidden, and which are seen, (n, w) bool."""
        values = self.encoder_.encode(rows.values).astype(np.float64)
        return values, rows.observed[:, self.encoder_.column_of]
