"""Values that look like codes for "no answer", such as -999 among ages: said, never changed."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from lacuna.frames.number_text import NUMBER

# digits of one kind, as surveys and instruments use them: 9, 99, 999.9, -7, 888888; or -1
CODE = re.compile(r"-?(?:9+(?:\.9+)?|8+|7+)(?:\.0*)?|-1(?:\.0*)?|-9+(?:\.25)?")
WORDS = (  # in lower case
    *("?", "-", "--", ".", "..", "n.a.", "n.a", "k.a.", "#n/v", "nil", "void", "blank", "(blank)"),
    *("missing", "unknown", "not available", "not applicable", "no answer"),
)
FEW_DISTINCT = 11  # of a scale such as 1 to 5, where 9 is a code
N_ENDS = 3  # lowest and highest distinct values among which codes are looked for


def code_in_numbers(numbers: np.ndarray) -> tuple[float, int] | None:
    """The value among observed numbers (k,) that looks most like a code, and how often it is there.

    >>> code_in_numbers(np.array([1.0, 2, 3, 99, 4, 99]))
    (99.0, 2)
    >>> code_in_numbers(np.array([96.0, 97, 98, 99, 99])) is None
    True
    """
    values, counts = np.unique(numbers, return_counts=True)
    ends = np.r_[: min(len(values), N_ENDS), max(len(values) - N_ENDS, N_ENDS) : len(values)]
    codes = np.array([i for i in ends.tolist() if CODE.fullmatch(f"{values[i]:.12g}")], dtype=np.intp)
    others, n_others = np.delete(values, codes), np.delete(counts, codes)
    found = [(float(values[i]), int(counts[i])) for i in codes.tolist() if len(others)]
    apart = [one for one in found if _apart(*one, others, n_others)]
    return max(apart, key=lambda one: (one[1], abs(one[0]))) if apart else None


def code_in_levels(levels: Sequence[object]) -> str | None:
    """The level that looks like a code: a word such as "unknown", or a number as of CODE where no other is a number.

    >>> code_in_levels(["F", "M", "-9"]), code_in_levels(["a", "Unknown"]), code_in_levels(["9", "8"])
    ('-9', 'Unknown', None)
    """
    texts = [level for level in levels if isinstance(level, str)]
    if len(texts) < 2:
        return None
    numeric = [text for text in texts if re.fullmatch(NUMBER, text)]
    if len(numeric) == 1 and CODE.fullmatch(numeric[0]):
        return numeric[0]
    return next((text for text in texts if text.strip().lower() in WORDS), None)


def is_code_na(levels: Sequence[object]) -> bool:
    """Whether NA may be one of these levels: they are all of two capital letters, as codes of countries are."""
    return len(levels) > 1 and all(isinstance(x, str) and re.fullmatch("[A-Z]{2}", x) for x in levels)


def code_in_days(days: np.ndarray) -> str | None:
    """The date, of observed days since 1970 (k,), that stands for none: 1 January 1900 or 31 December 9999.

    It counts where it is beyond all others, and farther from them than they spread.
    """
    values = np.unique(np.floor(days))
    for text in ("9999-12-31", "1900-01-01"):
        day = float(pd.Timestamp(text).to_datetime64().astype("datetime64[D]").astype(np.int64))
        others = values[values != day]
        if len(others) < len(values) and len(others) and _distance(day, others) > np.ptp(others):
            return text
    return None


def _apart(value: float, count: int, others: np.ndarray, n_others: np.ndarray) -> bool:
    """Whether a value that is written as a code is beyond the sorted ``others`` (m,), and unlike them.

    A negative one is unlike numbers that are not. Else it must be farther off than they spread; or, where it is there
    twice or more, more than twice as far as they are from each other, or a whole number that is more frequent than
    any of them, which are not whole. A single digit is a code of a short scale only, and -1 of a long one.
    """
    distance, spread = _distance(value, others), float(np.ptp(others))
    if distance <= 0:
        return False
    if value == -1:
        return count > 1 and others[0] >= 0 and len(others) > FEW_DISTINCT
    if value < 0 and others[0] >= 0:
        return True
    if abs(value) < 10 and (len(others) > FEW_DISTINCT or count < 2):
        return False
    widest = float(np.diff(others).max()) if len(others) > 1 else 0.0
    unlike = value % 1 == 0 and (others % 1 != 0).mean() > 0.5 and count > n_others.max()
    return distance > spread or (count > 1 and (distance > 2 * widest or unlike))


def _distance(value: float, others: np.ndarray) -> float:
    """From the nearest of the sorted ``others``; negative where it lies between them."""
    return float(max(others[0] - value, value - others[-1]))
