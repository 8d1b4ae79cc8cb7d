"""A table or figure of one of the two papers: its printed numbers stand beside ours."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from lacuna.tables.definition import TableDefinition
from lacuna.tables.experiments import Settings
from lacuna.tables.papers.discrepancies import discrepancies
from lacuna.tables.papers.lookup_published import lookup_published
from lacuna.tables.published_number import PublishedNumber

if TYPE_CHECKING:
    from lacuna.tables.grid import Grid

PAPERS = {"diffjoint": "Diff-Joint", "missbgm": "MissBGM"}
MISSFOREST = (
    "missForest's package passes neither of its two hyper-parameters on to its forests: the search over 50 "
    "configurations does not move its result."
)

CAVEATS = {
    ("selective", "bayesnet"): "It was designed on this benchmark, in which its assumption holds exactly.",
    ("selection", "mnar_oracle"): "Its model holds the law of this benchmark, on which it was designed.",
}


def _method(cell: Settings) -> str:
    return cell["method"]


@dataclass(frozen=True)
class PaperTable(TableDefinition):
    """Its id is that of the paper and the number of the table or figure: ``missbgm/1``, ``missbgm/figure2``."""

    published: tuple[str, ...] = ()  # which printed tables stand beside
    published_as: Callable[[Settings], str] = _method  # a cell's id among the printed methods

    @property
    def place(self) -> tuple[str, bool, int]:
        """In the order of the papers: tables, then figures."""
        paper, _, number = self.id.partition("/")
        return paper, number.startswith("figure"), int(number.removeprefix("figure"))

    @property
    def heading(self) -> str:
        """The paper's own name of it, and what it is about."""
        paper, is_figure, number = self.place
        return f"{PAPERS[paper]}, {'Figure' if is_figure else 'Table'} {number}: {self.title}"

    def lookup_published(
        self, cell: Settings, ratio: float, sizes: Mapping[str, Any], key: str
    ) -> PublishedNumber | None:
        about = {name: cell.get(name, "") for name in ("dataset", "mask", "target")}
        return lookup_published(self.published, about | {"method": self.published_as(cell)}, ratio, sizes, key)

    def remarks(self, grid: Grid) -> list[str]:
        ran = {run.config["names"]["method"] for run in grid.records}
        return [MISSFOREST] if "missforest" in ran else []

    def caveat(self, method: str, dataset: str) -> str:
        return CAVEATS.get((method, dataset), "")

    def discrepancies(self, grid: Grid) -> list[str]:
        return discrepancies(grid)
