"""From folders of records to files of tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

from lacuna.errors import UserError, did_you_mean
from lacuna.files import write_text
from lacuna.tables.archive import load
from lacuna.tables.as_csv import as_csv
from lacuna.tables.as_html import as_html
from lacuna.tables.as_latex import as_latex
from lacuna.tables.as_markdown import as_markdown
from lacuna.tables.catalogue import TABLES
from lacuna.tables.definition import Table
from lacuna.tables.grid import Grid, fill
from lacuna.tables.pictures import picture, svg
from lacuna.tables.remarks import of_no_table


def chosen(ids: Iterable[str]) -> list[Table]:
    """Tables by id; all of them where none is named.

    Raises:
        UserError: there is no such table.
    """
    for name in ids:
        if name not in TABLES:
            raise UserError(f"there is no table {name!r}{did_you_mean(name, TABLES)}")
    return [TABLES[name] for name in ids] or list(TABLES.values())


@dataclass(frozen=True)
class Page:
    """Tables and what they do not show."""

    grids: list[Grid]
    broken: tuple[str, ...]  # files that are no whole records
    left_out: list[str]  # whole records that stand in no table


def filled(tables: Sequence[Table], folders: Sequence[Path]) -> Page:
    """Every table from the records below ``folders``.

    Raises:
        UserError: a folder is not there.
    """
    for folder in folders:
        if not folder.is_dir():
            raise UserError(f"{folder}: there is no such folder of records")
    archive = load(folders)
    grids = [grid for table in tables for grid in fill(table, archive)]
    return Page(grids, archive.broken, of_no_table(grids, archive) if len(tables) == len(TABLES) else [])


def write_markdown(page: Page, path: Path) -> None:
    """One page of Markdown, which depends on the records alone."""
    write_text(path, as_markdown(page.grids, page.broken, page.left_out))


def write_all(page: Page, out: Path) -> None:
    """tables.html and tables.md with everything; for each table CSV and LaTeX, and SVG where it is a figure."""
    write_text(out / "tables.html", as_html(page.grids, page.broken, page.left_out))
    write_markdown(page, out / "tables.md")
    for table in dict.fromkeys(grid.table for grid in page.grids):
        own = [grid for grid in page.grids if grid.table is table]
        write_text(out / f"{table.name}.csv", as_csv(own))
        write_text(out / f"{table.name}.tex", as_latex(own))
        for number, grid in enumerate(own):
            if figure := picture(grid):
                write_text(out / f"{table.name}{f'_{number + 1}' if number else ''}.svg", svg(figure))
