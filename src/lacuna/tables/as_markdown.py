"""Tables as Markdown."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import Grid
from lacuna.tables.missing import gaps
from lacuna.tables.overview import TITLES, leader, summary_rows
from lacuna.tables.page import Page
from lacuna.tables.provenance import provenance
from lacuna.tables.text import COST_TITLES, LEGEND, cost_rows, count, row_heads, row_titles, words


def as_markdown(page: Page) -> str:
    """One page of all tables; those without any run are only named, with the command that makes them."""
    parts = [f"# {page.title}", _overview(page.grids), LEGEND]
    if page.broken:
        named = listed(f"`{file}`" for file in page.broken)
        parts.append(f"Files that are no whole records, and are not counted:\n\n{named}")
    for grid in page.grids:
        if grid.records:
            parts += [f"## {grid.heading}", *section(grid)]
    if empty := [grid for grid in page.grids if not grid.records]:
        commands = [f"{grid.heading}\n\n  `python run.py -m experiment={grid.table.experiment}`" for grid in empty]
        parts.append("## No run yet\n\n" + listed(commands))
    if page.left_out:
        parts.append("## Records in none of the tables\n\n" + listed(page.left_out))
    return "\n\n".join(parts) + "\n"


def _overview(grids: Sequence[Grid]) -> str:
    shown = [grid for grid in grids if grid.records]
    rows = [(f"[{heading}](#{_anchor(heading)})", *counts) for heading, *counts in summary_rows(shown)]
    return table(TITLES, rows, left=1)


def _anchor(heading: str) -> str:
    """Where GitHub's pages put a heading.

    >>> _anchor("Diff-Joint, Table 1: Methods (on a stand-in)")
    'diff-joint-table-1-methods-on-a-stand-in'
    """
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def section(grid: Grid, empty_rows: bool = True) -> list[str]:
    """Paragraphs below a table's heading.

    Args:
        grid: a table with records.
        empty_rows: also rows of which nothing was run.
    """
    leading = [f"**{text}**"] if (text := leader(grid)) else []
    parts = [f"Data: {grid.source}.", *leading, _grid(grid, empty_rows)]
    if apart := grid.table.discrepancies(grid):
        parts.append("Where ours differs from print, and why:\n\n" + listed(apart))
    if notes := provenance(grid):
        parts.append(listed(notes))
    parts.append(_folded("Running times and hardware", table(COST_TITLES, cost_rows(grid), left=3)))
    if lacking := gaps(grid):
        total = count(sum(gap.runs for gap in lacking), "run")
        lines = [
            f"{gap.what}: {count(gap.runs, 'run')}" + (f", {count(gap.cells, 'empty cell')}" if gap.cells else "")
            for gap in lacking
        ]
        commands = "\n".join(gap.command for gap in lacking)
        parts.append(_folded(f"Missing: {total}", f"{'; '.join(lines)}.\n\n```\n{commands}\n```"))
    return parts


def _folded(title: str, text: str) -> str:
    return f"<details><summary>{title}</summary>\n\n{text}\n\n</details>"


def _grid(grid: Grid, empty_rows: bool) -> str:
    headers = [*row_titles(grid), *(", ".join(column.headers) for column in grid.columns)]
    rows = [
        [*heads, *map(_cell, row.cells)]
        for heads, row in zip(row_heads(grid), grid.rows, strict=True)
        if empty_rows or any(cell.runs for cell in row.cells)
    ]
    return table(headers, rows, left=len(row_titles(grid)))


def _cell(cell: Cell) -> str:
    found = words(cell)
    return "<br>".join(filter(None, (found.ours, found.beside)))


def table(headers: Sequence[str], rows: Iterable[Sequence[str]], left: int) -> str:
    """A table whose first ``left`` columns stand to the left, the others to the right."""
    rule = ["---" if j < left else "--:" for j in range(len(headers))]
    return "\n".join("| " + " | ".join(_escaped(cell) for cell in row) + " |" for row in (headers, rule, *rows))


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")


def listed(items: Iterable[str]) -> str:
    return "\n".join(f"- {item}" for item in items)
