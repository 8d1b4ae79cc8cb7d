"""benchmarks/open_settings.py: every setting changes its method, and means are means."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest

from lacuna import paths
from lacuna.errors import MissingPackage


@pytest.fixture
def script(loaded: Callable[[str], ModuleType], monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    monkeypatch.syspath_prepend(str(paths.PROJECT / "benchmarks"))
    return loaded("benchmarks/open_settings.py")


@pytest.mark.parametrize("method", ["ice", "ot", "gain", "miceforest", "tabcsdi", "missbgm_beta_0.1"])
def test_every_setting_changes_the_method(script: ModuleType, method: str) -> None:
    node = script.configured({**script.place("wine"), "method": method}).method
    try:
        as_it_is = script.changed(node, {})
    except MissingPackage as missing:
        pytest.skip(str(missing))
    for setting in script.SETTINGS[method].values():
        other = script.changed(node, setting)
        assert type(other) is not type(as_it_is) or repr(vars(other)) != repr(vars(as_it_is))
    assert method != "missbgm_beta_0.1" or node.beta == 0.1


def test_a_run_is_scored_on_the_published_draw(script: ModuleType) -> None:
    wine = script.problem("wine", None, 0.2)
    truth = wine.answers["train"]
    means = np.nanmean(wine.train.values, axis=0)
    error = (means - truth.values)[truth.ordinary]
    assert np.sqrt(np.mean(error**2)) == pytest.approx(1.043, abs=5e-4)  # as printed


def test_means_and_sds_over_seeds(script: ModuleType, tmp_path: Path) -> None:
    key = {**script.place("wine"), "method": "ice"}
    lines = [key | {"setting": "one chain", "seed": seed, "rmse": rmse} for seed, rmse in enumerate((0.5, 0.7))]
    script.write_table([*lines, key | {"setting": "", "seed": 0, "rmse": 0.4}], tmp_path / "table.csv")
    assert (tmp_path / "table.csv").read_text().splitlines()[1:] == [
        "wine,,0.2,ice,,1,0.400000,",
        "wine,,0.2,ice,one chain,2,0.600000,0.141421",
    ]
