"""Cross-fitted boosting: when it stops, what it has not seen, and what weights do."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.crossfit import PATIENCE, Boosting, CrossFitted, cross_fit
from lacuna.numerics.binning import MAX_BINS, Bins


def fitted(
    features: np.ndarray,
    target: np.ndarray,
    n_levels: int = 0,
    weights: np.ndarray | None = None,
    rounds: int = 100,
) -> CrossFitted:
    categorical = np.zeros(features.shape[1], bool)
    boosting, rng = Boosting(rounds, folds=3), np.random.default_rng(0)
    return cross_fit(features, target, n_levels, categorical, boosting, rng, weights)


@pytest.fixture
def noise() -> tuple[np.ndarray, np.ndarray]:
    rng = np.random.default_rng(1)
    return rng.normal(size=(900, 3)), rng.normal(size=900)


def test_it_stops_soon_where_there_is_nothing_to_learn(noise: tuple[np.ndarray, np.ndarray]):
    model = fitted(*noise)
    assert model.rounds <= 3
    assert max(trees.n_iter_ for trees in model.models) <= model.rounds + 2 * PATIENCE


def test_its_rounds_are_those_of_the_least_loss_of_all_that_could_be_run():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(1500, 3))
    target = features[:, 0] * features[:, 1] + rng.normal(size=1500)
    model = fitted(features, target)

    def loss(rounds: int) -> float:
        exactly = fitted(features, target, rounds=rounds)
        return ((exactly.out_of_fold[:, 0] - target) ** 2).sum()

    reached = ((model.out_of_fold[:, 0] - target) ** 2).sum()
    assert reached == pytest.approx(min(loss(n) for n in (5, 10, 20, 40, 100)), rel=1e-9)
    assert reached < 0.75 * ((target - target.mean()) ** 2).sum()


def test_equal_weights_are_none(noise: tuple[np.ndarray, np.ndarray]):
    np.testing.assert_array_equal(fitted(*noise).out_of_fold, fitted(*noise, weights=np.full(900, 0.3)).out_of_fold)


def test_heavy_rows_decide():
    """Two kinds of rows that contradict each other, all of them in more values than there are bins."""
    rng = np.random.default_rng(3)
    features = rng.normal(size=(2000, 1))
    sign = np.where(rng.random(2000) < 0.5, 1.0, -1.0)
    model = fitted(features, sign * features[:, 0], weights=np.where(sign > 0, 10.0, 0.1))
    new = np.array([[-1.0], [1.0]])
    np.testing.assert_allclose(model.predict(new)[:, 0], new[:, 0] * 0.98, atol=0.25)


def test_a_level_that_the_other_folds_lack_does_no_harm(noise: tuple[np.ndarray, np.ndarray]):
    features, numbers = noise
    target = (numbers > 0).astype(float)
    target[7] = 2.0
    model = fitted(features, target, n_levels=3)
    np.testing.assert_allclose(model.predict(features).sum(1), 1)


def test_bins_keep_the_order_and_what_is_few():
    rng = np.random.default_rng(4)
    features = np.column_stack([rng.normal(size=5000), rng.integers(9, size=5000)])
    features[::7, 0] = np.nan
    binned = Bins.of(features)(features)
    np.testing.assert_array_equal(binned[:, 1], features[:, 1])
    np.testing.assert_array_equal(np.isnan(binned), np.isnan(features))
    seen = binned[np.argsort(features[:, 0])][: np.isfinite(features[:, 0]).sum(), 0]
    assert (np.diff(seen) >= 0).all()
    counts = np.unique(seen, return_counts=True)[1]
    assert len(counts) == MAX_BINS
    assert np.ptp(counts) <= 2
