"""Probabilistic principal components against the closed form, the likelihood and exact conditional moments."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from scipy import stats

from lacuna.methods.ppca import PPCA
from lacuna.numerics.low_rank import PrincipalComponents, fitted_components
from lacuna.rng import stream


def table(n: int = 200) -> np.ndarray:
    rng = stream(0, "ppca")
    return rng.normal(size=(n, 2)) @ rng.normal(size=(2, 5)) + 0.5 * rng.normal(size=(n, 5)) + [0, 1, 2, 3, 4]


def test_without_blanks_em_ends_at_tipping_and_bishops_solution() -> None:
    values = table()
    found = fitted_components(values, np.ones(values.shape, bool), 2, 20_000, 1e-12)
    squares, vectors = np.linalg.eigh(np.cov(values.T, bias=True))
    variance = squares[:3].mean()
    np.testing.assert_allclose(found.mean, values.mean(0), atol=1e-3)
    assert found.variance == pytest.approx(variance, rel=1e-4)
    want = vectors[:, 3:] * (squares[3:] - variance) @ vectors[:, 3:].T
    np.testing.assert_allclose(found.weights @ found.weights.T, want, atol=1e-3)


def test_the_likelihood_is_that_of_the_cells_seen_and_em_raises_it() -> None:
    values, seen = table(50), stream(0, "seen").random((50, 5)) > 0.3
    values = np.where(seen, values, 0)
    model = PrincipalComponents.start(values, seen, 2)
    before = -np.inf
    for _ in range(30):
        covariance = model.weights @ model.weights.T + model.variance * np.eye(5)
        want = sum(
            stats.multivariate_normal.logpdf(row[s], model.mean[s], covariance[np.ix_(s, s)])
            for row, s in zip(values, seen, strict=True)
            if s.any()
        )
        assert model.log_likelihood(values, seen) == pytest.approx(want)
        assert want >= before - 1e-8
        before, model = want, model.improved(values, seen)


def test_it_comes_close_to_a_gaussian_of_rank_one(gaussian: Any) -> None:
    known = gaussian(n=2000, d=5, correlation=0.7, ratio=0.3)
    done = PPCA().fit(known.problem.train, seed=0).impute(known.problem.train, draws=400)
    assert known.error(done) < 0.07
    hidden = known.problem.train.hidden
    assert done.draws is not None
    assert np.abs(done.draws.sd - known.sd[hidden]).mean() < 0.05
    answer = known.problem.answers["train"].values[hidden]
    covered = (done.draws.lower <= answer) & (answer <= done.draws.upper)
    assert 0.93 < covered.mean() < 0.97


@pytest.mark.parametrize("wrong", [{"rank": 0}, {"iterations": 0}, {"tolerance": -1}])
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        PPCA(**wrong)
