"""The settings behind the published results: Table 6 of the paper, and where its data sets depart from it."""

from __future__ import annotations

from typing import Any

import pytest

from lacuna.config.compose import compose

WIDE = [120] * 5
TABLE_6: dict[str, Any] = {
    "z_dim": 5,
    "epochs": 200,
    "batch_size": 16,
    "beta": 0.01,
    "g_units": WIDE,
    "missingness_units": [64, 64],
    "lr_theta": 0.005,
    "lr_phi": 0.005,
    "lr_z": 0.002,
    "lr_x": 0.002,
    "n_inner_steps": 3,
    "use_bnn": False,
    "kl_weight": 5e-5,
    "test_epochs": 30,
    "egm_enabled": True,
    "egm_n_iter": 1500,
    "e_units": WIDE,
    "dz_units": [64, 32, 8],
    "dx_units": [64, 32, 8],
    "alpha": 0.05,
    "burn_in": 1000,
    "step_size": 0.1,
    "n_leapfrog": 5,
    "max_batches": None,
}
DEPARTURES: dict[str, dict[str, Any]] = {
    "breast": {},
    "concrete": {},
    "mnar_oracle": {"epochs": 50},
    "wine": {"g_units": [120] * 3, "e_units": [120] * 3},
    "gisette": {"z_dim": 10, "egm_n_iter": 5000, "batch_size": 32},
}


@pytest.mark.parametrize("dataset", DEPARTURES)
def test_the_paper_budget_is_table_6(dataset: str) -> None:
    method = compose(["method=missbgm", f"dataset={dataset}", "budget=paper"]).method
    wanted = TABLE_6 | DEPARTURES[dataset]
    assert {key: method[key] for key in wanted} == wanted
