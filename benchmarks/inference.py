"""Bias and coverage of regression coefficients, pooled over the draws of methods, where the truth is known.

    python benchmarks/inference.py --methods chained ice mice_r --laws linear --rates 0.3 --repetitions 200
    python benchmarks/inference.py --table                      # what results/inference.jsonl holds

In each repetition a table is drawn from a law, cells are hidden, m completed tables are drawn, the analysis of the law
is fitted to each, and the fits are pooled by Rubin's rules. All methods get the same tables. ``mice_r`` is R's mice at
its defaults, through inference.R beside this file, where Rscript is there. A method without draws counts as one
completed table that is taken for the truth. One JSON line a setting; a run goes on where it was stopped.
"""

from __future__ import annotations

import argparse
import itertools
import json
import shutil
import subprocess
import tempfile
import time
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.optimize import brentq
from scipy.special import expit

from lacuna import Imputer, pool
from lacuna.errors import UserError
from lacuna.rng import stream
from lines import Line, measured_once

RESULTS = Path(__file__).parent / "results" / "inference.jsonl"
BY_R = Path(__file__).with_name("inference.R")
METHODS = ("chained", "boosting", "ice", "missforest_sklearn", "missbgm", "miceforest", "selective", "mice_r")
MECHANISMS = ("mcar", "mar", "dropout")
STEEP = 1.5  # slope of the log-odds of a blank in the column that is never blank


class Law(NamedTuple):
    """Columns, the first of which is never blank under MAR and drop-out, and the analysis."""

    names: tuple[str, ...]  # of the coefficients after the intercept
    truth: tuple[float, ...]


LAWS = {
    "linear": Law(("x1", "x2"), (1, 1)),
    "interaction": Law(("x1", "x2", "x1:x2"), (1, 1, 1)),
    "quadratic": Law(("x1", "x2", "x1^2"), (1, 1, 1)),
    "logistic": Law(("x1", "x2"), (1, 1)),
    "mixed": Law(("x1", "x2", "g=b", "g=c", "g=d", "count"), (1, 1, 0.5, -0.5, 1, 0.5)),
    "wide": Law(("x1", "x2", "z0"), (1, 1, 1)),
}


def draw_table(law: str, n: int, rng: np.random.Generator) -> pd.DataFrame:
    """A complete table of n rows, the outcome last."""
    x1 = rng.normal(size=n)
    columns = {"x1": x1, "x2": 0.5 * x1 + 0.75**0.5 * rng.normal(size=n)}
    if law == "wide":  # 30 columns: the outcome, three that matter, 26 that do not
        columns |= {f"z{i}": rng.normal(size=n) for i in range(27)}
    if law == "mixed":
        columns["g"] = pd.Categorical.from_codes(rng.integers(4, size=n), list("abcd"))
        columns["x2"] = columns["x2"] + np.array([0, 0.5, -0.5, 1])[columns["g"].codes]
        columns["count"] = rng.poisson(np.exp(0.3 + 0.4 * x1))
    table = pd.DataFrame(columns)
    mean = design_of(law, table)[:, 1:] @ LAWS[law].truth
    if law == "logistic":
        return table.assign(y=pd.Categorical.from_codes((rng.random(n) < expit(mean)).astype(int), ["no", "yes"]))
    return table.assign(y=mean + rng.normal(size=n))


def hide(table: pd.DataFrame, mechanism: str, rate: float, rng: np.random.Generator) -> pd.DataFrame:
    """Blanks in a share ``rate`` of the cells: of all columns (mcar), or of all but the first, by the first."""
    n, d = table.shape
    if mechanism == "mcar":
        return table.mask(rng.random((n, d)) < rate)
    steps = d - 1 if mechanism == "dropout" else 1

    def out(intercept: float) -> np.ndarray:
        """(n, steps) probability that a row's cells are hidden from this step on back."""
        return 1 - (1 - expit(intercept + STEEP * table["x1"].to_numpy()))[:, None] ** np.arange(1, steps + 1)

    hazard = expit(brentq(lambda a: out(a).mean() - rate, -30, 30) + STEEP * table["x1"].to_numpy())[:, None]
    leaves = rng.random((n, d - 1)) < hazard
    hidden = np.zeros((n, d), bool)
    hidden[:, 1:] = np.logical_or.accumulate(leaves, axis=1) if mechanism == "dropout" else leaves
    return table.mask(hidden)


def design_of(law: str, table: pd.DataFrame) -> np.ndarray:
    """(n, k + 1) of the analysis, intercept first."""
    x1, x2 = (table[name].to_numpy(float) for name in ("x1", "x2"))
    extra = {
        "interaction": lambda: [x1 * x2],
        "quadratic": lambda: [x1**2],
        "mixed": lambda: [table["g"] == level for level in "bcd"] + [table["count"]],
        "wide": lambda: [table["z0"]],
    }.get(law, list)()
    return np.column_stack([np.ones(len(table)), x1, x2, *extra]).astype(float)


def analyse(law: str, table: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Coefficients (k,) without the intercept and their squared standard errors (k,)."""
    design = design_of(law, table)
    if law == "logistic":
        y, beta = (table["y"] == "yes").to_numpy(float), np.zeros(design.shape[1])
        for _ in range(25):
            p = expit(design @ beta)
            covariance = np.linalg.inv((design.T * (p * (1 - p))) @ design)
            beta = beta + covariance @ design.T @ (y - p)
    else:
        y, inverse = table["y"].to_numpy(float), np.linalg.inv(design.T @ design)
        beta = inverse @ design.T @ y
        covariance = inverse * ((y - design @ beta) ** 2).sum() / (len(y) - len(beta))
    return beta[1:], np.diag(covariance)[1:]


def blank_tables(key: Line) -> Iterator[tuple[int, pd.DataFrame]]:
    """Seed and table of each repetition."""
    for seed in range(key["repetitions"]):
        rng = stream(seed, "inference", key["law"], key["n"])
        complete = draw_table(key["law"], key["n"], rng)
        yield seed, hide(complete, key["mechanism"], key["rate"], rng)


def completions(key: Line) -> Iterator[list[pd.DataFrame]]:
    """The m completed tables of each repetition."""
    if key["method"] == "mice_r":
        yield from _by_r(key)
        return
    for seed, table in blank_tables(key):
        imputer = Imputer(key["method"], random_state=seed).fit(table)
        try:
            yield imputer.draws(table, key["m"])
        except UserError:
            yield [imputer.transform(table)] * key["m"]


def _by_r(key: Line) -> Iterator[list[pd.DataFrame]]:
    with tempfile.TemporaryDirectory() as folder:
        blank, done = Path(folder, "blank.csv"), Path(folder, "done.csv")
        tables = [table for _, table in blank_tables(key)]
        pd.concat(tables, keys=range(len(tables)), names=["rep", None]).reset_index("rep").to_csv(blank, index=False)
        subprocess.run(["Rscript", BY_R, blank, done, str(key["m"])], check=True, capture_output=True)
        for _, tables_of in pd.read_csv(done).groupby("rep"):
            yield [table for _, table in tables_of.groupby("imp")]


def measure(key: Line) -> Line:
    """Bias relative to the truth, coverage of 95% intervals, and CPU seconds a table."""
    truth = np.array(LAWS[key["law"]].truth)
    estimates, errors, covered = [], [], []
    started = time.process_time() + _child_seconds()
    for tables in completions(key):
        fits = [analyse(key["law"], table) for table in tables]
        pooled = pool(*(np.array(part) for part in zip(*fits, strict=True)), n_complete=key["n"])
        low, high = pooled.interval().T
        estimates.append(pooled.estimate)
        errors.append(pooled.se)
        covered.append((low <= truth) & (truth <= high))
    seconds = time.process_time() + _child_seconds() - started
    return {
        "coefficients": LAWS[key["law"]].names,
        "bias": _rounded(np.mean(estimates, axis=0) / truth - 1),
        "coverage": _rounded(np.mean(covered, axis=0)),
        "sd": _rounded(np.std(estimates, axis=0)),
        "se": _rounded(np.mean(errors, axis=0)),
        "seconds": round(seconds / key["repetitions"], 3),
    }


def _child_seconds() -> float:
    import resource

    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def _rounded(values: np.ndarray) -> list[float]:
    return np.round(values, 4).tolist()


def as_table(lines: list[Line]) -> str:
    """Rows: settings and methods; the coefficients that are worst off, and CPU seconds a table."""
    head = ("law", "blanks", "n", "m", "repetitions", "method", "bias, worst", "coverage, least", "most", "seconds")
    rows = [
        (
            line["law"],
            f"{line['mechanism']} {line['rate']}",
            line["n"],
            line["m"],
            line["repetitions"],
            line["method"],
            f"{100 * max(line['bias'], key=abs):+.1f}%",
            f"{min(line['coverage']):.2f}",
            f"{max(line['coverage']):.2f}",
            f"{line['seconds']:.1f}",
        )
        for line in lines
    ]
    return "\n".join("| " + " | ".join(map(str, row)) + " |" for row in [head, ["---"] * len(head), *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--laws", nargs="+", default=tuple(LAWS), choices=tuple(LAWS))
    parser.add_argument("--mechanisms", nargs="+", default=MECHANISMS, choices=MECHANISMS)
    parser.add_argument("--rates", nargs="+", type=float, default=(0.1, 0.3, 0.5))
    parser.add_argument("--n", nargs="+", type=int, default=(300, 1000))
    parser.add_argument("--m", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--table", action="store_true", help="print what --out holds, and run nothing")
    asked = parser.parse_args()
    if asked.table:
        print(as_table([json.loads(line) for line in asked.out.read_text().splitlines()]))
        return
    methods = [m for m in asked.methods if m != "mice_r" or shutil.which("Rscript")]
    settings = itertools.product(asked.laws, asked.mechanisms, asked.rates, asked.n, methods)
    names = ("law", "mechanism", "rate", "n", "method")
    keys = [dict(zip(names, s, strict=True)) | {"m": asked.m, "repetitions": asked.repetitions} for s in settings]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # packages warn of each table
        print(as_table(measured_once(asked.out, keys, measure)))


if __name__ == "__main__":
    main()
