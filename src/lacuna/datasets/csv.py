"""The user's own file, CSV or Parquet: its blank cells are the missing ones."""

from __future__ import annotations

import gzip
import warnings
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from lacuna.column_types import Reading
from lacuna.datasets.base import Dataset
from lacuna.delimited import DelimitedText
from lacuna.errors import UserError, did_you_mean
from lacuna.files import whole
from lacuna.frames import FrameCodec
from lacuna.types import Table

if TYPE_CHECKING:
    import pyarrow

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")  # also with .gz
PARQUET_SUFFIXES = (".parquet", ".pq")
NA_VALUES = (  # what pandas.read_csv takes for blank
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)


class CSV(Dataset):
    """A table of columns of any kind; ``table.source`` is a ``Source`` that writes it back completed.

    Args:
        path: .csv, .tsv or .txt (also .gz) delimited by comma, semicolon, tab or bar; or .parquet, .pq.
        mm_candidates: names of the columns that may hold meaningful missingness.
        targets: names of the categorical columns that downstream tasks predict.
        schema: kind by column where the file misleads (continuous, integer, categorical, date, or ignore,
            whose blanks stay), or the path of a YAML file that says so.
        na_values: the cells of a text file that are blank; default as in pandas.
        max_levels: text with more distinct values is not modelled (see ``lacuna.frames``).
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
            raise UserError(f"dataset.path={path} cannot be read: {_reason(error)}") from None
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
            raise UserError(f"{path} cannot be read as Parquet: {_reason(error)}") from None
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


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """A file as it was read, and how to write it completed."""

    path: Path
    frame: pd.DataFrame  # n rows, all columns; NA where blank
    codec: FrameCodec

    @property
    def n_blank(self) -> int:
        """Blank cells of the modelled columns: 0 means that there is nothing to impute."""
        return int(self.frame.iloc[:, [c.position for c in self.codec.coded]].isna().to_numpy().sum())

    def complete(self, final: np.ndarray) -> pd.DataFrame:
        """The completed table, every column of the file with its type; cells of a text file are text.

        Args:
            final: (n, d) in the rows of the file; NaN where a cell is to stay blank.
        """
        return self.codec.complete(self.frame, self._hidden, final)

    def write(self, final: np.ndarray, folder: Path) -> Path:
        """Write the completed table as ``completed`` with the file's own suffix; return its path."""
        path = folder / f"completed{file_suffix(self.path)}"
        content = self._bytes(final)
        with whole(path) as temporary:
            temporary.write_bytes(content)
        return path

    @property
    def _hidden(self) -> np.ndarray:
        return self.frame.iloc[:, [c.position for c in self.codec.coded]].isna().to_numpy()

    @abstractmethod
    def _bytes(self, final: np.ndarray) -> bytes: ...


@dataclass(frozen=True, eq=False)
class TextSource(Source):
    """A delimited text file, written back byte for byte except for the cells that are filled."""

    text: DelimitedText
    encoding: str

    def _bytes(self, final: np.ndarray) -> bytes:
        filled = self._hidden & ~np.isnan(final)
        done = self.complete(final)
        replaced: dict[int, dict[int, str]] = {}
        for j, coded in enumerate(self.codec.coded):
            rows = np.flatnonzero(filled[:, j])
            for i, cell in zip(rows.tolist(), done.iloc[rows, coded.position].tolist(), strict=True):
                replaced.setdefault(i, {})[coded.position] = cell
        content = self.text.with_cells(replaced).encode(self.encoding)
        return gzip.compress(content, mtime=0) if file_suffix(self.path).endswith(".gz") else content


@dataclass(frozen=True, eq=False)
class ParquetSource(Source):
    """A Parquet file, written back with its own Arrow schema."""

    arrow: pyarrow.Table

    def _bytes(self, final: np.ndarray) -> bytes:
        import pyarrow
        from pyarrow import parquet

        filled = self._hidden & ~np.isnan(final)
        done, arrow = self.complete(final), self.arrow
        for j, coded in enumerate(self.codec.coded):
            if filled[:, j].any():
                at = arrow.schema.get_field_index(coded.column.name)
                field = arrow.schema.field(at)
                cells = pyarrow.array(done.iloc[:, coded.position].array, type=field.type, from_pandas=True)
                arrow = arrow.set_column(at, field, cells)
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(arrow, sink)
        return sink.getvalue().to_pybytes()


def check_suffix(path: Path) -> None:
    """Raise a UserError where ``path`` names no format of a table."""
    suffix = file_suffix(path)
    if suffix.removesuffix(".gz") not in TEXT_SUFFIXES and suffix not in PARQUET_SUFFIXES:
        raise UserError(f"{path}: a table must end in .csv, .tsv, .txt (also .gz), .parquet or .pq")


def file_suffix(path: Path) -> str:
    """The suffix in lower case, with what lies under a .gz.

    >>> file_suffix(Path("my.data.CSV.gz"))
    '.csv.gz'
    """
    suffixes = [suffix.lower() for suffix in path.suffixes]
    return "".join(suffixes[-2:] if suffixes[-1:] == [".gz"] else suffixes[-1:])


def decode_text(path: Path, content: bytes) -> tuple[str, str]:
    """Bytes -> encoding and text: UTF-8 or UTF-16 by their marks, else UTF-8, else Latin-1 with a warning."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    else:
        encoding = "utf-8-sig" if content.startswith(b"\xef\xbb\xbf") else "utf-8"
    try:
        text = content.decode(encoding)
    except UnicodeDecodeError:
        encoding, text = "latin-1", content.decode("latin-1")
        warnings.warn(f"{path} is not UTF-8: read as Latin-1", stacklevel=2)
    if "\0" in text:
        raise UserError(f"{path} is not a text table: save it as CSV or Parquet")
    return encoding, text


def nullable_frame(arrow: pyarrow.Table) -> pd.DataFrame:
    """An Arrow table as pandas gives it, but integers and booleans with blanks keep their type and digits."""
    import pyarrow

    nullable = {pyarrow.bool_(): pd.BooleanDtype()}
    for size in (8, 16, 32, 64):
        nullable[getattr(pyarrow, f"int{size}")()] = getattr(pd, f"Int{size}Dtype")()
        nullable[getattr(pyarrow, f"uint{size}")()] = getattr(pd, f"UInt{size}Dtype")()
    if len(set(arrow.column_names)) < len(arrow.column_names):
        label = next(name for name in arrow.column_names if arrow.column_names.count(name) > 1)
        raise UserError(f"two columns are called {label!r}: rename one")
    frame = arrow.to_pandas()
    for position, label in enumerate(frame.columns):
        cells = arrow[str(label)]
        if cells.null_count and cells.type in nullable:
            frame.isetitem(position, cells.to_pandas(types_mapper=nullable.get).array)
    return frame


def read_schema(schema: dict[str, str] | str | None) -> dict[str, str]:
    """The schema given as a mapping or as the path of a YAML file."""
    if not isinstance(schema, str):
        return dict(schema or {})
    import yaml

    try:
        content: Any = yaml.safe_load(Path(schema).expanduser().read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        raise UserError(f"dataset.schema={schema} cannot be read: {_reason(error)}") from None
    if not isinstance(content, dict):
        raise UserError(f"{schema} must hold lines of 'column: kind'")
    return content


def _reason(error: Exception) -> str:
    """The operating system's or parser's words in one line."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())
