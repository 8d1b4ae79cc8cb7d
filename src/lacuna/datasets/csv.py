"""The user's own file, CSV or Parquet: its blank cells are the missing ones."""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lacuna.datasets.base import Dataset
from lacuna.errors import UserError, did_you_mean
from lacuna.frames.codec import FrameCodec
from lacuna.frames.delimited_text import DelimitedText
from lacuna.frames.inference import Reading
from lacuna.frames.sources import (
    NA_VALUES,
    PARQUET_SUFFIXES,
    ParquetSource,
    Source,
    TextSource,
    check_suffix,
    decode_text,
    file_suffix,
    nullable_frame,
    reason,
)
from lacuna.types import Table


class CSV(Dataset):
    """A table of columns of any kind; ``table.source`` is a ``Source`` that writes it back completed.

    Args:
        path: .csv, .tsv or .txt (also .gz) delimited by comma, semicolon, tab or bar; or .parquet, .pq.
        mm_candidates: names of the columns that may hold meaningful missingness.
        targets: names of the categorical columns that downstream tasks predict.
        schema: kind by column where the file misleads (continuous, integer, categorical, date, or ignore,
            whose blanks stay), or the path of a YAML file that says so.
        na_values: the cells of a text file that are blank; default as in pandas.
        max_levels: text with more distinct values is not modelled (see ``lacuna.frames.codec``).
        test_fraction: share of the rows kept for testing, in [0, 1).
    """

    def __init__(
        self,
        path: str,
        *,
        mm_candidates: list[str | int] | None = None,
        targets: list[str | int] | None = None,
        schema: dict[str, str] | str | None = None,
        na_values: list[str | int | float] | None = None,
        max_levels: int = 100,
        test_fraction: float = 0.0,
    ) -> None:
        if not 0 <= test_fraction < 1:
            raise ValueError(f"test_fraction must lie in [0, 1), got {test_fraction}")
        if max_levels < 1:
            raise ValueError(f"max_levels must be at least 1, got {max_levels}")
        self.path, self.schema, self.mm_candidates = path, schema, mm_candidates
        self.targets = tuple(map(str, targets or ()))
        self.na_values = NA_VALUES if na_values is None else tuple(map(str, na_values))
        self.max_levels, self.test_fraction = max_levels, test_fraction

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the file.

        Raises:
            UserError: it cannot be read, is no table, or a column is not as configured; always one line.
        """
        source = self._read(Path(self.path).expanduser())
        values = source.codec.encode(source.frame)
        train_rows = self._train_rows(len(values), split_rng)
        columns, meaningful = source.codec.columns, np.zeros(values.shape, bool)
        levels = [column.name for column in columns if column.discrete]
        for target in self.targets:
            if target not in levels:
                raise UserError(f"dataset.targets: no categorical column {target!r}{did_you_mean(target, levels)}")
        return Table("csv", columns, values, meaningful, train_rows, source=source, targets=self.targets)

    def _read(self, path: Path) -> Source:
        suffix = file_suffix(path)
        check_suffix(path)
        try:
            content = path.read_bytes()
            if suffix.endswith(".gz"):
                content = gzip.decompress(content)
        except (OSError, EOFError) as error:
            raise UserError(f"dataset.path={path} cannot be read: {reason(error)}") from None
        if suffix in PARQUET_SUFFIXES:
            return self._parquet(path, content)
        return self._text(path, content)

    def _text(self, path: Path, content: bytes) -> TextSource:
        encoding, text = decode_text(path, content)
        try:
            parsed = DelimitedText.parse(text)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        labels = [label.strip() or f"Unnamed: {j}" for j, label in enumerate(parsed.header)]
        blank = set(self.na_values)
        # space around a cell is no content: a file padded into columns has the levels of one that is not
        stripped = (pd.Series(cells, dtype="str").str.strip() for cells in zip(*parsed.rows, strict=True))
        frame = pd.DataFrame({j: cells.mask(cells.isin(blank)) for j, cells in enumerate(stripped)})
        frame.columns = pd.Index(labels)
        # a decimal comma goes with a semicolon between cells
        codec = self._infer(frame, decimal_marks=".," if parsed.delimiter == ";" else ".")
        return TextSource(path, frame, codec, parsed, encoding)

    def _parquet(self, path: Path, content: bytes) -> ParquetSource:
        import pyarrow
        from pyarrow import parquet

        try:
            arrow = parquet.ParquetFile(pyarrow.BufferReader(content)).read()
        except (pyarrow.ArrowException, ValueError) as error:
            raise UserError(f"{path} cannot be read as Parquet: {reason(error)}") from None
        frame = nullable_frame(arrow)
        if frame.empty:
            raise UserError(f"{path}: it has no rows or no columns")
        return ParquetSource(path, frame, self._infer(frame), arrow)

    def _infer(self, frame: pd.DataFrame, decimal_marks: str = "") -> FrameCodec:
        reading = Reading(self.max_levels, decimal_marks, schema_key="dataset.schema")
        return FrameCodec.infer(frame, read_schema(self.schema), self.mm_candidates or (), reading)

    def _train_rows(self, n: int, rng: np.random.Generator) -> np.ndarray | None:
        n_test = round(n * self.test_fraction)
        return rng.permutation(n) >= n_test if n_test else None


def read_schema(schema: dict[str, str] | str | None) -> dict[str, str]:
    """The schema given as a mapping or as the path of a YAML file."""
    if not isinstance(schema, str):
        return dict(schema or {})
    import yaml

    try:
        content: Any = yaml.safe_load(Path(schema).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"dataset.schema={schema} cannot be read: {reason(error)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{schema} must hold lines of 'column: kind'")
    return content
