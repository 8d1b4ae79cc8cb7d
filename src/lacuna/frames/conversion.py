"""The completed file in the format of another suffix."""

from __future__ import annotations

import gzip
from pathlib import Path

import pandas as pd

from lacuna.files import whole
from lacuna.frames.codings import Coding, DateTimes
from lacuna.frames.number_text import NumberText, read_number_text
from lacuna.frames.sources import PARQUET_SUFFIXES, Source, TextSource, file_suffix

SEPARATORS = {".tsv": "\t"}  # else a comma


def same_format(path: Path, other: Path) -> bool:
    """Whether two files differ in nothing but compression.

    >>> same_format(Path("a.csv"), Path("b.CSV.gz")), same_format(Path("a.csv"), Path("b.tsv"))
    (True, False)
    """
    return _format(path) == _format(other)


def copy_file(path: Path, target: Path) -> None:
    """Byte for byte, but for compression by ``target``'s suffix."""
    content = path.read_bytes()
    if _is_packed(path) and not _is_packed(target):
        content = gzip.decompress(content)
    elif _is_packed(target) and not _is_packed(path):
        content = gzip.compress(content, mtime=0)
    with whole(target) as temporary:
        temporary.write_bytes(content)


def convert(source: Source, target: Path) -> None:
    """Write a file that was read in another format.

    Text that becomes Parquet gets types: whole numbers int64, other numbers float64, dates and times their own,
    levels and all else text. Parquet that becomes text loses them; a DataFrame's own index becomes columns.
    """
    if _format(target) == "parquet":
        assert isinstance(source, TextSource)  # Parquet is one format
        content = typed(source).to_parquet(index=False)
    else:
        frame, has_index = source.frame, not isinstance(source.frame.index, pd.RangeIndex)
        text = frame.to_csv(sep=SEPARATORS.get(_format(target), ","), index=has_index, lineterminator="\n")
        content = gzip.compress(text.encode(), mtime=0) if _is_packed(target) else text.encode()
    with whole(target) as temporary:
        temporary.write_bytes(content)


def typed(source: TextSource) -> pd.DataFrame:
    """The cells of a text file as what they were read as."""
    frame = source.frame.copy()
    for coded in source.codec.coded:
        cells = _typed(frame.iloc[:, coded.position], coded.coding)
        frame.isetitem(coded.position, cells)  # type: ignore[arg-type]  # the stubs forget Series
    for name in source.codec.left_out:  # identifiers are numbers all the same
        position = source.codec.labels.index(name)
        cells = frame.iloc[:, position]
        if (numbers := read_number_text(cells.dropna().drop_duplicates(), ".")) is not None:
            frame.isetitem(position, _typed(cells, numbers))  # type: ignore[arg-type]
    return frame


def _typed(cells: pd.Series, coding: Coding) -> pd.Series:
    seen = cells[cells.notna()]
    if isinstance(coding, NumberText):
        if not coding.whole:
            return pd.Series(coding.encode(seen), index=seen.index).reindex(cells.index)
        try:
            digits = coding.digits(seen)
            return digits.astype("Int64").reindex(cells.index)  # not by float64, which has 15 digits
        except (OverflowError, ValueError):
            return cells  # longer than any integer
    if isinstance(coding, DateTimes):
        assert coding.text is not None  # in a text file
        moments = coding.text.instants(cells)
        if not coding.text.has_date:
            return moments.dt.time
        return moments.dt.date if coding.kind == "integer" else moments
    return cells


def _format(path: Path) -> str:
    suffix = file_suffix(path)
    return "parquet" if suffix in PARQUET_SUFFIXES else suffix.removesuffix(".gz")


def _is_packed(path: Path) -> bool:
    return path.suffix.lower() == ".gz"
