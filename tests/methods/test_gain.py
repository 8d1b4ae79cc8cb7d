from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lacuna.masks.mcar import MCAR
from lacuna.methods.gain import GAIN
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Problem, Table


@pytest.fixture(scope="module")
def rank_one() -> Problem:
    rng = stream(0, "rank one")
    values = rng.normal(size=(1000, 1)) @ rng.uniform(0.5, 1.5, (1, 6))
    table = Table("rank one", tuple(Column(f"x{j}") for j in range(6)), values, np.zeros(values.shape, bool))
    return hide(table, MCAR().draw(table, 0.2, stream(0, "mask")))


def rmse(problem: Problem, values: np.ndarray) -> float:
    answer = problem.answers["train"]
    return float(np.sqrt(np.mean((values - answer.values)[answer.ordinary] ** 2)))


@pytest.mark.slow
def test_it_sees_that_a_table_has_rank_one(rank_one: Problem) -> None:
    method = GAIN(iterations=1500, device="cpu").fit(rank_one.train, seed=0)
    done = method.impute(rank_one.train, draws=5)
    means = np.broadcast_to(np.nanmean(rank_one.train.values, axis=0), done.values.shape)
    assert rmse(rank_one, done.values) < 0.45 * rmse(rank_one, means)
    assert done.draws is not None
    at_point = done.values[rank_one.train.hidden]
    assert 0 < np.abs(done.draws.mean - at_point).mean() < 0.02, "draws lie around the point imputation"
    assert done.draws.sd.mean() > 0


def test_alpha_ties_the_generator_to_what_is_observed(rank_one: Problem) -> None:
    with_weight = GAIN(iterations=300, alpha=100.0, device="cpu").fit(rank_one.train, seed=0)
    without = GAIN(iterations=300, alpha=0.0, device="cpu").fit(rank_one.train, seed=0)
    errors = [rmse(rank_one, m.impute(rank_one.train).values) for m in (with_weight, without)]
    assert errors[0] < errors[1]


@pytest.mark.parametrize("wrong", [{"hint": 2}, {"iterations": 0}, {"batch": 0}])
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        GAIN(**wrong)
