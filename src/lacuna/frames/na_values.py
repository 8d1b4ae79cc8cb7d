"""Cells that the user declares blank, such as -999; numbers compare as numbers."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from lacuna.frames.codings import nullable
from lacuna.frames.labels import known_label, label_text, listed
from lacuna.frames.number_text import NUMBER, ZERO_PADDED, with_ascii_digits, with_point


@dataclass(frozen=True)
class NaValues:
    """By column of a frame, the values that are blank."""

    by_column: tuple[tuple[Any, ...], ...]  # in the order of the frame
    labels: tuple[str, ...]
    decimal: str = "."  # of numbers in text

    @classmethod
    def of(cls, given: Any, columns: pd.Index, key: str, decimal: str = ".") -> NaValues:
        """
        Args:
            given: a value or several, for all columns; or by column label.
            columns: of the frame.
            key: what the user calls ``given``, for messages.
            decimal: mark of numbers in text.

        Raises:
            UserError: there is no such column.
        """
        labels = tuple(label_text(label) for label in columns)
        if not isinstance(given, Mapping):
            return cls((tuple(listed(given)),) * len(labels), labels, decimal)
        named = {known_label(label_text(label), labels, key): tuple(listed(v)) for label, v in given.items()}
        return cls(tuple(named.get(label, ()) for label in labels), labels, decimal)

    def blanked(self, frame: pd.DataFrame) -> pd.DataFrame:
        """A copy with these cells blank; integers and booleans become nullable where they have to."""
        done = frame
        for position, values in enumerate(self.by_column):
            series = frame.iloc[:, position]
            if values and (blank := _is_one_of(series, values, self.decimal)).any():
                done = done.copy() if done is frame else done
                done.isetitem(position, nullable(series).mask(blank))  # type: ignore[arg-type]  # the stubs forget Series
        return done

    def unseen(self, frame: pd.DataFrame) -> list[str]:
        """What to say where no cell of ``frame`` is one of the values: a mistake, perhaps."""
        missed: dict[str, list[str]] = {}
        for position, values in enumerate(self.by_column):
            for value in values:
                found = _is_one_of(frame.iloc[:, position], (value,), self.decimal).any()
                missed.setdefault(str(value), []).append("" if found else self.labels[position])
        return [
            f"na_values: no cell is {value!r}" + (f" in column {columns[0]!r}" if len(columns) == 1 else "")
            for value, columns in missed.items()
            if all(columns)
        ]


def _is_one_of(series: pd.Series, values: Sequence[Any], decimal: str) -> np.ndarray:
    """(n,) bool: where a cell is one of ``values``, as text or as a number."""
    numbers = [float(text) for text in map(str, values) if _is_number(text)]
    seen = series.notna().to_numpy()
    found = np.zeros(len(series), bool)
    if dtypes.is_any_real_numeric_dtype(series.dtype):
        found[seen] = np.isin(series[seen].to_numpy(dtype=np.float64), numbers)
        return found
    distinct = pd.Series(series[seen].astype(str).unique(), dtype="str")
    plain = with_point(with_ascii_digits(distinct), decimal)
    numeric = (plain.str.fullmatch(NUMBER) & ~plain.str.fullmatch(ZERO_PADDED)).to_numpy(dtype=bool)
    same = distinct.isin([str(value) for value in values]).to_numpy(copy=True)
    same[numeric] |= np.isin(plain[numeric].to_numpy(dtype=np.float64), numbers)
    found[seen] = series[seen].astype(str).isin(distinct[same]).to_numpy()
    return found


def _is_number(text: str) -> bool:
    return bool(re.fullmatch(NUMBER, text)) and not re.fullmatch(ZERO_PADDED, text)
