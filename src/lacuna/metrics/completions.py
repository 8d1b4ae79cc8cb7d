"""Completed tables, one for each draw of an imputation."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from lacuna.rng import stream
from lacuna.types import Imputation


def completions(imputation: Imputation, at_most: int) -> Iterator[np.ndarray]:
    """(n, d) for each of up to ``at_most`` draws, spread evenly over all of them; the final values without draws.

    In each draw a blank stays NA with its probability of being meant; the same for all that are given the imputation.
    """
    samples = None if imputation.draws is None else imputation.draws.samples
    if samples is None:
        yield imputation.final
        return
    rng, cells = stream(0, "metrics", "kept"), tuple(imputation.draws.cells.T)  # type: ignore[union-attr]
    for i in np.unique(np.linspace(0, len(samples) - 1, at_most).round().astype(int)):
        rows = imputation.values.copy()
        rows[cells] = samples[i]
        if imputation.meaningful_probability is not None:
            rows[rng.random(rows.shape) < imputation.meaningful_probability] = np.nan
        elif imputation.meaningful is not None:
            rows[imputation.meaningful] = np.nan
        yield rows
