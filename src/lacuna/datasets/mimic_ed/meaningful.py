"""Which cells Diff-Joint makes meaningfully missing, appendix C.2: rules on the true values of other columns."""

from __future__ import annotations

import numpy as np

from lacuna.datasets.mimic_ed.schema import NAMES, by_name


def probabilities(values: np.ndarray) -> dict[str, np.ndarray]:
    """P(meaningful) (n,) of each target column, given true values (n, 30) without blanks."""
    x = by_name(values)
    urgent = x["triage_acuity"] <= 2
    short_of_breath = (x["triage_o2sat"] < 95) | (x["triage_resprate"] >= 22)
    hospitalization = _count(urgent, x["score_NEWS"] >= 2, x["age"] >= 70, x["n_hosp_365d"] >= 1)
    heart_failure = _count(x["age"] >= 75, x["n_hosp_365d"] >= 2, x["triage_sbp"] < 110, x["score_CCI"] >= 4)
    return {
        "outcome_critical": _certain(urgent & (short_of_breath | (x["triage_heartrate"] >= 110))),
        "outcome_icu_transfer_12h": _certain(urgent & (short_of_breath | (x["n_icu_365d"] >= 1))),
        "outcome_hospitalization": np.clip(0.02 + 0.10 * hospitalization, 0, 0.45),
        "cci_CHF": np.clip(0.03 + 0.16 * heart_failure, 0, 0.70),
    }


def draw_meaningful(values: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """The paper's c (n, 30) bool for true values (n, 30) without blanks.

    Raises:
        ValueError: a value is blank; the rules are about the truth, before any mask.
    """
    if np.isnan(values).any():
        raise ValueError("the rules of meaningful missingness need true values without blanks")
    meaningful = np.zeros(values.shape, bool)
    for name, probability in probabilities(values).items():
        meaningful[:, NAMES.index(name)] = rng.random(len(values)) < probability
    return meaningful


def _count(*conditions: np.ndarray) -> np.ndarray:
    return np.sum(conditions, axis=0)


def _certain(condition: np.ndarray) -> np.ndarray:
    return condition.astype(np.float64)
