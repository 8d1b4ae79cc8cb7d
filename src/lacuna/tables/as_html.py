"""All tables and figures on one page that needs nothing else."""

from __future__ import annotations

import base64
from collections.abc import Sequence
from html import escape

from lacuna.tables.cell_statistics import NOISE, Cell
from lacuna.tables.grid import Grid
from lacuna.tables.missing import gaps
from lacuna.tables.overview import TITLES, leader, summary_rows
from lacuna.tables.page import Page
from lacuna.tables.pictures import as_svg, picture
from lacuna.tables.provenance import provenance
from lacuna.tables.text import COST_TITLES, LEGEND, column_levels, cost_rows, count, row_heads, row_titles, words

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Tables and figures</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
<p>{legend}</p>
{swatches}
{broken}
<nav>{contents}</nav>
{sections}
{left_out}
</body>
</html>
"""
# Blue and orange are told apart by every kind of eye, and the signs say the same without colours.
STYLE = """
body { font: 15px/1.45 system-ui, sans-serif; color: #1a1a1a; margin: 0 auto; padding: 1rem 1.5rem; max-width: 90rem; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.15rem; margin: 2.4rem 0 .3rem; }
nav .none, nav .none a { color: #666; }
.source { margin: 0 0 .6rem; } .notes, .missing { font-size: .9rem; color: #333; max-width: 60rem; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; font-variant-numeric: tabular-nums; margin: .4rem 0; }
thead { border-top: 2px solid #222; border-bottom: 1px solid #222; } tbody { border-bottom: 2px solid #222; }
th, td { padding: .25rem .55rem; text-align: right; vertical-align: top; white-space: nowrap; }
th { font-weight: 600; } th[colspan] { text-align: center; border-bottom: 1px solid #999; }
th.head, td.head { text-align: left; } tr.block > * { border-top: 1px solid #bbb; }
td .beside { display: block; font-size: .82rem; color: #333; } td.none { color: #777; }
.better { background: #d4e6f7; } .better.far { background: #9cc7ee; }
.worse { background: #fde3c8; } .worse.far { background: #f8b877; }
nav td.head { white-space: normal; }
.higher, .lower { background: #ececec; } .swatches span { padding: .1rem .5rem; margin-right: .4rem; }
pre { background: #f4f4f4; padding: .5rem .7rem; overflow-x: auto; font-size: .82rem; }
img { max-width: 100%; height: auto; } summary { cursor: pointer; }
.broken { border-left: .3rem solid #b45309; padding: .3rem .8rem; }
"""
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
    grids, broken, left_out = page.grids, page.broken, page.left_out
    return PAGE.format(
        style=STYLE,
        title=escape(page.title),
        legend=escape(LEGEND),
        swatches='<p class="swatches">' + "".join(f'<span class="{c}">{t}</span>' for c, t in SWATCHES) + "</p>",
        broken=_list("Files that are no whole records, and are not counted", broken, "broken"),
        left_out=_list("Records in none of the tables", left_out, "notes"),
        contents=_overview(grids),
        sections="\n".join(_section(i, grid) for i, grid in enumerate(grids)),
    )


def _list(title: str, lines: Sequence[str], look: str) -> str:
    items = "".join(f"<li>{escape(line)}</li>" for line in lines)
    return f'<div class="{look}"><h2>{title}</h2><ul>{items}</ul></div>' if lines else ""


def _overview(grids: Sequence[Grid]) -> str:
    """The tables by name, each with its counts; it leads to them."""
    head = "".join(f"<th{' class=head' * (j == 0)}>{title}</th>" for j, title in enumerate(TITLES))
    body = ""
    for i, (heading, *counts) in enumerate(summary_rows(grids)):
        look = "" if grids[i].records else ' class="none"'
        name = f'<td class="head"><a href="#t{i}">{escape(heading)}</a></td>'
        body += f"<tr{look}>{name}{''.join(f'<td>{escape(text)}</td>' for text in counts)}</tr>"
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def _reasons(grid: Grid) -> str:
    lines = "".join(f"<li>{escape(line)}</li>" for line in grid.table.discrepancies(grid))
    return f'<div class="notes">Where ours differs from print, and why:<ul>{lines}</ul></div>' if lines else ""


def _section(i: int, grid: Grid) -> str:
    parts = [f'<section id="t{i}"><h2>{escape(grid.heading)}</h2>']
    if grid.records:
        leading = f" <b>{escape(leader(grid))}</b>" if leader(grid) else ""
        about = f'<p class="source">Data: {escape(grid.source)}.{leading}</p>'
        parts += [about, _figure(grid), _grid(grid), _reasons(grid)]
        parts.append("".join(f'<p class="notes">{escape(note)}</p>' for note in provenance(grid)))
        parts.append(_costs(grid))
    return "\n".join([*filter(None, parts), _missing(grid), "</section>"])


def _figure(grid: Grid) -> str:
    if (figure := picture(grid)) is None:
        return ""
    data = base64.b64encode(as_svg(figure).encode()).decode()
    return f'<p><img alt="{escape(grid.heading)}" src="data:image/svg+xml;base64,{data}"></p>'


def _grid(grid: Grid) -> str:
    titles, levels = row_titles(grid), column_levels(grid)
    corner = "".join(f'<th class="head" rowspan="{len(levels)}">{escape(title)}</th>' for title in titles)
    lines = ["".join(_spanned(label, n) for label, n in level) for level in levels]
    head = "".join(f"<tr>{corner * (depth == 0)}{line}</tr>" for depth, line in enumerate(lines))
    body, above = [], ""
    for heads, row in zip(row_heads(grid), grid.rows, strict=True):
        first = heads[0] if heads else ""
        block = ' class="block"' if len(grid.table.rows) > 1 and first != above else ""
        shown = [first if block or len(grid.table.rows) < 2 else "", *heads[1:]] if heads else []
        cells = "".join(f'<td class="head">{escape(text)}</td>' for text in shown)
        body.append(f"<tr{block}>{cells}{''.join(map(_cell, row.cells))}</tr>")
        above = first
    return f'<div class="scroll"><table><thead>{head}</thead><tbody>{"".join(body)}</tbody></table></div>'


def _spanned(label: str, n: int) -> str:
    return f'<th colspan="{n}">{escape(label)}</th>' if n > 1 else f"<th>{escape(label)}</th>"


def _cell(cell: Cell) -> str:
    found = words(cell)
    beside = " ".join(filter(None, (found.printed, found.difference)))
    inner = escape(found.ours) + (f'<span class="beside">{escape(beside)}</span>' if beside else "")
    return f'<td class="{_look(cell)}">{inner}</td>'


def _look(cell: Cell) -> str:
    if not cell.values:
        return "none"
    far = cell.verdict in ("better", "worse") and abs(cell.difference) >= 2 * NOISE * cell.noise
    return cell.verdict + " far" * far


def _costs(grid: Grid) -> str:
    head = "".join(f"<th{' class=head' * (j < 3)}>{title}</th>" for j, title in enumerate(COST_TITLES))
    body = "".join(
        "<tr>" + "".join(f"<td{' class=head' * (j < 3)}>{escape(text)}</td>" for j, text in enumerate(row)) + "</tr>"
        for row in cost_rows(grid)
    )
    inner = f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'
    return f"<details open><summary>Running times and hardware</summary>{inner}</details>"


def _missing(grid: Grid) -> str:
    if not (lacking := gaps(grid)):
        return ""
    told = "; ".join(f"{gap.what}: {count(gap.runs, 'run')}, {count(gap.cells, 'empty cell')}" for gap in lacking)
    commands = escape("\n".join(gap.command for gap in lacking))
    total = count(sum(gap.runs for gap in lacking), "run")
    return (
        f'<details class="missing"><summary>Missing: {total}</summary><p>{escape(told)}.</p>'
        f"<pre>{commands}</pre></details>"
    )
