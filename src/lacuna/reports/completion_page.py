"""One self-contained HTML page about a completed file: what was blank, what was done about it, how far to trust it.

What the page says, and how it looks, is in ``templates/completion_page.html``; here it gets its numbers and pictures.
What a method says of itself it puts into ``Imputation.diagnostics``: sentences under ``warnings``, one ``verdict``
for a column under ``columns``; other numbers there are shown as they are.
"""

from __future__ import annotations

import base64
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from lacuna.diagnosis.api import diagnose_cells
from lacuna.diagnosis.association import PERMUTATIONS
from lacuna.diagnosis.reading import cells_of
from lacuna.diagnosis.result import CAUSES, UNKNOWABLE, Diagnosis
from lacuna.files import write_text
from lacuna.frames.codec import CodedColumn
from lacuna.frames.codings import DateTimes, Durations
from lacuna.records import convergence
from lacuna.records.completed_tables import Completion
from lacuna.records.record import Record
from lacuna.reports.completion_plots import (
    MAX_COLUMNS,
    before_and_after,
    blank_patterns,
    chain_traces,
    meaningful_probability,
    percent,
    styled,
    svg,
)
from lacuna.templates import environment

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_PICTURES = 24  # of columns before and after
MAX_TRACES = 12  # of chains


def write_report(completion: Completion, record: Record, path: Path) -> None:
    """Write the page.

    Args:
        completion: of a table that came from a file.
        record: of the run, with its diagnostics.
        path: of the page.
    """
    with styled():
        content = {
            "file": completion.source.path.name,
            "cells": _cells(completion),
            "doubts": record.doubts,
            "blanks": _blanks(completion),
            "meaningful": _meaningful(completion),
            "before_and_after": _before_and_after(completion),
            "certainty": _certainty(completion),
            "convergence": _convergence(record),
            "diagnosis": _diagnosis(completion),
            "method": record.config["names"]["method"],
            "verdicts": record.verdicts,
            "diagnostics": _diagnostics(record),
            "command": record.command,
            "facts": _facts(record),
        }
    write_text(path, rendered("completion_page.html", content))


def rendered(template: str, content: Mapping[str, Any]) -> str:
    """A page from a file in ``templates/``."""
    pages = environment("lacuna.reports")
    pages.filters |= {"counted": _counted, "percent": percent, "sentence": _sentence, "thousands": "{:,}".format}
    return pages.get_template(template).render(content)


# --- sections: None where there is nothing to say -----------------------------------------------------------------


def _cells(completion: Completion) -> dict[str, int]:
    frame = completion.source.frame
    n_blank, n_modelled = int(frame.isna().to_numpy().sum()), int(completion.blank.sum())
    unasked = completion.blank & ~(True if completion.to_fill is None else completion.to_fill)
    n_kept = int((np.isnan(completion.final) & ~unasked).sum())
    return {
        "not_asked": int(unasked.sum()),
        "rows": len(frame),
        "columns": frame.shape[1],
        "all": frame.size,
        "blank": n_blank,
        "filled": n_modelled - n_kept - int(unasked.sum()),
        "kept": n_kept,
        "not_modelled": n_blank - n_modelled,
    }


def _blanks(completion: Completion) -> dict[str, Any] | None:
    frame = completion.source.frame
    blank = frame.isna().to_numpy()
    if not blank.any():
        return None
    names = [str(label) for label in frame.columns]
    rows = _blanks_by_column(completion, names, blank)
    about = "share of blanks by column, and columns that are blank together"
    return {
        "picture": _picture(blank_patterns(names, blank), about),
        "rows": rows,
        "most_drawn": MAX_COLUMNS,
        "n_complete": len(names) - len(rows),
    }


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


def _meaningful(completion: Completion) -> dict[str, Any] | None:
    """Of the candidate columns that have blanks; no rows where the method does not tell."""
    columns, blank = completion.table.columns, completion.blank
    candidates = [j for j, column in enumerate(columns) if column.mm_candidate and blank[:, j].any()]
    if not candidates:
        return None
    if completion.meaningful is None:
        return {"rows": [], "pictures": []}
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
    return {"rows": rows, "pictures": pictures}


def _before_and_after(completion: Completion) -> dict[str, Any] | None:
    blank, final = completion.blank, completion.final
    n_filled = (blank & ~np.isnan(final)).sum(0)
    if not n_filled.any():
        return None
    most_first = np.argsort(-n_filled, kind="stable")[: np.count_nonzero(n_filled)]
    pictures = []
    for j in most_first[:MAX_PICTURES].tolist():
        coded = completion.source.codec.coded[j]
        filled = final[blank[:, j], j]
        dates = isinstance(coded.coding, DateTimes)
        cells = completion.table.values[~blank[:, j], j], filled[~np.isnan(filled)]
        predicted = completion.predicted_shares(j) if coded.column.discrete else None
        figure = before_and_after(coded.column, *cells, dates, predicted)
        pictures.append(_picture(figure, "histogram of observed and of filled-in cells", coded.column.name))
    return {"pictures": pictures, "n_left": len(most_first) - len(pictures), "drawn": completion.drawn}


def _certainty(completion: Completion) -> dict[str, Any] | None:
    intervals = completion.intervals
    if intervals is None or not len(intervals):
        return None
    rows = []
    for name, cells in intervals.groupby("column", observed=True):
        j = [column.name for column in completion.table.columns].index(str(name))
        spread = np.nanstd(completion.table.values[:, j]) * completion.units[j]
        unit = " (days)" if isinstance(completion.source.codec.coded[j].coding, DateTimes | Durations) else ""
        numbers = cells["sd"].median(), spread, (cells["upper"] - cells["lower"]).median()
        rows.append([f"{name}{unit}", f"{len(cells):,}", *(_number(float(x)) for x in numbers)])
    margins, blank = completion.margins, completion.blank.any(0)
    unset: list[str] = []
    if margins is not None:
        few = blank & (margins.n_cells < 1 / completion.alpha - 1)
        unset = [c.name for c, is_few in zip(margins.columns, few, strict=True) if is_few and not c.discrete]
    return {
        "level": f"{100 * (1 - completion.alpha):g}%",
        "rows": rows,
        "calibrated": margins is not None,
        "too_few": ", ".join(unset),
    }


def _convergence(record: Record) -> dict[str, Any] | None:
    """Traces of the columns of a method that works in chains, the least converged first."""
    found = convergence.traces(record.diagnostics)
    if not found:
        return None
    order = sorted(found, key=lambda name: -(found[name]["rhat"] or 0.0))
    pictures = [
        _picture(chain_traces(found[name]["mean"], found[name]["sd"]), "mean and sd by sweep, a line a chain", name)
        for name in order[:MAX_TRACES]
    ]
    return {
        "apart": [name for name in order if convergence.apart(found[name])],
        "large": convergence.LARGE,
        "pictures": pictures,
        "n_left": len(order) - len(pictures),
        "rows": [[name, _number(found[name]["rhat"])] for name in order],
    }


def _diagnosis(completion: Completion) -> dict[str, Any] | None:
    """What ``lacuna diagnose`` says of the file."""
    source = completion.source
    if not source.frame.isna().to_numpy().any():
        return None
    cells = cells_of(source, completion.table.values)
    candidates = [coded.position for coded in source.codec.coded if coded.column.mm_candidate]
    return diagnosis_content(diagnose_cells(cells, candidates, 0, PERMUTATIONS))


def diagnosis_content(found: Diagnosis) -> dict[str, Any]:
    """What the template of a diagnosis needs."""
    columns = [
        {
            "name": str(name),
            "blank": int(row["blank"]),
            "rate": float(row["rate"]),
            "causes": [[cause, str(found.sentences.loc[name, cause])] for cause in CAUSES],  # type: ignore[index]
        }
        for name, row in found.columns.iterrows()
    ]
    return {"summary": found.summary, "columns": columns, "unknowable": UNKNOWABLE}


def _diagnostics(record: Record) -> list[dict[str, list[Any]]]:
    """What the diagnostics say in numbers, without repetitions: a method may say the same of train and test rows."""
    found: list[dict[str, list[Any]]] = []
    for of_split in record.diagnostics.values():
        columns: Mapping[str, Any] = of_split.get("columns", {})
        keys = dict.fromkeys(key for of in columns.values() for key in of if key != "verdict")
        others = {key: value for key, value in of_split.items() if key not in ("columns", "warnings", "convergence")}
        numbers: dict[str, list[Any]] = {
            "columns": list(columns),
            "by_column": [[_words(key), *(_number(of.get(key)) for of in columns.values())] for key in keys],
            "of_the_table": [[_words(key), _number(value)] for key, value in _flat(others)],
        }
        if (numbers["by_column"] or numbers["of_the_table"]) and numbers not in found:
            found.append(numbers)
    return found


def _facts(record: Record) -> list[list[str]]:
    """Settings and versions."""
    config = record.config
    return [
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


# --- small parts -------------------------------------------------------------------------------------------------


def _picture(figure: Figure, about: str, caption: str = "") -> dict[str, str]:
    content = base64.b64encode(svg(figure)).decode()
    return {"caption": caption, "about": f"{caption}: {about}" if caption else about, "content": content}


def _kind(coded: CodedColumn) -> str:
    if isinstance(coded.coding, DateTimes):
        return "date"
    if isinstance(coded.coding, Durations):
        return "duration"
    if coded.column.discrete:
        return _counted(coded.column.n_levels, "level", "levels")
    return "whole number" if coded.column.kind == "integer" else "number"


def _counted(n: int, one: str, many: str) -> str:
    """
    >>> _counted(1, "level", "levels"), _counted(1200, "level", "levels")
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
