"""The numbers that the two papers print, as one row for each; shares are in [0, 1] here, as in records."""

from __future__ import annotations

import csv
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

from lacuna.tables.published_number import PublishedNumber

FOLDER = Path(__file__).parent / "published"
# MissBGM prints no ratio over Table 2; its mean oracle width of 1.539 occurs at this one only.
UNPRINTED_RATIO = {"missbgm_table02": 0.2}
IN_PERCENT = ("acc", "mm_precision", "mm_recall", "mm_f1", "mm_rate")  # and everything downstream


def heading(one: PublishedNumber) -> str:
    """Of the table in which it is printed.

    >>> heading(published()[0])
    'Table 1'
    """
    kind = one.table.partition("_")[2]
    return f"{kind[:-2].capitalize()} {int(kind[-2:])}"


def printed_elsewhere(one: PublishedNumber) -> list[PublishedNumber]:
    """Other figures for the same setting and score that no rounding explains."""
    about = ("dataset", "n", "p", "mask", "ratio", "target", "method", "metric")
    return [
        other
        for other in published()
        if other.table != one.table
        and all(getattr(other, name) == getattr(one, name) for name in about)
        and abs(other.value - one.value) > max(other.unit, one.unit)
    ]


@cache
def published() -> tuple[PublishedNumber, ...]:
    """Every printed number, in the order of the papers' tables."""
    return tuple(
        _number(path.stem, row)
        for path in sorted(FOLDER.glob("*.csv"))
        for row in csv.DictReader(path.read_text(encoding="utf-8").splitlines())
    )


def _number(table: str, row: Mapping[str, str]) -> PublishedNumber:
    name = row["metric"].split("/")[-1]
    unit = 100 if name in IN_PERCENT or row["metric"].startswith("downstream/") else 1
    return PublishedNumber(
        table=table,
        dataset=row["dataset"],
        n=int(row["n"]) if row["n"] else None,
        p=int(row["p"]) if row["p"] else None,
        mask=row["mask"],
        ratio=float(row["ratio"]) if row["ratio"] else UNPRINTED_RATIO.get(table),
        target=row["target"],
        method=row["method"],
        metric=row["metric"],
        value=float(row["value"]) / unit,
        std=float(row["std"]) / unit if row["std"] else None,
        unit=10.0 ** -len(row["value"].partition(".")[2]) / unit,
    )


def accuracy_in_print(dataset: str) -> str:
    """Which of our metrics the accuracy that Diff-Joint prints under mcar turned out to be.

    On MIMIC-IV-ED integer columns count: notes of Table 4.
    """
    return "acc_with_integers" if dataset == "mimic_ed" else "acc_discrete"


def published_for(config: Mapping[str, Any]) -> dict[str, PublishedNumber]:
    """What the papers print for the problem and method of a configuration, by the key of the score.

    Where tables disagree, the first one counts: the main tables come first.
    """
    names, shape = config["names"], config["dataset"]
    found: dict[str, PublishedNumber] = {}
    for row in published():
        same_size = all(size in (None, shape.get(key)) for key, size in (("n", row.n), ("p", row.p)))
        same_names = all(getattr(row, key) == names[key] for key in ("dataset", "mask", "method"))
        if same_names and same_size and row.ratio == config["ratio"]:
            found.setdefault(row.key, row)
    return found
