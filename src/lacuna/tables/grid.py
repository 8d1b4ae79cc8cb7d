"""A table filled: the records that belong to each of its cells."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import product
from typing import Any

from lacuna.config import described
from lacuna.metrics.display import Display
from lacuna.records.record import Record
from lacuna.tables.archive import Archive
from lacuna.tables.cell_statistics import Cell, one_for_each_seed
from lacuna.tables.definition import SIZES, TableDefinition
from lacuna.tables.displays import display_of_key
from lacuna.tables.experiments import Settings, differences, seeded
from lacuna.tables.published_number import PublishedNumber

CEILINGS = ("oracle", "oracle_f1")  # of accuracy and error, and of F1
BOUNDS = ("always_na", *CEILINGS)  # wherever there are records of them


@dataclass(frozen=True)
class GridColumn:
    settings: Settings
    metric: str  # a key of a record
    display: Display
    headers: tuple[str, ...]  # one for each column axis, then the metric's


@dataclass(frozen=True)
class GridRow:
    settings: Settings
    headers: tuple[str, ...]
    budget: str  # "" where the method has only one
    cells: tuple[Cell, ...]


@dataclass(frozen=True)
class Grid:
    """One table on one source of data."""

    table: TableDefinition
    fixed: Settings  # overrides that choose the source
    source: str  # in words
    columns: tuple[GridColumn, ...]
    rows: tuple[GridRow, ...]
    size: str = ""  # in words, where it is not the experiment's own
    apart: Mapping[str, str] = field(default_factory=dict)  # run of a cell's problem -> settings that keep it out

    @property
    def heading(self) -> str:
        standin = any(described.stand_in_for(run.config) for run in self.records)
        about = ", ".join(filter(None, ("on a stand-in" if standin else "", self.size)))
        return self.table.heading + (f" ({about})" if about else "")

    @property
    def records(self) -> list[Record]:
        """Every record behind the table."""
        found = {run.run: run for row in self.rows for cell in row.cells for run in cell.runs}
        return list(found.values())


def fill(table: TableDefinition, archive: Archive) -> list[Grid]:
    """The table on each source of data that there are records of; on the experiment's own in any case."""
    sources: list[dict[str, str]] = [{}, *({"dataset": source} for source in table.sources)]
    grids = [
        _Filler(table, fixed, archive).grid()
        for source in sources
        for fixed in (_sizes(table, source, archive) if table.any_size else (source,))
    ]
    return [grid for grid in grids if grid.records] or grids[:1]


def _sizes(table: TableDefinition, fixed: dict[str, str], archive: Archive) -> Iterator[dict[str, str]]:
    """The experiment's own size of the data, then others that there are records of."""
    yield fixed
    base = table.design.base(fixed)
    name, own = base["names"]["dataset"], base["dataset"]
    found = {_size(run.config["dataset"]) for run in archive.records if run.config["names"]["dataset"] == name}
    for size in sorted(found - {_size(own)}):
        yield fixed | dict(size)


def _size(dataset: Mapping[str, Any]) -> tuple[tuple[str, str], ...]:
    keys = (key for key in SIZES if key.removeprefix("dataset.") in dataset)
    values = ((key, dataset[key.removeprefix("dataset.")]) for key in keys)
    return tuple((key, "null" if value is None else str(value)) for key, value in values)


def of_runs(table: TableDefinition, settings: Settings) -> dict[str, str]:
    """Of a cell's settings those of its runs; the zeroth iteration is a run of its own."""
    keys = {key: value for key, value in settings.items() if key not in ("target", "iteration")}
    if "iteration" in settings:
        least, *_, most = table.design.axes["method.iterations"]
        keys["method.iterations"] = least if settings["iteration"] == "0" else most
    return keys


class _Filler:
    """Looks up the cells of one table on one source."""

    def __init__(self, table: TableDefinition, fixed: Settings, archive: Archive) -> None:
        self.table, self.fixed = table, dict(fixed)
        self.design = table.design
        self.base = self.design.base(fixed)
        self.names, self.own_data, self.ratio = (self.base[key] for key in ("names", "dataset", "ratio"))
        self.by_problem = archive.by_problem
        self.displays = {key: display_of_key(key, archive.metrics) for key in table.metrics}
        self.considered: dict[str, dict[str, Any]] = {}  # run -> what sets it apart from the nearest cell
        self.placed: set[str] = set()

    def grid(self) -> Grid:
        columns = tuple(
            self._column(dict(zip(self.table.columns, values, strict=True)), key)
            for values in product(*map(self._values, self.table.columns))
            for key in self.table.metrics
        )
        rows = tuple(row for settings in self._row_settings() for row in self._rows(settings, columns))
        apart = {
            run: ", ".join(f"{key}={value}" for key, value in found.items())
            for run, found in self.considered.items()
            if run not in self.placed
        }
        size = self._size() if self.fixed.keys() & set(SIZES) else ""
        return Grid(self.table, self.fixed, self._source(), columns, rows, size, apart)

    def _column(self, settings: Settings, key: str) -> GridColumn:
        about = self.displays[key]
        headers = (self.design.column_label(axis, value) for axis, value in settings.items())
        return GridColumn(settings, key, about, (*headers, about.label))

    def _source(self) -> str:
        if "dataset" in (*self.table.rows, *self.table.columns):
            found = (self.design.base(self.fixed | {"dataset": name}) for name in self.design.axes["dataset"])
            return "; ".join(map(described.source, found))
        size = self._size() if self.table.any_size else ""
        return "; ".join(filter(None, (described.source(self.base), size)))

    def _size(self) -> str:
        """In words; what is left to the source is not named."""
        sizes = [self.own_data.get(key.removeprefix("dataset.")) for key in SIZES]
        named = [f"{n:,} {what}" for n, what in zip(sizes, ("training", "test"), strict=True) if n is not None]
        return " and ".join(named) + " rows" if named else ""

    def _values(self, axis: str) -> tuple[str, ...]:
        if axis == "target":
            return self.table.targets
        if axis == "iteration":
            return tuple(map(str, range(self.table.iterations + 1)))
        return self.design.axes[axis]

    def _row_settings(self) -> Iterator[dict[str, str]]:
        """Down the table; floor and ceiling at the end of each block where the experiment has no rows for them."""
        axes = self.table.rows
        methods = [axis for axis in axes if axis.partition(".")[0] == "method"]
        others = [axis for axis in axes if axis not in methods]
        listed = self.design.axes.get("method", ())
        ours = any(axis.partition(".")[0] == "method" for axis in self.table.columns)
        bounds = () if ours or not methods or "method" in self.table.columns else BOUNDS
        for outer in product(*map(self._values, others)):
            block = dict(zip(others, outer, strict=True))
            for inner in product(*map(self._values, methods)):
                settings = block | dict(zip(methods, inner, strict=True))
                yield {axis: settings[axis] for axis in axes}
            for bound in bounds:
                if bound not in listed:
                    yield block | {"method": bound}

    def _rows(self, settings: dict[str, str], columns: Sequence[GridColumn]) -> Iterator[GridRow]:
        """The row once for each budget that its runs had."""
        found = [self._runs(settings | dict(column.settings)) for column in columns]
        budgets = sorted({budget for runs in found for budget in runs}, key=("", "paper", "quick").index)
        listed = self.design.axes.get("method", ())
        if not budgets and settings.get("method") in set(BOUNDS) - set(listed):
            return
        for budget in budgets or [""]:
            cells = [
                self._cell(settings | dict(column.settings), column.metric, runs.get(budget, ()))
                for column, runs in zip(columns, found, strict=True)
            ]
            yield GridRow(settings, self._headers(settings), budget, tuple(cells))

    def _headers(self, settings: Settings) -> tuple[str, ...]:
        """One for each row axis; a bound stands in the first place that is a method's."""
        left = dict(settings)
        found = []
        for axis in self.table.rows:
            shown = axis if axis in left else "method" if axis.startswith("method.") and "method" in left else ""
            found.append(self.design.label(shown, left.pop(shown)) if shown else "")
        return tuple(found)

    def _runs(self, settings: dict[str, str]) -> dict[str, tuple[Record, ...]]:
        """By budget, the records of a cell; one for each seed."""
        keys = of_runs(self.table, settings) | self.fixed
        found: dict[str, list[Record]] = {}
        for run in self.by_problem.get(self._problem(keys), ()):
            if apart := differences(run.config, self.design.expected(keys, run.config["budget"]["name"])):
                if run.run not in self.considered or len(apart) < len(self.considered[run.run]):
                    self.considered[run.run] = apart
                continue
            self.placed.add(run.run)
            budget = run.config["budget"]["name"] if self.design.depends_on_budget(keys) else ""
            found.setdefault(budget, []).append(run)
        return {budget: one_for_each_seed(runs) for budget, runs in found.items()}

    def _problem(self, keys: Settings) -> tuple[str, str, str, float]:
        dataset, mask, method = (keys.get(key, self.names[key]) for key in ("dataset", "mask", "method"))
        return dataset, mask, method, self._ratio(keys)

    def _ratio(self, keys: Settings) -> float:
        return float(keys.get("ratio", self.ratio))

    def _cell(self, settings: dict[str, str], key: str, runs: Iterable[Record]) -> Cell:
        step = int(settings["iteration"]) if "iteration" in settings else 0
        runs = tuple(runs)
        return Cell(
            metric=key.format(**settings) if "{" in key else key,
            display=self.displays[key],
            runs=runs,
            iteration=step or None,
            published=self._published(settings, key),
            paper_runs=self.table.paper_runs,
            comparable=not described.stand_in_for(self.base) and not key.startswith("seconds/"),
            seeded=not runs or key.startswith("seconds/") or seeded(runs[0].config),
        )

    def _published(self, settings: Settings, key: str) -> PublishedNumber | None:
        cell = {name: self.names[name] for name in ("dataset", "mask", "method")} | dict(settings) | self.fixed
        sizes = {size: cell.get(f"dataset.{size}", self.own_data.get(size)) for size in ("n", "p")}
        if original := described.stand_in_for(self.base):
            cell["dataset"] = original
        return self.table.lookup_published(cell, self._ratio(settings), sizes, key)
