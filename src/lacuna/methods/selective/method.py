"""Any imputer, made selective."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np

from lacuna.crossfit import Boosting
from lacuna.methods.base import Method
from lacuna.methods.chained import Chained
from lacuna.methods.selective.levels import NativeLevels
from lacuna.methods.selective.observation import Ordinary
from lacuna.methods.selective.posterior import MeaningfulPosterior
from lacuna.rng import stream
from lacuna.types import Column, Imputation, Incomplete, where


@runtime_checkable
class GivesLevels(Protocol):
    """An imputer that says how probable each level of a hidden cell is."""

    def level_probabilities(self, rows: Incomplete) -> dict[int, np.ndarray]:
        """(h, levels) for the h hidden cells of each categorical column that has some."""


class Selective(Method):
    """Keep the blanks that are probably meaningful, and impute the others by another method.

    The final state of a hidden candidate cell is the most probable of NA and its regular levels: NA with
    P(meaningful), a level with the rest times the base imputer's probability of it; a number stays NA where
    P(meaningful) exceeds 1/2. ``values`` hold the best regular value in either case, and draws, where the base
    gives them, are draws of the regular value.

    Assumes that ordinary blanks do not depend on what they hide beyond the columns seen to drive them, and that
    whether a blank is meaningful depends on values and on other meaningful blanks, not on ordinary ones: what blanks
    share with those of columns that cannot be meaningful is ordinary. No blank is kept because a column is blank more
    often than others, unless ``ordinary`` says what the rate is. ``Imputation.diagnostics`` says how far the data bear
    all that out.

    Where blanks are meant, other columns are imputed with that known: ``chained`` gets an indicator of them, and levels
    of categorical columns come in part of trees that see blanks, the more so the more rows there are.

    Args:
        base: the imputer of regular values; None: ``Chained``. One that gives points only is credited with
            the probability of being right that it reaches on observed cells held out of its training.
        ordinary: probability of an ordinary blank: ``per_row``, ``common`` or a rate; see ``MeaningfulPosterior``.
        rounds, learning_rate, leaves, folds: of the models of what is meaningful, see ``crossfit.Boosting``.
        hold_out: share of the observed cells of categorical candidate columns that a base without probabilities
            does not get, to be judged on.
    """

    label = "selective (ours)"

    def __init__(
        self,
        base: Method | None = None,
        ordinary: Ordinary = "per_row",
        rounds: int = 100,
        learning_rate: float = 0.2,
        leaves: int = 15,
        folds: int = 5,
        hold_out: float = 0.1,
    ) -> None:
        if not 0 < hold_out < 1:
            raise ValueError(f"hold_out must lie in (0, 1), got {hold_out}")
        self.base = Chained() if base is None else base
        self.posterior = MeaningfulPosterior(ordinary, Boosting(rounds, learning_rate, leaves, folds=folds))
        self.hold_out = hold_out

    @property
    def inductive(self) -> bool:  # type: ignore[override]
        """As the base imputer."""
        return self.base.inductive

    @property
    def at_random(self) -> bool:  # type: ignore[override]
        """As the base imputer."""
        return self.base.at_random

    def open_ends(self) -> np.ndarray:
        """As the base imputer."""
        return self.base.open_ends()[:, : len(self.columns_)]

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.monitor.progress("blanks", 0, 1)
        self.base.monitor = self.monitor
        self.posterior.fit(train, seed)
        self.reached_ = np.zeros(len(train.columns))
        judged = where(train.columns, mm_candidate=True, discrete=True)
        if isinstance(self.base, GivesLevels) or not judged.any():
            self.base.fit(self._with_blanks(train), seed)
            blanks_tell = isinstance(self.base, Chained) and bool(self.posterior.meant)
            self.levels_ = NativeLevels.fit(train, seed) if blanks_tell else None
            return
        held_out = train.observed & judged & (stream(seed, "hold out").random(train.values.shape) < self.hold_out)
        held_out &= (train.observed & ~held_out).any(0)  # something of each column must be left to learn from
        shown = Incomplete(train.columns, np.where(held_out, np.nan, train.values), train.observed & ~held_out)
        rows = held_out.any(1)
        guessed = self.base.fit(shown, seed).impute(shown.take(rows)).values
        right = ((guessed == train.values[rows]) & held_out[rows]).sum(0)
        self.reached_ = (right + 1) / (held_out.sum(0) + 2)  # Laplace's rule: never quite sure

    def _with_blanks(self, rows: Incomplete) -> Incomplete:
        """Rows as the base sees them: to chained equations, blanks that are meant are values too."""
        meant = self.posterior.meant if isinstance(self.base, Chained) else []
        return Incomplete(
            rows.columns + tuple(Column(f"{rows.columns[j].name} is blank", "categorical", (0, 1)) for j in meant),
            np.column_stack([rows.values, rows.hidden[:, meant]]),
            np.column_stack([rows.observed, np.ones((len(rows), len(meant)), bool)]),
        )

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        seen = self._with_blanks(rows)
        done = self.base.impute(seen, draws)
        values = done.values[:, : len(rows.columns)].copy()
        probability = self.posterior.predict(rows)
        best = np.ones(rows.values.shape)  # probability of the best regular value; a number has no rivals
        discrete = where(rows.columns, discrete=True)
        best[:, discrete] = self.reached_[discrete]
        if isinstance(self.base, GivesLevels):
            for j, of_base in self.base.level_probabilities(seen).items():
                if j >= len(rows.columns):
                    continue
                levels = of_base
                if self.levels_ is not None:
                    share = self.levels_.shares[j]
                    levels = (1 - share) * of_base + share * self.levels_.predict(rows, j)
                    values[rows.hidden[:, j], j] = levels.argmax(1)
                best[rows.hidden[:, j], j] = levels.max(1)
        return Imputation(
            values,
            rows.hidden & rows.candidates & (probability > (1 - probability) * best),
            probability,
            done.draws,
            done.diagnostics | self.posterior.diagnostics(),
        )
