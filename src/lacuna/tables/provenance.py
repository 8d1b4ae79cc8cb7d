"""What a reader must know of the records behind a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lacuna.config import described
from lacuna.records.record import Record
from lacuna.tables.archive import Archive
from lacuna.tables.grid import Grid


def provenance(grid: Grid) -> list[str]:
    """Sentences: the table's own notes, then what is odd about its records."""
    found = list(grid.table.notes)
    if grid.records and (original := described.stand_in_for(grid.records[0].config)):
        name = grid.table.design.label("dataset", original)
        found.append(f"Printed figures are about {name} itself: they give the scale, and no difference is taken.")
    if grid.size:
        found.append(
            f"Of another size than the experiment asks for ({grid.size}). Methods keep their numbers of epochs, so "
            "that fewer rows also mean fewer steps of training."
        )
    found += grid.table.remarks(grid)
    return found + ([text] if (text := _origin(grid)) else [])


def _origin(grid: Grid) -> str:
    """One line on where the runs come from, as far as that is odd."""
    found = []
    for what, key in (("commits", _commit), ("machines", processor)):
        mixed = {value for row in grid.rows for cell in row.cells for value in _mixed(cell.runs, key)}
        if mixed:
            found.append(f"seeds of some cells were run on several {what} ({', '.join(sorted(mixed))})")
    if dirty := sum(bool(run.dirty) for run in grid.records):
        found.append(f"{dirty} were made with uncommitted changes")
    ended = Counter((run.status, _method(run)) for run in grid.records if run.status != "finished")
    for (status, (_, label)), n in sorted(ended.items()):
        how = "interrupted, to be run again" if status == "interrupted" else f"ended with {status}"
        found.append(f"{n} of {label} {how}")
    return f"Of {len(grid.records)} runs, {'; '.join(found)}." if found else ""


def _mixed(runs: Sequence[Record], key: Callable[[Record], str]) -> set[str]:
    values = {key(run) for run in runs}
    return values if len(values) > 1 else set()


def _method(run: Record) -> tuple[str, str]:
    """Id and label."""
    return run.config["names"]["method"], described.label(run.config, "method")


def _commit(run: Record) -> str:
    return (run.commit or "unknown")[:10]


def processor(run: Record) -> str:
    """The processor that did the work.

    >>> from types import SimpleNamespace as Run
    >>> processor(Run(device="cuda", hardware={"gpu": "NVIDIA H200", "cpu": "x", "cores": 16}))
    'NVIDIA H200'
    """
    about: dict[str, Any] = run.hardware
    if run.device == "cuda":
        return str(about.get("gpu", "a GPU"))
    return f"{about.get('cpu', 'a CPU')}, {about.get('cores', '?')} cores"


@dataclass(frozen=True)
class Cost:
    """What the runs of one method took on one kind of machine."""

    method: str  # its label
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
                    key = (described.label(run.config, "method"), row.budget, processor(run))
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
