"""Which records stand in which cell."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from lacuna import paths
from lacuna.records.record import Record
from lacuna.tables.archive import read_archive
from lacuna.tables.cell_statistics import Cell
from lacuna.tables.grid import Grid, fill
from lacuna.tables.missing import gaps
from lacuna.tables.papers.catalogue import CATALOGUE
from lacuna.tables.papers.published import published
from lacuna.tables.provenance import provenance

TABLES = CATALOGUE.tables
Fake = Callable[..., Record]


def grid_of(folder: Path, table: str) -> Grid:
    (grid,) = fill(TABLES[table], read_archive([folder]))
    return grid


def cell(grid: Grid, budget: str, metric: str, **settings: str) -> Cell:
    """The cell of some settings; an axis with dots is given with underscores."""
    wanted = {key.replace("__", "."): value for key, value in settings.items()}
    for row in grid.rows:
        for column, found in zip(grid.columns, row.cells, strict=True):
            about = {**row.settings, **column.settings}
            if row.budget == budget and column.metric == metric and wanted.items() <= about.items():
                return found
    raise KeyError(wanted)


def test_budgets_are_rows_of_their_own(tmp_path: Path, fake: Fake) -> None:
    for seed, budget, value in ((0, "quick", 0.6), (1, "quick", 0.8), (0, "paper", 0.9)):
        fake(tmp_path, ["method=diffjoint", f"budget={budget}", f"seed={seed}"], {"test/mm_f1": value})
    grid = grid_of(tmp_path, "diffjoint/2")
    about = {"method": "diffjoint", "ratio": "0.1"}
    assert cell(grid, "quick", "test/mm_f1", **about).mean == pytest.approx(0.7)
    assert cell(grid, "paper", "test/mm_f1", **about).values == {0: 0.9}


def test_a_method_with_one_setting_has_no_budget(tmp_path: Path, fake: Fake) -> None:
    for seed, budget in ((0, "quick"), (1, "paper")):
        fake(tmp_path, ["method=oracle", f"budget={budget}", f"seed={seed}"], {"test/mm_f1": 0.9})
    grid = grid_of(tmp_path, "diffjoint/2")
    assert cell(grid, "", "test/mm_f1", method="oracle", ratio="0.1").n == 2


def test_other_settings_are_left_out_and_named(tmp_path: Path, fake: Fake) -> None:
    fake(tmp_path, ["method=diffjoint", "budget=paper"], {"test/mm_f1": 0.9})
    odd = fake(tmp_path, ["method=diffjoint", "budget=paper", "method.samples=3"], {"test/mm_f1": 0.1})
    small = fake(tmp_path, ["method=diffjoint", "budget=paper", "dataset.n_train=50"], {"test/mm_f1": 0.2})
    grid = grid_of(tmp_path, "diffjoint/2")
    assert cell(grid, "paper", "test/mm_f1", method="diffjoint", ratio="0.1").values == {0: 0.9}
    assert grid.apart == {odd.run: "method.samples=3", small.run: "dataset.n_train=50"}


def test_data_of_another_size_make_a_table_of_their_own(tmp_path: Path, fake: Fake) -> None:
    sizes = {
        "": [],
        "353,150 training and 2,000 test rows": ["dataset.n_test=2000"],
        "8,000 training and 2,000 test rows": ["dataset.n_train=8000", "dataset.n_test=2000"],
    }
    for number, overrides in enumerate(sizes.values()):
        fake(tmp_path, ["experiment=diffjoint_table11", "method=always_na", *overrides], {"test/mm_f1": number / 10})
    grids = fill(TABLES["diffjoint/11"], read_archive([tmp_path]))
    assert [grid.size for grid in grids] == list(sizes)
    for number, (grid, (size, overrides)) in enumerate(zip(grids, sizes.items(), strict=True)):
        values = [found.values for row in grid.rows for found in row.cells if found.values]
        assert values == [{0: number / 10}]
        assert grid.heading.endswith(f"(on a stand-in, {size})" if size else "(on a stand-in)")
        assert all(f" {override} " in gap.command for gap in gaps(grid) for override in overrides)
        assert any("fewer steps of training" in remark for remark in provenance(grid)) == bool(size)
    assert all(table.any_size for table in TABLES.values() if table.sources)


def test_variants_stand_in_their_rows_between_floor_and_ceiling(tmp_path: Path, fake: Fake) -> None:
    for rule, value in (("or", 0.6), ("vote", 0.1)):
        asked = ["method=diffjoint", "ratio=0.3", f"method.rule={rule}", "budget=paper"]
        fake(tmp_path, asked, {"test/mm_f1": value})
    fake(tmp_path, ["method=oracle", "ratio=0.3"], {"test/mm_f1": 0.8})
    grid = grid_of(tmp_path, "diffjoint/13")
    vote = cell(grid, "paper", "test/mm_f1", method__rule="vote")
    assert (vote.mean, vote.published and vote.published.value) == (0.1, 0.0)
    assert cell(grid, "paper", "test/mm_f1", method__rule="or").mean == 0.6
    assert cell(grid, "", "test/mm_f1", method="oracle").mean == 0.8
    assert not any(row.settings.get("method") == "always_na" for row in grid.rows)


def test_iterations_are_read_from_two_runs(tmp_path: Path, fake: Fake) -> None:
    fixed = ["experiment=diffjoint_figure4", "budget=paper"]
    steps = [{"iteration": t, "scores": {"test/mm_f1": t / 10}} for t in range(1, 11)]
    fake(tmp_path, [*fixed, "method.iterations=10"], {"test/mm_f1": 1.0}, iterations=steps)
    fake(tmp_path, [*fixed, "method.iterations=0"], {"test/mm_f1": 0.05})
    grid = grid_of(tmp_path, "diffjoint/figure4")
    found = [cell(grid, "paper", "test/mm_f1", iteration=str(t)).mean for t in range(11)]
    assert found == pytest.approx([0.05, *(t / 10 for t in range(1, 11))])


def test_accuracy_under_mcar_is_set_beside_all_discrete_columns(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "diffjoint/1")
    mcar = cell(grid, "", "test/acc_discrete", method="diffjoint", ratio="0.1", mask="mcar").published
    mar = cell(grid, "", "test/acc", method="diffjoint", ratio="0.1", mask="mar").published
    assert (mcar and mcar.value, mar and mar.value) == (pytest.approx(0.7834), pytest.approx(0.7532))
    assert cell(grid, "", "test/acc", method="diffjoint", ratio="0.1", mask="mcar").published is None


def test_integer_columns_count_in_the_accuracy_printed_of_mimic(tmp_path: Path) -> None:
    grid = grid_of(tmp_path, "diffjoint/4")
    beside = {
        name: cell(grid, "", f"test/{name}", method="mean_mode", ratio="0.1").published
        for name in ("acc", "acc_discrete", "acc_with_integers")
    }
    assert beside["acc_with_integers"].value == pytest.approx(0.5798)
    assert beside["acc"] is beside["acc_discrete"] is None


def test_every_printed_number_stands_in_its_table(tmp_path: Path) -> None:
    for table in TABLES.values():
        grids = fill(table, read_archive([tmp_path]))
        shown = {id(cell.published) for grid in grids for row in grid.rows for cell in row.cells}
        for printed in published():
            own = printed.table in table.published and table.picture is None
            bound = printed.method == "oracle"  # its row is there where it was run
            assert not own or bound or id(printed) in shown, (table.id, printed)


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
def test_the_experiment_of_a_table_exists_and_sweeps_over_its_axes(table) -> None:
    assert (paths.CONF / "experiment" / f"{table.experiment}.yaml").is_file()
    swept = table.design.axes
    for axis in (*table.rows, *table.columns):
        assert axis in swept or (axis == "target" and table.targets) or (axis == "iteration" and table.iterations)


def test_every_experiment_of_a_paper_has_a_table() -> None:
    files = {path.stem for path in (paths.CONF / "experiment").glob("*.yaml") if not path.stem.startswith("arena")}
    assert files - {"quickstart"} == {table.experiment for table in TABLES.values()}
