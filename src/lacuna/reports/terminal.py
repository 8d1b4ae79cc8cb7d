"""What is printed at the end: a run's scores beside what is known of the problem, or a sweep as one table."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich import box
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from lacuna.config.described import display
from lacuna.records.record import Record, find_records
from lacuna.tables.papers.published import accuracy_in_print

BOUNDS = ("oracle", "always_na")  # ceiling and floor, where their records exist
SPLITS = ("test", "train", "held_out")  # the first that is there is the one that counts
FOOTNOTE = (
    "published accuracy under mcar counts all discrete columns, as acc_discrete does; on MIMIC-IV-ED integer ones too, "
    "as acc_with_integers does"
)


def print_scores(record: Record, outputs: Path, console: Console) -> None:
    """One row for each pooled metric: ours by split, then what is published, the ceiling and the floor."""
    from lacuna.tables.papers.comparable import reasons_against  # it brings pandas: not for those who print nothing

    splits = [split for split in SPLITS if any(key.startswith(f"{split}/") for key in record.scores)]
    if not splits:
        reasons = " ".join(dict.fromkeys(record.notes.values()))
        console.print(f"nothing to score: {reasons}" if reasons else "nothing to score", style="yellow")
        return
    main = splits[0]
    known = {"published": published_scores(record.config)} | {b: _bound(record, b, outputs) for b in BOUNDS}
    if main == "held_out":
        known = {}
    beside = {name: scores for name, scores in known.items() if scores}
    table = Table(box=box.SIMPLE_HEAD, title_justify="left")
    for header in ("metric", *splits, *(f"{name} ({main})" for name in beside)):
        table.add_column(header, justify="left" if header == "metric" else "right")
    for name in sorted(_pooled([record], *splits), key=lambda name: not _is_headline([record], name)):
        own = [_number(record.scores.get(f"{split}/{name}")) for split in splits]
        table.add_row(name, *own, *(_number(scores.get(f"{main}/{name}")) for scores in beside.values()))
    console.print(table)
    if record.config["names"]["mask"] == "mcar" and "published" in beside:
        console.print(FOOTNOTE, style="dim")
    if "published" not in beside and (own := reasons_against(record.config)):
        shown = ", ".join(own[:3]) + (", ..." if len(own) > 3 else "")
        console.print(f"the published figures are for other settings than {shown}", style="dim", highlight=False)
    missing = [b for b in BOUNDS if b not in beside and b != record.config["names"]["method"]]
    if missing and any(key.endswith("/mm_f1") for key in record.scores):
        console.print(f"to see ceiling and floor here, run method={' and method='.join(missing)} too", style="dim")


def print_downstream(record: Record, console: Console) -> None:
    """One row for each target of the downstream tasks, the published figures under it."""
    split = "test/downstream/"
    keys = [key.removeprefix(split).rsplit("/", 1) for key in record.scores if key.startswith(split)]
    names = list(dict.fromkeys(name for _, name in keys))
    table = Table(box=box.SIMPLE_HEAD, title="classifiers trained on the imputed table", title_justify="left")
    for header in ("target", *names):
        table.add_column(header, justify="left" if header == "target" else "right")
    printed = published_scores(record.config)
    for target in dict.fromkeys(target for target, _ in keys):
        table.add_row(escape(target), *(_number(record.scores[f"{split}{target}/{name}"]) for name in names))
        if any(beside := [_number(printed.get(f"{split}{target}/{name}")) for name in names]):
            table.add_row("  published", *beside, style="dim")
    if keys:
        console.print(table)


def print_completion(record: Record, console: Console) -> None:
    """What became of the blanks of a file, column by column, and what the method thinks of its own work."""
    table = Table(box=box.SIMPLE_HEAD)
    table.add_column("column")
    for header in ("blank", "filled in", "kept blank"):
        table.add_column(header, justify="right")
    for name, n in record.blanks.items():
        table.add_row(escape(name), f"{n['blank']:,}", f"{n['blank'] - n['kept']:,}", f"{n['kept']:,}")
    console.print(table if record.blanks else "no cell was blank")
    for text in record.verdicts:
        console.print(text, markup=False, highlight=False, soft_wrap=True)
    for text in record.doubts:
        console.print(f"note: {text}", markup=False, highlight=False, soft_wrap=True)


def print_comparison(found: Sequence[Record], console: Console) -> None:
    """One row for each method (mean and sd over seeds), the published figures under it."""
    for problem, of_problem in _grouped(found, _problem).items():
        scored_splits = {key.partition("/")[0] for r in of_problem for key in r.scores}
        split = next((each for each in SPLITS if each in scored_splits), "train")
        scored = [m for m in _pooled(of_problem, split) if _is_headline(of_problem, m)]
        shown = [m for m in scored if m != "rmse_all" or "rmse" not in scored]
        seeds = len({r.config["seed"] for r in of_problem})
        title = f"{problem}, {split} rows, {seeds} seed{'s'[: seeds > 1]}"
        table = Table(box=box.SIMPLE_HEAD, title=title, title_justify="left")
        table.add_column("method", min_width=11, overflow="fold")
        for header in (*shown, "seconds"):
            table.add_column(header, justify="right", min_width=len(header))
        for label, same in _grouped(of_problem, _labels(of_problem)).items():
            cells = [_mean([r.scores.get(f"{split}/{m}") for r in same]) for m in shown]
            table.add_row(label, *cells, _mean([r.seconds["total"] for r in same], digits=1))
            if printed := published_scores(same[0].config):
                numbers = [_number(printed.get(f"{split}/{m}")) for m in shown]
                if any(numbers):
                    table.add_row("  published", *numbers, "", style="dim")
        console.print(table)
    if any(r.config["names"]["mask"] == "mcar" and published_scores(r.config) for r in found):
        console.print(FOOTNOTE, style="dim")


def published_scores(config: Mapping[str, Any]) -> dict[str, float]:
    """What the papers print for this problem, method and setting, by key."""
    from lacuna.tables.papers.comparable import comparable

    scores = {key: row.value for key, row in comparable(config).items()}
    if config["names"]["mask"] == "mcar" and "test/acc" in scores:
        scores[f"test/{accuracy_in_print(config['names']['dataset'])}"] = scores["test/acc"]
    return scores


def _bound(record: Record, method: str, outputs: Path) -> dict[str, float]:
    """The scores of ``method`` on the very same data and mask; empty where they are not on record."""
    names = record.config["names"]
    if names["method"] == method:
        return {}
    pattern = f"{names['dataset']}/{method}/{names['mask']}-*/seed{record.config['seed']}-*"
    for _, other in find_records(outputs, pattern):
        same_mask = all(other.config.get(key) == record.config.get(key) for key in ("mask", "ratio", "held_out"))
        if other.status == "finished" and same_mask and other.data_digest == record.data_digest:
            return other.scores
    return {}


def _pooled(found: Sequence[Record], *splits: str) -> list[str]:
    """Metric names without those of single columns."""
    keys = (key.split("/") for record in found for key in record.scores)
    return list(dict.fromkeys(key[1] for key in keys if len(key) == 2 and key[0] in splits))


def _is_headline(found: Sequence[Record], name: str) -> bool:
    """Whether a metric is among those by which methods are compared."""
    nodes = (record.config.get("metrics", {}) for record in found)
    return display(name, next((node for node in nodes if name in node), {})).headline


def _problem(record: Record) -> str:
    names = record.config["names"]
    table = record.config["dataset"].get("table")  # of a data set of many
    return f"{names['dataset']}{f' {table}' if table else ''}, {names['mask']} {record.config['ratio']:g}"


def _labels(found: Sequence[Record]) -> Any:
    """A function from a record to its method's name and the settings that set it apart from its namesakes."""
    flat = {id(r): _flat({key: r.config[key] for key in ("method", "dataset", "mask", "budget")}) for r in found}

    def label(record: Record) -> str:
        name = record.config["names"]["method"]
        alike = [flat[id(r)] for r in found if r.config["names"]["method"] == name]
        own = flat[id(record)]
        apart = [key for key in own if any(other.get(key) != own[key] for other in alike)]
        return " ".join([name, *(f"{key.removeprefix('method.')}={own[key]}" for key in apart)])

    return label


def _flat(node: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in node.items():
        flat |= _flat(value, f"{prefix}{key}.") if isinstance(value, Mapping) else {f"{prefix}{key}": value}
    return flat


def _grouped(found: Iterable[Record], key: Any) -> dict[str, list[Record]]:
    groups: dict[str, list[Record]] = {}
    for record in found:
        groups.setdefault(key(record), []).append(record)
    return groups


def _number(value: float | None, digits: int = 3) -> str:
    return "" if value is None or math.isnan(value) else f"{value:.{digits}f}"


def _mean(values: Sequence[float | None], digits: int = 3) -> str:
    numbers = [v for v in values if v is not None and not math.isnan(v)]
    if not numbers:
        return ""
    spread = f" ±{np.std(numbers, ddof=1):.{digits}f}" if len(numbers) > 1 else ""
    return f"{np.mean(numbers):.{digits}f}{spread}"
