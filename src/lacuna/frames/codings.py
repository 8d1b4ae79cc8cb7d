"""How the cells of one DataFrame column become numbers, and numbers become cells again.

A *coding* has two functions: ``encode`` takes the non-blank cells of a column and gives float64, ``decode``
takes numbers and gives cells that fit into a column of the given dtype. Only cells that were blank are ever
decoded, so a coding need not be lossless: a 19-digit key loses digits for the model, never in the table.
"""

from __future__ import annotations

import decimal
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Protocol

import numpy as np
import pandas as pd
from pandas.api import types as dtypes

from lacuna.errors import UserError
from lacuna.frames.date_text import DateText
from lacuna.types import Kind

DAY = 86_400_000_000  # microseconds
CALENDAR_DAYS = (-719_162, 2_932_896)  # 0001-01-01 and 9999-12-31, in days since 1970-01-01
NANOSECOND_DAYS = (-106_751, 106_751)  # what int64 nanoseconds can hold
STEPS = (DAY, 3_600_000_000, 60_000_000, 1_000_000, 1_000, 1)  # a day, hour, minute, second, ms, us
DIGITS = decimal.Context(prec=400)  # more than any decimal type has, and room for 1e308


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
            precision = getattr(getattr(dtype, "pyarrow_dtype", None), "precision", None)
            return [_decimal(x, self.exponent, precision) for x in numbers.tolist()]
        return [int(x) for x in numbers.tolist()] if self.whole else numbers.tolist()


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
    text: DateText | None = None  # of cells that are text, or whole numbers such as 20240131; None: they are moments
    as_objects: str | None = None  # "date", "datetime" or "int" for cells that are such Python objects
    levels: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        return "integer" if self.step % DAY == 0 else "continuous"

    @classmethod
    def of(cls, cells: pd.Series, text: DateText | None = None, as_objects: str | None = None) -> DateTimes:
        return cls(coarsest_step(cls(DAY, text).microseconds(cells)), text, as_objects)

    def encode(self, cells: pd.Series) -> np.ndarray:
        return self.microseconds(cells) / DAY

    def decode(self, numbers: np.ndarray, dtype: Any) -> Any:
        moments = pd.DatetimeIndex(self._steps(numbers, dtype).view("datetime64[us]"))
        if self.text is not None:
            texts = [self.text.write(moment) for moment in moments.to_pydatetime()]
            return [int(text) for text in texts] if self.as_objects == "int" else texts
        if self.as_objects:
            return list(moments.date if self.as_objects == "date" else moments.to_pydatetime())
        zone = getattr(dtype, "tz", None) or getattr(getattr(dtype, "pyarrow_dtype", None), "tz", None)
        # an hour that the clock skips moves to its end, one that it repeats is the first
        return moments.tz_localize(zone, ambiguous=np.ones(len(moments), bool), nonexistent="shift_forward")

    def moments(self, cells: pd.Series) -> pd.Series:
        """Datetimes of any unit and zone, date objects, text or whole numbers -> moments by their own clock.

        NaT for text that is not in the format.
        """
        if self.text is not None:
            return self.text.read(cells.astype("int64").astype(str) if dtypes.is_numeric_dtype(cells.dtype) else cells)
        if not isinstance(cells.dtype, np.dtype | pd.DatetimeTZDtype) or cells.dtype == object:
            cells = pd.to_datetime(cells.astype(object))
        return cells if getattr(cells.dtype, "tz", None) is None else cells.dt.tz_localize(None)

    def microseconds(self, cells: pd.Series) -> np.ndarray:
        """Since 1970, float64 (k,)."""
        moments = self.moments(cells).to_numpy(dtype="datetime64[us]")
        return (moments - np.datetime64(0, "us")) / np.timedelta64(1, "us")

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


def nullable(series: pd.Series) -> pd.Series:
    """Integers and booleans of numpy with the dtype of pandas that can be blank; other columns as they are.

    >>> nullable(pd.Series([1, 2], dtype="uint8")).dtype, nullable(pd.Series([True])).dtype
    (UInt8Dtype(), BooleanDtype)
    """
    whole = isinstance(series.dtype, np.dtype) and series.dtype.kind in "iub"
    return pd.Series(pd.array(series.to_numpy()), index=series.index) if whole else series


def within(numbers: np.ndarray, limits: Any) -> np.ndarray:
    """Clip float64 numbers to what a dtype can hold (``np.iinfo`` or ``np.finfo``)."""
    high = float(limits.max)
    # float64 rounds 2**63 - 1 up to 2**63, which int64 cannot hold
    return numbers.clip(float(limits.min), high if high <= limits.max else np.nextafter(high, 0))


def duration_microseconds(cells: pd.Series) -> np.ndarray:
    """Durations of any unit -> float64."""
    return cells.to_numpy(dtype="timedelta64[us]") / np.timedelta64(1, "us")


def coarsest_step(us: np.ndarray) -> int:
    """The longest of STEPS that divides all of ``us``.

    >>> coarsest_step(np.array([0.0, 86_400e6])), coarsest_step(np.array([120e6, 300e6]))
    (86400000000, 60000000)
    """
    return next(step for step in STEPS if not (us % step).any())


def decimal_exponent(cells: pd.Series) -> int:
    """The finest exponent among ``decimal.Decimal`` cells: -2 for 1.50."""
    exponents = (cell.as_tuple().exponent for cell in cells)
    return min(e for e in exponents if isinstance(e, int))


def _decimal(x: float, exponent: int, precision: int | None) -> Decimal:
    """``x`` with -``exponent`` digits after the point, the nearest that ``precision`` digits can hold."""
    number = Decimal(repr(x)).quantize(Decimal(1).scaleb(exponent), context=DIGITS)
    if precision is None:
        return number
    most = Decimal("9" * precision).scaleb(exponent, context=DIGITS)
    return max(-most, min(most, number))


def check_finite(name: str, numbers: np.ndarray) -> None:
    """UserError where an encoded column holds infinite values."""
    if count := int(np.isinf(numbers).sum()):
        raise UserError(f"column {name!r} holds {count} infinite value{'s'[: count > 1]}: make them blank or finite")
