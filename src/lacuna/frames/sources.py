"""Files as they were read, and how to write them completed; what the file formats need."""

from __future__ import annotations

import codecs
import gzip
from abc import ABC, abstractmethod
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from lacuna.errors import UserError
from lacuna.files import whole
from lacuna.frames.arrow import with_columns
from lacuna.frames.codec import FrameCodec
from lacuna.frames.delimited_text import DelimitedText

if TYPE_CHECKING:
    import pyarrow

TEXT_SUFFIXES = (".csv", ".tsv", ".txt")  # also with .gz
PARQUET_SUFFIXES = (".parquet", ".pq")
NA_VALUES = (  # what pandas.read_csv takes for blank
    *("", "#N/A", "#N/A N/A", "#NA", "-1.#IND", "-1.#QNAN", "-NaN", "-nan", "1.#IND", "1.#QNAN", "<NA>"),
    *("N/A", "NA", "NULL", "NaN", "None", "n/a", "nan", "null"),
)


@dataclass(frozen=True)
class Encoding:
    """How text is written as bytes."""

    name: str
    mark: bytes = b""  # before the text

    def encode(self, text: str) -> bytes:
        return self.mark + text.encode(self.name)


MARKED = (  # the longest mark first: that of UTF-16 begins that of UTF-32
    *(Encoding("utf-32-le", codecs.BOM_UTF32_LE), Encoding("utf-32-be", codecs.BOM_UTF32_BE)),
    *(Encoding("utf-16-le", codecs.BOM_UTF16_LE), Encoding("utf-16-be", codecs.BOM_UTF16_BE)),
    Encoding("utf-8", codecs.BOM_UTF8),
)


@dataclass(frozen=True, eq=False)
class Source(ABC):
    """A file as it was read, and how to write it completed."""

    path: Path
    frame: pd.DataFrame  # n rows, all columns; NA where blank
    codec: FrameCodec
    notes: tuple[str, ...]  # sentences for the user about what was found in the file

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

    def write(self, final: np.ndarray, folder: Path, name: str = "completed") -> Path:
        """Write the completed table as ``name`` with the file's own suffix; return its path."""
        path = folder / f"{name}{file_suffix(self.path)}"
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
    encoding: Encoding

    def _bytes(self, final: np.ndarray) -> bytes:
        filled = self._hidden & ~np.isnan(final)
        done = self.complete(final)
        replaced: dict[int, dict[int, str]] = {}
        for j, coded in enumerate(self.codec.coded):
            rows = np.flatnonzero(filled[:, j])
            for i, cell in zip(rows.tolist(), done.iloc[rows, coded.position].tolist(), strict=True):
                replaced.setdefault(i, {})[coded.position] = cell
        content = self.encoding.encode(self.text.with_cells(replaced))
        return gzip.compress(content, mtime=0) if file_suffix(self.path).endswith(".gz") else content


@dataclass(frozen=True, eq=False)
class ParquetSource(Source):
    """A Parquet file, written back with its own Arrow schema."""

    arrow: pyarrow.Table

    def _bytes(self, final: np.ndarray) -> bytes:
        import pyarrow
        from pyarrow import parquet

        changed = [self.codec.coded[j].position for j in np.flatnonzero(self._hidden.any(0))]
        sink = pyarrow.BufferOutputStream()
        parquet.write_table(with_columns(self.arrow, self.complete(final), changed), sink)
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


def decode_text(path: Path, content: bytes) -> tuple[Encoding, str, list[str]]:
    """Bytes -> encoding, text, and what to say of it: UTF by its mark, else UTF-8, else Latin-1 with a note."""
    encoding, notes = next((e for e in MARKED if content.startswith(e.mark)), Encoding("utf-8")), []
    try:
        text = content[len(encoding.mark) :].decode(encoding.name)
    except UnicodeDecodeError:
        encoding, text = Encoding("latin-1"), content.decode("latin-1")
        notes.append(f"{path.name} is not UTF-8: read as Latin-1")
    if "\0" in text:
        raise UserError(f"{path} is not a text table: save it as CSV or Parquet")
    return encoding, text, notes


def reason(error: Exception) -> str:
    """The operating system's or parser's words in one line."""
    words = error.strerror if isinstance(error, OSError) and error.strerror else str(error)
    return " ".join(words.split())
