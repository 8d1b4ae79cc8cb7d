"""Bounds that a schema gives a column of numbers or dates."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from lacuna.errors import UserError
from lacuna.frames.codings import Coding, DateTimes
from lacuna.frames.reading import Asked


def bounds_of(asked: Asked, coding: Coding, name: str, numbers: np.ndarray) -> tuple[float | None, float | None]:
    """Least and largest number that may be imputed, as the coding counts; None where nothing is asked.

    Args:
        numbers: (k,) the observed cells of the column.

    Raises:
        UserError: the column has no order, a bound is no number or date, or observed cells lie beyond.
    """
    if asked.low is None and asked.high is None:
        return None, None
    if coding.levels:
        raise UserError(f"schema: column {name!r} has levels: min and max go with numbers and dates")
    low, high = (_number(bound, coding, name) for bound in (asked.low, asked.high))
    if low is not None and high is not None and low > high:
        raise UserError(f"schema: column {name!r}: min {asked.low} is above max {asked.high}")
    for word, bound, given, beyond in (
        ("below its min", low, asked.low, numbers < (-np.inf if low is None else low)),
        ("above its max", high, asked.high, numbers > (np.inf if high is None else high)),
    ):
        if bound is not None and beyond.any():
            n, odd = int(beyond.sum()), numbers[beyond][0]
            shown = f"{odd:.10g}" if not isinstance(coding, DateTimes) else _date(odd)
            raise UserError(
                f"schema: column {name!r} holds {shown}, {word} of {given}, in {n:,} cell{'s'[: n > 1]}: change the "
                "bound, correct the cells, or give them in na_values"
            )
    return low, high


def _number(bound: Any, coding: Coding, name: str) -> float | None:
    if bound is None:
        return None
    try:
        if isinstance(coding, DateTimes):
            moment = pd.Timestamp(bound)
            return float((moment.tz_localize(None) - pd.Timestamp(0)) / pd.Timedelta(days=1))
        number = float(bound)
    except (TypeError, ValueError):
        number = np.nan
    if np.isnan(number):
        what = "date" if isinstance(coding, DateTimes) else "number"
        raise UserError(f"schema: column {name!r}: a bound must be a {what}, got {bound!r}")
    return number


def _date(days: float) -> str:
    moment = pd.Timestamp(0) + pd.Timedelta(days=days)
    return str(moment.date() if days % 1 == 0 else moment)
