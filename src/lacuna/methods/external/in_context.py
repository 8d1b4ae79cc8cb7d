"""Foundation models that read a table as context: TabPFN (Hollmann et al. 2025) and TabICL (Qu et al. 2025).

Nothing is trained here, and nothing is downloaded: their weights have to be on this machine.
"""

from __future__ import annotations

from abc import abstractmethod
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lacuna.errors import MissingWeights, require
from lacuna.methods.base import Method
from lacuna.methods.boosting import sample_levels
from lacuna.methods.external.packages import untouched
from lacuna.rng import stream
from lacuna.types import Column, Draws, Imputation, Incomplete, Problem

LEVELS = np.linspace(0.01, 0.99, 99)  # of the quantiles that draws are made of


class InContext(Method):
    """Each column from all others, blanks as they are, by a model that has the training rows as its context.

    Point imputations are the predicted mean or the likeliest level. Draws are made of the predicted quantiles, blanks
    of a row apart from each other.

    Args:
        folder: of the weights.
        regressor, classifier: their files there.
        estimators: views of the data that a prediction averages.
        max_rows: of the context; a random subset of more.
    """

    package: ClassVar[str]
    where_from: ClassVar[str]  # the page that has the weights
    most_levels: ClassVar[int | None] = None  # of a column
    inductive: ClassVar[bool] = False  # predictions of a batch share their preparation

    def __init__(
        self, folder: str, regressor: str, classifier: str, estimators: int = 8, max_rows: int = 10_000
    ) -> None:
        if estimators < 1 or max_rows < 2:
            raise ValueError(f"need an estimator and two rows, got {estimators} and {max_rows}")
        require(f"method {self.package}", "foundation", self.package)
        self.weights = {name: Path(folder).expanduser() / name for name in (regressor, classifier)}
        for name, path in self.weights.items():
            if not path.is_file():
                raise MissingWeights(
                    f"method {self.package} needs {name} of {self.where_from}: put it into {path.parent} or set "
                    "method.folder"
                )
        self.regressor, self.classifier = self.weights.values()
        self.estimators, self.max_rows = estimators, max_rows

    def unsupported(self, problem: Problem) -> str | None:
        for column in problem.train.columns:
            if self.most_levels is not None and column.n_levels > self.most_levels:
                return f"column {column.name!r} has more than the {self.most_levels} levels that it can predict"
        return None

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_ = seed
        order = stream(seed, self.package, "rows").permutation(len(train))
        self.context_ = [
            train.take(np.sort([i for i in order if train.observed[i, j]][: self.max_rows]))
            for j in range(len(train.columns))
        ]

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values, cells = rows.values.copy(), np.argwhere(rows.hidden)
        samples, rng = np.empty((draws, len(cells))), stream(self.seed_, self.package, "draws")
        for j, column in enumerate(rows.columns):
            self.monitor.progress("columns", j, len(rows.columns))
            hidden = rows.hidden[:, j]
            if hidden.any():
                point, drawn = self._column(column, j, rows.values[hidden], draws, rng)
                values[hidden, j], samples[:, cells[:, 1] == j] = point, drawn
        return Imputation(values, draws=Draws.from_samples(cells, samples) if draws else None)

    def _column(
        self, column: Column, j: int, rows: np.ndarray, draws: int, rng: np.random.Generator
    ) -> tuple[np.ndarray, np.ndarray]:
        """Point imputations (h,) and draws (draws, h) of column ``j`` in rows (h, d)."""
        context = self.context_[j]
        target = context.values[:, j]
        features, asked = np.delete(context.values, j, axis=1), np.delete(rows, j, axis=1)
        if np.ptp(target) == 0 or not features.shape[1]:
            return np.full(len(rows), target[0]), np.full((draws, len(rows)), target[0])
        categorical = [i for i, c in enumerate(np.delete(np.array([c.discrete for c in context.columns]), j)) if c]
        with untouched(self.seed_):
            if column.discrete:
                model = self._model(self.classifier, categorical).fit(features, target.astype(int))
                probabilities = np.asarray(model.predict_proba(asked))
                levels = np.asarray(model.classes_)
                return levels[probabilities.argmax(1)], levels[sample_levels(probabilities, draws, rng)]
            model = self._model(self.regressor, categorical).fit(features, target)
            mean, quantiles = self._predicted(model, asked)
        rounded = np.round if column.kind == "integer" else np.asarray
        low, high = target.min(), target.max()
        at = rng.random((draws, len(rows))) if draws else np.empty((0, len(rows)))
        drawn = np.stack([np.interp(at[:, i], LEVELS, quantiles[i]) for i in range(len(rows))], axis=1)
        return rounded(mean).clip(low, high), rounded(drawn).clip(low, high)

    @abstractmethod
    def _model(self, weights: Path, categorical: list[int]) -> Any:
        """A classifier or regressor in scikit-learn's manner; ``categorical`` are places of features."""

    @abstractmethod
    def _predicted(self, model: Any, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Mean (h,) and quantiles at ``LEVELS``, (h, 99)."""
