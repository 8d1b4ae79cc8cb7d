"""Every table of a catalogue, filled from folders of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from lacuna.errors import UserError
from lacuna.tables.archive import read_archive
from lacuna.tables.definition import Catalogue
from lacuna.tables.grid import Grid, fill
from lacuna.tables.provenance import of_no_table


@dataclass(frozen=True)
class Page:
    """Filled tables and what they do not show."""

    title: str
    grids: list[Grid]
    broken: tuple[str, ...]  # files that are no whole records
    left_out: list[str]  # whole records that stand in no table


def filled(catalogue: Catalogue, folders: Sequence[Path], ids: Sequence[str] = ()) -> Page:
    """Tables of a catalogue from the records below ``folders``; all of them where no ``ids`` are given.

    Raises:
        UserError: a folder, or a table, is not there.
    """
    tables = catalogue.chosen(ids)
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder of records")
    archive = read_archive(folders)
    grids = [grid for table in tables for grid in fill(table, archive)]
    left_out = of_no_table(grids, archive) if len(tables) == len(catalogue.tables) else []
    return Page(catalogue.title, grids, archive.broken, left_out)
