"""A table as the diagnosis sees it: codes of the cells, and which are blank."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lacuna.errors import UserError, did_you_mean
from lacuna.frames.codings import Coding, Numbers
from lacuna.frames.inference import column_coding
from lacuna.frames.labels import label_text
from lacuna.frames.number_text import NumberText
from lacuna.frames.reading import Asked, Findings, Reading, asked_of
from lacuna.frames.sources import Source


@dataclass(frozen=True)
class Cells:
    """n rows of d columns, those that cannot be modelled included: their blanks count all the same."""

    names: tuple[str, ...]
    codings: tuple[Coding | None, ...]  # None: values are not looked at, such as names or text
    values: np.ndarray  # (n, d) float64 numbers or codes; NaN where blank or not looked at
    blank: np.ndarray  # (n, d) bool

    @property
    def discrete(self) -> np.ndarray:
        """(d,) bool: columns of levels"""
        return np.array([coding is not None and bool(coding.levels) for coding in self.codings])

    @property
    def numeric(self) -> np.ndarray:
        """(d,) bool: columns of numbers or dates"""
        return np.array([coding is not None and not coding.levels for coding in self.codings])

    def shown(self, column: int, value: float) -> str:
        """A value as the user knows it: a level's label, a number, a date."""
        coding = self.codings[column]
        if coding is None:
            return ""
        if coding.levels:
            label = coding.levels[int(value)]
            return f"{label:g}" if isinstance(label, float) else str(label)
        if isinstance(coding, Numbers | NumberText):
            return f"{value:.10g}"
        return str(next(iter(coding.decode(np.array([value]), np.dtype(object)))))

    def rounded(self, column: int, value: float) -> str:
        """A number to four significant digits; else as ``shown``."""
        is_number = isinstance(self.codings[column], Numbers | NumberText)
        return f"{float(f'{value:.4g}'):.10g}" if is_number else self.shown(column, value)

    def take(self, rows: np.ndarray) -> Cells:
        """Some of the rows."""
        return Cells(self.names, self.codings, self.values[rows], self.blank[rows])


def read_cells(frame: pd.DataFrame, schema: Mapping[Any, str] | None = None, reading: Reading | None = None) -> Cells:
    """Code the cells of a frame; a column that has no coding is kept for its blanks.

    Args:
        frame: n rows; blank is whatever ``isna`` says.
        schema: kind by column label where the dtype misleads; ``ignore`` leaves a column's values out.
        reading: how to read columns whose dtype leaves it open.

    Raises:
        UserError: no rows or columns, duplicate labels, an unknown label or kind in ``schema``.
    """
    if frame.empty:
        raise UserError("the table has no rows or no columns")
    names = tuple(label_text(label) for label in frame.columns)
    if len(set(names)) < len(names):
        raise UserError(f"two columns are called {next(x for x in names if names.count(x) > 1)!r}: rename one")
    wanted = {label_text(label): asked_of(label, kind) for label, kind in (schema or {}).items()}
    for label in wanted:
        position_of(label, names, "schema")
    codings: list[Coding | None] = []
    values = np.full(frame.shape, np.nan)
    for j, name in enumerate(names):
        series = frame.iloc[:, j]
        coding = _coding(series, name, wanted.get(name), reading or Reading())
        if coding is not None:
            seen = series.notna().to_numpy()
            values[seen, j] = coding.encode(series[seen])
        codings.append(coding)
    return Cells(names, tuple(codings), values, frame.isna().to_numpy())


def _coding(series: pd.Series, name: str, wanted: Asked | None, reading: Reading) -> Coding | None:
    if (wanted and wanted.kind == "ignore") or series.isna().all():
        return None
    findings = Findings()  # a look at the blanks has no use for what an imputer would leave out
    if wanted is not None:
        return column_coding(series, name, wanted, reading, findings)
    try:
        return column_coding(series, name, None, reading, findings)
    except UserError:  # text with too many values, infinite numbers: an imputer has to refuse them, a look has not
        return None


def cells_of(source: Source, values: np.ndarray) -> Cells:
    """A file as it was read.

    Args:
        values: (n, d) of its modelled columns.
    """
    codec, n_columns = source.codec, source.frame.shape[1]
    codings: list[Coding | None] = [None] * n_columns
    wide = np.full(source.frame.shape, np.nan)
    for j, coded in enumerate(codec.coded):
        codings[coded.position], wide[:, coded.position] = coded.coding, values[:, j]
    return Cells(codec.labels, tuple(codings), wide, source.frame.isna().to_numpy())


def position_of(label: Any, names: tuple[str, ...], key: str) -> int:
    """The position of a column given by its label; ``key`` names the argument in the error."""
    if label_text(label) not in names:
        raise UserError(f"{key}: there is no column {label_text(label)!r}{did_you_mean(label_text(label), names)}")
    return names.index(label_text(label))


def positions_of(labels: Iterable[Any] | None, names: tuple[str, ...], key: str) -> list[int]:
    """The positions of columns given by their labels, one label allowed."""
    if labels is None:
        return []
    return [position_of(label, names, key) for label in ([labels] if isinstance(labels, str) else labels)]
