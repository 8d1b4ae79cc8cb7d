"""What is written: every cell is there, CSV comes back as it went, commands can be typed."""

from __future__ import annotations

import csv
import itertools
import math
import re
import shlex
import warnings
from collections.abc import Callable, Mapping, Sequence
from html import unescape
from pathlib import Path

import pytest
from hydra._internal.core_plugins.basic_sweeper import BasicSweeper
from hydra.core.override_parser.overrides_parser import OverridesParser

from lacuna import paths
from lacuna.config.compose import compose
from lacuna.errors import UserError
from lacuna.records.record import Record
from lacuna.tables.as_csv import as_csv
from lacuna.tables.as_html import as_html
from lacuna.tables.as_latex import as_latex
from lacuna.tables.as_markdown import as_markdown
from lacuna.tables.as_pages import write_pages
from lacuna.tables.missing import gaps
from lacuna.tables.page import Page, filled
from lacuna.tables.papers.catalogue import CATALOGUE
from lacuna.tables.produce import write_all
from lacuna.tables.text import Words, words

Fake = Callable[..., Record]

METRICS = ("mm_recall", "mm_precision", "mm_f1", "acc", "acc_discrete", "rmse")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, fake: Fake) -> Path:
    """A few records of tables 2 and 13, one of them cut off."""
    outputs = tmp_path_factory.mktemp("outputs")
    for seed in range(3):
        scores = {f"test/{name}": 0.51 + 0.01 * seed + 0.05 * place for place, name in enumerate(METRICS)}
        for ratio in (0.1, 0.3):
            fake(outputs, ["method=diffjoint", "budget=paper", f"ratio={ratio}", f"seed={seed}"], scores)
        fake(outputs, ["method=always_na", "ratio=0.3", f"seed={seed}"], scores)
    fake(outputs, ["method=selective", "ratio=0.3"], {}, status="timeout")
    fake(outputs, ["method=selective", "ratio=0.2"], {"test/mm_f1": 0.99})
    path = next((outputs / "runs").glob("*/selective/mcar-0.2/*/record.json"))
    path.write_text(path.read_text()[:700])
    return outputs / "runs"


@pytest.fixture(scope="module")
def page(folder: Path) -> Page:
    return filled(CATALOGUE, [folder], ["diffjoint/2", "diffjoint/13"])


def test_a_broken_record_is_named_and_not_averaged(folder: Path) -> None:
    page = filled(CATALOGUE, [folder], ["diffjoint/2"])
    (broken,) = page.broken
    assert "selective/mcar-0.2" in broken
    assert not any(cell.mean == 0.99 for row in page.grids[0].rows for cell in row.cells)
    assert broken in as_markdown(page)
    assert broken in unescape(as_html(page))


def test_csv_comes_back_as_it_went(page: Page) -> None:
    grids = page.grids
    lines = list(csv.DictReader(as_csv(grids).splitlines()))
    cells = [cell for grid in grids for row in grid.rows for cell in row.cells]
    assert len(lines) == len(cells)
    for line, cell in zip(lines, cells, strict=True):
        for key in ("mean", "sd", "difference", "noise"):
            number = float(line[key] or "nan")
            assert number == getattr(cell, key) or (math.isnan(number) and math.isnan(getattr(cell, key)))
        assert line["verdict"] == cell.verdict
        assert line["seeds"] == " ".join(map(str, cell.values))


def test_every_form_has_every_cell(page: Page) -> None:
    grids = page.grids
    html, markdown, latex = unescape(as_html(page)), as_markdown(page), as_latex(page.grids)
    n_cells = sum(len(grid.columns) * len(grid.rows) for grid in grids)
    assert len(re.findall(r'<td class="(?!head)', html.split("<details")[0] + html.split("</details>")[2])) <= n_cells
    for grid in grids:
        for row in grid.rows:
            shown = [words(cell) for cell in row.cells]
            text = [
                "<br>".join(filter(None, (w.ours, " ".join(filter(None, (w.printed, w.difference)))))) for w in shown
            ]
            assert " | ".join(text) in markdown
            for w in shown:
                assert f">{w.ours}<" in html
    for tabular in re.findall(r"\\begin\{tabular\}\{(\w+)\}(.*?)\\end\{tabular\}", latex, flags=re.S):
        for line in re.findall(r"^(?!\\(?:top|mid|bottom)rule)(.+) \\\\$", tabular[1], flags=re.M):
            assert line.count("&") + 1 == len(tabular[0])


def test_statuses_differences_and_gaps_are_in_words(page: Page) -> None:
    table_2 = page.grids[0]
    found = {(row.settings["ratio"], row.settings["method"]): words(row.cells[1]) for row in table_2.rows}
    assert found["0.3", "selective"].ours == "– timeout"
    assert found["0.2", "selective"].ours == "·"
    assert found["0.3", "diffjoint"] == Words("57.0 ± 1.0 (3)", "50.8 ± 2.5", "▲ +6.2")


@pytest.mark.parametrize("table", CATALOGUE.tables.values(), ids=list(CATALOGUE.tables))
def test_commands_for_missing_runs_can_be_typed(table, tmp_path: Path) -> None:
    (grid, *_) = filled(CATALOGUE, [tmp_path], [table.id]).grids
    lacking = gaps(grid)
    axes = {key: values for key, values in table.design.axes.items() if key != "seed"}
    cells = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    assert sum(gap.runs for gap in lacking) == sum(len(table.design.seeds_of_cell(cell)) for cell in cells)
    for gap in lacking:
        program, script, multirun, *overrides = shlex.split(gap.command)
        assert (program, script, multirun) == ("python", "run.py", "-m")
        assert compose(first_job(table.design.axes, overrides)).budget.name == "paper"


def first_job(axes: Mapping[str, Sequence[str]], overrides: list[str]) -> list[str]:
    """Of a command that sweeps."""
    params = [f"{key}={','.join(values)}" for key, values in axes.items()]
    parsed = OverridesParser.create().parse_overrides([*params, *overrides])
    return list(BasicSweeper.split_arguments(parsed, None)[0][0])


def test_one_run_is_asked_for_where_any_seed_gives_the_same(tmp_path: Path, fake: Callable[..., Record]) -> None:
    cell = ["experiment=missbgm_table1", "method=oracle", "dataset.n=500", "ratio=0.3"]
    fake(tmp_path, [*cell, "seed=3"], {"train/rmse_all": 0.5})
    (grid,) = filled(CATALOGUE, [tmp_path], ["missbgm/1"]).grids
    runs = {gap.what: gap.runs for gap in gaps(grid)}
    assert runs["Mean/Mode"] == 4 * 3
    assert runs["Bayes oracle (ceiling)"] == 4 * 3 - 1  # its seed 3 answers for all
    assert runs["GAIN"] == runs["selection (ours)"] == 4 * 3 * 10
    assert "0.500 (any seed)" in {words(cell).ours for row in grid.rows for cell in row.cells}


def test_a_command_asks_for_the_missing_seeds_only(page: Page) -> None:
    grids = page.grids
    (diffjoint,) = [gap for gap in gaps(grids[0]) if gap.what == "Diff-Joint"]
    assert diffjoint.runs == 2 * 5 + 2 * 2
    assert diffjoint.cells == 2
    assert diffjoint.command == "python run.py -m experiment=diffjoint_table2 method=diffjoint budget=paper"
    (floor,) = [gap for gap in gaps(grids[0]) if gap.what.startswith("always")]
    assert "seed" not in floor.command
    (either,) = [gap for gap in gaps(grids[1]) if gap.what == "rule=or"]
    assert either.command == "python run.py -m experiment=diffjoint_table13 method.rule=or seed=3,4 budget=paper"


def test_files_of_all_forms_are_written(folder: Path, tmp_path: Path) -> None:
    page = filled(CATALOGUE, [folder], ["diffjoint/2", "missbgm/7"])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        write_all(page, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {
        *("tables.html", "tables.md", "diffjoint_2.csv", "diffjoint_2.tex", "missbgm_7.csv", "missbgm_7.tex")
    }
    html = (tmp_path / "tables.html").read_text()
    assert not re.search(r'(?:src|href)="(?!data:|#)', html), "the page needs nothing else"


def test_a_figure_is_drawn_where_there_are_numbers(tmp_path: Path, fake: Fake) -> None:
    for seed in (0, 1):
        for p in (50, 100):
            asked = ["experiment=missbgm_figure2", "method=mean_mode", f"dataset.p={p}", f"seed={seed}"]
            fake(tmp_path, asked, {"train/rmse_all": 1.8 + p / 1000 + seed / 10})
    page = filled(CATALOGUE, [tmp_path], ["missbgm/figure2", "missbgm/figure6"])
    write_all(page, tmp_path / "out")
    assert (tmp_path / "out" / "missbgm_figure2.svg").read_text().startswith("<?xml")
    assert not (tmp_path / "out" / "missbgm_figure6.svg").exists()
    assert "data:image/svg+xml;base64," in (tmp_path / "out" / "tables.html").read_text()


@pytest.mark.parametrize("name", ["diffjoint/99", "diffjoint_table1"])
def test_an_unknown_table_is_refused(name: str) -> None:
    with pytest.raises(UserError, match=f"no table '{name}'"):
        CATALOGUE.chosen([name])


@pytest.mark.slow
def test_the_page_of_results_is_in_step_with_them(tmp_path: Path) -> None:
    if not (paths.PROJECT / "results").is_dir():
        pytest.skip("no results are committed")
    page = filled(CATALOGUE, [paths.PROJECT / "results"])
    assert not page.broken
    write_pages(page, tmp_path)
    written = paths.PROJECT / "docs" / "results"
    made = {path.name: path.read_text() for path in tmp_path.iterdir() if path.suffix == ".md"}
    assert made == {path.name: path.read_text() for path in written.glob("*.md")}, (
        "python scripts/tables.py --records results --pages docs/results"
    )
    linked = set(re.findall(r"\((\w+\.(?:md|svg))\)", "".join(made.values())))
    assert linked == {path.name for path in written.iterdir()} - {"index.md"}
