"""What a comparison found: which method to take, by how much, and how sure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from lacuna.rng import stream

RESAMPLES = 1_000


@dataclass(frozen=True)
class Comparison:
    """Errors of methods on the same cells, hidden again."""

    methods: tuple[str, ...]  # that were tried to the end, best first
    columns: tuple[str, ...]  # with cells that were hidden again
    errors: np.ndarray  # (methods, repetitions, columns): see ``race.column_errors``; NaN where nothing was hidden
    weights: np.ndarray  # (columns,) blanks of the table, sum 1
    seconds: tuple[float, ...]  # of one fit and imputation, by method
    rows: int  # of the table, that a repetition saw
    left_out: dict[str, str]  # methods without a result, and why

    @property
    def chosen(self) -> str:
        """The method to take: that of the smallest error."""
        return self.methods[0]

    @property
    def repetitions(self) -> int:
        return self.errors.shape[1]

    @property
    def error(self) -> np.ndarray:
        """(methods,) mean over columns, weighted by their blanks."""
        return weighted(self.errors, self.weights)

    def against(self, method: int, alpha: float = 0.05) -> tuple[float, float, float]:
        """How much larger a method's error is than the chosen one's, paired over repetitions and columns.

        Returns:
            Lower and upper bound of the difference as a share of the chosen one's error, at level 1 - alpha, and the
            share of resamples of repetitions and columns in which the chosen one is better, ties half.
        """
        rng = stream(0, "resamples")
        reps, d = self.errors.shape[1:]
        relative = np.empty(RESAMPLES)
        for b in range(RESAMPLES):
            some = np.ix_(np.array([0, method]), rng.integers(0, reps, reps), np.arange(d))
            first, other = weighted(self.errors[some], self.weights * rng.multinomial(d, np.full(d, 1 / d)))
            relative[b] = (other - first) / first if first > 0 else float(other > 0)
        lower, upper = np.nanquantile(relative, [alpha / 2, 1 - alpha / 2])
        known = relative[~np.isnan(relative)]
        return float(lower), float(upper), float((known > 0).mean() + 0.5 * (known == 0).mean())

    def as_dict(self) -> dict[str, Any]:
        """In JSON's terms."""
        rows = []
        for i, name in enumerate(self.methods):
            lower, upper, sure = self.against(i)
            more = float(self.error[i] / self.error[0] - 1) if self.error[0] > 0 else 0.0
            row: dict[str, Any] = {"method": name, "error": float(self.error[i]), "seconds": self.seconds[i]}
            rows.append(row | ({} if i == 0 else {"more": more, "lower": lower, "upper": upper, "sure": sure}))
        return {
            "chosen": self.chosen,
            "methods": rows,
            "left_out": self.left_out,
            "repetitions": self.repetitions,
            "rows": self.rows,
            "columns": list(self.columns),
        }

    def __str__(self) -> str:
        found = self.as_dict()
        width = max(len("method"), *map(len, self.methods))
        lines = [f"{'method':{width}}   error   worse by     (95%)             sure   seconds"]
        for row in found["methods"]:
            line = f"{row['method']:{width}}  {row['error']:6.3f}"
            if "more" in row:
                interval = f"({row['lower']:+.1%} to {row['upper']:+.1%})"
                line += f"   {row['more']:+7.1%}   {interval:20s}  {row['sure']:4.0%}"
            else:
                line += " " * 40
            lines.append(f"{line}  {row['seconds']:8.1f}")
        lines += ["", self.verdict(found)]
        lines += [f"not compared: {name}: {why}" for name, why in self.left_out.items()]
        return "\n".join(lines)

    def verdict(self, found: dict[str, Any]) -> str:
        """A sentence."""
        cells = f"{self.repetitions} repetitions, {len(self.columns)} columns, {self.rows:,} rows"
        if len(self.methods) < 2:
            return f"Take {self.chosen}: no other method was tried to the end ({cells})."
        next_best = found["methods"][1]
        how = "clearly" if next_best["sure"] >= 0.975 else "probably" if next_best["sure"] >= 0.8 else "by a hair"
        return (
            f"Take {self.chosen}: {how} better than {next_best['method']}, whose error is {next_best['more']:.1%} "
            f"larger (sure to {next_best['sure']:.0%}; {cells})."
        )


def weighted(errors: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """(methods,) mean of errors (methods, repetitions, columns) over repetitions and, weighted, over columns.

    >>> weighted(np.array([[[1.0, 3.0], [1.0, np.nan]]]), np.array([0.5, 0.5]))
    array([2.])
    """
    seen = ~np.isnan(errors)
    of_column = np.where(seen, errors, 0.0).sum(1) / np.maximum(seen.sum(1), 1)
    share = weights * seen.any(1)
    total = share.sum(-1)
    return (of_column * share).sum(-1) / np.where(total > 0, total, np.nan)
