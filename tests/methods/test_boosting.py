from __future__ import annotations

import numpy as np
import pytest

from lacuna.crossfit import Boosting, cross_fit
from lacuna.methods.boosting import MANY_LEVELS, BoostedTrees
from lacuna.rng import stream
from lacuna.types import Column, Incomplete

N, LEVELS = 1500, 30


@pytest.fixture(scope="module")
def features() -> np.ndarray:
    return stream(0, "features").normal(size=(N, 3))


@pytest.fixture(scope="module")
def law(features: np.ndarray) -> np.ndarray:
    """P(level | features), (n, levels), from a multinomial regression with frequent and rare levels."""
    rng = stream(1, "law")
    scores = features @ rng.normal(size=(3, LEVELS)) - 1.2 * np.log1p(np.arange(LEVELS))
    odds = np.exp(scores - scores.max(1, keepdims=True))
    return odds / odds.sum(1, keepdims=True)


@pytest.fixture(scope="module")
def levels(law: np.ndarray) -> np.ndarray:
    return (law.cumsum(1) > stream(2, "levels").random((N, 1))).argmax(1).astype(float)


def divergence(law: np.ndarray, predicted: np.ndarray) -> float:
    """Mean Kullback-Leibler divergence of predicted levels (h, k) from their law (h, k)."""
    return float((law * np.log(law / predicted.clip(min=1e-6))).sum(1).mean())


def test_a_column_of_many_levels_is_learned(features: np.ndarray, law: np.ndarray, levels: np.ndarray) -> None:
    assert LEVELS > MANY_LEVELS
    columns = (*(Column(f"x{j}") for j in range(3)), Column("y", "categorical", tuple(range(LEVELS))))
    values = np.column_stack([features, levels])
    values[: N // 5, 3] = np.nan
    table = Incomplete(columns, values, ~np.isnan(values))
    found = BoostedTrees().fit(table, seed=0).level_probabilities(table)[3]
    shares = np.bincount(levels[N // 5 :].astype(int), minlength=LEVELS) / (N - N // 5)
    known = law[: N // 5]
    assert divergence(known, found) < 0.37 * divergence(known, np.tile(shares, (N // 5, 1)))
    assert (known.argmax(1) == found.argmax(1)).mean() > 0.74


def test_the_penalty_is_what_lets_it_learn(features: np.ndarray, law: np.ndarray, levels: np.ndarray) -> None:
    none = np.zeros(3, bool)
    plain, penalised = (
        cross_fit(features, levels, LEVELS, none, Boosting(folds=3, penalty=penalty), stream(3, "folds")).out_of_fold
        for penalty in (0.0, 10.0)
    )
    assert divergence(law, penalised) < 0.7 * divergence(law, plain)
