from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lacuna.datasets.bayesnet_law import COLUMNS
from lacuna.errors import UserError
from lacuna.methods.cacti import CACTI, warm_then_cosine
from lacuna.types import Column, Incomplete

SMALL = {"width": 32, "heads": 2, "mlp_ratio": 2, "encoder_blocks": 2, "decoder_blocks": 1, "device": "cpu"}
FAST = SMALL | {"epochs": 40, "warm_up": 4, "batch": 64, "lr": 3e-3}


@pytest.mark.slow
def test_it_comes_close_to_the_conditional_mean_of_a_gaussian(gaussian: Any) -> None:
    known = gaussian(n=1000, d=4, correlation=0.8, ratio=0.3)
    done = CACTI(column_embeddings=None, **FAST).fit(known.problem.train, seed=0).impute(known.problem.train)
    assert known.rmse(done.values) < 1.12 * known.rmse(known.mean)
    assert known.error(done) < 0.4 < known.rmse(known.mean_imputed())


def test_learning_rates_warm_up_and_come_back() -> None:
    rates = warm_then_cosine(300, 50, 1e-3, 5e-6)
    assert len(rates) == 300
    assert rates[0] == pytest.approx(5e-6 + 0.5 / 50 * (1e-3 - 5e-6)), "the middle of the first epoch"
    assert rates.index(max(rates)) == 50
    assert max(rates) == pytest.approx(1e-3, rel=1e-4)
    assert rates[174] + rates[175] == pytest.approx(1e-3 + 5e-6), "half way down"
    assert rates[-1] < 6e-6
    assert warm_then_cosine(1, 0, 1.0, 0.0) == pytest.approx((0.5,))


def table(columns: tuple[Column, ...]) -> Incomplete:
    values = np.random.default_rng(0).integers(0, 2, (30, len(columns))).astype(float)
    values[np.random.default_rng(1).random(values.shape) < 0.2] = np.nan
    return Incomplete(columns, values, ~np.isnan(values))


def test_names_of_the_columns_matter(tmp_path: Path) -> None:
    rows = table(COLUMNS)
    options = SMALL | {"epochs": 1, "warm_up": 0}
    shipped = CACTI(**options).fit(rows, seed=0).impute(rows)
    file = tmp_path / "mine.npz"
    names = np.array([c.name for c in COLUMNS])
    np.savez(file, names=names, embeddings=np.eye(5, 7))
    mine = CACTI(column_embeddings=str(file), **options).fit(rows, seed=0).impute(rows)
    assert not np.array_equal(shipped.values, mine.values)


def test_a_column_without_an_embedding_is_named_and_so_is_the_script(tmp_path: Path) -> None:
    rows = table(tuple(replace(c, name=f"{c.name} of mine") for c in COLUMNS))
    with pytest.raises(UserError, match=r"'C1 of mine'.*embed_columns\.py"):
        CACTI(**SMALL).fit(rows)
    with pytest.raises(UserError, match=r"nothing\.npz.*embed_columns\.py"):
        CACTI(column_embeddings=str(tmp_path / "nothing.npz"), **SMALL).fit(rows)
    assert len(CACTI(column_embeddings=None, **SMALL, epochs=1).fit(rows).impute(rows).values) == 30


def test_it_leaves_the_global_generator_alone() -> None:
    rows = table(COLUMNS)
    torch.manual_seed(5)
    before = torch.get_rng_state()
    CACTI(**SMALL, epochs=1).fit(rows, seed=0).impute(rows)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize(
    "wrong", [{"width": 30}, {"heads": 5}, {"warm_up": -1}, {"lr_least": 1.0}, {"mask_ratio": 2}, {"epochs": 0}]
)
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        CACTI(**wrong)
