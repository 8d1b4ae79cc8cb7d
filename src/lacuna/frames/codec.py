"""DataFrames in, DataFrames out: which columns are modelled, as what, and how numbers become cells again.

A column's dtype decides what it is: integers stay what they are, and so do floats, whose column is one of integers
where all are whole; booleans, categories and text are categorical; dates are numbers of days, also when they are text
of one of the formats of ``lacuna.frames.date_text``, or whole numbers such as 20240131. Left out of the model, with a
note, are text with more than ``max_levels`` levels, with more than 20 that are seen fewer than five times on average,
or with more than 10 that are seen fewer than twice; identifiers (``lacuna.frames.identifiers``); and whole numbers
that no integer can hold. A schema overrides all this by column.

A completed frame is a copy of the given one in which only blank cells are written: dtypes, index, column
labels and every observed cell are those that came in.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from lacuna.errors import UserError
from lacuna.frames import codings
from lacuna.frames.bounds import bounds_of
from lacuna.frames.codings import Coding, Numbers
from lacuna.frames.inference import column_coding
from lacuna.frames.labels import check_distinct, known_label, label_text, listed
from lacuna.frames.number_text import NumberText
from lacuna.frames.reading import Findings, Reading, asked_of
from lacuna.types import Column

Unknown = Literal["error", "as_missing"]
SMALLEST, LARGEST = 1e-100, 1e100  # of numbers whose squares float64 can add up


@dataclass(frozen=True)
class CodedColumn:
    """A modelled column of a frame."""

    position: int
    column: Column
    coding: Coding
    unit: float = 1.0  # of values: a power of two, where squares of the numbers would not fit in float64


@dataclass(frozen=True)
class FrameCodec:
    """How frames of one layout become values (n, d) and back; d counts the modelled columns only."""

    labels: tuple[str, ...]  # of all columns of the frame
    coded: tuple[CodedColumn, ...]
    left_out: tuple[str, ...] = ()  # not modelled although no schema asked for that; their blanks stay
    notes: tuple[str, ...] = ()  # sentences for the user about what was found

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        schema: Mapping[Any, str | Mapping[str, Any]] | None = None,
        mm_candidates: Any = None,
        reading: Reading | None = None,
    ) -> FrameCodec:
        """Find out what each column of ``frame`` is.

        Args:
            frame: n rows; blank is whatever ``isna`` says.
            schema: by column label: continuous, integer, categorical, date, or ignore (blanks stay);
                ``{"kind": "date", "format": "%d/%m/%y"}``; or ``{"min": 0, "max": 120, "whole": True}``.
            mm_candidates: label or labels of the columns that may hold meaningful missingness.
            reading: how to read columns whose dtype leaves it open.

        Raises:
            UserError: no rows, duplicate labels, a label that is not there, a column without an observed cell,
                infinite values, cells of another kind than asked for, or a candidate that is not modelled.
        """
        reading = reading or Reading()
        labels = tuple(label_text(label) for label in frame.columns)
        check_distinct(labels)
        if not len(frame):
            raise UserError("the table has no rows")
        asked = {
            known_label(label_text(label), labels, "schema"): asked_of(label, value)
            for label, value in (schema or {}).items()
        }
        candidates = {known_label(label_text(label), labels, "mm_candidates") for label in listed(mm_candidates)}
        findings, coded = Findings(), []
        for position, name in enumerate(labels):
            if (one := asked.get(name)) and one.kind == "ignore":
                continue
            series = frame.iloc[:, position]
            coding = column_coding(series, name, one if one and one.kind else None, reading, findings)
            if coding is not None:
                numbers = coding.encode(series[series.notna().to_numpy()])
                unit = _unit(numbers) if _is_number(coding) else 1.0
                low, high = bounds_of(one, coding, name, numbers) if one else (None, None)
                low, high = (None if bound is None else bound / unit for bound in (low, high))
                column = Column(name, coding.kind, coding.levels, name in candidates, low, high)
                coded.append(CodedColumn(position, column, coding, unit))
        if left := sorted(candidates - {c.column.name for c in coded}):
            raise UserError(findings.unmodelled(left, reading))
        if not coded and any(reason == "identifiers" for reason, _ in findings.left_out.values()):
            return cls.infer(frame, schema, reading=replace(reading, guess=False))  # better than nothing
        if not coded:
            reasons = findings.left_out_notes(reading) or ["each is ignored"]
            raise UserError(f"no column can be modelled: {'; '.join(reasons)}")
        notes = (*findings.notes, *_unit_notes(coded), *findings.left_out_notes(reading))
        return cls(labels, tuple(coded), tuple(findings.left_out), notes)

    @property
    def columns(self) -> tuple[Column, ...]:
        """The modelled columns, in the order of the frame."""
        return tuple(c.column for c in self.coded)

    @property
    def units(self) -> np.ndarray:
        """(d,) what the values of each modelled column count in."""
        return np.array([c.unit for c in self.coded])

    def encode(self, frame: pd.DataFrame, unknown: Unknown = "error") -> np.ndarray:
        """Rows -> values (n, d) float64, NaN where blank.

        Args:
            frame: the columns of ``infer``, in their order.
            unknown: whether a cell that the coding does not know, such as a new category, is an error or
                taken for a blank.

        Raises:
            UserError: other columns, cells of another kind, infinite values, or unknown cells.
        """
        labels = tuple(label_text(label) for label in frame.columns)
        if labels != self.labels:
            raise UserError(f"the columns are {list(labels)}, not {list(self.labels)}")
        values = np.full((len(frame), len(self.coded)), np.nan)
        for j, coded in enumerate(self.coded):
            series = frame.iloc[:, coded.position]
            seen = series.notna().to_numpy()
            values[seen, j] = _encoded(coded, series[seen], unknown) / coded.unit
        return values

    def complete(self, frame: pd.DataFrame, hidden: np.ndarray, final: np.ndarray) -> pd.DataFrame:
        """A copy of ``frame`` with its hidden cells written.

        Args:
            frame: n rows, as given to ``encode``.
            hidden: (n, d) bool, where ``encode`` gave NaN.
            final: (n, d) values for hidden cells; NaN where the cell is to be blank.
        """
        done = frame.copy()
        for j, coded in enumerate(self.coded):
            if hidden[:, j].any():
                series = frame.iloc[:, coded.position]
                written = _written(series, coded.coding, hidden[:, j], _times(final[:, j], coded.unit))
                done.isetitem(coded.position, written)  # type: ignore[arg-type]  # the stubs forget Series
        return done

    def spread(self, array: np.ndarray) -> np.ndarray:
        """(n, d) of the modelled columns -> (n, columns of the frame), zero or False in the others."""
        wide = np.zeros((len(array), len(self.labels)), dtype=array.dtype)
        wide[:, [c.position for c in self.coded]] = array
        return wide

    def rounded(self, final: np.ndarray, hidden: np.ndarray) -> np.ndarray:
        """``final`` (n, d) whose ``hidden`` cells are the numbers that ``complete`` writes into text."""
        done = final.copy()
        for j, coded in enumerate(self.coded):
            if isinstance(coded.coding, NumberText):
                at = hidden[:, j]
                done[at, j] = coded.coding.rounded(final[at, j] * coded.unit) / coded.unit
        return done


def _times(numbers: np.ndarray, unit: float) -> np.ndarray:
    """The product, within what float64 can hold."""
    with np.errstate(over="ignore"):
        return numbers if unit == 1 else codings.within(numbers * unit, np.finfo(np.float64))


def _encoded(coded: CodedColumn, seen: pd.Series, unknown: Unknown) -> np.ndarray:
    """Observed cells of one column (k,) -> numbers (k,)."""
    name = coded.column.name
    try:
        numbers = coded.coding.encode(seen)
    except (TypeError, ValueError, AttributeError) as error:
        raise UserError(f"column {name!r} does not hold what it held in fit: {error}") from None
    strange = np.isnan(numbers)
    if strange.any() and unknown == "error":
        what = "a category" if coded.column.discrete else "text"
        raise UserError(
            f"column {name!r} holds {what} that fit has not seen, such as {seen[strange].iloc[0]!r}, in "
            f"{int(strange.sum()):,} cells: map it to a known one, or use unknown='as_missing'"
        )
    codings.check_finite(name, numbers)
    return numbers


def _written(series: pd.Series, coding: Coding, hidden: np.ndarray, final: np.ndarray) -> pd.Series:
    """The column with its hidden cells written: decoded, or NA where ``final`` is NaN."""
    blank = series.isna().to_numpy()
    fill = hidden & ~np.isnan(final)
    clear = hidden & ~fill & ~blank  # an unknown cell that was taken for a blank and is to stay one
    decoded = coding.decode(final[fill], series.dtype)
    if clear.any():
        series = codings.nullable(series)
    array: Any = series.array.copy() if dtypes.is_extension_array_dtype(series.dtype) else series.to_numpy(copy=True)
    if isinstance(array, pd.Categorical):
        array = array.add_categories([x for x in dict.fromkeys(decoded) if x not in array.categories])
    if clear.any():
        array[clear] = None
    try:
        array[fill] = decoded
    except (TypeError, ValueError):
        if not blank.all():
            raise
        array = array.astype(object)  # all blank, of a dtype that cannot hold such cells: float NaN for text
        array[fill] = decoded
    return pd.Series(array, index=series.index, dtype=array.dtype)


def _is_number(coding: Coding) -> bool:
    return isinstance(coding, Numbers | NumberText)


def _unit(numbers: np.ndarray) -> float:
    """1, but a power of two near the largest of ``numbers`` (k,) where a method could not square and add them."""
    largest = float(np.abs(numbers).max())
    if largest == 0 or SMALLEST < largest < LARGEST:
        return 1.0
    return float(2.0 ** np.clip(np.floor(np.log2(largest)), -1000, 1000))


def _unit_notes(coded: Sequence[CodedColumn]) -> list[str]:
    return [
        f"column {c.column.name!r} is computed, and drawn, in units of {c.unit:.3g}, the size of its numbers"
        for c in coded
        if c.unit != 1
    ]
