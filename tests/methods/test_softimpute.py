"""softImpute against the conditions that hold at its optimum, and against known matrices."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from lacuna.methods.softimpute import SoftImpute
from lacuna.numerics.low_rank import ridge_scores, soft_impute, spectral_norm
from lacuna.rng import stream


def incomplete(n: int, w: int, rank: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """A noisy table of low rank, which of its cells are seen, and the table without noise."""
    rng = stream(0, "low rank", n, w)
    clean = rng.normal(size=(n, rank)) @ rng.normal(size=(rank, w))
    return clean + 0.1 * rng.normal(size=(n, w)), rng.random((n, w)) > 0.3, clean


@pytest.mark.parametrize(("n", "w"), [(60, 12), (12, 60)])
def test_at_the_optimum_the_gradient_is_in_the_subdifferential_of_the_nuclear_norm(n: int, w: int) -> None:
    """(1.8) of the paper: P(X - Z) = penalty * (U V' + W), with U'W = 0, WV = 0 and no singular value of W above 1."""
    values, seen, _ = incomplete(n, w, 3)
    penalty = 0.2 * spectral_norm(values * seen)
    z, _ = soft_impute(values, seen, penalty, np.zeros((n, w)), 5000, 1e-12)
    u, singular, vt = np.linalg.svd(z, full_matrices=False)
    rank = int((singular > 1e-8).sum())
    assert 0 < rank < min(n, w)
    u, vt = u[:, :rank], vt[:rank]
    rest = np.where(seen, values - z, 0) / penalty - u @ vt
    np.testing.assert_allclose(u.T @ rest, 0, atol=1e-6)
    np.testing.assert_allclose(rest @ vt.T, 0, atol=1e-6)
    assert np.linalg.norm(rest, 2) < 1


@pytest.mark.parametrize(("n", "w"), [(60, 12), (12, 60)])
def test_rows_of_the_optimum_are_ridge_regressions_on_its_right_factor(n: int, w: int) -> None:
    values, seen, _ = incomplete(n, w, 3)
    penalty = 0.1 * spectral_norm(values * seen)
    z, factor = soft_impute(values, seen, penalty, np.zeros((n, w)), 5000, 1e-12)
    np.testing.assert_allclose(ridge_scores(values, seen, factor, penalty) @ factor.T, z, atol=1e-6)


def test_without_blanks_it_is_the_soft_thresholded_decomposition() -> None:
    values, _, _ = incomplete(30, 8, 3)
    u, singular, vt = np.linalg.svd(values, full_matrices=False)
    found, _ = soft_impute(values, np.ones(values.shape, bool), singular[2], np.zeros((30, 8)), 10, 1e-9)
    np.testing.assert_allclose(found, u * (singular - singular[2]).clip(min=0) @ vt, atol=1e-9)
    nothing, factor = soft_impute(values, np.ones(values.shape, bool), singular[0] * 1.01, values, 10, 1e-9)
    assert not nothing.any()
    assert factor.shape == (8, 0)


def test_it_comes_close_to_the_conditional_mean_of_a_gaussian(gaussian: Any) -> None:
    known = gaussian(n=1000, d=6, correlation=0.8, ratio=0.3)
    done = SoftImpute().fit(known.problem.train, seed=0).impute(known.problem.train)
    assert known.rmse(done.values) < 1.1 * known.rmse(known.mean)
    assert done.diagnostics["rank"] >= 1


@pytest.mark.parametrize("wrong", [{"penalties": 0}, {"iterations": 0}, {"tolerance": 0}])
def test_what_cannot_be_is_refused_where_it_is_said(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="got"):
        SoftImpute(**wrong)
