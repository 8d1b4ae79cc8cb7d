"""Verdicts on tables, by hand."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from lacuna.records.record import Record
from lacuna.tables.archive import read_archive
from lacuna.tables.claims import claim
from lacuna.tables.dot_plot import dot_plot
from lacuna.tables.grid import Grid, fill
from lacuna.tables.papers.catalogue import CATALOGUE

Fake = Callable[..., Record]


def table(name: str, folder: Path) -> Grid:
    (grid,) = fill(CATALOGUE.tables[name], read_archive([folder]))
    return grid


def test_a_table_without_runs_is_not_run(tmp_path: Path) -> None:
    found = claim(table("diffjoint/1", tmp_path))
    assert (found.verdict, found.compared, found.filled) == ("not run", 0, 0)
    assert dot_plot(table("diffjoint/1", tmp_path)) is None


def test_one_seed_compares_nothing(tmp_path: Path, fake: Fake) -> None:
    fake(tmp_path, ["method=mean_mode"], {"test/rmse": 9.0})
    assert claim(table("diffjoint/1", tmp_path)).verdict == "not comparable"


def test_figures_near_print_are_reproduced(tmp_path: Path, fake: Fake) -> None:
    for seed, rmse in enumerate((4.80, 4.85, 4.90)):
        fake(tmp_path, ["method=mean_mode", f"seed={seed}"], {"test/rmse": rmse})
    found = claim(table("diffjoint/1", tmp_path))
    assert (found.verdict, found.compared, found.apart, found.why) == ("reproduced", 1, 0, "")


def test_more_apart_than_chance_explains_differ(tmp_path: Path, fake: Fake) -> None:
    for mask in ("mcar", "mnar"):
        for seed, rmse in enumerate((9.80, 9.85, 9.90)):
            fake(tmp_path, ["method=mean_mode", f"mask={mask}", f"seed={seed}"], {"test/rmse": rmse})
    grid = table("diffjoint/1", tmp_path)
    found = claim(grid)
    assert (found.verdict, found.apart, found.why) == ("differs", 2, "not explained")
    assert found.largest.endswith("9.850, printed 4.850")
    figure = dot_plot(grid)
    assert figure is not None
    assert [axis.get_title() for axis in figure.axes] == ["MCAR, RMSE", "MNAR, RMSE"]
