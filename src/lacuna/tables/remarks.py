"""What a reader must know of the records behind a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lacuna.records.record import Record
from lacuna.tables.archive import Archive
from lacuna.tables.beside import STAND_IN
from lacuna.tables.grid import Grid
from lacuna.tables.labels import value_label


def remarks(grid: Grid) -> list[str]:
    """Sentences: the table's own notes, then one on what is odd about its records."""
    found = list(grid.table.notes)
    if grid.records and grid.records[0].config["names"]["dataset"] in STAND_IN:
        found.append("Printed figures are about MIMIC-IV-ED itself: they give the scale, and no difference is taken.")
    if grid.size:
        found.append(
            f"Of another size than the experiment asks for ({grid.size}). Methods keep their numbers of epochs, so "
            "that fewer rows also mean fewer steps of training."
        )
    if any(run.config["names"]["method"] == "missforest" for run in grid.records):
        found.append(
            "missForest's package passes neither of its two hyper-parameters on to its forests: the search over 50 "
            "configurations does not move its result."
        )
    return found + ([text] if (text := _provenance(grid)) else [])


def _provenance(grid: Grid) -> str:
    """One line on where the runs come from, as far as that is odd."""
    found = []
    for what, key in (("commits", _commit), ("machines", hardware)):
        mixed = {value for row in grid.rows for cell in row.cells for value in _mixed(cell.runs, key)}
        if mixed:
            found.append(f"seeds of some cells were run on several {what} ({', '.join(sorted(mixed))})")
    if dirty := sum(bool(run.dirty) for run in grid.records):
        found.append(f"{dirty} were made with uncommitted changes")
    ended = Counter((run.status, run.config["names"]["method"]) for run in grid.records if run.status != "finished")
    for (status, name), n in sorted(ended.items()):
        how = "interrupted, to be run again" if status == "interrupted" else f"ended with {status}"
        found.append(f"{n} of {value_label('method', name)} {how}")
    return f"Of {len(grid.records)} runs, {'; '.join(found)}." if found else ""


def _mixed(runs: Sequence[Record], key: Callable[[Record], str]) -> set[str]:
    values = {key(run) for run in runs}
    return values if len(values) > 1 else set()


def _commit(run: Record) -> str:
    return (run.commit or "unknown")[:10]


def hardware(run: Record) -> str:
    """The processor that did the work.

    >>> from types import SimpleNamespace as Run
    >>> hardware(Run(device="cuda", hardware={"gpu": "NVIDIA H200", "cpu": "x", "cores": 16}))
    'NVIDIA H200'
    """
    about: dict[str, Any] = run.hardware
    if run.device == "cuda":
        return str(about.get("gpu", "a GPU"))
    return f"{about.get('cpu', 'a CPU')}, {about.get('cores', '?')} cores"


@dataclass(frozen=True)
class Cost:
    """What the runs of one method took on one kind of machine."""

    method: str
    budget: str
    hardware: str
    runs: int
    seconds: float  # mean
    memory_gb: float  # greatest


def costs(grid: Grid) -> list[Cost]:
    """Running times and memory by method, budget and machine."""
    groups: dict[tuple[str, str, str], dict[str, Record]] = {}
    for row in grid.rows:
        for cell in row.cells:
            for run in cell.runs:
                if run.status == "finished":
                    key = (run.config["names"]["method"], row.budget, hardware(run))
                    groups.setdefault(key, {})[run.run] = run
    return [
        Cost(
            *key,
            runs=len(runs),
            seconds=float(np.mean([run.seconds["total"] for run in runs.values()])),
            memory_gb=max(run.peak_memory_gb or 0.0 for run in runs.values()),
        )
        for key, runs in groups.items()
    ]


def of_no_table(grids: Sequence[Grid], archive: Archive) -> list[str]:
    """Which records stand in none of the tables, and what keeps them out."""
    placed = {run.run for grid in grids for run in grid.records}
    apart = {run: text for grid in grids for run, text in grid.apart.items()}
    left = Counter(_left_out(run, apart) for run in archive.records if run.run not in placed)
    return [f"{n} of {what}" for what, n in sorted(left.items())]


def _left_out(run: Record, apart: Mapping[str, str]) -> str:
    names = run.config["names"]
    problem = f"{names['method']} on {names['dataset']}, {names['mask']} {run.config['ratio']:g}"
    return f"{problem}: {apart.get(run.run, 'no table asks for it')}"
