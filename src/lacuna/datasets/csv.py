"""The user's own file, CSV or Parquet: its blank cells are the missing ones."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from lacuna.datasets.base import Dataset
from lacuna.errors import UserError, did_you_mean
from lacuna.frames.arrow import nullable_frame
from lacuna.frames.blank_codes import is_code_na
from lacuna.frames.codec import FrameCodec
from lacuna.frames.delimited_text import DelimitedText
from lacuna.frames.labels import listed
from lacuna.frames.na_values import NaValues
from lacuna.frames.number_text import ARABIC_POINT
from lacuna.frames.reading import Reading
from lacuna.frames.sources import (
    NA_VALUES,
    PARQUET_SUFFIXES,
    ParquetSource,
    Source,
    TextSource,
    check_suffix,
    decode_text,
    file_suffix,
    reason,
)
from lacuna.types import Table

Name = str | int
Value = str | int | float
Schema = dict[Name, str | dict[str, Any]]


class CSV(Dataset):
    """A table of columns of any kind; ``table.source`` is a ``Source`` that writes it back completed.

    Args:
        path: .csv, .tsv or .txt (also .gz) delimited by comma, semicolon, tab or bar; or .parquet, .pq.
        mm_candidates: name or names of the columns that may hold meaningful missingness.
        targets: name or names of the categorical columns that downstream tasks predict.
        schema: kind by column where the file misleads (continuous, integer, categorical, date, or ignore,
            whose blanks stay; or ``{kind: date, format: "%d/%m/%y"}``, or bounds of what is imputed,
            ``{min: 0, max: 120, whole: true}``), as a mapping, as its YAML text, or as the path of a YAML file.
        na_values: further cells that are blank, in all columns or by column; numbers compare as numbers. ``\\???``
            stands for ???, which no configuration can hold.
        keep_default_na: whether what pandas takes for blank in a text file, such as NA, is blank; else only the
            empty cell is.
        max_levels: text with more distinct values is not modelled (see ``lacuna.frames.codec``).
        test_fraction: share of the rows kept for testing, in [0, 1).
    """

    def __init__(
        self,
        path: str,
        *,
        mm_candidates: list[Name] | Name | None = None,
        targets: list[Name] | Name | None = None,
        schema: Schema | str | None = None,
        na_values: list[Value] | dict[Name, list[Value] | Value] | Value | None = None,
        keep_default_na: bool = True,
        max_levels: int = 100,
        test_fraction: float = 0.0,
    ) -> None:
        if not 0 <= test_fraction < 1:
            raise ValueError(f"test_fraction must lie in [0, 1), got {test_fraction}")
        if max_levels < 1:
            raise ValueError(f"max_levels must be at least 1, got {max_levels}")
        self.path, self.schema, self.mm_candidates = path, schema, mm_candidates
        self.targets = tuple(map(str, listed(targets)))
        self.na_values, self.keep_default_na = _as_meant(na_values), keep_default_na
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
        return Table(
            "csv",
            columns,
            values,
            meaningful,
            train_rows,
            source=source,
            targets=self.targets,
            meaningful_known=False,
        )

    def _read(self, path: Path) -> Source:
        suffix = file_suffix(path)
        check_suffix(path)
        try:
            content = path.read_bytes()
            if suffix.endswith(".gz"):
                content = gzip.decompress(content)
        except (OSError, EOFError, zlib.error) as error:
            raise UserError(f"dataset.path={path} cannot be read: {reason(error)}") from None
        if suffix in PARQUET_SUFFIXES:
            return self._parquet(path, content)
        return self._text(path, content)

    def _text(self, path: Path, content: bytes) -> TextSource:
        encoding, text, notes = decode_text(path, content)
        try:
            parsed = DelimitedText.parse(text)
        except UserError as error:
            raise UserError(f"{path}: {error}") from None
        labels = [label.strip() or f"Unnamed: {j}" for j, label in enumerate(parsed.header)]
        # space around a cell is no content: a file padded into columns has the levels of one that is not
        columns = [pd.Series(cells, dtype="str").str.strip() for cells in zip(*parsed.rows, strict=True)]
        default = NA_VALUES if self.keep_default_na else ("",)
        frame = pd.DataFrame({j: cells.mask(cells.isin(default)) for j, cells in enumerate(columns)})
        comma = parsed.delimiter == ";"  # a decimal comma goes with a semicolon between cells
        frame, more = self._blanked(frame.set_axis(labels, axis=1), decimal="," if comma else ".")
        marks = ("." + "," * comma) + ARABIC_POINT * (ARABIC_POINT in text)
        codec = self._infer(frame, marks)
        notes = [*notes, *more, *codec.notes, *_code_na_notes(codec, columns)]
        return TextSource(path, frame, codec, tuple(notes), parsed, encoding)

    def _parquet(self, path: Path, content: bytes) -> ParquetSource:
        import pyarrow
        from pyarrow import parquet

        try:
            arrow = parquet.ParquetFile(pyarrow.BufferReader(content)).read()
            frame = nullable_frame(arrow)
        except UserError:
            raise
        except Exception as error:  # what damage is found depends on where it is
            raise UserError(f"{path} cannot be read as Parquet: {reason(error)}") from None
        if frame.empty:
            raise UserError(f"{path}: it has no rows or no columns")
        frame, notes = self._blanked(frame)
        codec = self._infer(frame)
        return ParquetSource(path, frame, codec, (*notes, *codec.notes), arrow)

    def _blanked(self, frame: pd.DataFrame, decimal: str = ".") -> tuple[pd.DataFrame, list[str]]:
        """``frame`` without ``na_values``, and what to say of them."""
        na_values = NaValues.of(self.na_values, frame.columns, "dataset.na_values", decimal)
        return na_values.blanked(frame), na_values.unseen(frame)

    def _infer(self, frame: pd.DataFrame, decimal_marks: str = "") -> FrameCodec:
        file = self.schema if isinstance(self.schema, str) and not _is_inline(self.schema) else ""
        reading = Reading(self.max_levels, decimal_marks, schema_key="dataset.schema", schema_file=file)
        return FrameCodec.infer(frame, read_schema(self.schema), self.mm_candidates, reading)

    def _train_rows(self, n: int, rng: np.random.Generator) -> np.ndarray | None:
        n_test = round(n * self.test_fraction)
        return rng.permutation(n) >= n_test if n_test else None


def _as_meant(value: Any) -> Any:
    r"""
    >>> _as_meant({"age": ["\\???", 99]})
    {'age': ['???', 99]}
    """
    if isinstance(value, dict):
        return {key: _as_meant(each) for key, each in value.items()}
    if isinstance(value, list):
        return [_as_meant(each) for each in value]
    return "???" if value == "\\???" else value


def read_schema(schema: Schema | str | None) -> dict[Any, Any]:
    """The schema given as a mapping, as YAML text in braces, or as the path of a YAML file."""
    if not isinstance(schema, str):
        return dict(schema or {})
    import yaml

    try:
        text = schema if _is_inline(schema) else Path(schema).expanduser().read_text(encoding="utf-8")
        content: Any = yaml.safe_load(text)
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"dataset.schema={schema} cannot be read: {reason(error)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{schema} must hold lines of 'column: kind'")
    return content


def _is_inline(schema: str) -> bool:
    return schema.lstrip().startswith("{")


def _code_na_notes(codec: FrameCodec, columns: Sequence[pd.Series]) -> list[str]:
    """Where NA may be Namibia; the cells of all columns are as they are in the file."""
    return [
        f"column {c.column.name!r} holds NA, which counts as blank, among codes such as {c.column.levels[0]!r}: if it "
        "is one of them, set dataset.keep_default_na=false"
        for c in codec.coded
        if is_code_na(c.column.levels) and "NA" not in c.column.levels and (columns[c.position] == "NA").any()
    ]
