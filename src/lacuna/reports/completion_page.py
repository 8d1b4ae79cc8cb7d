"""One self-contained HTML page about a completed file: what was blank, what was done about it, how far to trust it.

What a method says of itself it puts into ``Imputation.diagnostics``: sentences under ``warnings``, one ``verdict``
for a column under ``columns``; other numbers there are shown as they are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.files import write_text
from lacuna.frames.codec import CodedColumn
from lacuna.frames.codings import DateTimes, Durations
from lacuna.records.completed_tables import Completion
from lacuna.records.record import Record
from lacuna.reports.completion_plots import (
    MAX_COLUMNS,
    before_and_after,
    blank_patterns,
    meaningful_probability,
    percent,
    styled,
    svg,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>{style}</style>
</head>
<body>
<h1>{title}</h1>
{content}
</body>
</html>
"""
BEST_GUESSES = "Filled-in cells are best guesses, so they spread less than the values that were lost."
DRAWN = "Filled-in cells are one random draw of what they may be."
MAX_PICTURES = 24  # of columns before and after
STYLE = """
body { font: 1rem/1.5 system-ui, sans-serif; color: #1f2937; background: #fff; margin: 0 auto; padding: 1rem;
  max-width: 48rem; overflow-wrap: break-word; }
h1 { font-size: 1.5rem; line-height: 1.25; } h2 { font-size: 1.2rem; margin: 2.2rem 0 .5rem; }
.lead { font-size: 1.1rem; } .small, figcaption .small { color: #6b7280; font-size: .9rem; }
.warn { background: #fff7ed; border-left: .3rem solid #c2410c; padding: .6rem .9rem; margin: .6rem 0; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; font-size: .95rem; }
th, td { text-align: right; padding: .25rem .7rem .25rem 0; border-bottom: 1px solid #e5e7eb; vertical-align: top; }
th:first-child, td:first-child { text-align: left; } th { font-weight: 600; }
.pictures { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 20rem), 1fr)); gap: 1rem 1.5rem; }
figure { margin: 0; } figcaption { font-weight: 600; } img { width: 100%; max-width: 34rem; height: auto; }
pre { background: #f3f4f6; padding: .7rem; overflow-x: auto; white-space: pre-wrap; }
summary { cursor: pointer; }
@media (max-width: 30rem) { table { font-size: .85rem; } th, td { padding-right: .5rem; } }
"""


def write_report(completion: Completion, record: Record, path: Path) -> None:
    """Write the page.

    Args:
        completion: of a table that came from a file.
        record: of the run, with its diagnostics.
        path: of the page.
    """
    with styled():
        sections = [
            _overview(completion),
            "".join(f'<p class="warn">{escape(_sentence(text))}</p>' for text in record.doubts),
            _blanks(completion),
            _meaningful(completion, record),
            _before_and_after(completion),
            _certainty(completion),
            _self_assessment(record),
            _making(record),
        ]
    title = f"{escape(completion.source.path.name)}, completed"
    write_text(path, PAGE.format(title=title, style=STYLE, content="\n".join(filter(None, sections))))


# --- what the page says ------------------------------------------------------------------------------------------


def _overview(completion: Completion) -> str:
    frame = completion.source.frame
    n_blank, n_modelled = int(frame.isna().to_numpy().sum()), int(completion.blank.sum())
    n_kept = int(np.isnan(completion.final).sum())
    size = f"{len(frame):,} rows and {frame.shape[1]:,} columns"
    if not n_blank:
        return f'<p class="lead">{size}, and no blank cell: there was nothing to fill in.</p>'
    done = [f"<strong>{n_modelled - n_kept:,} were filled in</strong>"]
    if n_kept:
        done.append(f"{n_kept:,} are kept blank because they are judged to be meaningful")
    if left := n_blank - n_modelled:
        done.append(f"{left:,} stay blank in columns that were not modelled")
    return (
        f'<p class="lead">{size}. Of {frame.size:,} cells, {n_blank:,} ({percent(n_blank / frame.size)}) were '
        f"blank: {_listed(done)}. Every other cell is as it was.</p>"
    )


def _blanks(completion: Completion) -> str:
    frame = completion.source.frame
    blank = frame.isna().to_numpy()
    if not blank.any():
        return ""
    names = [str(label) for label in frame.columns]
    rows = _blanks_by_column(completion, names, blank)
    note = "Right: each column of squares is a pattern of blanks (dark), the most frequent first."
    if len(rows) > MAX_COLUMNS:
        note += f" Only the {MAX_COLUMNS} columns with the most blanks are drawn."
    n_complete = len(names) - len(rows)
    return _section(
        "Where the blanks were",
        _picture(
            blank_patterns(names, blank),
            "share of blanks by column, and columns that are blank together",
        ),
        f'<p class="small">{note}</p>',
        _table(["column", "kind", "blank", "share", "filled in", "kept"], rows),
        f"<p>{_count(n_complete, 'column has', 'columns have')} no blanks.</p>" if n_complete else "",
    )


def _blanks_by_column(completion: Completion, names: Sequence[str], blank: np.ndarray) -> list[list[str]]:
    """Rows of the columns of the file that have blanks (n, columns of the file), modelled or not."""
    coded_columns = completion.source.codec.coded
    modelled = {coded.position: j for j, coded in enumerate(coded_columns)}
    kept = np.isnan(completion.final).sum(0)
    rows = []
    for position in np.flatnonzero(blank.any(0)).tolist():
        n_blank, j = int(blank[:, position].sum()), modelled.get(position)
        n_kept = n_blank if j is None else int(kept[j])
        kind = "not modelled" if j is None else _kind(coded_columns[j])
        share = percent(n_blank / len(blank))
        rows.append([names[position], kind, f"{n_blank:,}", share, f"{n_blank - n_kept:,}", f"{n_kept:,}"])
    return rows


def _meaningful(completion: Completion, record: Record) -> str:
    columns, blank = completion.table.columns, completion.blank
    candidates = [j for j, column in enumerate(columns) if column.mm_candidate and blank[:, j].any()]
    if not candidates:
        return ""
    if completion.meaningful is None:
        name = record.config["names"]["method"]
        return _section("Which blanks are meant", f"<p>{name} does not tell: all of them were filled in.</p>")
    rows, pictures = [], []
    for j in candidates:
        at = blank[:, j]
        kept = completion.meaningful[at, j]
        cells = [columns[j].name, f"{at.sum():,}", f"{kept.sum():,}"]
        if completion.probability is not None:
            probability = completion.probability[at, j]
            cells.append(f"{probability.sum():,.1f}")
            figure = meaningful_probability(probability, kept)
            pictures.append(_picture(figure, "histogram of P(meaningful)", columns[j].name))
        rows.append(cells)
    headers = ["column", "blank", "kept as meaningful", "expected to be meaningful"][: len(rows[0])]
    explained = (
        "<p>P(meaningful) is the probability that a blank says something by being blank, and was not merely lost. "
        "Summed over a column it gives the number of meaningful blanks to expect there; each blank is decided by what "
        "is likelier for it alone, so the number kept need not be that number. "
        "Every cell's is in <code>mm.parquet</code>.</p>"
    )
    return _section(
        "Which blanks are meant", _table(headers, rows), explained if pictures else "", _side_by_side(pictures)
    )


def _before_and_after(completion: Completion) -> str:
    blank, final = completion.blank, completion.final
    n_filled = (blank & ~np.isnan(final)).sum(0)
    if not n_filled.any():
        return ""
    most_first = np.argsort(-n_filled, kind="stable")[: np.count_nonzero(n_filled)]
    pictures = []
    for j in most_first[:MAX_PICTURES].tolist():
        coded = completion.source.codec.coded[j]
        filled = final[blank[:, j], j]
        dates = isinstance(coded.coding, DateTimes)
        cells = completion.table.values[~blank[:, j], j], filled[~np.isnan(filled)]
        figure = before_and_after(coded.column, *cells, dates)
        pictures.append(_picture(figure, "histogram of observed and of filled-in cells", coded.column.name))
    left = len(most_first) - len(pictures)
    return _section(
        "Before and after",
        "<p>The two need not look alike: blanks can be more frequent where values are high, or low, or of one kind. "
        f"{DRAWN if completion.drawn else BEST_GUESSES}</p>",
        _side_by_side(pictures),
        f'<p class="small">{_count(left, "column", "columns")} with fewer blanks not shown.</p>' if left else "",
    )


def _certainty(completion: Completion) -> str:
    intervals = completion.intervals
    if intervals is None or not len(intervals):
        return ""
    rows = []
    for name, cells in intervals.groupby("column", observed=True):
        j = [column.name for column in completion.table.columns].index(str(name))
        spread = np.nanstd(completion.table.values[:, j]) * completion.units[j]
        unit = " (days)" if isinstance(completion.source.codec.coded[j].coding, DateTimes | Durations) else ""
        numbers = cells["sd"].median(), spread, (cells["upper"] - cells["lower"]).median()
        rows.append([f"{name}{unit}", f"{len(cells):,}", *(_number(float(x)) for x in numbers)])
    level = f"{100 * (1 - completion.alpha):g}%"
    return _section(
        "How sure the numbers are",
        "<p>Where a blank's possible values spread as much as the whole column does, the rest of the row says nothing "
        "about it.</p>",
        _table(["column", "blank", "sd of a blank", "sd of column", f"{level} width"], rows),
        '<p class="small">Of the blanks the medians: standard deviation, and width of the interval in which the value '
        f"lies with probability {level} if there is one. Every cell's is in <code>intervals.parquet</code>.</p>",
    )


def _self_assessment(record: Record) -> str:
    """What the diagnostics say besides warnings."""
    name = escape(record.config["names"]["method"])
    parts = [f"<p>{escape(_sentence(verdict))}</p>" for verdict in record.verdicts]
    for of_split in _distinct(record.diagnostics.values()):
        columns: Mapping[str, Any] = of_split.get("columns", {})
        parts.append(_numbers_by_column(columns))
        others = {key: value for key, value in of_split.items() if key not in ("columns", "warnings")}
        parts.append(_table(["of the whole table", ""], [[_words(k), _number(v)] for k, v in _flat(others)]))
    if not any(parts):
        parts = [f"<p>{name} does not say how far its assumptions hold here.</p>"]
    return _section(f"What {name} says about these data", *parts)


def _numbers_by_column(columns: Mapping[str, Any]) -> str:
    keys = dict.fromkeys(key for found in columns.values() for key in found if key != "verdict")
    rows = [[_words(key), *(_number(found.get(key)) for found in columns.values())] for key in keys]
    table = _table(["by column", *columns], rows)
    return f"<details><summary>The same in numbers</summary>{table}</details>" if rows else ""


def _making(record: Record) -> str:
    config = record.config
    facts = [
        ["method", config["names"]["method"]],
        ["seed", str(config["seed"])],
        ["budget", config["budget"]["name"]],
        ["device", record.device],
        ["draws", str(config["draws"])],
        ["began", f"{record.started[:16].replace('T', ' ')} UTC"],
        ["data", f"SHA-256 {(record.data_digest or '')[:16]}…"],
        *([["commit", record.commit[:12] + (" and changes" if record.dirty else "")]] if record.commit else []),
        *([package, version] for package, version in record.versions.items()),
    ]
    return _section(
        "How this was made",
        f"<pre>{escape(record.command)}</pre>" if record.command else "",
        f"<details><summary>Settings and versions</summary>{_table(['', ''], facts)}</details>",
    )


# --- small parts -------------------------------------------------------------------------------------------------


def _kind(coded: CodedColumn) -> str:
    if isinstance(coded.coding, DateTimes):
        return "date"
    if isinstance(coded.coding, Durations):
        return "duration"
    if coded.column.discrete:
        return _count(coded.column.n_levels, "level", "levels")
    return "whole number" if coded.column.kind == "integer" else "number"


def _section(title: str, *parts: str) -> str:
    return "\n".join([f"<h2>{title}</h2>", *filter(None, parts)])


def _table(headers: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Headers and cells are plain text; no table where there are no rows."""
    if not rows:
        return ""
    lines = [_row("th", headers)] if any(headers) else []
    return f'<div class="scroll"><table>{"".join(lines + [_row("td", row) for row in rows])}</table></div>'


def _row(tag: str, cells: Iterable[str]) -> str:
    return f"<tr>{''.join(f'<{tag}>{escape(cell)}</{tag}>' for cell in cells)}</tr>"


def _picture(figure: Figure, alt: str, caption: str = "") -> str:
    content = base64.b64encode(svg(figure)).decode()
    above = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
    about = escape(f"{caption}: {alt}" if caption else alt)
    return f'<figure>{above}<img alt="{about}" src="data:image/svg+xml;base64,{content}"></figure>'


def _side_by_side(pictures: Sequence[str]) -> str:
    return f'<div class="pictures">{"".join(pictures)}</div>' if pictures else ""


def _listed(parts: Sequence[str]) -> str:
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} and {parts[-1]}"


def _count(n: int, one: str, many: str) -> str:
    """
    >>> _count(1, "level", "levels"), _count(1200, "level", "levels")
    ('1 level', '1,200 levels')
    """
    return f"{n:,} {one if n == 1 else many}"


def _sentence(text: str) -> str:
    return text[:1].upper() + text[1:] + ("" if text.endswith((".", "!", "?")) else ".")


def _words(key: str) -> str:
    return key.replace("_", " ").replace(".", ", ")


def _number(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:,.0f}" if 1e3 <= abs(value) < 1e9 else f"{value:.3g}"
    return "" if value is None else str(value)


def _flat(node: Mapping[str, Any], prefix: str = "") -> Iterable[tuple[str, Any]]:
    for key, value in node.items():
        if isinstance(value, Mapping):
            yield from _flat(value, f"{prefix}{key}.")
        elif not isinstance(value, list):
            yield f"{prefix}{key}", value


def _distinct(found: Iterable[Mapping[str, Any]]) -> list[Mapping[str, Any]]:
    """Without repetitions: a method may say the same of training and test rows."""
    kept: list[Mapping[str, Any]] = []
    for one in found:
        if one not in kept:
            kept.append(one)
    return kept
