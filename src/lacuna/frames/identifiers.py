"""Whole numbers that name rows rather than measure them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from itertools import pairwise

FEWEST = 20  # rows: fewer numbers are in order by chance, or by the nature of a small table
YEARS = (1800, 2200)  # consecutive years are time, not names
NAMED = re.compile(r"(?:^|[\W_])(?:id|key|uuid|guid)$", re.IGNORECASE)
CAMEL = re.compile(r"[a-z]I[dD]$")


def is_identifier(name: str, numbers: Sequence[int], n_blank: int) -> bool:
    """Whether a column's observed whole numbers, in the order of the rows, are identifiers.

    They are where they are unique and the column is called so (``id``, ``patient_id``, ``userId``), or has no blank
    and they rise or fall from row to row or are consecutive in any order.

    >>> is_identifier("patient", range(100_000, 100_040), 0), is_identifier("year", range(1960, 2020), 0)
    (True, False)
    """
    if len(numbers) < FEWEST or len(set(numbers)) < len(numbers):
        return False
    low, high = min(numbers), max(numbers)
    if low >= YEARS[0] and high <= YEARS[1]:
        return False
    if NAMED.search(name) or CAMEL.search(name):
        return True
    consecutive = high - low + 1 == len(numbers)
    return not n_blank and (consecutive or _in_order(numbers))


def _in_order(numbers: Sequence[int]) -> bool:
    return all(a < b for a, b in pairwise(numbers)) or all(a > b for a, b in pairwise(numbers))
