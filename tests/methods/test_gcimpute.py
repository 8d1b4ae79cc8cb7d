"""The Gaussian copula against known correlations, exact conditional distributions and a row-by-row E step."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats
from scipy.special import ndtr

from lacuna.masks.mcar import MCAR
from lacuna.methods.gcimpute import GaussianCopula, Latent, Margin
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Problem, Table

CORRELATIONS = np.array([[1, 0.7, 0.5, 0.6], [0.7, 1, 0.4, 0.5], [0.5, 0.4, 1, 0.3], [0.6, 0.5, 0.3, 1]])


def copula(n: int) -> Problem:
    """A number with a skew, one without, an ordinal column and a binary one."""
    z = stream(0, "copula").multivariate_normal(np.zeros(4), CORRELATIONS, size=n)
    values = np.stack([np.exp(z[:, 0]), z[:, 1], np.digitize(z[:, 2], [-1, 0, 1]), z[:, 3] > 0.3], axis=1)
    columns = (
        Column("skew"),
        Column("number"),
        Column("order", "integer"),
        Column("yes", "categorical", (False, True)),
    )
    table = Table("copula", columns, values.astype(float), np.zeros(values.shape, bool))
    return hide(table, MCAR().draw(table, 0.25, stream(0, "mask")))


def test_em_finds_the_correlations_of_mixed_columns() -> None:
    problem = copula(4000)
    found = GaussianCopula(tolerance=1e-3).fit(problem.train, seed=0)
    np.testing.assert_allclose(found.correlations_, CORRELATIONS, atol=0.06)


def test_functions_of_the_columns_change_nothing() -> None:
    """Cubes and exponentials of a number, other units of an ordinal one."""
    problem = copula(400)
    rows = problem.train
    turned = rows.values.copy()
    turned[:, 0], turned[:, 1], turned[:, 2] = np.log(turned[:, 0]), turned[:, 1] ** 3, 10 * turned[:, 2] + 5
    other = type(rows)(rows.columns, turned, rows.observed)
    first, second = (GaussianCopula().fit(table, seed=0) for table in (rows, other))
    np.testing.assert_allclose(first.correlations_, second.correlations_, atol=1e-8)
    np.testing.assert_array_equal(first.impute(rows).values[:, 3], second.impute(other).values[:, 3])
    np.testing.assert_array_equal(10 * first.impute(rows).values[:, 2] + 5, second.impute(other).values[:, 2])


def test_one_e_step_is_the_papers_row_by_row() -> None:
    rng = stream(0, "rows")
    seen = rng.random((30, 4)) > 0.3
    low = np.where(seen, rng.normal(size=(30, 4)), -np.inf)
    high = low + np.where(seen & (np.arange(4) > 1), 1.0, 0.0)
    high[~seen] = np.inf
    latent = Latent(low, high, seen)
    start = latent.mean.copy()
    latent.update(CORRELATIONS)
    total = np.zeros((4, 4))
    for i in range(30):
        o, m = np.flatnonzero(seen[i]), np.flatnonzero(~seen[i])
        z, spread = start[i].copy(), np.zeros(4)
        for j in o[o > 1]:
            others = o[o != j]
            weights = CORRELATIONS[j, others] @ np.linalg.inv(CORRELATIONS[np.ix_(others, others)])
            mean, sd = weights @ start[i, others], np.sqrt(1 - weights @ CORRELATIONS[others, j])
            between = stats.truncnorm((low[i, j] - mean) / sd, (high[i, j] - mean) / sd, mean, sd)
            z[j], spread[j] = between.mean(), between.var()
        np.testing.assert_allclose(latent.mean[i], np.where(seen[i], z, 0), atol=1e-7)
        weights = CORRELATIONS[np.ix_(m, o)] @ np.linalg.inv(CORRELATIONS[np.ix_(o, o)])
        full = np.zeros((4, len(o)))
        full[o], full[m] = np.eye(len(o)), weights
        rest = np.zeros((4, 4))
        rest[np.ix_(m, m)] = CORRELATIONS[np.ix_(m, m)] - weights @ CORRELATIONS[np.ix_(o, m)]
        mean = full @ z[o]
        total += np.outer(mean, mean) + full * spread[o] @ full.T + rest
    np.testing.assert_allclose(latent.second_moment(CORRELATIONS), total / 30, atol=1e-7)


def test_imputations_and_draws_are_those_of_a_gaussian(gaussian: Any) -> None:
    known = gaussian(n=2000, d=4, correlation=0.7, ratio=0.3)
    done = GaussianCopula().fit(known.problem.train, seed=0).impute(known.problem.train, draws=300)
    assert known.error(done) < 0.1
    hidden = known.problem.train.hidden
    assert done.draws is not None
    assert np.abs(done.draws.sd - known.sd[hidden]).mean() < 0.08
    answer = known.problem.answers["train"].values[hidden]
    assert 0.93 < ((done.draws.lower <= answer) & (answer <= done.draws.upper)).mean() < 0.97


def test_draws_of_a_binary_cell_have_its_probability_given_an_ordinal_one() -> None:
    """Two columns only, so that P(yes | order) is a ratio of bivariate normal rectangles."""
    problem = copula(6000)
    rows = problem.train
    pair = type(rows)(rows.columns[2:], rows.values[:, 2:], rows.observed[:, 2:])
    method = GaussianCopula(tolerance=1e-3).fit(pair, seed=0)
    draws = method.impute(pair, draws=60).draws
    assert draws is not None
    edges, cut = np.array([-np.inf, -1, 0, 1, np.inf]), 0.3
    for k in range(4):
        at = (draws.cells[:, 1] == 1) & pair.observed[draws.cells[:, 0], 0] & (pair.values[draws.cells[:, 0], 0] == k)
        both = stats.multivariate_normal([0, 0], [[1, 0.3], [0.3, 1]])
        below = [both.cdf([min(edge, 9), cut]) if edge > -np.inf else 0.0 for edge in edges[k : k + 2]]
        share = 1 - (below[1] - below[0]) / (ndtr(edges[k + 1]) - ndtr(edges[k]))
        assert draws.mean[at].mean() == pytest.approx(share, abs=0.03)


def test_margins_know_their_kind() -> None:
    rng = stream(0, "margins")
    number = Margin.of(Column("x"), rng.normal(size=100))
    ties = Margin.of(Column("x"), np.where(np.arange(100) < 20, 0.0, rng.normal(size=100)))
    town = Margin.of(Column("x", "categorical", ("a", "b", "c")), rng.integers(0, 3, 100).astype(float))
    binary = Margin.of(Column("x", "categorical", ("a", "b", "c")), rng.integers(0, 2, 100).astype(float))
    assert [m.continuous for m in (number, ties, town, binary)] == [True, False, False, False]
    assert [m.width for m in (number, ties, town, binary)] == [1, 1, 3, 1]
    for margin, cells in ((number, number.support), (binary, np.array([0.0, 1.0])), (town, np.arange(3.0))):
        low, high = margin.limits(cells)
        inside = np.where(np.isinf(low), high - 1e-6, np.where(np.isinf(high), low + 1e-6, (low + high) / 2))
        np.testing.assert_allclose(margin.value(inside, np.zeros_like(inside)), cells, atol=1e-6)


@pytest.mark.parametrize("wrong", [{"iterations": 0}, {"tolerance": 0}, {"max_rows": 1}])
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        GaussianCopula(**wrong)
