"""The numbers of a table, again from the files that its runs left and the truth."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.config.compose import compose, plain
from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mcar import MCAR
from lacuna.rng import stream
from lacuna.runner import experiment
from lacuna.tables.page import filled
from lacuna.tables.papers.catalogue import CATALOGUE


def test_scores_follow_from_the_imputed_table(tmp_path: Path) -> None:
    asked = ["method=always_na", "ratio=0.3", "seed=1", "device=cpu", "tracking=none", f"outputs={tmp_path}"]
    folder = experiment.run(plain(compose(asked))).folder
    imputed, flags = pd.read_parquet(folder / "imputed.parquet"), pd.read_parquet(folder / "mm.parquet")

    table = BayesNet(14000, 6000).load(stream(1, "dataset"), stream(1, "split"))
    names = [column.name for column in table.columns]
    hidden = MCAR().draw(table, 0.3, stream(1, "mask")).ordinary | table.meaningful
    test = ~table.train_rows
    right, truth, claim = [], [], []
    for j, column in enumerate(table.columns):
        at = test & hidden[:, j]
        if column.mm_candidate:
            truth.append(table.meaningful[at, j])
            claim.append(flags[column.name].to_numpy()[at])
        if column.kind == "categorical" and column.mm_candidate:
            labels = np.array([*column.levels, "blank"], dtype=object)
            true = labels[np.where(np.isnan(table.values[at, j]), -1, table.values[at, j]).astype(int)]
            right.append(imputed[column.name].astype(object).where(imputed[column.name].notna(), "blank")[at] == true)
    truth, claim = np.concatenate(truth), np.concatenate(claim)
    c2 = names.index("C2")
    at = test & hidden[:, c2]
    expected = {
        "test/acc": np.concatenate(right).mean(),
        "test/rmse": np.sqrt(np.mean((imputed["C2"].to_numpy()[at] - table.values[at, c2]) ** 2)),
        "test/mm_f1": 2 * (truth & claim).sum() / (truth.sum() + claim.sum()),
        "test/mm_precision": (truth & claim).sum() / claim.sum(),
    }

    grids = filled(CATALOGUE, [tmp_path / "runs"], ["diffjoint/13"]).grids
    (row,) = (row for row in grids[0].rows if row.settings.get("method") == "always_na")
    shown = {column.metric: cell.mean for column, cell in zip(grids[0].columns, row.cells, strict=True)}
    for metric, value in expected.items():
        assert shown[metric] == pytest.approx(value, rel=1e-12), metric
    rates = table.meaningful.mean(0)
    recorded = grids[0].records[0].meaningful_rates
    assert recorded == pytest.approx({name: rates[names.index(name)] for name in ("C1", "D2", "D3")})


def test_errors_on_a_real_table_follow_from_the_imputed_one(tmp_path: Path) -> None:
    from sklearn.datasets import load_wine

    asked = ["experiment=missbgm_table3", "dataset=wine", "method=boosting", "draws=60", "mask.published=false"]
    found = experiment.run(plain(compose([*asked, "seed=2", "device=cpu", "tracking=none", f"outputs={tmp_path}"])))
    imputed = pd.read_parquet(found.folder / "imputed.parquet").to_numpy()
    intervals = pd.read_parquet(found.folder / "intervals.parquet")

    raw = load_wine().data
    truth = (raw - raw.mean(0)) / raw.std(0)
    hidden = ~np.isclose(imputed, truth, rtol=1e-9, atol=1e-12)  # no guess hits a number of twelve digits
    assert 0.15 < hidden.mean() < 0.25
    assert found.record.scores["train/rmse_all"] == pytest.approx(np.sqrt(np.mean((imputed - truth)[hidden] ** 2)))
    assert found.record.mask_rates == pytest.approx(dict(zip(load_wine().feature_names, hidden.mean(0), strict=True)))
    names = list(load_wine().feature_names)
    true = truth[intervals["row"], intervals["column"].astype(str).map(names.index)]
    inside = (intervals["lower"] <= true) & (true <= intervals["upper"])
    assert len(intervals) == hidden.sum()
    assert found.record.scores["train/uq_coverage"] == pytest.approx(inside.mean())
    width = (intervals["upper"] - intervals["lower"]).mean()
    assert found.record.scores["train/uq_interval_width"] == pytest.approx(width, rel=1e-6)
