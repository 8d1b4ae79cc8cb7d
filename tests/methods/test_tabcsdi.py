from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lacuna.methods.tabcsdi import TabCSDI, dropping
from lacuna.types import Column, Incomplete

SMALL: dict[str, Any] = {"channels": 32, "layers": 2, "noise": 64, "steps": 40, "hide": "uniform", "device": "cpu"}


@pytest.mark.slow
def test_draws_of_a_gaussian_have_its_conditional_mean_and_sd(gaussian: Any) -> None:
    known = gaussian(n=1000, d=2, correlation=0.8, ratio=0.2)
    train = known.problem.train
    method = TabCSDI(samples=40, epochs=100, batch=64, lr=4e-3, **SMALL).fit(train, seed=0)
    chosen = np.flatnonzero(train.hidden.sum(1) == 1)[:120]
    done = method.impute(train.take(chosen), draws=40)
    assert done.draws is not None
    cells = (chosen[done.draws.cells[:, 0]], done.draws.cells[:, 1])
    error = np.sqrt(np.mean((done.draws.mean - known.mean[cells]) ** 2))
    assert error < 0.25, "the sd of the conditional means is 0.8"
    assert done.draws.sd.mean() == pytest.approx(known.sd[cells].mean(), rel=0.2)
    np.testing.assert_allclose(done.values[train.hidden[chosen]], done.draws.mean, rtol=1e-5)


def test_learning_rates_drop_at_the_milestones() -> None:
    rates = dropping(500, 5e-4)
    assert [rates.count(5e-4 * 0.1**k) for k in range(5)] == [125, 125, 125, 75, 50]


def test_draws_of_mixed_columns_stay_within_their_levels_and_ranges() -> None:
    rng = np.random.default_rng(0)
    columns = (Column("c", "categorical", tuple("abcde")), Column("i", "integer"), Column("x"))
    values = np.stack([rng.integers(0, 5, 60), rng.integers(3, 9, 60), rng.normal(size=60)], axis=1).astype(float)
    values[rng.random(values.shape) < 0.3] = np.nan
    rows = Incomplete(columns, values, ~np.isnan(values))
    done = TabCSDI(samples=3, epochs=1, **SMALL).fit(rows, seed=0).impute(rows, draws=20)
    assert done.draws is not None
    assert done.draws.samples is not None
    for j, allowed in ((0, range(5)), (1, range(3, 9))):
        drawn = done.draws.samples[:, done.draws.cells[:, 1] == j]
        assert set(np.unique(drawn)) <= set(allowed)
        assert len(np.unique(drawn)) > 1


def test_chunks_do_not_change_what_comes_out(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(25, 2))
    values[rng.random(values.shape) < 0.4] = np.nan
    rows = Incomplete((Column("a"), Column("b")), values, ~np.isnan(values))
    method = TabCSDI(samples=2, epochs=1, **SMALL).fit(rows, seed=0)
    monkeypatch.setattr("lacuna.methods.tabcsdi.TOKENS_AT_ONCE", {"cpu": 8})  # two rows at once, the last chunk one
    done = method.impute(rows, draws=2)
    assert done.draws is not None
    assert done.draws.samples is not None
    assert np.isfinite(done.values[rows.hidden]).all()
    np.testing.assert_allclose(done.values[rows.hidden], done.draws.samples.mean(0), rtol=1e-5)


def test_it_leaves_the_global_generator_alone() -> None:
    rows = Incomplete((Column("a"),), np.array([[1.0], [2.0], [np.nan]]), np.array([[True], [True], [False]]))
    before = torch.get_rng_state()
    TabCSDI(samples=2, epochs=1, **SMALL).fit(rows, seed=0).impute(rows)
    assert torch.equal(torch.get_rng_state(), before)


@pytest.mark.parametrize("wrong", [{"hide": 0}, {"samples": 0}, {"beta_end": 1.0}, {"heads": 3}, {"noise": 5}])
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        TabCSDI(**wrong)
