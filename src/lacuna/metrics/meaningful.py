"""Detection of meaningful missingness over the hidden cells of candidate columns; meaningful is positive.

scikit-learn is imported where a score needs it: it is slow to import.
"""

from __future__ import annotations

import numpy as np

from lacuna.errors import NothingToScore
from lacuna.metrics.display import metric
from lacuna.types import Answer, Imputation, where


@metric(label="MM precision", better=1, percent=True)
def mm_precision(answer: Answer, imputation: Imputation) -> float | None:
    """Share of meaningful cells among those kept as NA; NaN when none is kept."""
    if (cells := _cells(answer, imputation.meaningful, "mm_precision")) is None:
        return None
    from sklearn.metrics import precision_score

    return float(precision_score(*cells, zero_division=np.nan))


@metric(label="MM recall", better=1, percent=True)
def mm_recall(answer: Answer, imputation: Imputation) -> float | None:
    """Share of meaningful cells that are kept as NA; NaN when none is meaningful."""
    if (cells := _cells(answer, imputation.meaningful, "mm_recall")) is None:
        return None
    from sklearn.metrics import recall_score

    return float(recall_score(*cells, zero_division=np.nan))


@metric(label="MM F1", better=1, percent=True)
def mm_f1(answer: Answer, imputation: Imputation) -> float | None:
    """Harmonic mean of precision and recall; NaN when none is meaningful and none is kept."""
    if (cells := _cells(answer, imputation.meaningful, "mm_f1")) is None:
        return None
    from sklearn.metrics import f1_score

    return float(f1_score(*cells, zero_division=np.nan))


@metric(label="MM average precision", better=1, percent=True, headline=False)
def mm_average_precision(answer: Answer, imputation: Imputation) -> float | None:
    """Area under the precision-recall steps of P(meaningful); NaN when none is meaningful."""
    if (cells := _cells(answer, imputation.meaningful_probability, "mm_average_precision")) is None:
        return None
    from sklearn.metrics import average_precision_score

    truth, probability = cells
    return float(average_precision_score(truth, probability)) if truth.any() else float("nan")


@metric(label="MM Brier score", better=-1, headline=False)
def mm_brier(answer: Answer, imputation: Imputation) -> float | None:
    """Mean squared difference between P(meaningful) and the truth, 0 or 1."""
    if (cells := _cells(answer, imputation.meaningful_probability, "mm_brier")) is None:
        return None
    truth, probability = cells
    # brier_score_loss adds up both classes, which changes the last bit in about 1 of 100 cases
    return float(np.mean((probability - truth) ** 2))


@metric(label="values wrongly kept NA", better=-1, percent=True)
def mm_wrongly_kept(answer: Answer, imputation: Imputation) -> float | None:
    """Share of the hidden values of candidate columns that are kept as NA; only where nothing else is known.

    Of a file of one's own, nobody knows which of its blanks are meaningful. The values that a mask hid in it are not.
    """
    candidates = where(answer.columns, mm_candidate=True)
    if answer.meaningful_known or imputation.meaningful is None or not candidates.any():
        return None
    scored = answer.ordinary & candidates
    if not scored.any():
        raise NothingToScore("mm_wrongly_kept: no value of a candidate column is hidden")
    return float(imputation.meaningful[scored].mean())


def _cells(answer: Answer, claim: np.ndarray | None, name: str) -> tuple[np.ndarray, np.ndarray] | None:
    """Truth and claim (c,) at the hidden cells of candidate columns; None without such columns or a claim."""
    candidates = where(answer.columns, mm_candidate=True)
    if claim is None or not candidates.any():
        return None
    if not answer.meaningful_known:
        raise NothingToScore(f"{name}: it is not known which blanks of the table are meaningful")
    scored = answer.hidden & candidates
    if not scored.any():
        names = [c.name for c in answer.columns if c.mm_candidate]
        raise NothingToScore(f"{name}: no cell is hidden in {names}")
    return answer.meaningful[scored], claim[scored]
