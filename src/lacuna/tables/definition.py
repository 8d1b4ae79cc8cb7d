"""What a table is: which experiment, what goes down and across, which numbers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from lacuna.tables.experiments import Settings

PAPERS = {"diffjoint": "Diff-Joint", "missbgm": "MissBGM"}
SIZES = ("dataset.n_train", "dataset.n_test")


def _method(cell: Settings) -> str:
    return cell["method"]


@dataclass(frozen=True)
class Table:
    """One table, or the numbers behind one figure.

    An axis is a key that the experiment sweeps over, ``target`` (of downstream scores, or a column) or
    ``iteration``; a metric is a key of a record, in which ``{target}`` stands for that axis' value.
    """

    id: str
    title: str
    experiment: str  # in conf/experiment
    rows: tuple[str, ...]
    columns: tuple[str, ...]
    metrics: tuple[str, ...]
    published: tuple[str, ...] = ()  # which printed tables stand beside
    paper_runs: int = 5  # behind a printed mean
    published_as: Callable[[Settings], str] = _method  # a cell's id among the printed methods
    targets: tuple[str, ...] = ()
    iterations: int = 0
    sources: tuple[str, ...] = ()  # other data sets that the experiment can be run on
    any_size: bool = False  # data of other sizes make tables of their own
    picture: Literal["lines", "bars"] | None = None
    notes: tuple[str, ...] = ()

    @property
    def name(self) -> str:
        """Of files."""
        return self.id.replace("/", "_")

    @property
    def place(self) -> tuple[str, bool, int]:
        """In the order of the papers: tables, then figures."""
        paper, _, number = self.id.partition("/")
        return paper, number.startswith("figure"), int(number.removeprefix("figure"))

    @property
    def heading(self) -> str:
        """The paper's own name of it, and what it is about."""
        paper, _, number = self.id.partition("/")
        kind = f"Figure {number.removeprefix('figure')}" if number.startswith("figure") else f"Table {number}"
        return f"{PAPERS[paper]}, {kind}: {self.title}"


def on_test(*names: str) -> tuple[str, ...]:
    """Keys of scores on test rows."""
    return tuple(f"test/{name}" for name in names)
