"""From a page of tables to files."""

from __future__ import annotations

from pathlib import Path

from lacuna.files import write_text
from lacuna.tables.as_csv import as_csv
from lacuna.tables.as_html import as_html
from lacuna.tables.as_latex import as_latex
from lacuna.tables.as_markdown import as_markdown
from lacuna.tables.page import Page
from lacuna.tables.pictures import as_svg, picture


def write_all(page: Page, out: Path) -> None:
    """tables.html and tables.md with everything; for each table CSV and LaTeX, and SVG where it is a figure."""
    write_text(out / "tables.html", as_html(page))
    write_text(out / "tables.md", as_markdown(page))
    for table in dict.fromkeys(grid.table for grid in page.grids):
        own = [grid for grid in page.grids if grid.table is table]
        write_text(out / f"{table.name}.csv", as_csv(own))
        write_text(out / f"{table.name}.tex", as_latex(own))
        for number, grid in enumerate(own):
            if figure := picture(grid):
                write_text(out / f"{table.name}{f'_{number + 1}' if number else ''}.svg", as_svg(figure))
