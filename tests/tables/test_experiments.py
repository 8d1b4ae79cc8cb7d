"""Configurations of cells: the short way gives what Hydra composes."""

from __future__ import annotations

import pytest

from lacuna.config.compose import compose, plain
from lacuna.tables.definition import TableDefinition
from lacuna.tables.experiments import COMPARED
from lacuna.tables.grid import of_runs
from lacuna.tables.papers.catalogue import CATALOGUE


@pytest.mark.parametrize("table", CATALOGUE.tables.values(), ids=list(CATALOGUE.tables))
@pytest.mark.parametrize("budget", ["quick", "paper"])
def test_a_cell_has_the_configuration_that_hydra_composes(table: TableDefinition, budget: str) -> None:
    axes = {key: values for key, values in table.design.axes.items() if key not in ("ratio", "seed")}
    settings = {key: values[-1 if budget == "paper" else 0] for key, values in axes.items()}
    whole = [f"{key}={value}" for key, value in settings.items()]
    composed = plain(compose([f"experiment={table.experiment}", *whole, f"budget={budget}", "device=cpu"]))
    found = table.design.expected(settings, budget)
    for key in COMPARED:
        if key == "names":
            assert {noun: found[key][noun] for noun in ("dataset", "mask", "method", "budget")} == {
                noun: composed[key][noun] for noun in ("dataset", "mask", "method", "budget")
            }
        else:
            assert found[key] == composed[key], key


def test_the_base_of_a_method_is_its_configuration() -> None:
    design = CATALOGUE.tables["diffjoint/1"].design
    composed = plain(compose(["experiment=diffjoint_table1", "method=selective", "budget=paper", "device=cpu"]))
    assert design.expected({"method": "selective"}, "paper")["method"] == composed["method"]
    assert composed["method"]["base"]["_target_"] == "lacuna.methods.chained.Chained"


def test_one_class_is_called_by_what_it_is_set_to() -> None:
    design = CATALOGUE.tables["diffjoint/1"].design
    assert [design.label("method", name) for name in ("cmae", "cacti", "always_na")] == [
        *("CMAE", "CACTI", "always NA (floor)")
    ]


def test_an_id_is_the_label_of_what_declares_none() -> None:
    design = CATALOGUE.tables["diffjoint/1"].design
    assert design.label("mask", "none") == "none"
    assert of_runs(CATALOGUE.tables["diffjoint/1"], {"ratio": "0.1", "target": "D2"}) == {"ratio": "0.1"}
