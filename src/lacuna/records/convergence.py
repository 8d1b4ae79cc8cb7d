"""Which chains of a run have not come to the same law, in a sentence."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

LARGE, CHANCE = 1.1, 0.01  # split R-hat beyond which chains count as apart; and how often that may be by chance


def traces(diagnostics: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """By column: mean and sd of imputed values, (chains, sweeps) each, and split R-hat, of the first split with any.

    Args:
        diagnostics: of a record, by split.
    """
    return next((of["convergence"] for of in diagnostics.values() if of.get("convergence")), {})


def remarks(diagnostics: Mapping[str, Any]) -> list[str]:
    """One line that names the columns whose chains are apart."""
    rhats = {name: trace["rhat"] for name, trace in traces(diagnostics).items() if apart(trace)}
    if not rhats:
        return []
    named = ", ".join(f"{name!r} ({rhat:.2f})" for name, rhat in sorted(rhats.items(), key=lambda item: -item[1]))
    return [
        f"chains have not converged (split R-hat above {LARGE}) for {named}: give them more sweeps, such as "
        "method.sweeps=40, and look at the traces in the report"
    ]


def apart(trace: Mapping[str, Any]) -> bool:
    """Whether split R-hat is large, and the chains' means differ by more than so few sweeps do by chance."""
    rhat = trace["rhat"]
    if rhat is None or math.isnan(rhat) or rhat <= LARGE:
        return False
    from scipy import stats

    mean = np.array(trace["mean"], float)
    late = mean[:, mean.shape[1] // 2 :]
    halves = np.concatenate([late[:, : late.shape[1] // 2], late[:, -(late.shape[1] // 2) :]])
    return bool(stats.f_oneway(*halves).pvalue < CHANCE)
