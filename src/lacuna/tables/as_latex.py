"""Tables as LaTeX, for the packages booktabs and amssymb."""

from __future__ import annotations

from collections.abc import Sequence

from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import Grid
from lacuna.tables.text import column_levels, row_heads, row_titles, words

SPECIAL = {"\\": r"\textbackslash{}", **{sign: f"\\{sign}" for sign in "&%$#_{}"}, "~": r"\textasciitilde{}"}
SIGNS = {
    "±": r"$\pm$",
    "−": "$-$",
    "–": "--",
    "▲": r"$\blacktriangle$",
    "▼": r"$\blacktriangledown$",
    "△": r"$\vartriangle$",
    "▽": r"$\triangledown$",
    "·": r"$\cdot$",
    "β": r"$\beta$",
}


def as_latex(grids: Sequence[Grid]) -> str:
    """One ``table`` environment for each grid."""
    return "\n".join(map(_table, grids))


def _table(grid: Grid) -> str:
    titles = row_titles(grid)
    alignment = "l" * len(titles) + "r" * len(grid.columns)
    *upper, lowest = column_levels(grid)
    lines = [r"\begin{table}", rf"\caption{{{escaped(f'{grid.heading}. Data: {grid.source}.')}}}"]
    lines += [rf"\begin{{tabular}}{{{alignment}}}", r"\toprule"]
    lines += [_line([*[""] * len(titles), *(_spanned(*label) for label in level)]) for level in upper]
    lines += [_line([*map(escaped, titles), *(escaped(label) for label, _ in lowest)]), r"\midrule"]
    for heads, row in zip(row_heads(grid), grid.rows, strict=True):
        lines.append(_line([*map(escaped, heads), *map(_cell, row.cells)]))
    lines += [r"\bottomrule", r"\end{tabular}", r"\end{table}", ""]
    return "\n".join(lines)


def _line(cells: Sequence[str]) -> str:
    return " & ".join(cells) + r" \\"


def _spanned(label: str, n: int) -> str:
    return rf"\multicolumn{{{n}}}{{c}}{{{escaped(label)}}}"


def _cell(cell: Cell) -> str:
    found = words(cell)
    return escaped(found.ours + (f" [{found.beside}]" if found.beside else ""))


def escaped(text: str) -> str:
    r"""
    >>> escaped("50% of n_1 ± 2")
    '50\\% of n\\_1 $\\pm$ 2'
    """
    return "".join((SPECIAL | SIGNS).get(sign, sign) for sign in text)
