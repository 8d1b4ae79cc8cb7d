"""How far blanks would have to differ from what the other columns say of them for a conclusion to change.

Delta adjustment and tipping points: Rubin, "Formalizing subjective notions about the effect of nonrespondents in sample
surveys", 1977; Carpenter, Kenward, "Multiple Imputation and its Application", 2013, chapter 10.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from lacuna.errors import UserError
from lacuna.figures import blank_figure
from lacuna.frames.labels import label_text
from lacuna.imputer import Imputer
from lacuna.methods.base import Method
from lacuna.pooling import Pooled, pool

if TYPE_CHECKING:
    from matplotlib.figure import Figure

DELTAS = (-1.0, -0.75, -0.5, -0.25, 0.0, 0.25, 0.5, 0.75, 1.0)


@dataclass(frozen=True, eq=False, repr=False)
class TippingPoint:
    """A pooled estimate by delta, and where its conclusion changes.

    The conclusion is whether the confidence interval lies above ``null``, below it, or around it.
    """

    column: str
    parameter: str
    unit: str  # of delta
    null: float
    alpha: float
    table: pd.DataFrame  # by delta: estimate, se, low, high and p, of the test that the estimate is ``null``

    @property
    def below(self) -> float:
        """The largest delta below 0 at which the conclusion is another than at 0; NaN where none is in the range."""
        return self._tip(self.table.index[self.table.index <= 0][::-1])

    @property
    def above(self) -> float:
        """The smallest delta above 0 at which the conclusion is another than at 0; NaN where none is in the range."""
        return self._tip(self.table.index[self.table.index >= 0])

    def _tip(self, deltas: pd.Index) -> float:
        """Linear between the first delta with another conclusion and the one before it."""
        ends = self.table.loc[deltas, ["low", "high"]].to_numpy() - self.null
        sides = np.where(ends[:, 0] > 0, 1, np.where(ends[:, 1] < 0, -1, 0))
        changed = np.flatnonzero(sides != sides[0])
        if not len(changed):
            return math.nan
        k = int(changed[0])
        bound = 0 if 1 in (sides[0], sides[k]) and sides[0] != -1 else 1
        before, after = ends[k - 1, bound], ends[k, bound]
        return float(deltas[k - 1] + (deltas[k] - deltas[k - 1]) * before / (before - after))

    def __repr__(self) -> str:
        at_zero = self.table.loc[0.0].to_dict()
        low, high = at_zero["low"], at_zero["high"]
        side = "above" if low > self.null else "below" if high < self.null else "not told from"
        tips = [f"{tip:+.2f}" for tip in (self.below, self.above) if not math.isnan(tip)]
        span = f"{self.table.index.min():g} to {self.table.index.max():g} {self.unit}"
        changes = f"changes at a delta of {' and of '.join(tips)} {self.unit}" if tips else f"holds from {span}"
        return (
            f"{self.parameter}: {at_zero['estimate']:.4g}, {1 - self.alpha:.0%} interval {low:.4g} to "
            f"{high:.4g}, {side} {self.null:g}. With blanks of {self.column} that differ from what is predicted, this "
            f"{changes}.\n\n{self.table.to_string(float_format='{:.4g}'.format)}"
        )

    def figure(self) -> Figure:
        """Estimate and interval by delta, with the tipping points."""
        figure, (axis,) = blank_figure(1)
        deltas = self.table.index.to_numpy(float)
        axis.fill_between(deltas, self.table["low"], self.table["high"], color="#1d4ed8", alpha=0.2, linewidth=0)
        axis.plot(deltas, self.table["estimate"], "o-", color="#1d4ed8", markersize=3)
        axis.axhline(self.null, color="0.4", linewidth=0.8)
        for tip in (self.below, self.above):
            if not math.isnan(tip):
                axis.axvline(tip, color="#c2410c", linestyle="--", linewidth=1)
                axis.annotate(f"{tip:+.2f}", (tip, 0.98), xycoords=("data", "axes fraction"), fontsize=8, rotation=90)
        axis.set(xlabel=f"delta of {self.column} ({self.unit})", ylabel=self.parameter)
        return figure


def tipping_point(
    table: pd.DataFrame,
    column: Any,
    analysis: Callable[[pd.DataFrame], Any],
    *,
    parameter: Any = None,
    deltas: Iterable[float] = DELTAS,
    level: Any = None,
    null: float = 0.0,
    alpha: float = 0.05,
    m: int = 20,
    method: str | Callable[[dict[str, Any]], Method] = "chained",
    random_state: int = 0,
    **imputer: Any,
) -> TippingPoint:
    """Repeat a pooled analysis while the blanks of one column are shifted, and find where its conclusion changes.

    Args:
        table: DataFrame with blanks.
        column: label of the column whose blanks are shifted, in each draw: numbers by delta sds of the column, the
            log-odds of a level by delta. Other columns are imputed given the shifted values.
        analysis: of one completed table, to a fit with ``params`` and ``cov_params()`` or ``bse`` (statsmodels), or
            to an estimate and its squared standard error.
        parameter: the name of the one that counts, where a fit has several.
        deltas: to be tried; 0 is always.
        level: of a column with more than two levels, the one that is shifted; of two it is the second.
        null: the value that the estimate is compared with.
        alpha: intervals are at level 1 - alpha.
        m: completed tables for each delta.
        method: id of a method with a key ``delta``, or a function from ``{column: delta}`` to a Method.
        random_state: the same for each delta, so that nothing else differs between them.
        imputer: further arguments of ``Imputer``, such as ``schema``.

    Returns:
        A table by delta, the tipping points ``below`` and ``above`` 0, and a ``figure()``; ``print`` says it in words.

    Raises:
        UserError: the column has no blank, is not there, or the analysis gives several parameters and none is named.

    >>> frame = pd.DataFrame({"x": np.arange(40) % 9, "y": np.sin(np.arange(40.0))})
    >>> frame.loc[frame["x"] == 3, "y"] = None
    >>> mean = lambda done: (done["y"].mean(), done["y"].var() / len(done))
    >>> found = tipping_point(frame, "y", mean, deltas=[-1], m=2, method_options={"chains": 2, "sweeps": 2})
    >>> bool(found.table.loc[-1, "estimate"] < found.table.loc[0, "estimate"])
    True
    """
    if column not in table.columns:
        raise UserError(
            f"there is no column {label_text(column)!r}: there are {[label_text(c) for c in table.columns]}"
        )
    if not table[column].isna().any():
        raise UserError(f"column {label_text(column)!r} has no blank: nothing depends on what its blanks hide")
    name, rows = label_text(column), {}
    options = imputer.pop("method_options", {})
    for delta in sorted({0.0, *map(float, deltas)}):
        shift = {name: delta if level is None else {str(level): delta}} if delta else {}
        made = method(shift) if callable(method) else method
        given: dict[str, Any] = {} if callable(method) else {"method_options": {**options, "delta": shift}}
        fitted = Imputer(made, random_state=random_state, **given, **imputer).fit(table)
        pooled = _pooled([analysis(done) for done in fitted.draws(table, m)])
        rows[delta], chosen = _row(pooled, parameter, null, alpha)
    numbers = pd.api.types.is_numeric_dtype(table[column]) and not pd.api.types.is_bool_dtype(table[column])
    unit = "log-odds" if level is not None or not numbers else "sds"
    found = pd.DataFrame.from_dict(rows, orient="index").rename_axis("delta")
    return TippingPoint(name, str(chosen), unit, null, alpha, found)


def _pooled(results: list[Any]) -> Pooled:
    if hasattr(results[0], "params"):
        return pool(results)
    estimates, variances = zip(*results, strict=True)
    return pool(list(estimates), list(variances))


def _row(pooled: Pooled, parameter: Any, null: float, alpha: float) -> tuple[dict[str, float], Any]:
    """Numbers of the parameter that counts, and what it is called."""
    if parameter is None and len(pooled.names) > 1:
        raise UserError(f"the analysis has several parameters: name one of {list(pooled.names)} as parameter")
    chosen = pooled.names[0] if parameter is None else parameter
    if chosen not in pooled.names:
        raise UserError(f"the analysis has no parameter {chosen!r}: there are {list(pooled.names)}")
    row = pooled.summary(alpha).iloc[pooled.names.index(chosen)]
    numbers = {key: float(row[key]) for key in ("estimate", "se", "low", "high")}
    p = 2 * stats.t.sf(abs(numbers["estimate"] - null) / numbers["se"], float(row["df"]))
    return numbers | {"p": float(p)}, "estimate" if chosen == 0 and parameter is None else chosen
