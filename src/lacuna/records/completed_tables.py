"""The tables a run leaves: final states, flags and intervals, in the form the data came in."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Self

import numpy as np

from lacuna.conformal import Margins
from lacuna.files import whole
from lacuna.types import Column, Imputation, Table

if TYPE_CHECKING:
    import pandas as pd

    from lacuna.frames.sources import Source


COMPLETIONS = "completions"  # folder of random completions, one file each
MOST_LEVELS = 4  # whose shares a remark gives
FEWEST_ALIKE = 3  # blanks of one column that became one level and are worth a remark


@dataclass(frozen=True)
class Completion:
    """A whole table after imputation, its splits put together again; rows in the table's order."""

    table: Table
    imputations: Mapping[str, Imputation]  # by split
    final: np.ndarray  # (n, d) NaN where a cell is to be kept as NA
    meaningful: np.ndarray | None  # (n, d) bool; None where the method gives no flags
    probability: np.ndarray | None  # (n, d) of meaningful missingness; None where the method gives none
    alpha: float = 0.05  # intervals are at level 1 - alpha
    to_fill: np.ndarray | None = None  # (d,) bool: columns whose blanks are filled; None: all
    margins: Margins | None = None  # of intervals; None: these are quantiles of draws
    drawn: bool = False  # ``final`` is one random completion, not the best guesses

    @classmethod
    def of(
        cls,
        table: Table,
        imputations: Mapping[str, Imputation],
        alpha: float,
        draw: np.random.Generator | None = None,
        margins: Margins | None = None,
        to_fill: np.ndarray | None = None,
    ) -> Self:
        """Put the splits together.

        Args:
            table: with the rows of all splits.
            imputations: by split.
            alpha: of intervals.
            draw: where given, ``final`` is one random completion.
            margins: of the intervals, at the same alpha.
            to_fill: (d,) bool, the columns whose blanks are filled; the others stay blank.

        Raises:
            UserError: a draw is wanted of a method that gives none, or does not keep them.
        """
        final = _joined(
            table, {s: i.final if draw is None else next(i.completions(draw)) for s, i in imputations.items()}
        )
        if to_fill is not None:
            final = np.where(np.isnan(table.values) & ~to_fill, np.nan, final)
        if table.source is not None:
            final = table.source.codec.rounded(final, np.isnan(table.values))
        meaningful = _joined_if_all(table, {split: done.meaningful for split, done in imputations.items()})
        probability = _joined_if_all(table, {split: i.meaningful_probability for split, i in imputations.items()})
        flags = None if meaningful is None else meaningful.astype(bool)
        return cls(table, imputations, final, flags, probability, alpha, to_fill, margins, draw is not None)

    @property
    def source(self) -> Source:
        """The file that the table came from; only asked for where there is one."""
        assert self.table.source is not None
        return self.table.source

    @property
    def blank(self) -> np.ndarray:
        """(n, d) bool: the blanks of the source"""
        return np.isnan(self.table.values)

    def counts(self) -> dict[str, dict[str, int]]:
        """By column of the file with blanks, modelled or not: how many, and how many of them are kept."""
        frame, codec = self.source.frame, self.source.codec
        blank = dict(zip(codec.labels, frame.isna().to_numpy().sum(0).tolist(), strict=True))
        filled = dict(zip((c.name for c in self.table.columns), self._n_filled.tolist(), strict=True))
        return {name: {"blank": n, "kept": n - filled.get(name, 0)} for name, n in blank.items() if n}

    @property
    def _n_filled(self) -> np.ndarray:
        """(d,) blanks of the source that have a value now."""
        return (self.blank & ~np.isnan(self.final)).sum(0)

    @property
    def units(self) -> np.ndarray:
        """(d,) what the values of each column count in; 1 but for numbers of extreme size in a file."""
        source = self.table.source
        return np.ones(len(self.table.columns)) if source is None else source.codec.units

    def remarks(self) -> list[str]:
        """Where all blanks of a categorical column became one level, in sentences."""
        found = []
        for j, column in enumerate(self.table.columns):
            cells = self.final[self.blank[:, j], j]
            filled = cells[~np.isnan(cells)]
            if column.discrete and column.n_levels > 1 and len(filled) >= FEWEST_ALIKE and (filled == filled[0]).all():
                level, predicted = column.levels[int(filled[0])], self.predicted_shares(j)
                found.append(
                    f"all {len(filled):,} blanks of {column.name!r} that were filled became {level!r}, the likeliest "
                    f"level of each{'' if predicted is None else f' (predicted: {_shares(column, predicted)})'}: the "
                    "column now has more of it than it should; --draw (fill=draw) fills blanks at random, by their "
                    "probabilities"
                )
        return found

    def predicted_shares(self, j: int) -> np.ndarray | None:
        """(levels,) of the blanks of a categorical column that are filled, by the draws; None where there are none."""
        counts = np.zeros(self.table.columns[j].n_levels)
        for split, done in self.imputations.items():
            if done.draws is not None and done.draws.samples is not None:
                row, column = done.draws.cells.T
                filled = (column == j) & ~np.isnan(self.final[split_rows(self.table)[split][row], j])
                codes = done.draws.samples[:, filled]
                counts += np.bincount(codes[~np.isnan(codes)].astype(np.intp), minlength=len(counts))
        return counts / counts.sum() if counts.any() else None

    @cached_property
    def intervals(self) -> pd.DataFrame | None:
        """One row for each hidden cell of a numeric column, whether it is filled or kept as NA.

        Columns: row, from 0, and column; value, as in the completed table; mean and sd of the draws of its regular
        value, and their quantiles lower and upper; alpha. Dates count in days since 1970-01-01.
        """
        import pandas as pd

        columns, rows = self.table.columns, split_rows(self.table)
        numeric = np.array([not column.discrete for column in columns])
        if self.to_fill is not None:
            numeric &= self.to_fill
        parts = []
        for split, done in self.imputations.items():
            if (draws := done.draws) is not None:
                shown = numeric[draws.cells[:, 1]]
                row, j = rows[split][draws.cells[shown, 0]], draws.cells[shown, 1]
                widths = self.margins
                lower, upper = draws.interval(self.alpha) if widths is None else widths.widened(draws)
                names = pd.Categorical.from_codes(j, pd.Index([column.name for column in columns]))
                unit = self.units[j]
                cells = {"row": row, "column": names, "value": self.final[row, j] * unit}
                numbers = {"mean": draws.mean, "sd": draws.sd, "lower": lower, "upper": upper}
                chosen = {key: number[shown] * unit for key, number in numbers.items()}
                parts.append(pd.DataFrame(cells | chosen | {"alpha": self.alpha}))
        return pd.concat(parts, ignore_index=True) if parts else None


def write_tables(completion: Completion, folder: Path) -> Path | None:
    """Write imputed.parquet, and mm.parquet and intervals.parquet where the method gives flags or draws.

    All rows in the table's order. A table that came from a file is also completed in its own form.

    Returns:
        The path of the completed file, if there is one.
    """
    final = completion.final * completion.units
    _write(imputed_frame(completion.table.columns, final), folder / "imputed.parquet")
    flags = flags_frame(completion)
    if flags is not None:
        _write(flags, folder / "mm.parquet")
    if completion.intervals is not None:
        _write(completion.intervals, folder / "intervals.parquet")
    source = completion.table.source
    return None if source is None else Path(source.write(completion.final, folder))


def _shares(column: Column, shares: np.ndarray) -> str:
    """The largest ones, in words."""
    first = np.argsort(-shares, kind="stable")[:MOST_LEVELS]
    parts = [f"{column.levels[code]} {shares[code]:.0%}" for code in first]
    return ", ".join([*parts, *["..."] * (len(shares) > MOST_LEVELS)])


def write_completions(
    table: Table,
    imputations: Mapping[str, Imputation],
    rng: np.random.Generator,
    folder: Path,
    to_fill: np.ndarray | None = None,
) -> None:
    """Write one file for each draw, in the form the table came in: ``completions/1.csv`` and so on.

    Args:
        table: from a file.
        imputations: by split, each with the same number of draws.
        rng: decides which blanks stay NA.
        to_fill: (d,) bool, the columns whose blanks are filled; None: all.

    Raises:
        UserError: the method gives no draws.
    """
    assert table.source is not None  # the caller has seen to that
    parts = (done.completions(rng) for done in imputations.values())
    for i, finals in enumerate(zip(*parts, strict=True), start=1):
        final = _joined(table, dict(zip(imputations, finals, strict=True)))
        table.source.write(final if to_fill is None else np.where(to_fill, final, np.nan), folder / COMPLETIONS, str(i))


def split_rows(table: Table) -> dict[str, np.ndarray]:
    """The row numbers of each split."""
    train = np.ones(len(table.values), bool) if table.train_rows is None else table.train_rows
    return {"train": np.flatnonzero(train), "test": np.flatnonzero(~train)}


def imputed_frame(columns: tuple[Column, ...], final: np.ndarray) -> pd.DataFrame:
    """Final states (n, d) as labels, integers and floats; NA where a cell is to be kept as NA."""
    import pandas as pd

    return pd.DataFrame({c.name: _labelled(c, cells) for c, cells in zip(columns, final.T, strict=True)})


def _labelled(column: Column, cells: np.ndarray) -> pd.Series:
    import pandas as pd

    if column.kind == "continuous":
        return pd.Series(cells)
    if column.kind == "integer":
        too_long = np.abs(cells[~np.isnan(cells)]).max(initial=0) >= 2**63
        return pd.Series(cells) if too_long else pd.Series(cells).astype("Int64")
    labels = pd.Series(list(column.levels)).convert_dtypes()
    if labels.dtype == object:  # levels of several types have no type of their own in a file
        labels = labels.map(str).convert_dtypes()
    return labels.reindex(np.where(np.isnan(cells), -1, cells).astype(np.intp)).reset_index(drop=True)


def flags_frame(completion: Completion) -> pd.DataFrame | None:
    """One bool column for each candidate column, and its probability where the method gives one."""
    import pandas as pd

    candidates = [(j, c.name) for j, c in enumerate(completion.table.columns) if c.mm_candidate]
    if not candidates or completion.meaningful is None:
        return None
    frame = {name: completion.meaningful[:, j] for j, name in candidates}
    if completion.probability is not None:
        frame |= {f"{name}:probability": completion.probability[:, j] for j, name in candidates}
    return pd.DataFrame(frame)


def _joined(table: Table, parts: Mapping[str, np.ndarray]) -> np.ndarray:
    """(n, d) of the whole table from its splits."""
    rows, together = split_rows(table), np.full(table.values.shape, np.nan)
    for split, part in parts.items():
        together[rows[split]] = part
    return together


def _joined_if_all(table: Table, parts: Mapping[str, np.ndarray | None]) -> np.ndarray | None:
    """The same, or None where a split has nothing."""
    present = {split: part for split, part in parts.items() if part is not None}
    return _joined(table, present) if len(present) == len(parts) else None


def _write(frame: pd.DataFrame, path: Path) -> None:
    with whole(path) as temporary:
        frame.to_parquet(temporary, index=False)
