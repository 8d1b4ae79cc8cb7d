"""Several completions of one file, one below the other in one file, as R's mice has them in its long format."""

from __future__ import annotations

import gzip
from collections.abc import Sequence
from pathlib import Path

from lacuna.errors import UserError
from lacuna.files import whole
from lacuna.frames.delimited_text import DelimitedText
from lacuna.frames.sources import PARQUET_SUFFIXES, decode_text, file_suffix

NUMBER = ".imp"  # the column, the first one, that numbers the completions from 1


def stack(paths: Sequence[Path], target: Path) -> None:
    """Write files of the same columns and format one below the other.

    Args:
        paths: m files.
        target: of their suffix.

    Raises:
        UserError: the files have a column that is called as that of the numbers.
    """
    content = _parquet(paths) if file_suffix(target) in PARQUET_SUFFIXES else _text(paths)
    with whole(target) as temporary:
        temporary.write_bytes(content)


def _text(paths: Sequence[Path]) -> bytes:
    parts: list[str] = []
    for i, path in enumerate(paths, start=1):
        content = path.read_bytes()
        packed = file_suffix(path).endswith(".gz")
        encoding, text, _ = decode_text(path, gzip.decompress(content) if packed else content)
        table = DelimitedText.parse(text)
        if i == 1:
            _check_free(table.header)
            header = next(record for record in table.records if record.strip("\r\n"))
            line_end = header[len(header.rstrip("\r\n")) :]
            parts.append(NUMBER + table.delimiter + header)
        bodies = (table.records[k].rstrip("\r\n") for k in table.row_records)
        parts += (f"{i}{table.delimiter}{body}{line_end}" for body in bodies)
    done = encoding.encode("".join(parts))
    return gzip.compress(done, mtime=0) if packed else done


def _parquet(paths: Sequence[Path]) -> bytes:
    import pyarrow
    from pyarrow import parquet

    tables = []
    for i, path in enumerate(paths, start=1):
        table = parquet.ParquetFile(path).read()
        _check_free(table.column_names)
        tables.append(table.add_column(0, NUMBER, pyarrow.array([i] * len(table), pyarrow.int32())))
    sink = pyarrow.BufferOutputStream()
    parquet.write_table(pyarrow.concat_tables(tables), sink)
    return sink.getvalue().to_pybytes()


def _check_free(names: Sequence[str]) -> None:
    if NUMBER in names:
        raise UserError(
            f"the table has a column {NUMBER!r}: write one file each, with {{imp}} in the name of the output"
        )
