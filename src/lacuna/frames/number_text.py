"""Numbers written out, as in a CSV file: how they are recognised, read, and written like the rest of their column."""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import pandas as pd

from lacuna.types import Kind

NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?i:inf(?:inity)?))"
WHOLE = r"[-+]?[0-9]+"
POINT_ZERO = WHOLE + r"\.0"  # how pandas writes whole numbers of a column that has blanks
ZERO_PADDED = r"[-+]?0[0-9]+"
ARABIC_POINT = "\u066b"
MINUS = "\u2212"  # of typesetters
SIGNIFICANT = 12  # digits: more than any imputation is worth, and no 0.30000000000000004
SAMPLED = 50  # texts that rule a form out
SPACES = (" ", "\u00a0", "\u202f", "'", "\u2019")
MARKS = (  # of decimals and thousands
    *((".", ","), (",", "."), (",", ""), (".", "")),
    *((decimal, space) for decimal in ".," for space in SPACES),
    (ARABIC_POINT, "\u066c"),
)


@dataclass(frozen=True)
class NumberText:
    """Numbers written out."""

    whole: bool
    decimal: str = "."
    point_zero: bool = False  # whole numbers are written as 7.0
    decimals: tuple[int, int] | None = None  # fewest and most digits after the point; None: as many as it takes
    zero: str = "0"  # the digit zero of the script that the numbers are written in
    levels: tuple[Any, ...] = ()
    group: str = ""  # between thousands
    minus: str = "-"
    before: str = ""  # the sign of a currency
    after: str = ""  # that, or a sign of per cent

    @property
    def kind(self) -> Kind:
        return "integer" if self.whole else "continuous"

    def encode(self, cells: pd.Series) -> np.ndarray:
        return pd.to_numeric(self.plain(cells), errors="coerce").to_numpy(dtype=np.float64)

    def plain(self, cells: pd.Series) -> pd.Series:
        """The cells in ASCII digits, with a point and nothing between thousands, before or after."""
        texts = with_ascii_digits(cells)
        if self.before or self.after:
            texts = texts.str.removeprefix(self.before).str.removesuffix(self.after)
        if self.group:
            texts = texts.str.replace(self.group, "", regex=False)
        return with_point(texts, self.decimal)

    def digits(self, cells: pd.Series) -> pd.Series:
        """Of whole numbers, without the sign + and the ending .0: what ``int`` reads."""
        return self.plain(cells).str.removeprefix("+").str.removesuffix(".0" if self.point_zero else "")

    def decode(self, numbers: np.ndarray, dtype: Any) -> list[str]:
        return [f"{self.before}{self._in_script(self._written(x))}{self.after}" for x in numbers.tolist()]

    def rounded(self, numbers: np.ndarray) -> np.ndarray:
        """The numbers that ``decode`` writes."""
        if self.whole:
            return np.rint(numbers)
        return numbers if self.decimals is None else np.round(numbers, self.decimals[1])

    def _written(self, x: float) -> str:
        if self.whole:
            return self._marked(f"{round(x):,}" + ".0" * self.point_zero)
        if self.decimals is None:
            short = float(f"{x:.{SIGNIFICANT}g}")
            return self._marked(repr(short))
        fewest, most = self.decimals
        text = f"{round(x, most) + 0.0:,.{most}f}"  # + 0.0: no -0.00
        spare = min(len(text) - len(text.rstrip("0")), most - fewest)
        return self._marked(text[: len(text) - spare].rstrip("."))

    def _marked(self, text: str) -> str:
        """Text of Python's with the marks of the column."""
        marks = {",": self.group, ".": self.decimal, "-": self.minus}
        return "".join(marks.get(c, c) for c in text)

    def _in_script(self, text: str) -> str:
        if self.zero == "0":
            return text
        return "".join(chr(ord(self.zero) + int(c)) if c.isdecimal() else c for c in text)


def read_number_text(texts: pd.Series, decimal: str) -> NumberText | None:
    """How to read distinct texts as numbers; None where one of them is not a number, or is padded with zeros.

    >>> read_number_text(pd.Series(["1", "20"]), ".").kind
    'integer'
    >>> read_number_text(pd.Series(["1.5", "2"]), ".").decimals
    (0, 1)
    >>> read_number_text(pd.Series(["1.0", "20.0"]), ".").kind
    'integer'
    >>> read_number_text(pd.Series(["007", "120"]), ".") is None
    True
    """
    if decimal != "." and texts.str.fullmatch(_grouped(".")).any():
        return None  # 1.234 is a thousand where the comma is the decimal mark
    return _read(texts, NumberText(False, decimal))


def read_marked_numbers(texts: pd.Series) -> list[NumberText]:
    """How to read distinct texts with marks between thousands, a comma for a point, or a sign of currency or per cent.

    Returns:
        One of each reading that differs; none where no reading fits, several where the texts leave it open.

    >>> [found] = read_marked_numbers(pd.Series(["1,234.5", "999"]))
    >>> found.group, found.encode(pd.Series(["1,234.5"])).tolist()
    (',', [1234.5])
    >>> [found.decimal for found in read_marked_numbers(pd.Series(["1,234", "999"]))]
    ['.', ',']
    """
    plain = with_ascii_digits(texts)
    before, after = _affix(plain, -1), _affix(plain, 1)
    bare = plain.str.removeprefix(before).str.removesuffix(after)
    found: list[tuple[NumberText, np.ndarray]] = []
    for decimal, group in MARKS:
        whole = rf"[0-9]+|[0-9]{{1,3}}(?:{re.escape(group)}[0-9]{{3}})+" if group else "[0-9]+"
        form = rf"[-+]?(?:{whole})(?:{re.escape(decimal)}[0-9]+)?"
        if not (bare.iloc[:SAMPLED].str.fullmatch(form).all() and bare.str.fullmatch(form).all()):
            continue
        if group and not bare.str.contains(group, regex=False).any():
            continue
        number = _read(texts, NumberText(False, decimal, group=group, before=before, after=after))
        if number is not None:
            values = number.encode(texts)
            if not any(np.array_equal(values, others) for _, others in found):
                found.append((number, values))
    return [number for number, _ in found]


def _read(texts: pd.Series, form: NumberText) -> NumberText | None:
    """``form`` with all that its marks leave open of how it writes distinct texts; None where it does not."""
    plain = form.plain(texts)
    if not plain.str.fullmatch(NUMBER).all() or plain.str.fullmatch(ZERO_PADDED).any():
        return None
    whole, point_zero = (bool(plain.str.fullmatch(like).all()) for like in (WHOLE, POINT_ZERO))
    return replace(
        form,
        whole=whole or point_zero,
        point_zero=point_zero,
        decimals=None if whole or point_zero else _decimals(plain),
        zero=_zero(texts.iloc[0]),
        minus=MINUS if texts.str.contains(MINUS, regex=False).any() else "-",
    )


def _grouped(mark: str) -> str:
    """Of whole numbers with ``mark`` between thousands."""
    return rf"[-+]?[1-9][0-9]{{0,2}}(?:{re.escape(mark)}[0-9]{{3}})+"


def looks_grouped(texts: pd.Series, mark: str) -> bool:
    """Whether each of the numbers that have ``mark`` has three digits between marks, as thousands do."""
    marked = texts[texts.str.contains(mark, regex=False)]
    return bool(len(marked) and marked.str.fullmatch(_grouped(mark)).all())


def _affix(texts: pd.Series, end: int) -> str:
    """The sign of currency or per cent, and the space beside it, at the start (-1) or the end (1) of every text."""
    first = texts.iloc[0]
    match = re.match(r"\D{1,2}", first) if end < 0 else re.search(r"\D{1,2}$", first)
    affix = match[0] if match else ""
    if not affix or not all(c in "% \u00a0" or unicodedata.category(c) == "Sc" for c in affix):
        return ""
    every = texts.str.startswith(affix) if end < 0 else texts.str.endswith(affix)
    return affix if every.all() else ""


def with_ascii_digits(texts: pd.Series) -> pd.Series:
    """The decimal digits of any script, and the sign of minus, become those of ASCII.

    >>> with_ascii_digits(pd.Series(["\u0661\u0662", "7"])).tolist()
    ['12', '7']
    """
    if all(map(str.isascii, texts)):
        return texts
    return texts.map(
        lambda text: "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text).replace(MINUS, "-")
    )


def with_point(texts: pd.Series, decimal: str) -> pd.Series:
    """Another decimal mark becomes a point."""
    return texts if decimal == "." else texts.str.replace(decimal, ".", regex=False)


def _zero(text: str) -> str:
    """The digit zero of the script of ``text``."""
    digit = next((c for c in text if c.isdecimal()), "0")
    return chr(ord(digit) - unicodedata.decimal(digit))


def _decimals(pointed: pd.Series) -> tuple[int, int] | None:
    """The fewest and the most digits after the point; None where exponents or very many digits are written."""
    if pointed.str.contains("[a-zA-Z]").any():
        return None
    counts = [len(text.partition(".")[2]) for text in pointed]
    return None if max(counts) > SIGNIFICANT else (min(counts), max(counts))
