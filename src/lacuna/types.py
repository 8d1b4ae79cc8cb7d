"""The nouns of Lacuna. Everything else is a function from one of them to the next.

``n`` rows, ``d`` columns, ``k`` hidden cells, ``m`` draws. One polarity everywhere: ``observed`` is True where
a method may see the cell. A *hidden* cell is one that is not observed; it is either *meaningful* (the blank is
the value) or has a regular value that was lost.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from lacuna.errors import UserError

if TYPE_CHECKING:  # protocols and classes that are written in terms of these nouns
    from lacuna.frames.sources import Source
    from lacuna.laws import DataLaw, HiddenLaw, HidingLaw

Kind = Literal["continuous", "integer", "categorical"]
KINDS = ("continuous", "integer", "categorical")
VISIBLE = 1e-3  # rounding by more than this share of an sd is


@dataclass(frozen=True)
class Column:
    """What is known of a column before any row is seen."""

    name: str
    kind: Kind = "continuous"
    levels: tuple[Any, ...] = ()  # labels of a categorical column; its values are codes 0 .. len(levels) - 1
    mm_candidate: bool = False  # may hold meaningful missingness
    low: float | None = field(default=None, repr=False)  # no imputed number lies below; None: nothing was said
    high: float | None = field(default=None, repr=False)  # nor above

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"column {self.name!r}: kind must be one of {KINDS}, got {self.kind!r}")
        if (self.kind == "categorical") != bool(self.levels):
            raise ValueError(f"column {self.name!r}: levels belong to categorical columns, and only to them")
        if self.discrete and self.bounded:
            raise ValueError(f"column {self.name!r}: low and high belong to columns of numbers")
        if self.bounds[0] > self.bounds[1]:
            raise ValueError(f"column {self.name!r}: low {self.low} is above high {self.high}")

    @property
    def discrete(self) -> bool:
        """True for categorical columns, whose imputation is right or wrong rather than near or far."""
        return self.kind == "categorical"

    @property
    def n_levels(self) -> int:
        return len(self.levels)

    @property
    def whole(self) -> bool:
        """True for columns of whole numbers."""
        return self.kind == "integer"

    @property
    def bounded(self) -> bool:
        """True where ``low`` or ``high`` was given."""
        return self.low is not None or self.high is not None

    @property
    def bounds(self) -> tuple[float, float]:
        """Least and largest number that may be imputed, as given; whole ones for whole numbers."""
        low = -math.inf if self.low is None else self.low
        high = math.inf if self.high is None else self.high
        if not self.whole:
            return low, high
        return (low if math.isinf(low) else math.ceil(low)), (high if math.isinf(high) else math.floor(high))


def where(columns: tuple[Column, ...], **wanted: Any) -> np.ndarray:
    """Boolean (d,) selector of columns by attribute.

    >>> columns = (Column("a"), Column("b", "categorical", ("x", "y"), mm_candidate=True))
    >>> where(columns, mm_candidate=True, discrete=True)
    array([False,  True])
    """
    return np.array([all(getattr(c, key) == value for key, value in wanted.items()) for c in columns], dtype=bool)


@dataclass(frozen=True)
class Table:
    """A data set with its truth."""

    name: str
    columns: tuple[Column, ...]
    values: np.ndarray  # (n, d) float64 data units or codes; NaN where meaningful, and where the source is blank
    meaningful: np.ndarray  # (n, d) bool, the paper's c
    train_rows: np.ndarray | None = None  # (n,) bool; None: every row is a training row
    law: DataLaw | None = None  # answers Bayes-oracle questions about the data; None where the law is unknown
    source: Source | None = None  # how to write a completed table in the form it came in ; None otherwise
    targets: tuple[str, ...] = ()  # categorical columns that downstream tasks predict
    meaningful_known: bool = True  # False: a blank of the source may be meaningful or not, ``meaningful`` is all False

    def __post_init__(self) -> None:
        shape = (len(self.values), len(self.columns))
        for name in ("values", "meaningful"):
            if getattr(self, name).shape != shape:
                raise ValueError(f"table {self.name!r}: {name} has shape {getattr(self, name).shape}, not {shape}")
        if not np.isnan(self.values[self.meaningful]).all():
            raise ValueError(f"table {self.name!r}: meaningfully missing cells must be NaN in values")
        levels = [column.name for column in self.columns if column.discrete]
        for target in self.targets:
            if target not in levels:
                raise ValueError(f"table {self.name!r}: target {target!r} is no categorical column")

    @property
    def digest(self) -> str:
        """SHA-256 of columns and cells: two tables with one digest are the same data."""
        sha = hashlib.sha256(repr(self.columns).encode())
        if any(column.bounded for column in self.columns):
            sha.update(repr([column.bounds for column in self.columns]).encode())
        for array in (self.values, self.meaningful, self.train_rows):
            if array is not None:
                sha.update(np.ascontiguousarray(array).tobytes())
        return sha.hexdigest()

    @property
    def meaningful_rates(self) -> dict[str, float]:
        """The share of cells that are meaningfully missing in each candidate column; empty where none is known."""
        rates = zip(self.columns, self.meaningful.mean(0), strict=True)
        return {c.name: float(rate) for c, rate in rates if c.mm_candidate} if self.meaningful.any() else {}


@dataclass(frozen=True)
class OrdinaryMask:
    """What an observation process did to a table."""

    ordinary: np.ndarray  # (n, d) bool: drawn for every cell, also where the cell is meaningfully missing
    mechanism: HidingLaw | None = None  # None where the process has no known law

    def rates(self, columns: tuple[Column, ...]) -> dict[str, float]:
        """The share of cells hidden in each column."""
        return {c.name: float(rate) for c, rate in zip(columns, self.ordinary.mean(0), strict=True)}


@dataclass(frozen=True)
class Incomplete:
    """All that a method ever sees."""

    columns: tuple[Column, ...]
    values: np.ndarray  # (n, d) float64; NaN exactly where hidden
    observed: np.ndarray  # (n, d) bool

    def __post_init__(self) -> None:
        if self.values.shape != (len(self.values), len(self.columns)) or self.observed.shape != self.values.shape:
            raise ValueError(
                f"values {self.values.shape}, observed {self.observed.shape} and {len(self.columns)} columns disagree"
            )
        if not np.array_equal(np.isnan(self.values), ~self.observed):
            raise ValueError("values must be NaN exactly where observed is False")

    def __len__(self) -> int:
        return len(self.values)

    @property
    def hidden(self) -> np.ndarray:
        """(n, d) bool"""
        return ~self.observed

    @property
    def candidates(self) -> np.ndarray:
        """(d,) bool: the columns that may hold meaningful missingness"""
        return where(self.columns, mm_candidate=True)

    def same_as(self, other: Incomplete) -> bool:
        """The same columns and cells."""
        return self.columns == other.columns and np.array_equal(self.values, other.values, equal_nan=True)

    def take(self, rows: Any) -> Incomplete:
        """The same columns, some of the rows."""
        return Incomplete(self.columns, self.values[rows], self.observed[rows])


@dataclass(frozen=True)
class Answer:
    """The truth about one split; only metrics see it."""

    columns: tuple[Column, ...]
    values: np.ndarray  # (n, d) truth, NaN where meaningful or unknown
    meaningful: np.ndarray  # (n, d) bool
    ordinary: np.ndarray  # (n, d) bool: hidden by the observation process, not meaningful, truth known
    scale: np.ndarray | None = None  # (d,) sd of the observed training cells; 1 in constant columns
    posterior: Draws | None = None  # of the hidden cells by the law of data and mask, where it is known and wanted
    meaningful_known: bool = True  # as of the table

    @property
    def hidden(self) -> np.ndarray:
        """(n, d) bool: the hidden cells whose true state is known"""
        return self.meaningful | self.ordinary


@dataclass(frozen=True)
class Problem:
    """A table with its mask applied: the question for a method and, apart from it, the answer."""

    name: str
    train: Incomplete
    test: Incomplete | None
    answers: dict[str, Answer]  # by split: "train", "test"
    law: HiddenLaw | None = None  # of the hidden cells, for the oracle; problem.py joins it

    @property
    def splits(self) -> dict[str, Incomplete]:
        return {"train": self.train} if self.test is None else {"train": self.train, "test": self.test}


@dataclass(frozen=True)
class Draws:
    """The posterior of the hidden cells only."""

    cells: np.ndarray  # (k, 2) int: row and column of each hidden cell, in np.argwhere order
    mean: np.ndarray  # (k,) float64
    sd: np.ndarray  # (k,) float64
    lower: np.ndarray  # (k,) float64: quantile alpha / 2
    upper: np.ndarray  # (k,) float64: quantile 1 - alpha / 2
    alpha: float = 0.05
    samples: np.ndarray | None = None  # (m, k), see ``narrowed``; None when m * k would not fit the memory budget

    @classmethod
    def from_samples(cls, cells: np.ndarray, samples: np.ndarray, alpha: float = 0.05) -> Draws:
        """Summarise samples (m, k) of the given cells (k, 2)."""
        lower, upper = np.quantile(samples, [alpha / 2, 1 - alpha / 2], axis=0)
        wide = samples.astype(np.float64)
        sd = wide.std(0)
        kept = narrowed(lambda i: samples[i], len(samples), cells[:, 1], sd)
        return cls(cells, wide.mean(0), sd, lower, upper, alpha, kept)

    def interval(self, alpha: float) -> tuple[np.ndarray, np.ndarray]:
        """Quantiles alpha / 2 and 1 - alpha / 2, (k,) each; samples that are NaN do not count.

        >>> samples = np.array([[1.0, 5.0], [3.0, np.nan], [2.0, np.nan]])
        >>> Draws.from_samples(np.array([[0, 0], [0, 1]]), samples).interval(0.5)
        (array([1.5, 5. ]), array([2.5, 5. ]))

        Raises:
            UserError: the samples were not kept, and their summary has another alpha.
        """
        if math.isclose(alpha, self.alpha):
            return self.lower, self.upper
        if self.samples is None:
            raise UserError(f"the draws do not fit in memory, and their summary has alpha {self.alpha}: use that")
        ordered = np.sort(self.samples, axis=0)  # NaN come last
        n_counted = np.count_nonzero(~np.isnan(ordered), axis=0)
        return _quantile(ordered, n_counted, alpha / 2), _quantile(ordered, n_counted, 1 - alpha / 2)


def narrowed(draw: Callable[[int], np.ndarray], m: int, column_of: np.ndarray, sd: np.ndarray) -> np.ndarray:
    """Draws (m, k) in float32 where it holds them, else in float64.

    float32 holds them if it changes no whole number, and no draw by more than ``VISIBLE`` of the spread of the draws
    in its column: the root mean square of the cells' sd.

    Args:
        draw: gives draw i, (k,).
        column_of: (k,) int, the column of each cell.
        sd: (k,) of the draws of each cell.
    """
    kept, error = np.empty((m, len(sd)), np.float32), np.zeros(len(sd))
    for i in range(m):
        wide = draw(i).astype(np.float64)
        with np.errstate(over="ignore"):
            kept[i] = wide
        lost = np.abs(kept[i] - wide)
        lost[(lost > 0) & (wide == np.round(wide))] = np.inf
        np.fmax(error, lost, out=error)  # NaN are the same in both
    spread = np.sqrt(np.bincount(column_of, sd**2) / np.maximum(np.bincount(column_of), 1))
    visible = error > VISIBLE * spread[column_of]
    return np.stack([draw(i) for i in range(m)]).astype(np.float64) if visible.any() else kept


def _inward(bounds: np.ndarray, dtype: np.dtype) -> np.ndarray:
    """Bounds (2, k) in ``dtype``, rounded towards each other."""
    found = bounds.astype(dtype)
    found[0] = np.where(found[0] < bounds[0], np.nextafter(found[0], dtype.type(np.inf)), found[0])
    found[1] = np.where(found[1] > bounds[1], np.nextafter(found[1], dtype.type(-np.inf)), found[1])
    return found


def _quantile(ordered: np.ndarray, n_counted: np.ndarray, level: float) -> np.ndarray:
    """(k,) by linear interpolation of the first ``n_counted`` (k,) of ``ordered`` (m, k)."""
    position = level * np.maximum(n_counted - 1, 0)
    below = position.astype(np.intp)
    above = np.minimum(below + 1, np.maximum(n_counted - 1, 0))
    low, high = (np.take_along_axis(ordered, at[None], axis=0)[0].astype(np.float64) for at in (below, above))
    return low + (position - below) * (high - low)


@dataclass(frozen=True)
class Imputation:
    """A method's answer for one Incomplete."""

    values: np.ndarray  # (n, d): a regular value for every hidden cell; observed cells unchanged
    meaningful: np.ndarray | None = None  # (n, d) bool: cells to keep as NA; None for methods without flags
    meaningful_probability: np.ndarray | None = None  # (n, d), 0 where observed
    draws: Draws | None = None
    diagnostics: dict[str, Any] = field(default_factory=dict)

    @property
    def final(self) -> np.ndarray:
        """(n, d): the imputed values with NaN where the cell is to be kept as NA"""
        return self.values if self.meaningful is None else np.where(self.meaningful, np.nan, self.values)

    def within(self, columns: tuple[Column, ...]) -> Self:
        """The same with numbers moved into the bounds that d columns were given."""
        if not any(column.bounded for column in columns):
            return self
        bounds = np.array([column.bounds for column in columns]).T  # (2, d)
        draws = self.draws
        if draws is not None:
            at = bounds[:, draws.cells[:, 1]]
            mean, lower, upper = (x.clip(*at) for x in (draws.mean, draws.lower, draws.upper))
            samples = None if draws.samples is None else draws.samples.clip(*_inward(at, draws.samples.dtype))
            draws = replace(draws, mean=mean, lower=lower, upper=upper, samples=samples)
        return replace(self, values=self.values.clip(*bounds), draws=draws)
