"""DataFrames in, DataFrames out: which columns are modelled, as what, and how numbers become cells again.

A column's dtype decides what it is: integers and floats stay what they are; booleans, categories and text are
categorical; dates are numbers of days, also when they are text and all cells have one of
``lacuna.frames.codings.DATE_FORMATS``. Text is not modelled when it has more than ``max_levels`` levels, or more than
20 levels that are seen fewer than five times on average. A schema overrides all this by column.

A completed frame is a copy of the given one in which only blank cells are written: dtypes, index, column
labels and every observed cell are those that came in.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from lacuna.errors import UserError, did_you_mean
from lacuna.frames import codings
from lacuna.frames.codings import Coding
from lacuna.frames.inference import WANTED, Reading, Wanted, column_coding
from lacuna.types import Column

Unknown = Literal["error", "as_missing"]


@dataclass(frozen=True)
class CodedColumn:
    """A modelled column of a frame."""

    position: int
    column: Column
    coding: Coding


@dataclass(frozen=True)
class FrameCodec:
    """How frames of one layout become values (n, d) and back; d counts the modelled columns only."""

    labels: tuple[str, ...]  # of all columns of the frame
    coded: tuple[CodedColumn, ...]
    ignored: tuple[str, ...]  # by schema: not modelled, blanks stay

    @classmethod
    def infer(
        cls,
        frame: pd.DataFrame,
        schema: Mapping[Any, str] | None = None,
        mm_candidates: Iterable[Any] = (),
        reading: Reading | None = None,
    ) -> FrameCodec:
        """Find out what each column of ``frame`` is.

        Args:
            frame: n rows; blank is whatever ``isna`` says.
            schema: by column label: continuous, integer, categorical, date, or ignore (blanks stay).
            mm_candidates: labels of the columns that may hold meaningful missingness.
            reading: how to read columns whose dtype leaves it open.

        Raises:
            UserError: no rows, duplicate labels, a label that is not there, a column without an observed cell,
                infinite values, cells of another kind than asked for, text with too many levels and blanks.
        """
        reading = reading or Reading()
        labels = tuple(label_text(label) for label in frame.columns)
        _check_distinct(labels)
        if not len(frame):
            raise UserError("the table has no rows")
        wanted = {
            _known(label_text(label), labels, "schema"): _known_kind(label, v) for label, v in (schema or {}).items()
        }
        candidates = {_known(label_text(label), labels, "mm_candidates") for label in mm_candidates}
        coded = []
        for position, name in enumerate(labels):
            if wanted.get(name) == "ignore":
                continue
            coding = column_coding(frame.iloc[:, position], name, wanted.get(name), reading)
            if coding is not None:
                column = Column(name, coding.kind, coding.levels, name in candidates)
                coded.append(CodedColumn(position, column, coding))
        if left := sorted(candidates - {c.column.name for c in coded}):
            raise UserError(f"mm_candidates: column {left[0]!r} is ignored, or text with too many levels")
        if not coded:
            raise UserError("no column can be modelled: each is ignored, or text with too many levels")
        return cls(labels, tuple(coded), tuple(name for name, kind in wanted.items() if kind == "ignore"))

    @property
    def columns(self) -> tuple[Column, ...]:
        """The modelled columns, in the order of the frame."""
        return tuple(c.column for c in self.coded)

    def encode(self, frame: pd.DataFrame, unknown: Unknown = "error") -> np.ndarray:
        """Rows -> values (n, d) float64, NaN where blank.

        Args:
            frame: the columns of ``infer``, in their order.
            unknown: whether a cell that the coding does not know, such as a new category, is an error or
                taken for a blank.

        Raises:
            UserError: other columns, cells of another kind, infinite values, unknown cells, or blanks in a
                column of text that had none.
        """
        labels = tuple(label_text(label) for label in frame.columns)
        if labels != self.labels:
            raise UserError(f"the columns are {list(labels)}, not {list(self.labels)}")
        self._check_unmodelled(frame)
        values = np.full((len(frame), len(self.coded)), np.nan)
        for j, coded in enumerate(self.coded):
            series = frame.iloc[:, coded.position]
            seen = series.notna().to_numpy()
            values[seen, j] = _encoded(coded, series[seen], unknown)
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
                written = _written(series, coded.coding, hidden[:, j], final[:, j])
                done.isetitem(coded.position, written)  # type: ignore[arg-type]  # the stubs forget Series
        return done

    def spread(self, array: np.ndarray) -> np.ndarray:
        """(n, d) of the modelled columns -> (n, columns of the frame), zero or False in the others."""
        wide = np.zeros((len(array), len(self.labels)), dtype=array.dtype)
        wide[:, [c.position for c in self.coded]] = array
        return wide

    def _check_unmodelled(self, frame: pd.DataFrame) -> None:
        modelled = {c.column.name for c in self.coded}
        for position, name in enumerate(self.labels):
            if name in modelled or name in self.ignored:
                continue
            if n_blank := int(frame.iloc[:, position].isna().sum()):
                raise UserError(f"column {name!r}, text that is not modelled, has {n_blank:,} blank cells")


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


def label_text(label: Any) -> str:
    """The text that a column label goes by; numbers of numpy are those of Python.

    >>> label_text(("a", np.int64(2)))
    "('a', 2)"
    """
    if isinstance(label, tuple):
        return str(tuple(part.item() if isinstance(part, np.generic) else part for part in label))
    return str(label)


def _check_distinct(labels: Sequence[str]) -> None:
    seen: set[str] = set()
    for label in labels:
        if label in seen:
            raise UserError(f"two columns are called {label!r}: rename one")
        seen.add(label)


def _known(label: str, labels: Sequence[str], key: str) -> str:
    if label not in labels:
        raise UserError(f"{key}: there is no column {label!r}{did_you_mean(label, labels)}")
    return label


def _known_kind(label: Any, kind: str) -> Wanted:
    for known in WANTED:
        if kind == known:
            return known
    raise UserError(f"schema: column {label_text(label)!r} cannot be {kind!r}; it can be {', '.join(WANTED)}")
