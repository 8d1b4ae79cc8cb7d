"""Tables whose analysis has known answers, mechanisms that hide their cells, and the analyses, for inference.py."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit
from scipy.stats import beta as beta_law

MECHANISMS = ("mcar", "mar", "dropout", "clustered")
STEEP = 1.5  # slope of the log-odds of a blank in the column that is never blank
SITES = 20  # of rows alike in the first column, each with a rate of blanks of its own
EVEN = 1.0  # a + b of the beta law of those rates

Fit = tuple[np.ndarray, np.ndarray]  # estimates (k,) and their squared standard errors (k,)
Columns = dict[str, np.ndarray | pd.Categorical]


class Law(NamedTuple):
    """A table of n rows, the outcome ``y`` last; x1 is blank under MCAR only."""

    names: tuple[str, ...]  # of the estimands
    truth: tuple[float, ...]
    draw: Callable[[Columns, int, np.random.Generator], Columns]  # given x1 and x2: all columns
    analyse: Callable[[pd.DataFrame], Fit]
    formula: str | None = None  # of the analysis, where its outcome is normal or of two levels
    candidates: tuple[str, ...] = ()  # columns with blanks that mean something


def draw_table(law: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """A complete table of n rows; a blank of a candidate column is its true state."""
    x1 = rng.normal(size=n)
    return pd.DataFrame(LAWS[law].draw({"x1": x1, "x2": 0.5 * x1 + 0.75**0.5 * rng.normal(size=n)}, n, rng))


def analyse(law: str, table: pd.DataFrame) -> Fit:
    """Estimates (k,) and their squared standard errors (k,)."""
    return LAWS[law].analyse(table)


def hide(table: pd.DataFrame, mechanism: str, rate: float, rng: np.random.Generator) -> pd.DataFrame:
    """Blanks in a share ``rate`` of the cells: of all columns (mcar), or of all but the first, by the first.

    clustered: rows come in sites of neighbouring x1, whose rates differ widely and in no order.
    """
    n, d = table.shape
    if mechanism == "mcar":
        return table.mask(rng.random((n, d)) < rate)
    x1 = table["x1"].to_numpy()
    if mechanism == "clustered":
        rates = rng.permutation(beta_law.ppf((np.arange(SITES) + 0.5) / SITES, EVEN * rate, EVEN * (1 - rate)))
        hazard = (rates * rate / rates.mean())[x1.argsort().argsort() * SITES // n][:, None]
    else:
        steps = d - 1 if mechanism == "dropout" else 1

        def out(intercept: float) -> np.ndarray:
            """(n, steps) probability that a row's cells are hidden from this step on back."""
            return 1 - (1 - expit(intercept + STEEP * x1))[:, None] ** np.arange(1, steps + 1)

        hazard = expit(brentq(lambda a: out(a).mean() - rate, -30, 30) + STEEP * x1)[:, None]
    leaves = rng.random((n, d - 1)) < hazard
    hidden = np.zeros((n, d), bool)
    hidden[:, 1:] = np.logical_or.accumulate(leaves, axis=1) if mechanism == "dropout" else leaves
    return table.mask(hidden)


# --- analyses -----------------------------------------------------------------------------------------------------


def design_of(table: pd.DataFrame, *more: np.ndarray) -> np.ndarray:
    """(n, k + 1): intercept, x1, x2 and what else enters."""
    return np.column_stack([np.ones(len(table)), table["x1"], table["x2"], *more]).astype(float)


def linear(design: np.ndarray, y: np.ndarray, robust: bool = False) -> Fit:
    """Least squares; squared errors of one variance for all rows, or of any (HC3: MacKinnon and White 1985)."""
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ y
    residual = y - design @ beta
    if robust:
        leverage = np.einsum("ij,jk,ik->i", design, inverse, design)
        scores = design * (residual / (1 - leverage))[:, None]
        covariance = inverse @ (scores.T @ scores) @ inverse
    else:
        covariance = inverse * (residual @ residual) / (len(y) - len(beta))
    return beta[1:], np.diag(covariance)[1:]


def logistic(design: np.ndarray, y: np.ndarray) -> Fit:
    """Maximum likelihood for y of 0 and 1."""
    beta = np.zeros(design.shape[1])
    for _ in range(25):
        p = expit(design @ beta)
        covariance = np.linalg.inv((design.T * (p * (1 - p))) @ design)
        beta = beta + covariance @ design.T @ (y - p)
    return beta[1:], np.diag(covariance)[1:]


def proportional_odds(design: np.ndarray, y: np.ndarray) -> Fit:
    """Maximum likelihood of P(y <= level) = expit(threshold - x beta), y in 0 .. levels - 1 (McCullagh 1980)."""
    x = design[:, 1:]
    shares = np.bincount(y).cumsum()[:-1] / len(y)
    k = len(shares)
    at = np.concatenate([np.log(shares / (1 - shares)), np.zeros(x.shape[1])])
    upper, lower = (
        np.concatenate([(y[:, None] == np.arange(k) + shift) * 1.0, np.where(inside[:, None], -x, 0)], axis=1)
        for shift, inside in ((0, y < k), (1, y > 0))
    )
    for _ in range(25):
        below_upper = np.where(y < k, expit(upper @ at), 1.0)
        below_lower = np.where(y > 0, expit(lower @ at), 0.0)
        p = below_upper - below_lower
        f_upper, f_lower = below_upper * (1 - below_upper), below_lower * (1 - below_lower)
        score = (f_upper[:, None] * upper - f_lower[:, None] * lower) / p[:, None]
        curved = (upper.T * (f_upper * (1 - 2 * below_upper) / p)) @ upper
        curved = curved - (lower.T * (f_lower * (1 - 2 * below_lower) / p)) @ lower
        covariance = np.linalg.inv(score.T @ score - curved)
        at = at + covariance @ score.sum(0)
    return at[k:], np.diag(covariance)[k:]


def _of_y(*terms: Callable[[pd.DataFrame], np.ndarray], robust: bool = False) -> Callable[[pd.DataFrame], Fit]:
    """Least squares of y on x1, x2 and ``terms``."""

    def fit(table: pd.DataFrame) -> Fit:
        return linear(design_of(table, *(term(table) for term in terms)), table["y"].to_numpy(float), robust)

    return fit


def _of_incomes(table: pd.DataFrame) -> Fit:
    """Mean of y among those who have one, and its slopes there."""
    having = table[table["y"].notna()]
    y = having["y"].to_numpy(float)
    slopes, variances = linear(design_of(having), y)
    return np.append(y.mean(), slopes), np.append(y.var(ddof=1) / len(y), variances)


# --- laws ---------------------------------------------------------------------------------------------------------


def _plus(columns: Columns, mean: np.ndarray, noise: np.ndarray) -> Columns:
    return columns | {"y": mean + noise}


def _mixed(columns: Columns, n: int, rng: np.random.Generator) -> Columns:
    g = pd.Categorical.from_codes(rng.integers(4, size=n), list("abcd"))
    x1, x2 = columns["x1"], columns["x2"] + np.array([0, 0.5, -0.5, 1])[g.codes]
    count = rng.poisson(np.exp(0.3 + 0.4 * x1))
    mean = x1 + x2 + np.array([0, 0.5, -0.5, 1])[g.codes] + 0.5 * count
    return _plus({"x1": x1, "x2": x2, "g": g, "count": count}, mean, rng.normal(size=n))


def _wide(columns: Columns, n: int, rng: np.random.Generator) -> Columns:
    """30 columns: the outcome, three that matter, 26 that do not."""
    columns = columns | {f"z{i}": rng.normal(size=n) for i in range(27)}
    return _plus(columns, columns["x1"] + columns["x2"] + columns["z0"], rng.normal(size=n))


def _logistic(columns: Columns, n: int, rng: np.random.Generator) -> Columns:
    yes = rng.random(n) < expit(columns["x1"] + columns["x2"])
    return columns | {"y": pd.Categorical.from_codes(yes.astype(int), ["no", "yes"])}


def _ordinal(columns: Columns, n: int, rng: np.random.Generator) -> Columns:
    latent = columns["x1"] + columns["x2"] + rng.logistic(size=n)
    return columns | {"y": pd.Categorical.from_codes(np.digitize(latent, [-2, 0, 2]), list("1234"), ordered=True)}


def _zero_inflated(columns: Columns, n: int, rng: np.random.Generator) -> Columns:
    """z is 0 in half of the rows, the more so the smaller x1, and log-normal in the others."""
    some = rng.random(n) < expit(columns["x1"])
    z = np.where(some, np.exp(0.3 * columns["x1"] + 0.5 * rng.normal(size=n)), 0.0)
    return _plus(columns | {"z": z}, columns["x1"] + columns["x2"] + 0.5 * z, rng.normal(size=n))


def _incomes(columns: Columns, n: int, rng: np.random.Generator) -> Columns:
    """y is income, which those have who have one: the more, the larger x1."""
    has_one = rng.random(n) < expit(HAS_ONE + columns["x1"])
    income = 2 + columns["x1"] + 0.5 * columns["x2"] + rng.normal(size=n)
    return columns | {"y": np.where(has_one, income, np.nan)}


HAS_ONE = 0.5
_NODES, _WEIGHTS = np.polynomial.hermite_e.hermegauss(60)
_HAVE = _WEIGHTS * expit(HAS_ONE + _NODES)
MEAN_INCOME = float(2 + 1.25 * (_HAVE @ _NODES) / _HAVE.sum())  # x2 is 0.5 x1 on average

LAWS = {
    "linear": Law(
        ("x1", "x2"), (1, 1), lambda c, n, rng: _plus(c, c["x1"] + c["x2"], rng.normal(size=n)), _of_y(), "y ~ x1 + x2"
    ),
    "interaction": Law(
        ("x1", "x2", "x1:x2"),
        (1, 1, 1),
        lambda c, n, rng: _plus(c, c["x1"] + c["x2"] + c["x1"] * c["x2"], rng.normal(size=n)),
        _of_y(lambda t: t["x1"] * t["x2"]),
        "y ~ x1 * x2",
    ),
    "quadratic": Law(
        ("x1", "x2", "x1^2"),
        (1, 1, 1),
        lambda c, n, rng: _plus(c, c["x1"] + c["x2"] + c["x1"] ** 2, rng.normal(size=n)),
        _of_y(lambda t: t["x1"] ** 2),
        "y ~ x1 + x2 + I(x1**2)",
    ),
    "logistic": Law(
        ("x1", "x2"),
        (1, 1),
        _logistic,
        lambda t: logistic(design_of(t), (t["y"] == "yes").to_numpy(float)),
        "y ~ x1 + x2",
    ),
    "mixed": Law(
        ("x1", "x2", "g=b", "g=c", "g=d", "count"),
        (1, 1, 0.5, -0.5, 1, 0.5),
        _mixed,
        _of_y(*(lambda t, level=level: t["g"] == level for level in "bcd"), lambda t: t["count"]),
        "y ~ x1 + x2 + g + count",
    ),
    "wide": Law(("x1", "x2", "z0"), (1, 1, 1), _wide, _of_y(lambda t: t["z0"]), "y ~ x1 + x2 + z0"),
    "heteroscedastic": Law(
        ("x1", "x2"),
        (1, 1),
        lambda c, n, rng: _plus(c, c["x1"] + c["x2"], 0.8 * np.exp(0.5 * c["x1"]) * rng.normal(size=n)),
        _of_y(robust=True),
        "y ~ x1 + x2",
    ),
    "zero_inflated": Law(("x1", "x2", "z"), (1, 1, 0.5), _zero_inflated, _of_y(lambda t: t["z"]), "y ~ x1 + x2 + z"),
    "ordinal": Law(
        ("x1", "x2"),
        (1, 1),
        _ordinal,
        lambda t: proportional_odds(design_of(t), pd.to_numeric(t["y"].astype(str)).to_numpy() - 1),
    ),
    "incomes": Law(
        ("mean of those with one", "x1", "x2"), (MEAN_INCOME, 1, 0.5), _incomes, _of_incomes, candidates=("y",)
    ),
}
