"""Tables as pages of a site: one of claims, and behind it one for each table."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from lacuna.files import write_text
from lacuna.tables.as_markdown import listed, section, table
from lacuna.tables.claims import Claim, claim
from lacuna.tables.dot_plot import dot_plot
from lacuna.tables.grid import Grid
from lacuna.tables.page import Page
from lacuna.tables.pictures import as_svg, picture
from lacuna.tables.text import LEGEND

TITLES = ("table or figure", "verdict", "compared", "apart", "cells filled", "furthest apart", "why")
INTRODUCTION = (
    "Each table and figure of the two papers, against the records of our runs. **Reproduced**: no more figures lie "
    "outside the 95% interval of their difference from print than chance explains (binomial test at 5%). **Differs**: "
    "more do. Differences below half a point, or 0.01 sd, do not count. Most of our cells have three to ten seeds; "
    "with three, a difference of some points may go unseen. Behind each name is the whole table."
)


def write_pages(page: Page, folder: Path) -> None:
    """index.md with a claim for each table, one page a table, and their plots; depends on the records alone.

    Files that were written before and belong to no table any more are removed.
    """
    files: dict[str, str] = {}
    lines = []
    for grid in page.grids:
        name = _name(grid, page.grids)
        found = claim(grid)
        lines.append(_line(grid, name, found))
        if not grid.records:
            continue
        parts = [f"# {grid.heading}"]
        for suffix, figure in (("", picture(grid)), ("_dots", None if grid.table.picture else dot_plot(grid))):
            if figure is not None:
                files[f"{name}{suffix}.svg"] = as_svg(figure)
                parts.append(f"![{grid.heading}]({name}{suffix}.svg)")
        files[f"{name}.md"] = "\n\n".join([*parts, *section(grid, empty_rows=False), f"<small>{LEGEND}</small>"]) + "\n"
    parts = [f"# {page.title}", INTRODUCTION, table(TITLES, lines, left=2)]
    if page.left_out:
        parts.append("## Records in none of the tables\n\n" + listed(page.left_out))
    files["index.md"] = "\n\n".join(parts) + "\n"
    folder.mkdir(parents=True, exist_ok=True)
    for old in (*folder.glob("*.md"), *folder.glob("*.svg")):
        if old.name not in files:
            old.unlink()
    for file, text in files.items():
        write_text(folder / file, text)


def _name(grid: Grid, grids: Sequence[Grid]) -> str:
    own = [other for other in grids if other.table is grid.table]
    number = own.index(grid)
    return grid.table.name + (f"_{number + 1}" if number else "")


def _line(grid: Grid, name: str, found: Claim) -> tuple[str, ...]:
    heading = f"[{grid.heading}]({name}.md)" if grid.records else grid.heading
    numbers = (f"{found.compared:,}" if found.compared else "", f"{found.apart:,}" if found.compared else "")
    return (heading, found.verdict, *numbers, f"{found.filled} of {found.cells}", found.largest, found.why)
