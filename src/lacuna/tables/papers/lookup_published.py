"""Which printed number belongs beside a cell."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from functools import cache
from typing import Any

from lacuna.tables.papers.published import accuracy_in_print, published
from lacuna.tables.published_number import PublishedNumber

ABOUT = ("dataset", "mask", "method", "target", "metric")


def lookup_published(
    tables: Collection[str], about: Mapping[str, str], ratio: float, sizes: Mapping[str, Any], key: str
) -> PublishedNumber | None:
    """The number that a paper prints for a cell.

    Args:
        tables: where it may stand.
        about: dataset, mask, method and target, by those names.
        ratio: ordinary missing rate.
        sizes: n and p of the data; a table that prints none is about any.
        key: of our metric in a record.
    """
    wanted = dict(about) | {"metric": _printed_metric(key, about["mask"], about["dataset"])}
    if wanted["metric"] == "mm_rate":  # of the data, before any mask
        wanted["mask"] = ""
    for row in _by_what_it_is_about().get(tuple(wanted[name] for name in ABOUT), ()):
        same_size = all(getattr(row, name) is None or str(getattr(row, name)) == str(n) for name, n in sizes.items())
        if row.table in tables and same_size and row.ratio in (None, ratio):
            return row
    return None


@cache
def _by_what_it_is_about() -> dict[tuple[str, ...], list[PublishedNumber]]:
    found: dict[tuple[str, ...], list[PublishedNumber]] = {}
    for row in published():
        found.setdefault(tuple(getattr(row, name) for name in ABOUT), []).append(row)
    return found


def _printed_metric(key: str, mask: str, dataset: str) -> str:
    """The printed metric that a record's key is to be compared with; "" where there is none."""
    name = key.rpartition("/")[2]
    if "downstream" in key:
        return f"downstream/{name}"
    if name == "mm_rate":
        return name
    if name in ("acc", "acc_discrete", "acc_with_integers"):
        in_print = accuracy_in_print(dataset) if mask == "mcar" else "acc"
        return key.replace(name, "acc") if name == in_print else ""
    return key
