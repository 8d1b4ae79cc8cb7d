"""What a table is: which experiment, what goes down and across, which numbers, and what stands beside them."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from lacuna.errors import UserError, did_you_mean
from lacuna.tables.experiments import Design, Settings, design_of
from lacuna.tables.published_number import PublishedNumber

if TYPE_CHECKING:
    from lacuna.tables.grid import Grid

SIZES = ("dataset.n_train", "dataset.n_test")


@dataclass(frozen=True)
class TableDefinition:
    """One table, or the numbers behind one figure.

    An axis is a key that the experiment sweeps over, ``target`` (of downstream scores, or a column) or
    ``iteration``; a metric is a key of a record, in which ``{target}`` stands for that axis' value.

    A subclass may override ``heading`` and the four methods, to set published numbers beside ours.
    """

    id: str
    title: str
    experiment: str  # in conf/experiment
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    targets: tuple[str, ...] = ()
    iterations: int = 0
    sources: tuple[str, ...] = ()  # other data sets that the experiment can be run on
    any_size: bool = False  # data of other sizes make tables of their own
    picture: Literal["lines", "bars"] | None = None
    notes: tuple[str, ...] = ()
    explained: str = ""  # why ours differs from print, where it is known
    paper_runs: int = 5  # behind a published mean
    config_dir: Path | None = None  # of configs beside those of the package

    @property
    def name(self) -> str:
        """Of files."""
        return self.id.replace("/", "_")

    @property
    def heading(self) -> str:
        return self.title

    @property
    def design(self) -> Design:
        return design_of(self.experiment, self.config_dir)

    def lookup_published(
        self, cell: Settings, ratio: float, sizes: Mapping[str, Any], key: str
    ) -> PublishedNumber | None:
        """The published number that belongs beside a cell; None where there is none.

        Args:
            cell: its settings, among them dataset, mask, method and target. A stand-in has the data set's id that it
                stands in for.
            ratio: ordinary missing rate.
            sizes: n and p of the data.
            key: of our metric in a record.
        """
        return None

    def remarks(self, grid: Grid) -> list[str]:
        """Sentences on the records behind the filled table, after ``notes``."""
        return []

    def caveat(self, method: str, dataset: str) -> str:
        """What the lead of a method owes to the table's data; "" for nothing that is known."""
        return ""

    def discrepancies(self, grid: Grid) -> list[str]:
        """Sentences on where our numbers differ from the published ones, and why."""
        return []


@dataclass(frozen=True)
class Catalogue:
    """Tables that make one page."""

    title: str
    tables: Mapping[str, TableDefinition]  # by id

    def chosen(self, ids: Iterable[str]) -> list[TableDefinition]:
        """Tables by id; all of them where none is named.

        Raises:
            UserError: there is no such table.
        """
        for name in ids:
            if name not in self.tables:
                raise UserError(f"there is no table {name!r}{did_you_mean(name, self.tables)}")
        return [self.tables[name] for name in ids] or list(self.tables.values())


def on_test(*names: str) -> tuple[str, ...]:
    """Keys of scores on test rows."""
    return tuple(f"test/{name}" for name in names)
