"""One answer out of analyses of several completed tables, by Rubin's rules.

Rubin, "Multiple Imputation for Nonresponse in Surveys", 1987; degrees of freedom: Barnard, Rubin, "Small-sample
degrees of freedom with multiple imputation", 1999; test of several parameters (D1): Li, Raghunathan, Rubin,
"Large-sample significance levels from multiply imputed data", 1991, and Reiter, "Small-sample degrees of freedom for
multi-component significance tests with multiple imputation", 2007.

>>> pooled = pool([1.0, 1.2, 0.9], [0.04, 0.05, 0.04])
>>> pooled.estimate.round(3), pooled.se.round(3)
(array([1.033]), array([0.273]))
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from lacuna.errors import UserError


@dataclass(frozen=True)
class Wald:
    """A test that several parameters have given values: statistic ~ F(df1, df2)."""

    statistic: float
    df1: int
    df2: float
    p: float
    riv: float  # relative increase in variance due to blanks, the same for all directions


@dataclass(frozen=True)
class Pooled:
    """k parameters, pooled over m completed tables."""

    names: tuple[Any, ...]  # k
    m: int
    estimate: np.ndarray  # (k,)
    within: np.ndarray  # (k, k) covariance within tables, on average; NaN off the diagonal where it is not known
    between: np.ndarray  # (k, k) covariance between tables
    df_complete: float  # degrees of freedom that the analysis would have without blanks; may be infinite

    @property
    def variance(self) -> np.ndarray:
        """(k,) within tables, and between them with what a finite m adds."""
        return np.diag(self.within) + (1 + 1 / self.m) * np.diag(self.between)

    @property
    def se(self) -> np.ndarray:
        """(k,) standard errors."""
        return np.sqrt(self.variance)

    @property
    def riv(self) -> np.ndarray:
        """(k,) relative increase in variance due to blanks."""
        return (1 + 1 / self.m) * np.diag(self.between) / np.diag(self.within)

    @property
    def lambda_(self) -> np.ndarray:
        """(k,) share of the variance that is due to blanks."""
        return (1 + 1 / self.m) * np.diag(self.between) / self.variance

    @property
    def df(self) -> np.ndarray:
        """(k,) degrees of freedom by Barnard and Rubin."""
        with np.errstate(divide="ignore"):
            old = (self.m - 1) / self.lambda_**2
        if np.isinf(self.df_complete):
            return old
        observed = (self.df_complete + 1) / (self.df_complete + 3) * self.df_complete * (1 - self.lambda_)
        return 1 / (1 / old + 1 / observed)

    @property
    def fmi(self) -> np.ndarray:
        """(k,) fraction of missing information."""
        return (self.riv + 2 / (self.df + 3)) / (self.riv + 1)

    def interval(self, alpha: float = 0.05) -> np.ndarray:
        """(k, 2) bounds of the 1 - alpha confidence intervals."""
        half = stats.t.ppf(1 - alpha / 2, self.df) * self.se
        return np.column_stack([self.estimate - half, self.estimate + half])

    def summary(self, alpha: float = 0.05) -> pd.DataFrame:
        """A row for each parameter; ``p`` is of the test that it is 0."""
        low, high = self.interval(alpha).T
        statistic = self.estimate / self.se
        return pd.DataFrame(
            {
                "estimate": self.estimate,
                "se": self.se,
                "statistic": statistic,
                "df": self.df,
                "p": 2 * stats.t.sf(np.abs(statistic), self.df),
                "low": low,
                "high": high,
                "riv": self.riv,
                "lambda": self.lambda_,
                "fmi": self.fmi,
            },
            index=pd.Index(self.names, name="parameter"),
        )

    def wald(self, names: Sequence[Any] | None = None, value: float | np.ndarray = 0.0) -> Wald:
        """Test that parameters have a value, all at once (D1).

        Args:
            names: of the q parameters; None: all.
            value: one number, or (q,).

        Raises:
            UserError: a name is unknown, or covariances are not known.
        """
        names = self.names if names is None else tuple(names)
        if unknown := [name for name in names if name not in self.names]:
            raise UserError(f"no parameter is named {unknown[0]!r}: there are {list(self.names)}")
        at = [self.names.index(name) for name in names]
        within, between = self.within[np.ix_(at, at)], self.between[np.ix_(at, at)]
        if np.isnan(within).any():
            raise UserError("a test of several parameters needs their covariances: give matrices (m, k, k)")
        k, off = len(at), self.estimate[at] - value
        riv = (1 + 1 / self.m) * float(np.trace(np.linalg.solve(within, between))) / k
        statistic = float(off @ np.linalg.solve(within, off)) / (k * (1 + riv))
        df2 = self._df_of_test(k, riv)
        return Wald(statistic, k, df2, float(stats.f.sf(statistic, k, df2)), riv)

    def _df_of_test(self, k: int, riv: float) -> float:
        t = k * (self.m - 1)
        if riv == 0:
            return self.df_complete
        if t <= 4:
            return t * (1 + 1 / k) * (1 + 1 / riv) ** 2 / 2
        if np.isinf(self.df_complete):
            return 4 + (t - 4) * (1 + (1 - 2 / t) / riv) ** 2
        a = riv * t / (t - 2)  # Reiter's names from here on
        v = (self.df_complete + 1) / (self.df_complete + 3) * self.df_complete
        c0, c1, c2 = 1 / (t - 4), v - 2 * (1 + a), v - 4 * (1 + a)
        z = (
            1 / c2
            + c0 * a**2 * c1 / ((1 + a) ** 2 * c2)
            + c0 * (8 * a**2 * c1 / ((1 + a) * c2**2) + 4 * a**2 / ((1 + a) * c2))
            + c0 * (4 * a**2 / (c2 * c1) + 16 * a**2 * c1 / c2**3)
            + c0 * 8 * a**2 / c2**2
        )
        return 4 + 1 / z


def pool(estimates: Any, variances: Any = None, n_complete: float | None = None) -> Pooled:
    """Pool analyses of m completed tables.

    Args:
        estimates: (m,) of one parameter, (m, k) of several; or m fits, each with ``params`` and ``cov_params()`` or
            ``bse``, such as those of statsmodels.
        variances: (m,), (m, k) squared standard errors, or (m, k, k) covariances; None for fits.
        n_complete: rows of the completed table, from which the k parameters are taken off as degrees of freedom.
            None: those that all fits agree on in ``df_resid``, else infinitely many.

    Raises:
        UserError: fewer than two tables, or shapes that do not go together.
    """
    df_complete = None
    if variances is None:
        names, q, u, df_complete = _read_fits(list(estimates))
    else:
        q, u = np.asarray(estimates, float), np.asarray(variances, float)
        q = q[:, None] if q.ndim == 1 else q
        u = u[:, None] if u.ndim == 1 else u
        names = tuple(range(q.shape[1])) if q.ndim == 2 else ()
    if q.ndim != 2 or u.shape not in (q.shape, (*q.shape, q.shape[-1])):
        raise UserError(f"estimates {q.shape} and variances {u.shape} disagree: need (m, k), and (m, k) or (m, k, k)")
    m, k = q.shape
    if m < 2:
        raise UserError("pooling needs at least two completed tables: the variance between them counts")
    within = u.mean(0)
    if u.ndim == 2:
        within = np.where(np.eye(k, dtype=bool), within, np.nan)
    if n_complete is not None:
        df_complete = n_complete - k
        if df_complete <= 0:
            raise UserError(f"n_complete is {n_complete}, not more than the {k} parameters")
    between = np.atleast_2d(np.cov(q, rowvar=False))
    return Pooled(names, m, q.mean(0), within, between, np.inf if df_complete is None else float(df_complete))


def _read_fits(fits: list[Any]) -> tuple[tuple[Any, ...], np.ndarray, np.ndarray, float | None]:
    """Names, estimates (m, k), variances (m, k) or (m, k, k), and degrees of freedom where all fits have the same."""
    for fit in fits:
        if not hasattr(fit, "params") or not (hasattr(fit, "cov_params") or hasattr(fit, "bse")):
            raise UserError(f"{type(fit).__name__} has no params with cov_params() or bse: give variances")
    named = [tuple(getattr(fit.params, "index", range(len(fit.params)))) for fit in fits]
    if len(set(named)) > 1:
        raise UserError(f"the fits have different parameters, {list(named[0])} and others: fit the same model to each")
    q = np.array([np.asarray(fit.params, float) for fit in fits])
    has_covariances = all(hasattr(fit, "cov_params") for fit in fits)
    u = np.array([np.asarray(fit.cov_params() if has_covariances else fit.bse, float) for fit in fits])
    freedom = {getattr(fit, "df_resid", None) for fit in fits}
    return named[0] if named else (), q, u if has_covariances else u**2, freedom.pop() if len(freedom) == 1 else None
