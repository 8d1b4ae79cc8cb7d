"""The one number by which settings of a method are compared where the truth is not to be touched."""

from __future__ import annotations

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.metrics.display import metric
from lacuna.types import Answer, Imputation, where


@metric(label="held-out error", better=-1)
def error(answer: Answer, imputation: Imputation) -> float:
    """Root mean squared error of numbers, in sds of their columns, plus the share of levels that are wrong.

    Either counts where the table has such cells. A cell that a method keeps as NA is scored by the regular value
    beside the flag, so that every method can be scored.

    Raises:
        NothingToScore: no observed cell was hidden again.
    """
    if not answer.ordinary.any():
        raise NothingToScore("held_out: no column has two observed cells, of which one could be hidden")
    levels = answer.ordinary & where(answer.columns, discrete=True)
    numbers = answer.ordinary & ~levels
    total = 0.0
    if numbers.any():
        scale = np.ones(len(answer.columns)) if answer.scale is None else answer.scale
        off = (imputation.values[numbers] - answer.values[numbers]) / scale[np.nonzero(numbers)[1]]
        total += float(np.sqrt(np.mean(off**2)))
    if levels.any():
        total += float(np.mean(imputation.values[levels] != answer.values[levels]))
    return total
