"""Delimited text (CSV) that can be written back byte for byte, except for the cells that were replaced.

A parser that only yields cells cannot do that: quoting, line ends and the spelling of numbers are gone. So
the raw text of every record is kept, and a record is taken apart again only where one of its cells changes.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from lacuna.errors import UserError

DELIMITERS = (",", ";", "\t", "|")
SNIFFED_RECORDS = 50


@cache
def _patterns(delimiter: str) -> tuple[re.Pattern[str], re.Pattern[str]]:
    """A whole record with its line end, and one cell of a record with the delimiter before it.

    A cell that starts with a quote ends with one, quotes inside are doubled; others run to the delimiter.
    """
    d = re.escape(delimiter)
    cell = rf'(?:"(?:[^"]++|"")*+"|[^"{d}\r\n][^{d}\r\n]*+|)'
    return re.compile(rf"({cell}(?:{d}{cell})*+)(?:\r\n|\n|\r|\Z)"), re.compile(rf"(?:^|{d})({cell})")


@dataclass(frozen=True)
class DelimitedText:
    """A header and n records of equally many cells."""

    delimiter: str
    header: list[str]
    rows: list[list[str]]  # n lists of cells, quotes removed
    records: list[str]  # raw text with line ends: the header, the rows, and empty lines between them
    row_records: list[int]  # (n,) index into ``records`` of each row

    @classmethod
    def parse(cls, text: str) -> DelimitedText:
        """Read text whose delimiter is a comma, a semicolon, a tab or a bar.

        Raises:
            UserError: no header or no rows, a quote that does not close, or a row that is shorter or longer
                than the header; with the line number.
        """
        if mark := re.match(r"sep=.[\r\n]", text):  # Excel's
            raise UserError(f"line 1, {mark[0].strip()!r}, is no header: remove it")
        delimiter = sniff(text)
        records = _split(text, delimiter)
        filled = [i for i, record in enumerate(records) if record.strip("\r\n")]
        if not filled:
            raise UserError("it has no header and no rows")
        header = split_cells(records[filled[0]], delimiter)
        if len(header) == 1:  # an empty line is a blank cell here, but for those at the end
            filled = list(range(filled[0], filled[-1] + 1))
        rows = [split_cells(records[i], delimiter) for i in filled[1:]]
        if not rows:
            raise UserError("it has a header but no rows")
        for i, row in zip(filled[1:], rows, strict=True):
            if len(row) != len(header):
                line = 1 + sum(map(_count_lines, records[:i]))
                raise UserError(f"line {line} has {len(row)} cells where the header has {len(header)}")
        return cls(delimiter, header, rows, records, filled[1:])

    def with_cells(self, replaced: Mapping[int, Mapping[int, str]]) -> str:
        """The whole text with some cells replaced: ``replaced[row][column] = cell``."""
        records = self.records.copy()
        for row, changes in replaced.items():
            record = records[self.row_records[row]]
            body = record.rstrip("\r\n")
            raw = raw_cells(body, self.delimiter)
            for column, cell in changes.items():
                raw[column] = self._quoted(cell, like=raw[column])
            records[self.row_records[row]] = self.delimiter.join(raw) + record[len(body) :]
        return "".join(records)

    def _quoted(self, cell: str, like: str) -> str:
        needed = any(mark in cell for mark in (self.delimiter, '"', "\r", "\n"))
        return '"' + cell.replace('"', '""') + '"' if needed or like.startswith('"') else cell


def sniff(text: str) -> str:
    """The delimiter that gives all of the first records equally many cells, the most; else the header's own.

    >>> sniff("a;b\\n1,5;2\\n"), sniff("place\\nBonn, Rhein\\nUlm\\n")
    (';', ';')
    """
    widths = {delimiter: _first_widths(text, delimiter) for delimiter in DELIMITERS}
    even = {delimiter: w[0] for delimiter, w in widths.items() if len(set(w)) == 1}
    header = next(iter(text.lstrip("\r\n").splitlines()), "")
    if even and (max(even.values()) > 1 or not any(delimiter in header for delimiter in DELIMITERS)):
        return max(even, key=even.__getitem__)
    return max(DELIMITERS, key=header.count)


def _first_widths(text: str, delimiter: str) -> list[int]:
    """The number of cells of each of the first records that are not empty."""
    pattern, position = _patterns(delimiter)[0], 0
    widths: list[int] = []
    while len(widths) < SNIFFED_RECORDS and position < len(text):
        if (match := pattern.match(text, position)) is None:
            break
        position = match.end()
        if match[1]:
            widths.append(len(raw_cells(match[1], delimiter)))
    return widths


def _split(text: str, delimiter: str) -> list[str]:
    """Text -> raw records with their line ends."""
    pattern = _patterns(delimiter)[0]
    records: list[str] = []
    position = 0
    while position < len(text):
        match = pattern.match(text, position)
        if match is None:
            line = 1 + sum(map(_count_lines, records))
            raise UserError(f"line {line} has a quote that is never closed, or text after a closing quote")
        records.append(match[0])
        position = match.end()
    return records


def _count_lines(record: str) -> int:
    return len(re.findall(r"\r\n|\n|\r", record))


def raw_cells(body: str, delimiter: str) -> list[str]:
    """A record without its line end -> its cells, quotes and all.

    >>> raw_cells('a,"b, c",', ",")
    ['a', '"b, c"', '']
    """
    return _patterns(delimiter)[1].findall(body) if '"' in body else body.split(delimiter)


def split_cells(record: str, delimiter: str) -> list[str]:
    """A record -> its cells without quotes.

    >>> split_cells('a;"b; ""c"" d";', ";")
    ['a', 'b; "c" d', '']
    """
    raw = raw_cells(record.rstrip("\r\n"), delimiter)
    if '"' not in record:
        return raw
    return [cell[1:-1].replace('""', '"') if cell.startswith('"') else cell for cell in raw]
