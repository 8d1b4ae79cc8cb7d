"""A table, metrics, methods and a data set of a user's own: neither the tables nor the report know them beforehand."""

from __future__ import annotations

import shlex
from io import StringIO
from pathlib import Path
from textwrap import dedent

import pytest
from rich.console import Console

from lacuna.config import described
from lacuna.config.compose import compose, plain
from lacuna.errors import UserError
from lacuna.records.record import Record, find_records
from lacuna.reports.terminal import print_comparison, print_scores
from lacuna.runner import experiment
from lacuna.tables.as_html import as_html
from lacuna.tables.as_markdown import as_markdown
from lacuna.tables.definition import Catalogue, TableDefinition
from lacuna.tables.experiments import Design
from lacuna.tables.missing import gaps
from lacuna.tables.page import filled
from lacuna.tables.produce import write_all
from lacuna.tables.text import words

CODE = """
import numpy as np

from lacuna.datasets.base import Dataset
from lacuna.methods.base import Method
from lacuna.methods.mean_mode import MeanMode
from lacuna.metrics import metric
from lacuna.types import Column, Imputation, Table


class Ramp(Dataset):
    label = "Ramp"
    description = "a <straight> line"
    seeded = False

    def load(self, rng, split_rng):
        values = np.linspace(0, 1, 200).reshape(100, 2)
        return Table("ramp", (Column("x"), Column("y")), values, np.zeros((100, 2), bool))


class Constant(Method):
    label = "constant (own)"
    seeded = False

    def __init__(self, value=0.5):
        self.value = value

    def _fit(self, train, seed):
        pass

    def _impute(self, rows, draws):
        return Imputation(np.full(rows.values.shape, self.value))


class Heir(MeanMode):
    pass


def _errors(answer, imputation):
    return (imputation.values - answer.values)[answer.ordinary]


@metric(label="share above", better=1, percent=True)
def above(answer, imputation):
    return float((_errors(answer, imputation) > 0).mean())


def bias(answer, imputation):
    return float(_errors(answer, imputation).mean())


@metric(label="worst error", better=-1, headline=False)
def worst(answer, imputation):
    return float(abs(_errors(answer, imputation)).max())
"""
FILES = {
    "dataset/ramp": "_target_: own_toys.Ramp",
    "method/constant": "_target_: own_toys.Constant\nvalue: 0.5",
    "method/high": "_target_: own_toys.Constant\nvalue: ${by_budget:1.0,0.9}",
    "method/heir": "_target_: own_toys.Heir",
    **{f"metric/{name}": f"_target_: own_toys.{name}\n_partial_: true" for name in ("above", "bias", "worst")},
    "experiment/own": """
        # @package _global_
        defaults:
          - override /dataset: ramp

        ratio: 0.3

        hydra:
          mode: MULTIRUN
          sweeper:
            params:
              method: constant,heir
        """,
}


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with one's own code and configs, and the records of two runs."""
    folder = tmp_path_factory.mktemp("own")
    (folder / "own_toys.py").write_text(CODE)
    for name, text in FILES.items():
        path = folder / "conf" / f"{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(dedent(text).lstrip())
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(folder)
        for method in ("constant", "heir"):
            asked = ["experiment=own", f"method={method}", "device=cpu", "tracking=none", f"outputs={folder}"]
            experiment.run(plain(compose(asked, folder / "conf")))
        yield folder


def table(own: Path, **other: object) -> TableDefinition:
    about = {"rows": ("method",), "columns": (), "metrics": ("train/above", "train/bias", "train/rmse_all")}
    return TableDefinition("own/1", "My methods on a ramp", "own", **about | other, config_dir=own / "conf")


def test_tables_take_what_is_ones_own(own: Path, tmp_path: Path) -> None:
    page = filled(Catalogue("My tables", {"own/1": table(own)}), [own / "runs"])
    (grid,) = page.grids
    assert [column.headers for column in grid.columns] == [("share above",), ("bias",), ("RMSE",)]
    assert [row.headers for row in grid.rows] == [("constant (own)",), ("heir",)]
    assert (grid.heading, grid.source) == ("My methods on a ramp", "a <straight> line")
    first, *_ = [cell for row in grid.rows for cell in row.cells]
    assert words(first).ours == f"{100 * first.mean:.1f} (1)"  # the mask is drawn with the seed
    assert first.verdict == "unknown"
    assert page.left_out == []
    html, markdown = as_html(page), as_markdown(page)
    assert "a &lt;straight&gt; line" in html
    assert "<straight>" not in html
    for text in ("# My tables", "| method | share above | bias | RMSE |", "**By share above, "):
        assert text in markdown
    write_all(page, tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"tables.html", "tables.md", "own_1.csv", "own_1.tex"}


def test_commands_for_missing_runs_name_the_folder_of_ones_configs(own: Path, tmp_path: Path) -> None:
    (grid,) = filled(Catalogue("My tables", {"own/1": table(own)}), [tmp_path]).grids
    assert gaps(grid)
    for gap in gaps(grid):
        program, script, option, folder, *_ = shlex.split(gap.command)
        assert (program, script, option, folder) == ("python", "run.py", "--config-dir", str(own / "conf"))


def test_values_that_would_be_called_alike_keep_their_ids(own: Path) -> None:
    design = table(own).design
    assert design.label("method", "constant") == "constant (own)"
    assert design.label("method", "high") == "high"  # of the same class as one on the axis
    assert design.expected({"method": "high"}, "paper")["method"]["value"] == 1.0
    assert design.depends_on_budget({"method": "high"})


def test_records_outlive_the_code_of_their_methods(own: Path) -> None:
    (record,) = (r for r in records(own) if r.config["names"]["method"] == "constant")
    gone = record.config | {"method": {"_target_": "own_toys.Gone"}}
    assert described.label(record.config, "method") == "constant (own)"
    assert described.label(gone, "method") == "constant"
    assert described.display("above", {"above": {"_target_": "own_toys.gone"}}).label == "above"


def test_an_unknown_experiment_or_method_is_refused(own: Path) -> None:
    with pytest.raises(UserError, match="unknown experiment 'owm'"):
        Design("owm", own / "conf").base({})
    with pytest.raises(UserError, match="unknown method 'other'"):
        table(own).design.expected({"method": "other"}, "paper")


def test_the_report_takes_what_is_ones_own(own: Path) -> None:
    found = records(own)
    scores, comparison = (Console(file=StringIO(), width=200) for _ in range(2))
    print_scores(found[0], own, scores)
    print_comparison(found, comparison)
    shown, compared = (console.file.getvalue() for console in (scores, comparison))
    for name in ("above", "bias", "worst", "rmse_all"):
        assert name in shown
    for name in ("above", "bias"):
        assert name in compared
    assert "worst" not in compared  # declared to be no headline
    assert shown.index("bias") < shown.index("worst")


def records(own: Path) -> list[Record]:
    return [record for _, record in find_records(own)]
