"""What blanks go with: statistics by a second implementation, permutation p-values, uniform where nothing goes."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chi2, chi2_contingency, kstest, mannwhitneyu

from lacuna.diagnosis.association import (
    Feature,
    _statistics,
    associations,
    blank_feature,
    overdispersion,
    value_feature,
)
from lacuna.diagnosis.mixed import MixedTest, _induced, mixed_test
from lacuna.rng import stream


def levels_and_blanks(seed: int, n: int = 300) -> tuple[np.ndarray, np.ndarray]:
    rng = stream(seed, "table")
    codes = rng.integers(0, 4, n).astype(float)
    codes[rng.random(n) < 0.2] = np.nan
    return codes, rng.random(n) < 0.3


def feature(column: int, values: np.ndarray, discrete: bool) -> Feature:
    found = value_feature(column, values, discrete)
    assert found is not None
    return found


@given(st.integers(0, 99))
@settings(max_examples=20)
def test_levels_have_the_chi_squared_statistic_of_their_table(seed: int) -> None:
    codes, blank = levels_and_blanks(seed)
    seen = ~np.isnan(codes)
    counts = np.array(
        [[np.sum(blank[seen] & (codes[seen] == c)), np.sum(~blank[seen] & (codes[seen] == c))] for c in range(4)]
    )
    n = seen.sum()
    found = feature(0, codes, True)
    assert found.freedom == 3
    expected = chi2_contingency(counts, correction=False).statistic * (n - 1) / n
    assert _statistics(blank[None], [found])[0, 0] == pytest.approx(expected, rel=1e-4)


def test_numbers_have_the_rank_sum_statistic_in_their_first_score() -> None:
    rng = stream(0, "ranks")
    numbers, blank = np.round(rng.normal(size=400), 1), rng.random(400) < 0.3
    whole = feature(0, numbers, False)
    linear = Feature(0, whole.scores[:, :1], whole.observed, 1)
    z2 = _statistics(blank[None], [linear])[0, 0]
    u = mannwhitneyu(numbers[blank], numbers[~blank], use_continuity=False, method="asymptotic")
    assert chi2.sf(z2, 1) == pytest.approx(u.pvalue, rel=1e-3)
    np.testing.assert_allclose(whole.scores.T @ whole.scores / 400, np.eye(2), atol=1e-4)


def test_blanks_at_both_ends_are_found() -> None:
    rng = stream(1, "ends")
    numbers = rng.normal(size=600)
    blank = (np.abs(numbers) > 1.2) & (rng.random(600) < 0.4)
    (found,) = associations(blank, [[feature(1, numbers, False)]], rng, 199)
    assert found.p_value == pytest.approx(1 / 200)
    assert found.strength[0] > 0.3


def test_the_adjusted_p_value_is_between_that_alone_and_bonferronis() -> None:
    rng = stream(2, "adjusted")
    features = [feature(k, rng.normal(size=300), False) for k in range(8)]
    (found,) = associations(rng.random(300) < 0.2, [features], rng, 499)
    assert (found.adjusted >= found.p_values - 0.05).all()
    assert (found.adjusted <= np.minimum(1, 8 * found.p_values) + 0.05).all()
    assert found.p_value == found.adjusted.min()


def test_no_feature_of_a_constant_or_a_nearly_unobserved_column() -> None:
    assert value_feature(0, np.ones(50), False) is None
    assert value_feature(0, np.r_[np.arange(5.0), np.full(50, np.nan)], False) is None
    assert blank_feature(0, np.ones(9, bool)) is None
    (found,) = associations(np.arange(9) < 4, [[]], stream(0, "x"), 9)
    assert found.p_value is None


@pytest.mark.parametrize("ratio", [1.0, 3.0])
def test_overdispersion_is_the_ratio_of_variances(ratio: float) -> None:
    rng = stream(3, "rows")
    n, d, p = 4000, 6, 0.1
    correlation = (ratio - 1) / (d - 1)
    rates = rng.beta(p * (1 / correlation - 1), (1 - p) * (1 / correlation - 1), (n, 1)) if correlation else p
    found, p_value = overdispersion(rng.random((n, d)) < rates, rng)
    assert found == pytest.approx(ratio, rel=0.1)
    assert p_value is not None
    assert (p_value <= 0.01) == (ratio > 1)


@given(st.integers(2, 30), st.integers(0, 99))
def test_induced_orders_are_permutations_of_the_rows(n: int, seed: int) -> None:
    rng = stream(seed, "orders")
    rows = np.flatnonzero(rng.random(n) < 0.6)
    orders = rng.permuted(np.tile(np.arange(n), (5, 1)), axis=1)
    found = _induced(orders, rows, n)
    assert (np.sort(found, axis=1) == rows).all()
    np.testing.assert_array_equal(_induced(orders, np.arange(n), n), orders)


def test_the_mixed_test_finds_levels_that_drive_blanks_and_needs_something_to_look_at() -> None:
    rng = stream(4, "mixed")
    values = np.column_stack([rng.integers(0, 5, 500), rng.normal(size=(500, 2))])
    blank = np.zeros(values.shape, bool)
    blank[:, 2] = rng.random(500) < np.where(np.isin(values[:, 0], [1, 3]), 0.4, 0.1)  # not monotone in the codes
    found = mixed_test(np.where(blank, np.nan, values), blank, rng)
    assert isinstance(found, MixedTest)
    assert found.p_value <= 0.01
    assert isinstance(mixed_test(values, np.zeros(values.shape, bool), rng), str)


PROCESSES = {
    "alone": lambda rng, n: rng.random((n, 6)) < 0.15,
    "blocks": lambda rng, n: np.repeat(rng.random((n, 3)) < 0.15, 2, axis=1),
    "rows": lambda rng, n: rng.random((n, 6)) < rng.beta(0.5, 3, (n, 1)),
}


@pytest.mark.slow
@pytest.mark.parametrize("process", list(PROCESSES))
def test_p_values_are_uniform_where_blanks_do_not_depend_on_values(process: str) -> None:
    """Also where they depend on each other, which is missing completely at random all the same."""
    p_values, mixed, p_blanks = [], [], []
    for seed in range(100):
        rng = stream(seed, "null", process)
        x = rng.normal(size=(250, 1)) + rng.normal(size=(250, 6))
        x[:, 4:] = np.digitize(x[:, 4:], [-1, 0, 1])
        blank = PROCESSES[process](rng, 250)
        x[blank] = np.nan
        values = [feature(k, x[:, k], k >= 4) for k in range(1, 6)]
        blanks = [f for k in range(1, 6) if (f := blank_feature(k, blank[:, k])) is not None]
        of_values, of_blanks = associations(blank[:, 0], [values, blanks], rng, 99)
        test = mixed_test(x, blank, rng, projections=12, permutations=99)
        assert isinstance(test, MixedTest)
        p_values.append(of_values.p_value)
        p_blanks.append(of_blanks.p_value)
        mixed.append(test.p_value)
    for found in (p_values, mixed, *([p_blanks] if process == "alone" else [])):
        assert kstest(found, "uniform").pvalue > 0.01
        assert np.mean(np.array(found) <= 0.05) <= 0.11
    if process != "alone":
        assert np.mean(np.array(p_blanks) <= 0.05) > 0.9
