"""All tables and figures on one page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Iterator, Sequence

from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import Grid
from lacuna.tables.missing import gaps
from lacuna.tables.overview import TITLES, leader, summary_rows
from lacuna.tables.page import Page
from lacuna.tables.pictures import as_svg, picture
from lacuna.tables.provenance import provenance
from lacuna.tables.text import COST_TITLES, LEGEND, column_levels, cost_rows, count, row_heads, row_titles, words
from lacuna.templates import environment

SWATCHES = (
    ("better", "▲ better"),
    ("better far", "▲ by twice that or more"),
    ("worse", "▼ worse"),
    ("worse far", "▼ by twice that or more"),
    ("higher", "△ ▽ neither"),
    ("", "= within noise"),
)


def as_html(page: Page) -> str:
    """All tables in their order; those without any run are only named."""
    pages = environment("lacuna.tables")
    said = (column_levels, cost_rows, count, gaps, leader, provenance, row_titles, summary_rows, words)
    pages.globals.update({function.__name__: function for function in said})
    pages.globals.update(blocks=_blocks, look=_look, picture_data=_picture_data)
    texts = {"legend": LEGEND, "swatches": SWATCHES, "summary_titles": TITLES, "cost_titles": COST_TITLES}
    return pages.get_template("tables.html").render(page=page, **texts)


def _blocks(grid: Grid) -> Iterator[tuple[list[str], bool, Sequence[Cell]]]:
    """Heads and cells of each row, and whether it begins a block: only there its first head is shown."""
    above = None
    for heads, row in zip(row_heads(grid), grid.rows, strict=True):
        begins = len(grid.table.rows) > 1 and heads[0] != above
        above = heads[0] if heads else None
        repeats = len(grid.table.rows) > 1 and not begins
        yield ["", *heads[1:]] if repeats else heads, begins, row.cells


def _look(cell: Cell) -> str:
    """Classes of the style sheet."""
    if not cell.values:
        return "none"
    far = cell.verdict in ("better", "worse") and abs(cell.difference) >= 2 * cell.margin
    return cell.verdict + " far" * far


def _picture_data(grid: Grid) -> str:
    """In base64; "" where the table has no figure."""
    figure = picture(grid)
    return base64.b64encode(as_svg(figure).encode()).decode() if figure else ""
