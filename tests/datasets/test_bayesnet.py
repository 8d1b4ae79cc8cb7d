"""The network as the paper states it, and the table drawn from it."""

import numpy as np
import pytest

from lacuna.datasets.bayesnet import BayesNet
from lacuna.datasets.bayesnet_law import D3_GIVEN, d2_probabilities, network_density
from lacuna.rng import stream
from lacuna.types import Table


@pytest.fixture(scope="module")
def big() -> Table:
    return BayesNet(300_000, 100_000).load(stream(0, "dataset"), stream(0, "split"))


def paper_d2(c1: float, c2: float, d1: int) -> list[float]:
    """P(D2 = 0, 1, 2, na) read off the paper's cases."""
    if d1 == 0:
        return [0.05, 0.05, 0.9, 0]
    if c1 > 26 and c2 > 55:
        return [0.3, 0.6, 0.1, 0]
    if c1 > 26:
        return [0.2, 0.3, 0.5, 0]
    if c2 > 55:
        return [0.7, 0.1, 0.2, 0]
    return [0, 0, 0, 1]


def test_d2_follows_the_cases_of_the_paper():
    rng = stream(0, "cases")
    c1, c2, d1 = rng.normal(26, 2, 200), rng.normal(55, 3, 200), rng.integers(0, 2, 200)
    assert np.allclose(d2_probabilities(c1, c2, d1), [paper_d2(*x) for x in zip(c1, c2, d1, strict=True)])
    # the cuts themselves are low
    assert np.allclose(d2_probabilities(np.array(26.0), np.array(55.0), np.array(1)), paper_d2(26, 55, 1))


def test_the_density_sums_to_one():
    c1 = np.linspace(10, 40, 301)[:, None, None, None, None]
    c2 = np.linspace(20, 85, 326)[None, :, None, None, None]
    d1, d2, d3 = np.ix_(np.arange(2), np.arange(4), np.arange(3))
    total = network_density(c1, c2, d1[None, None], d2[None, None], d3[None, None]).sum()
    assert np.isclose(total * 0.1 * 0.2, 1.0, atol=1e-6)


def test_rates_of_meaningful_missingness(big):
    assert np.allclose(big.meaningful.mean(0), [0.159, 0, 0, 0.144, 0.222], atol=0.002)
    assert np.array_equal(np.isnan(big.values), big.meaningful)


def test_conditional_frequencies(big):
    c1, c2, d1, d2, d3 = big.values.T
    assert np.nanmax(c1) <= 27
    assert np.isclose(c2.mean(), 52.5, atol=0.05)
    assert np.isclose(c2.std(), np.hypot(5, 0.2), atol=0.03)
    assert np.isclose(d1.mean(), 0.3, atol=0.004)
    state = np.where(np.isnan(d2), 3, d2).astype(int)
    high = np.where(np.isnan(c1), 27.5, c1)  # a blank C1 lies above 27
    for a, b, off in [(25, 50, 0), (26.5, 57, 1), (26.5, 50, 1), (25, 57, 1), (25, 50, 1)]:
        cell = (d1 == off) & ((high > 26) == (a > 26)) & ((c2 > 55) == (b > 55))
        assert np.allclose(np.bincount(state[cell], minlength=4) / cell.sum(), paper_d2(a, b, off), atol=0.015)
    last = np.where(np.isnan(d3), 2, d3).astype(int)
    for s in range(4):
        assert np.allclose(np.bincount(last[state == s], minlength=3) / (state == s).sum(), D3_GIVEN[s], atol=0.01)


def test_the_split_is_random_and_of_the_stated_size():
    table = BayesNet(300, 100).load(stream(0, "dataset"), stream(0, "split"))
    assert table.train_rows.sum() == 300
    assert len(table.values) == 400
    assert 0 < table.train_rows[:100].sum() < 100
    assert BayesNet(50, 0).load(stream(0, "dataset"), stream(0, "split")).train_rows is None


def test_the_streams_alone_decide():
    def draw(data, split):
        return BayesNet(50, 20).load(stream(data, "dataset"), stream(split, "split"))

    assert draw(1, 2).digest == draw(1, 2).digest
    assert draw(1, 2).digest != draw(2, 2).digest
    assert np.array_equal(draw(1, 2).values, draw(1, 3).values, equal_nan=True)
    assert draw(1, 2).digest != draw(1, 3).digest


def test_sizes_out_of_range():
    for sizes in [(0, 10), (10, -1)]:
        with pytest.raises(ValueError, match="n_train must be at least 1"):
            BayesNet(*sizes)
