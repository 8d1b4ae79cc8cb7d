"""How the cells of one DataFrame column become numbers, and numbers become cells again.

A *coding* has two functions: ``encode`` takes the non-blank cells of a column and gives float64, ``decode``
takes numbers and gives cells that fit into a column of the given dtype. Only cells that were blank are ever
decoded, so a coding need not be lossless: a 19-digit key loses digits for the model, never in the table.
"""

from __future__ import annotations

import datetime
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Literal, Protocol

import numpy as np
import pandas as pd

from lacuna.errors import UserError
from lacuna.types import Kind

# Text that is a date has one of these formats in all its cells; of two that fit, the first is taken.
DATE_FORMATS = (
    "%Y-%m-%d",
    "%Y-%m-%d %H:%M:%S",
    "%Y-%m-%dT%H:%M:%S",
    "%Y-%m-%dT%H:%M:%SZ",
    "%Y-%m-%d %H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%f",
    "%Y-%m-%dT%H:%M:%S.%fZ",
    "%Y-%m-%d %H:%M",
    "%Y-%m-%dT%H:%M",
    "%Y/%m/%d",
    "%d.%m.%Y",
    "%m/%d/%Y",
    "%d/%m/%Y",
    "%d-%m-%Y",
    "%d.%m.%Y %H:%M",
    "%m/%d/%Y %H:%M",
    "%d/%m/%Y %H:%M",
    "%d %b %Y",
    "%d-%b-%Y",
)
DAY = 86_400_000_000  # microseconds
CALENDAR_DAYS = (-719_162, 2_932_896)  # 0001-01-01 and 9999-12-31, in days since 1970-01-01
NANOSECOND_DAYS = (-106_751, 106_751)  # what int64 nanoseconds can hold
NUMBER = r"[-+]?(?:(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|(?i:inf(?:inity)?))"
WHOLE = r"[-+]?\d+"
POINT_ZERO = WHOLE + r"\.0"  # how pandas writes whole numbers of a column that has blanks
ZERO_PADDED = r"[-+]?0\d+"


class Coding(Protocol):
    """What ``lacuna.frames.codec`` needs of a column's coding."""

    @property
    def kind(self) -> Kind: ...

    @property
    def levels(self) -> tuple[Any, ...]: ...

    def encode(self, cells: pd.Series) -> np.ndarray:
        """Non-blank cells (k,) -> float64 (k,); NaN for a cell that the coding does not know."""
        ...

    def decode(self, numbers: np.ndarray, dtype: Any) -> Any:
        """Numbers (k,) -> k cells that an array of ``dtype`` can take."""
        ...


@dataclass(frozen=True)
class Numbers:
    """Cells that are numbers: any integer, float or decimal dtype, or Python numbers in an object column."""

    whole: bool
    exponent: int | None = None  # of the finest ``decimal.Decimal`` among the cells; None: they are not Decimals
    levels: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        return "integer" if self.whole else "continuous"

    def encode(self, cells: pd.Series) -> np.ndarray:
        return cells.to_numpy(dtype=np.float64)

    def decode(self, numbers: np.ndarray, dtype: Any) -> Any:
        target = np.dtype(getattr(dtype, "numpy_dtype", dtype))
        if self.whole or target.kind in "iu":
            numbers = np.rint(numbers)
        if target.kind in "iu":
            return within(numbers, np.iinfo(target)).astype(target)
        if target.kind == "f":
            return within(numbers, np.finfo(target)).astype(target)
        if self.exponent is not None:
            return [Decimal(repr(x)).quantize(Decimal(1).scaleb(self.exponent)) for x in numbers.tolist()]
        return [int(x) for x in numbers.tolist()] if self.whole else numbers.tolist()


@dataclass(frozen=True)
class NumberText:
    """Numbers written out, as in a CSV file."""

    whole: bool
    decimal: str = "."
    point_zero: bool = False  # whole numbers are written as 7.0
    levels: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        return "integer" if self.whole else "continuous"

    @property
    def ending(self) -> str:
        """Of every whole number."""
        return f"{self.decimal}0" if self.point_zero else ""

    def encode(self, cells: pd.Series) -> np.ndarray:
        return pd.to_numeric(self._with_point(cells), errors="coerce").to_numpy(dtype=np.float64)

    def decode(self, numbers: np.ndarray, dtype: Any) -> list[str]:
        if self.whole:
            return [f"{int(x)}{self.ending}" for x in np.rint(numbers).tolist()]
        # 12 digits: more than any imputation is worth, and no 0.30000000000000004
        return [repr(float(f"{x:.12g}")).replace(".", self.decimal) for x in numbers.tolist()]

    def _with_point(self, cells: pd.Series) -> pd.Series:
        return cells if self.decimal == "." else cells.str.replace(self.decimal, ".", regex=False)


@dataclass(frozen=True)
class Levels:
    """Cells that are one of a few labels of any hashable type."""

    levels: tuple[Any, ...]
    kind: Kind = "categorical"

    def encode(self, cells: pd.Series) -> np.ndarray:
        codes = pd.Index(self.levels, dtype=object).get_indexer(pd.Index(cells.astype(object), dtype=object))
        return np.where(codes < 0, np.nan, codes)

    def decode(self, numbers: np.ndarray, dtype: Any) -> list[Any]:
        return [self.levels[code] for code in numbers.astype(np.intp).tolist()]


@dataclass(frozen=True)
class DateTimes:
    """Dates and times as days since 1970 by their own clock; integer where every cell is a midnight."""

    step: int  # microseconds: decoded moments are multiples of it
    text_format: str | None = None  # strftime format of text cells; None: the cells are moments, not text
    as_objects: str | None = None  # "date" or "datetime" for cells that are such Python objects
    levels: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        return "integer" if self.step % DAY == 0 else "continuous"

    @classmethod
    def of(cls, cells: pd.Series, text_format: str | None = None, as_objects: str | None = None) -> DateTimes:
        return cls(coarsest_step(microseconds(cells, text_format)), text_format, as_objects)

    def encode(self, cells: pd.Series) -> np.ndarray:
        return microseconds(cells, self.text_format) / DAY

    def decode(self, numbers: np.ndarray, dtype: Any) -> Any:
        moments = pd.DatetimeIndex(self._steps(numbers, dtype).view("datetime64[us]"))
        if self.text_format:
            return moments.strftime(self.text_format).tolist()
        if self.as_objects:
            return list(moments.date if self.as_objects == "date" else moments.to_pydatetime())
        zone = getattr(dtype, "tz", None) or getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None)
        # an hour that the clock skips moves to its end, one that it repeats is the first
        return moments.tz_localize(zone, ambiguous=np.ones(len(moments), bool), nonexistent="shift_forward")

    def _steps(self, numbers: np.ndarray, dtype: Any) -> np.ndarray:
        """Days -> int64 microseconds, multiples of ``step`` that the dtype can hold."""
        nanoseconds = "ns" in str(dtype)  # of numpy, pandas or Arrow, with a zone or without
        limits = NANOSECOND_DAYS if nanoseconds else CALENDAR_DAYS
        return np.rint(numbers.clip(*limits) * (DAY / self.step)).astype(np.int64) * self.step


@dataclass(frozen=True)
class Durations:
    """Lengths of time, in days."""

    step: int  # microseconds: decoded durations are multiples of it
    levels: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        return "integer" if self.step % DAY == 0 else "continuous"

    @classmethod
    def of(cls, cells: pd.Series) -> Durations:
        return cls(coarsest_step(duration_microseconds(cells)))

    def encode(self, cells: pd.Series) -> np.ndarray:
        return duration_microseconds(cells) / DAY

    def decode(self, numbers: np.ndarray, dtype: Any) -> pd.TimedeltaIndex:
        steps = np.rint(numbers.clip(*NANOSECOND_DAYS) * (DAY / self.step)).astype(np.int64) * self.step
        return pd.TimedeltaIndex(steps.view("timedelta64[us]"))


def within(numbers: np.ndarray, limits: Any) -> np.ndarray:
    """Clip float64 numbers to what a dtype can hold (``np.iinfo`` or ``np.finfo``)."""
    high = float(limits.max)
    # float64 rounds 2**63 - 1 up to 2**63, which int64 cannot hold
    return numbers.clip(float(limits.min), high if high <= limits.max else np.nextafter(high, 0))


def microseconds(cells: pd.Series, text_format: str | None) -> np.ndarray:
    """Moments in time (datetimes of any unit and zone, date objects, text) -> float64 since 1970 by their own clock.

    NaN for text that is not in ``text_format``.
    """
    if not isinstance(cells.dtype, np.dtype | pd.DatetimeTZDtype) or cells.dtype == object:
        errors: Literal["coerce", "raise"] = "coerce" if text_format else "raise"
        cells = pd.to_datetime(cells.astype(object), format=text_format, errors=errors)
    if getattr(cells.dtype, "tz", None) is not None:
        cells = cells.dt.tz_localize(None)
    return (cells.to_numpy(dtype="datetime64[us]") - np.datetime64(0, "us")) / np.timedelta64(1, "us")


def duration_microseconds(cells: pd.Series) -> np.ndarray:
    """Durations of any unit -> float64."""
    return cells.to_numpy(dtype="timedelta64[us]") / np.timedelta64(1, "us")


def coarsest_step(us: np.ndarray) -> int:
    """The longest of a day, a second and a microsecond that divides all of ``us``.

    >>> coarsest_step(np.array([0.0, 86_400e6])), coarsest_step(np.array([2e6, 5e6]))
    (86400000000, 1000000)
    """
    return next(step for step in (DAY, 1_000_000, 1) if not (us % step).any())


def date_format(texts: pd.Series) -> str | None:
    """The first of DATE_FORMATS that every one of the distinct texts has; None where there is none."""
    few = texts.iloc[:50]
    for one in DATE_FORMATS:
        if (
            all(_is_date(text, one) for text in few)
            and pd.to_datetime(texts, format=one, errors="coerce").notna().all()
        ):
            return one
    return None


def _is_date(text: str, text_format: str) -> bool:
    try:
        datetime.datetime.strptime(text, text_format)
    except ValueError:
        return False
    return True


def decimal_exponent(cells: pd.Series) -> int:
    """The finest exponent among ``decimal.Decimal`` cells: -2 for 1.50."""
    exponents = (cell.as_tuple().exponent for cell in cells)
    return min(e for e in exponents if isinstance(e, int))


def read_number_text(texts: pd.Series, decimal: str) -> NumberText | None:
    """How to read distinct texts as numbers; None where one of them is not a number, or is padded with zeros.

    >>> read_number_text(pd.Series(["1", "20"]), ".")
    NumberText(whole=True, decimal='.', point_zero=False, levels=())
    >>> read_number_text(pd.Series(["1.5", "2"]), ".").kind
    'continuous'
    >>> read_number_text(pd.Series(["1.0", "20.0"]), ".").kind
    'integer'
    >>> read_number_text(pd.Series(["007", "120"]), ".") is None
    True
    """
    pointed = texts.str.replace(decimal, ".", regex=False) if decimal != "." else texts
    if not pointed.str.fullmatch(NUMBER).all() or pointed.str.fullmatch(ZERO_PADDED).any():
        return None
    whole, point_zero = (bool(pointed.str.fullmatch(form).all()) for form in (WHOLE, POINT_ZERO))
    return NumberText(whole or point_zero, decimal, point_zero)


def check_finite(name: str, numbers: np.ndarray) -> None:
    """UserError where an encoded column holds infinite values."""
    if count := int(np.isinf(numbers).sum()):
        raise UserError(f"column {name!r} holds {count} infinite value{'s'[: count > 1]}: make them blank or finite")
