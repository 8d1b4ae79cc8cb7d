"""The code lists of comorbidities.csv: which diagnoses belong to which comorbidity."""

from __future__ import annotations

import csv
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

FILE = Path(__file__).with_name("comorbidities.csv")
SHORT = {"charlson": "cci", "elixhauser": "eci"}


class Prefix(NamedTuple):
    """Every code of this ICD version that begins with ``prefix`` belongs to the comorbidity ``name``."""

    name: str  # such as cci_CHF or eci_Pulmonary
    icd: int  # 9 or 10
    prefix: str  # without a dot


@cache
def prefixes() -> tuple[Prefix, ...]:
    """Every line of the file, its ranges written out."""
    lines = (line for line in FILE.read_text(encoding="utf-8").splitlines() if not line.startswith("#"))
    return tuple(
        Prefix(f"{SHORT[row['index']]}_{row['group']}", int(row["icd"]), prefix)
        for row in csv.DictReader(lines)
        for item in row["codes"].split()
        for prefix in expanded(item)
    )


def expanded(item: str) -> Iterator[str]:
    """The prefixes of one code or range of codes.

    >>> list(expanded("4254-4256")), list(expanded("C00-C02")), list(expanded("V434"))
    (['4254', '4255', '4256'], ['C00', 'C01', 'C02'], ['V434'])
    """
    first, _, last = item.partition("-")
    if not last:
        yield first
        return
    letter = re.match("[A-Z]?", first)[0]  # type: ignore[index]
    digits = len(first) - len(letter)
    for number in range(int(first[len(letter) :]), int(last[len(letter) :]) + 1):
        yield f"{letter}{number:0{digits}d}"
