"""Rubin's rules against mice's pool() and D1() (tests/pooling/make.R), and against closed forms."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest

import lacuna
from lacuna.errors import UserError
from lacuna.pooling import Pooled, pool

BY_R = Path(__file__).parent / "pooling"
TERMS = ["(Intercept)", "x1", "x2", "x3"]


def least_squares(table: pd.DataFrame) -> SimpleNamespace:
    """A fit as statsmodels gives it."""
    design = np.column_stack([np.ones(len(table)), table[["x1", "x2", "x3"]]])
    inverse = np.linalg.inv(design.T @ design)
    params = inverse @ design.T @ table.y
    df_resid = len(table) - design.shape[1]
    covariance = inverse * ((table.y - design @ params) ** 2).sum() / df_resid
    return SimpleNamespace(
        params=pd.Series(params, TERMS), cov_params=lambda: pd.DataFrame(covariance), df_resid=df_resid
    )


@pytest.fixture(scope="module")
def fits() -> list[SimpleNamespace]:
    return [least_squares(table) for _, table in pd.read_csv(BY_R / "completed.csv").groupby(".imp")]


def of(fits: list[SimpleNamespace], n_complete: float | None = None) -> Pooled:
    return pool([f.params for f in fits], [f.cov_params() for f in fits], n_complete)


@pytest.mark.parametrize("df_complete", [36, np.inf])
def test_pooled_figures_are_those_of_mice(fits: list[SimpleNamespace], df_complete: float) -> None:
    pooled = pool(fits) if np.isfinite(df_complete) else of(fits)
    theirs = pd.read_csv(BY_R / "pooled.csv")
    theirs = theirs[theirs.dfcom == df_complete].set_index("term").drop(columns=["dfcom"])
    assert pooled.df_complete == df_complete
    ours = pooled.summary().assign(
        within=np.diag(pooled.within), between=np.diag(pooled.between), total=pooled.variance
    )
    np.testing.assert_allclose(ours[theirs.columns], theirs, rtol=1e-6)


@pytest.mark.parametrize("df_complete", [36, np.inf])
def test_wald_test_is_that_of_mice(fits: list[SimpleNamespace], df_complete: float) -> None:
    test = pool(fits).wald(["x2", "x3"]) if np.isfinite(df_complete) else of(fits).wald([2, 3])
    theirs = pd.read_csv(BY_R / "wald.csv").set_index("dfcom").loc[df_complete]
    found = [test.statistic, test.df1, test.df2, test.p, test.riv]
    np.testing.assert_allclose(found, theirs[["statistic", "df1", "df2", "p", "riv"]], rtol=1e-6)


def test_rows_give_the_degrees_of_freedom_of_fits(fits: list[SimpleNamespace]) -> None:
    np.testing.assert_allclose(of(fits, n_complete=40).df, pool(fits).df)


def test_wald_test_of_one_parameter_is_its_t_test() -> None:
    pooled = pool([1.0, 1.4, 0.7, 1.1, 0.9, 1.2], [0.1] * 6)
    test = pool([[1.0], [1.4], [0.7], [1.1], [0.9], [1.2]], np.full((6, 1, 1), 0.1)).wald()
    assert test.statistic == pytest.approx(float(pooled.summary().statistic[0]) ** 2)


def test_tables_that_agree_lose_nothing() -> None:
    pooled = pool([2.0, 2.0, 2.0], [0.25, 0.25, 0.25])
    assert pooled.se == pytest.approx(0.5)
    assert pooled.lambda_ == pooled.riv == 0
    assert np.isinf(pooled.df)
    np.testing.assert_allclose(pooled.interval(), [[2 - 0.979982, 2 + 0.979982]], rtol=1e-6)


def test_fits_with_standard_errors_only() -> None:
    fits = [SimpleNamespace(params=np.array([q, 1.0]), bse=np.array([0.2, 0.1])) for q in (1.0, 2.0)]
    pooled = lacuna.pool(fits)
    np.testing.assert_allclose(np.diag(pooled.within), [0.04, 0.01])
    with pytest.raises(UserError, match="needs their covariances"):
        pooled.wald()
    assert pooled.wald([1]).df1 == 1


@pytest.mark.parametrize(
    ("estimates", "variances", "n_complete", "message"),
    [
        ([1.0], [1.0], None, "at least two"),
        ([1.0, 2.0], [1.0, 2.0, 3.0], None, "disagree"),
        ([1.0, 2.0], [1.0, 2.0], 1, "not more than the 1 parameters"),
        ([1.0, 2.0], None, None, "float has no params"),
        ([SimpleNamespace(params=pd.Series([1.0], [name]), bse=[1.0]) for name in "ab"], None, None, "different"),
    ],
)
def test_what_cannot_be_pooled(estimates, variances, n_complete, message: str) -> None:
    with pytest.raises(UserError, match=message):
        pool(estimates, variances, n_complete)


def test_unknown_parameter() -> None:
    with pytest.raises(UserError, match="no parameter is named 'z'"):
        pool([1.0, 2.0], [1.0, 1.0]).wald(["z"])
