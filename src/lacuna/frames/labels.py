"""Labels of columns: the names that they go by, and how a user gives several of them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lacuna.errors import UserError, did_you_mean


def label_text(label: Any) -> str:
    """The text that a column label goes by; numbers of numpy are those of Python.

    >>> label_text(("a", np.int64(2)))
    "('a', 2)"
    """
    if isinstance(label, tuple):
        return str(tuple(part.item() if isinstance(part, np.generic) else part for part in label))
    return str(label)


def check_distinct(labels: Sequence[str]) -> None:
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise UserError(f"two columns are called {label!r}: rename one")
        seen.add(label)


def known_label(label: str, labels: Sequence[str], key: str) -> str:
    """``label``, or a UserError where it is none of ``labels``; ``key`` is what the user calls the setting."""
    if label not in labels:
        raise UserError(f"{key}: there is no column {label!r}{did_you_mean(label, labels)}")
    return label


def listed(given: Any) -> list[Any]:
    """Labels given as a list, array, Index or Series, or as one label: text, or a tuple.

    >>> listed(None), listed("age"), listed(pd.Index(["age", "pay"])), listed(np.array([0, 2]))
    ([], ['age'], ['age', 'pay'], [0, 2])
    """
    if given is None:
        return []
    if isinstance(given, str) or not isinstance(given, Iterable):
        return [given]
    return given.tolist() if isinstance(given, np.ndarray | pd.Index | pd.Series) else list(given)
