"""Numbers written out, as in a CSV file: how they are recognised, read, and written like the rest of their column."""

from __future__ import annotations

import unicodedata
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from lacuna.types import Kind

NUMBER = r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|(?i:inf(?:inity)?))"
WHOLE = r"[-+]?[0-9]+"
POINT_ZERO = WHOLE + r"\.0"  # how pandas writes whole numbers of a column that has blanks
ZERO_PADDED = r"[-+]?0[0-9]+"
ARABIC_POINT = "\u066b"
SIGNIFICANT = 12  # digits: more than any imputation is worth, and no 0.30000000000000004


@dataclass(frozen=True)
class NumberText:
    """Numbers written out."""

    whole: bool
    decimal: str = "."
    point_zero: bool = False  # whole numbers are written as 7.0
    decimals: tuple[int, int] | None = None  # fewest and most digits after the point; None: as many as it takes
    zero: str = "0"  # the digit zero of the script that the numbers are written in
    levels: tuple[Any, ...] = ()

    @property
    def kind(self) -> Kind:
        return "integer" if self.whole else "continuous"

    @property
    def ending(self) -> str:
        """Of every whole number."""
        return f"{self.decimal}0" if self.point_zero else ""

    def encode(self, cells: pd.Series) -> np.ndarray:
        texts = with_point(with_ascii_digits(cells), self.decimal)
        return pd.to_numeric(texts, errors="coerce").to_numpy(dtype=np.float64)

    def decode(self, numbers: np.ndarray, dtype: Any) -> list[str]:
        return [self._in_script(self._written(x)) for x in numbers.tolist()]

    def rounded(self, numbers: np.ndarray) -> np.ndarray:
        """The numbers that ``decode`` writes."""
        if self.whole:
            return np.rint(numbers)
        return numbers if self.decimals is None else np.round(numbers, self.decimals[1])

    def _written(self, x: float) -> str:
        if self.whole:
            return f"{round(x)}{self.ending}"
        short = float(f"{x:.{SIGNIFICANT}g}")
        if self.decimals is None:
            return repr(short).replace(".", self.decimal)
        fewest, most = self.decimals
        text = f"{round(short, most) + 0.0:.{most}f}"  # + 0.0: no -0.00
        spare = min(len(text) - len(text.rstrip("0")), most - fewest)
        return text[: len(text) - spare].rstrip(".").replace(".", self.decimal)

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
    pointed = with_point(with_ascii_digits(texts), decimal)
    if not pointed.str.fullmatch(NUMBER).all() or pointed.str.fullmatch(ZERO_PADDED).any():
        return None
    whole, point_zero = (bool(pointed.str.fullmatch(form).all()) for form in (WHOLE, POINT_ZERO))
    decimals = None if whole or point_zero else _decimals(pointed)
    return NumberText(whole or point_zero, decimal, point_zero, decimals, _zero(texts.iloc[0]))


def with_ascii_digits(texts: pd.Series) -> pd.Series:
    """The decimal digits of any script become those of ASCII.

    >>> with_ascii_digits(pd.Series(["\u0661\u0662", "7"])).tolist()
    ['12', '7']
    """
    if all(map(str.isascii, texts)):
        return texts
    return texts.map(lambda text: "".join(str(unicodedata.decimal(c)) if c.isdecimal() else c for c in text))


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
