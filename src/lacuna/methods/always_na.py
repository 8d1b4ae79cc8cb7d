"""Every hidden cell of a candidate column is called meaningful: the floor that an MM detector must beat."""

from __future__ import annotations

import numpy as np

from lacuna.methods.mean_mode import MeanMode
from lacuna.types import Imputation, Incomplete, Problem


class AlwaysNA(MeanMode):
    """Keep NA in every hidden candidate cell; mean or mode elsewhere."""

    label = "always NA (floor)"

    def unsupported(self, problem: Problem) -> str | None:
        if not problem.train.candidates.any():
            return "no column may hold meaningful missingness, so there is nothing to keep"
        return None

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        filled = super()._impute(rows, draws).values
        flags = rows.hidden & rows.candidates
        return Imputation(filled, flags, flags.astype(np.float64))
