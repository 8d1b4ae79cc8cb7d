"""Ranks, Elo, tests and ratios against closed forms, second implementations and properties."""

from __future__ import annotations

from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from scipy.optimize import minimize

from lacuna.rng import stream
from lacuna.tables.arena.results import Losses, Problem
from lacuna.tables.arena.statistics import (
    by_table,
    differences,
    elo,
    halves,
    holm,
    mean_ranks,
    pareto,
    possible,
    ranks,
    ratios,
    wins,
)

MATRICES = arrays(float, st.tuples(st.integers(1, 6), st.integers(2, 5)), elements=st.integers(1, 9).map(float))


def losses(values: np.ndarray, tables: int | None = None) -> Losses:
    """Rows are problems: of ``tables`` tables in turn, by default one a row."""
    values = np.asarray(values, dtype=float)
    problems = tuple(Problem(f"t{i % (tables or len(values))}", f"m{i}", 0.3) for i in range(len(values)))
    return Losses(problems, tuple("abcdefgh"[: values.shape[1]]), values)


@given(MATRICES)
def test_ranks_of_a_problem_add_up_and_follow_the_losses(values: np.ndarray) -> None:
    found, m = ranks(losses(values)), values.shape[1]
    np.testing.assert_allclose(found.sum(1), m * (m + 1) / 2)
    for row, place in zip(values, found, strict=True):
        for a, b in product(range(m), repeat=2):
            assert np.sign(row[a] - row[b]) == np.sign(place[a] - place[b])
    assert sum(wins(losses(values)).values()) == pytest.approx(len(values))


@given(MATRICES, st.integers(0, 5))
def test_ranks_know_no_order_of_problems_or_methods_and_no_units(values: np.ndarray, seed: int) -> None:
    rng = np.random.default_rng(seed)
    rows, columns = rng.permutation(len(values)), rng.permutation(values.shape[1])
    known, shown = mean_ranks(losses(values)), losses(values[rows][:, columns] * 1e-9)
    again = mean_ranks(Losses(shown.problems, tuple("abcdefgh"[j] for j in columns), shown.values))
    assert again == pytest.approx(known)


@given(MATRICES)
def test_a_method_that_enters_twice_ties_with_itself(values: np.ndarray) -> None:
    twice = losses(values).doubled("a", "again")
    for found in (mean_ranks(twice), wins(twice)):
        assert found["a"] == pytest.approx(found["again"])
    pair = differences(twice).p_pairs
    assert pair.get(("a", "again"), pair.get(("again", "a"))) == 1


@settings(max_examples=10, deadline=None)
@given(MATRICES)
def test_ratings_tie_too(values: np.ndarray) -> None:
    found = elo(losses(values).doubled("a", "again"), rounds=1)
    assert found["a"].rating == pytest.approx(found["again"].rating, abs=0.1)


def test_elo_of_two_methods_is_the_logarithm_of_their_odds() -> None:
    values = np.array([[1.0, 2.0]] * 9 + [[2.0, 1.0]] * 3)
    found = elo(losses(values), rounds=50)
    assert found["a"].rating - found["b"].rating == pytest.approx(400 * np.log10(9 / 3), abs=0.5)
    assert found["a"].low < found["a"].rating < found["a"].high


def bradley_terry(values: np.ndarray) -> np.ndarray:
    """Ratings by a second implementation: maximum likelihood over all pairs of each row, ties half a win each."""
    m = values.shape[1]
    score = np.array([[(values[:, i] < values[:, j]).sum() + (values[:, i] == values[:, j]).sum() / 2
                       for j in range(m)] for i in range(m)])  # fmt: skip
    np.fill_diagonal(score, 0)

    def negative(strength: np.ndarray) -> float:
        gap = strength[:, None] - strength
        return float((score * np.log1p(np.exp(-gap))).sum()) + 1e-6 * float(strength @ strength)

    found = minimize(negative, np.zeros(m), method="BFGS", options={"gtol": 1e-9}).x
    return 1000 + 400 / np.log(10) * (found - found.mean())


def test_elo_is_bradley_terry_with_and_without_gaps() -> None:
    rng = stream(0, "elo")
    values = rng.normal(size=(40, 4)) + np.array([0, 0.2, 0.4, 0.8])
    found = elo(losses(values), rounds=1)
    np.testing.assert_allclose([found[name].rating for name in "abcd"], bradley_terry(values), atol=1)
    values[:5, 2] = np.nan
    gaps = elo(losses(values), rounds=1)
    assert gaps["a"].rating > gaps["b"].rating > gaps["d"].rating
    assert gaps["c"].rating != found["c"].rating


def test_intervals_are_the_same_again_and_wider_for_fewer_tables() -> None:
    values = stream(0, "tables").normal(size=(80, 3)) + np.array([0, 0.3, 0.6])
    many, few = elo(losses(values), rounds=100), elo(losses(values[:8]), rounds=100)
    assert many == elo(losses(values), rounds=100)
    width = [np.mean([one.high - one.low for one in found.values()]) for found in (many, few)]
    assert 0 < 1.5 * width[0] < width[1]


def test_a_failure_loses_to_every_method_with_a_score() -> None:
    values = np.array([[np.inf, 1.0, 2.0], [1.0, 2.0, np.inf]])
    np.testing.assert_array_equal(ranks(losses(values)), [[3, 1, 2], [1, 2, 3]])


@given(st.lists(st.floats(0, 1), min_size=1, max_size=8))
def test_holm_is_its_definition(p: list[float]) -> None:
    found, k = holm(np.array(p)), len(p)
    order = sorted(range(k), key=lambda i: p[i])
    largest = 0.0
    for step, i in enumerate(order):
        largest = max(largest, min(1.0, (k - step) * p[i]))
        assert found[i] == pytest.approx(largest)


def test_differences_find_what_differs_and_join_what_does_not() -> None:
    rng = stream(0, "differences")
    base = rng.uniform(0.5, 2, (40, 1))
    values = base * np.exp([0.0, 0.0, 0.4, 0.4] + 0.05 * rng.normal(size=(40, 4)))
    found = differences(losses(values))
    assert found.p_friedman < 1e-6
    assert {frozenset(group) for group in found.groups} == {frozenset("ab"), frozenset("cd")}
    assert found.p_pairs[found.methods[0], found.methods[-1]] < 1e-6
    alike = differences(losses(base * np.exp(0.05 * rng.normal(size=(40, 3)))))
    assert alike.groups == (alike.methods,)


def test_a_method_that_misses_tables_is_left_out_of_tests() -> None:
    values = stream(0, "gaps").normal(size=(20, 3)) + 10
    values[:10, 1] = np.nan
    assert set(differences(losses(values)).methods) == {"a", "c"}


def test_ratios_are_to_the_best_other_method() -> None:
    found = ratios(losses(np.array([[1.0, 2.0, 4.0], [2.0, 1.0, 4.0]])))
    assert found == pytest.approx({"a": (1 / 2 + 2) / 2, "b": (2 + 1 / 2) / 2, "c": 4.0})
    assert ratios(losses(np.array([[1.0, 2.0, 4.0]])), others=("c",))["a"] == pytest.approx(0.25)


@given(MATRICES)
def test_one_method_at_least_has_a_ratio_of_one_or_less_on_a_single_problem(values: np.ndarray) -> None:
    found = ratios(losses(values[:1]))
    assert min(found.values()) <= 1
    assert all(ratio >= 1 or sum(r <= 1 for r in found.values()) == 1 for ratio in found.values())


def test_the_oracle_has_all_that_is_possible_and_the_mean_nothing() -> None:
    values = np.array([[0.5, 1.0, 0.75], [0.2, 1.0, 0.2], [1.0, 1.0, 0.5]])
    named = Losses(losses(values).problems, ("oracle", "mean_mode", "mine"), values)
    assert possible(named) == pytest.approx({"oracle": 1.0, "mean_mode": 0.0, "mine": 0.75})
    assert possible(losses(values)) == {}


@given(arrays(float, st.tuples(st.integers(1, 6), st.just(2)), elements=st.integers(0, 4).map(float)))
def test_the_front_is_what_nothing_dominates(costs: np.ndarray) -> None:
    found = pareto(costs)
    assert found.any()
    for i, kept in enumerate(found):
        dominated = any((other <= costs[i]).all() and (other < costs[i]).any() for other in costs)
        assert kept == (not dominated)


def test_halves_agree_where_methods_differ_and_not_where_they_do_not() -> None:
    rng = stream(0, "halves")
    clear = rng.normal(size=(40, 5)) * 0.01 + np.arange(5)
    assert halves(losses(clear)) == pytest.approx(1)
    assert abs(halves(losses(rng.normal(size=(40, 5))))) < 0.9
    assert np.isnan(halves(losses(clear[:3])))


def test_tables_weigh_the_same_whatever_their_problems() -> None:
    values = np.array([[1.0, 2.0], [1.0, 2.0], [1.0, 2.0], [2.0, 1.0]])
    problems = tuple(Problem(table, f"m{i}", 0.3) for i, table in enumerate(("x", "x", "x", "y")))
    found = Losses(problems, ("a", "b"), values)
    assert mean_ranks(found) == {"a": 1.5, "b": 1.5}
    np.testing.assert_array_equal(by_table(found, values), [[1, 2], [2, 1]])
