"""What a DataFrame column is: from its dtype, from its cells, or from what a schema asks for."""

from __future__ import annotations

import re
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Literal

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from lacuna.errors import UserError
from lacuna.frames import codings
from lacuna.frames.codings import Coding, DateTimes, Durations, Levels, Numbers, NumberText

Wanted = Literal["continuous", "integer", "categorical", "date", "ignore"]
WANTED: tuple[Wanted, ...] = ("continuous", "integer", "categorical", "date", "ignore")
FEW_LEVELS, CELLS_PER_LEVEL = 20, 5  # beyond a few, a label must be seen often enough to be learned


@dataclass(frozen=True)
class Reading:
    """How to read columns whose dtype leaves it open."""

    max_levels: int = 100  # text with more distinct values than this is not modelled
    decimal_marks: str = ""  # that numbers in text may have: "." or ".,"; empty: text is never a number
    schema_key: str = "schema"  # what the user calls the schema, for error messages

    def __post_init__(self) -> None:
        if self.max_levels < 1:
            raise ValueError(f"max_levels must be at least 1, got {self.max_levels}")

    def most_levels(self, n_seen: int) -> int:
        """How many levels a categorical column with ``n_seen`` observed cells may have."""
        return min(self.max_levels, max(FEW_LEVELS, n_seen // CELLS_PER_LEVEL))

    def typed(self, name: str, kind: str) -> str:
        """What to type to give a column a kind: an override where the name allows, else a mapping."""
        if "." in self.schema_key and re.fullmatch(r"\w+", name):
            return f"+{self.schema_key}.{name}={kind}"
        return f"{self.schema_key}={{{name!r}: {kind!r}}}"


def column_coding(series: pd.Series, name: str, wanted: Wanted | None, reading: Reading) -> Coding | None:
    """The coding of a column; None where it is text that is not modelled and has no blank.

    Raises:
        UserError: nothing observed, text with too many levels and blanks, or cells unlike ``wanted``.
    """
    if isinstance(series.dtype, pd.SparseDtype):
        raise UserError(f"column {name!r} is sparse: make it dense with .sparse.to_dense()")
    seen = series[series.notna().to_numpy()]
    if seen.empty:
        advice = reading.typed(name, "ignore")
        raise UserError(f"column {name!r} has no observed value: drop it, or leave it blank with {advice}")
    if wanted is not None:
        coding = _wanted_coding(seen, name, wanted)
        _check_finite(coding, seen, name)
        return coding
    natural = _natural_coding(seen, name, reading.decimal_marks)
    if natural is not None and len(natural.levels) <= reading.most_levels(len(seen)):
        _check_finite(natural, seen, name)
        return natural
    if n_blank := len(series) - len(seen):
        what = "cells that cannot be compared" if natural is None else f"{len(natural.levels):,} distinct values"
        raise UserError(
            f"column {name!r} has {what}, too many for a category, and {n_blank:,} blank cells: set "
            f"{reading.typed(name, 'ignore')} to leave them blank, or {reading.typed(name, 'categorical')}"
        )
    return None


def _check_finite(coding: Coding, seen: pd.Series, name: str) -> None:
    if isinstance(coding, Numbers | NumberText):
        codings.check_finite(name, coding.encode(seen))


# --- what the dtype and the cells suggest -------------------------------------------------------------------


def _natural_coding(seen: pd.Series, name: str, decimal_marks: str = "") -> Coding | None:
    """The coding of observed cells whatever their number of levels; None where they cannot be compared."""
    dtype = seen.dtype
    if dtypes.is_bool_dtype(dtype) or isinstance(dtype, pd.CategoricalDtype):
        return levels(seen)
    if dtypes.is_any_real_numeric_dtype(dtype):
        return Numbers(dtypes.is_integer_dtype(dtype))
    if dtypes.is_datetime64_any_dtype(dtype):
        return DateTimes.of(seen)
    if dtypes.is_timedelta64_dtype(dtype):
        return Durations.of(seen)
    content = dtypes.infer_dtype(seen)
    if content == "string":
        return _text_coding(seen.drop_duplicates(), name, decimal_marks)
    return OBJECTS.get(content, levels)(seen)


OBJECTS: dict[str, Callable[[pd.Series], Coding | None]] = {  # by what pandas' infer_dtype calls them
    "integer": lambda seen: Numbers(whole=True),
    "floating": lambda seen: Numbers(whole=False),
    "mixed-integer-float": lambda seen: Numbers(whole=False),
    "decimal": lambda seen: Numbers(whole=False, exponent=codings.decimal_exponent(seen)),
    "date": lambda seen: DateTimes.of(seen, as_objects="date"),
    "datetime": lambda seen: DateTimes.of(seen, as_objects="datetime") if _naive(seen) else levels(seen),
}


def _naive(seen: pd.Series) -> bool:
    return all(moment.tzinfo is None for moment in seen)


def _text_coding(texts: pd.Series, name: str, decimal_marks: str) -> Coding | None:
    """Of distinct texts: numbers where numbers may be written, then dates, then levels."""
    for mark in decimal_marks:
        if (numbers := codings.read_number_text(texts, mark)) is not None:
            return numbers
    if (text_format := codings.date_format(texts)) is not None:
        return DateTimes.of(texts, text_format)
    if decimal_marks:
        _warn_of_near_numbers(texts, name)
    return levels(texts)


def _warn_of_near_numbers(texts: pd.Series, name: str) -> None:
    """One odd word makes a column of numbers a column of text: say so, for it is often a sign for a blank."""
    numeric = texts.str.fullmatch(codings.NUMBER).to_numpy(dtype=bool)
    if numeric.mean() > 0.5 and not texts.str.fullmatch(codings.ZERO_PADDED).any():
        odd = texts[~numeric].iloc[0]
        warnings.warn(
            f"column {name!r} is read as text because of {odd!r}: if that means blank, add it to na_values",
            stacklevel=2,
        )


def levels(seen: pd.Series) -> Levels | None:
    """The distinct cells, in the order of their categories or sorted; None where they cannot be compared."""
    if isinstance(seen.dtype, pd.CategoricalDtype):
        present = set(seen.cat.codes.unique().tolist())
        return Levels(tuple(x for code, x in enumerate(seen.cat.categories.tolist()) if code in present))
    try:
        distinct = seen.astype(object).unique().tolist()
    except TypeError:  # lists, dicts and the like
        return None
    try:
        return Levels(tuple(sorted(distinct)))
    except TypeError:  # of several types
        return Levels(tuple(sorted(distinct, key=lambda x: (type(x).__name__, str(x)))))


# --- what a schema asks for ---------------------------------------------------------------------------------


def _wanted_coding(seen: pd.Series, name: str, wanted: Wanted) -> Coding:
    coding = levels(seen) if wanted == "categorical" else _natural_coding(seen, name)
    if wanted in ("continuous", "integer"):
        return _wanted_numbers(coding, seen, name, wanted)
    if coding is None:
        raise UserError(f"schema: column {name!r} cannot be {wanted}: its cells cannot be compared")
    if wanted == "date" and not isinstance(coding, DateTimes):
        raise UserError(f"schema: column {name!r} is not a date: {seen.iloc[0]!r} is in none of the known formats")
    return coding


def _wanted_numbers(coding: Coding | None, seen: pd.Series, name: str, wanted: Wanted) -> Coding:
    if isinstance(coding, Levels) and dtypes.infer_dtype(seen) == "string":
        coding = _forced_numbers(seen.drop_duplicates(), name)
    if not isinstance(coding, Numbers | NumberText):
        raise UserError(f"schema: column {name!r} cannot be {wanted}: {seen.iloc[0]!r} is not a number")
    if wanted == "integer" and (fraction := coding.encode(seen) % 1 != 0).any():
        raise UserError(f"schema: column {name!r} cannot be integer: it holds {seen[fraction].iloc[0]!r}")
    return replace(coding, whole=wanted == "integer")


def _forced_numbers(texts: pd.Series, name: str) -> NumberText:
    for mark in ".,":
        coding = NumberText(False, mark)
        if not np.isnan(coding.encode(texts)).any():
            return coding
    odd = texts[np.isnan(NumberText(False).encode(texts))].iloc[0]
    raise UserError(f"schema: column {name!r} holds {odd!r}, which is not a number")
