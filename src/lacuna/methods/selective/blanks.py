"""Blanks of reference columns as scores: whatever a candidate's blanks share with them, given values, is ordinary."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

import numpy as np
from scipy.special import logit
from scipy.stats import chi2

from lacuna.methods.selective.drivers import score_statistics

LEVEL = 1e-3  # of the tests, divided by the number of scores
AT_MOST = 4  # scores of a column
N_PATTERNS = 3  # leading patterns of blanks
FEWEST = 4  # columns with blanks that have patterns
STEP = 4.0  # log-odds for which a single column's blank counts with weight 1: pages are lost whole


@dataclass(frozen=True)
class BlankScores:
    """Scores of a row's blanks in reference columns, chosen for one candidate column.

    The scores to choose from are the log-odds of the share of blank reference columns, their leading patterns
    (principal components), and each column's blank by itself.
    """

    columns: np.ndarray  # (k,) reference columns with blanks
    patterns: np.ndarray  # (k, p)
    chosen: tuple[int, ...]  # of the 1 + p + k scores
    centre: np.ndarray  # (1 + p + k,)
    scale: np.ndarray  # (1 + p + k,)

    @classmethod
    def of(cls, blank: np.ndarray, columns: np.ndarray) -> Self:
        """All scores, none chosen, from blanks (n, d)."""
        shown = blank[:, columns].astype(float)
        patterns = np.empty((len(columns), 0))
        if len(columns) >= FEWEST:
            sd = shown.std(0)
            scaled = (shown - shown.mean(0)) / np.where(sd > 0, sd, 1.0)
            axes = np.linalg.eigh(scaled.T @ scaled)[1][:, ::-1][:, :N_PATTERNS]
            patterns = axes / np.where(sd > 0, sd, 1.0)[:, None]
        found = cls(columns, patterns, (), np.zeros(1), np.ones(1))
        raw = found._raw(blank)
        sd = raw.std(0)
        scale = np.where(sd > 0, sd, 1.0)
        scale[1 + patterns.shape[1] :] = 1 / STEP
        return cls(columns, patterns, (), raw.mean(0), scale)

    def choose(self, blank: np.ndarray, hidden: np.ndarray, known: np.ndarray) -> Self:
        """Those that go with a column's blanks, the clearest first, by score tests.

        Args:
            blank: (n, d) bool.
            hidden: (n,) the column's.
            known: (n, f) scores that are in the model already.
        """
        scores = (self._raw(blank) - self.centre) / self.scale
        chosen: list[int] = []
        while len(chosen) < AT_MOST and len(self.columns) and 0 < hidden.sum() < len(hidden):
            rest = [i for i in range(scores.shape[1]) if i not in chosen and np.ptp(scores[:, i]) > 0]
            if not rest:
                break
            found = np.array(
                score_statistics(np.column_stack([known, scores[:, chosen]]), [scores[:, [i]] for i in rest], hidden)
            )
            if chi2.logsf(found.max(), 1) > np.log(LEVEL / scores.shape[1]):
                break
            chosen.append(rest[int(found.argmax())])
        return type(self)(self.columns, self.patterns, tuple(chosen), self.centre, self.scale)

    def __call__(self, blank: np.ndarray) -> np.ndarray:
        """(n, chosen) for blanks (n, d)."""
        chosen = list(self.chosen)
        return ((self._raw(blank) - self.centre) / self.scale)[:, chosen]

    def _raw(self, blank: np.ndarray) -> np.ndarray:
        shown = blank[:, self.columns].astype(float)
        k = len(self.columns)
        share = logit((shown.sum(1) + 0.5) / (k + 1))
        return np.column_stack([share, shown @ self.patterns, shown])

    def partners(self, blank: np.ndarray, column: int) -> list[int]:
        """The reference columns whose blanks go most with a column's, where any do."""
        if not self.chosen:
            return []
        own = blank[:, column] - blank[:, column].mean()
        shown = blank[:, self.columns] - blank[:, self.columns].mean(0)
        strength = own @ shown / np.sqrt(np.maximum((shown**2).sum(0), 1e-9))
        return [int(self.columns[i]) for i in np.argsort(-strength) if strength[i] >= strength.max() / 2]
