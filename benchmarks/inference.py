"""Bias and coverage of estimates, pooled over the draws of methods, where the truth is known.

    python benchmarks/inference.py --methods chained ice mice_r --laws linear --rates 0.3 --within 500
    python benchmarks/inference.py --table                      # what results/inference.jsonl holds
    python benchmarks/inference.py --markdown inference.md      # the same, short

In each repetition a table is drawn from a law, cells are hidden, m completed tables are drawn, the analysis of the law
is fitted to each, and the fits are pooled by Rubin's rules. All methods get the same tables. ``complete`` analyses the
tables without blanks; ``mice_r`` is R's mice at its defaults, through inference.R beside this file, where Rscript is
there; a method without draws counts as one completed table that is taken for the truth. Methods are made without
configurations, so that numpy, pandas, scipy, scikit-learn and torch are enough; a method whose package is missing is
left out with a note.

One JSON line a block of repetitions. A call does what no line tells of, and after ``--within`` seconds begins nothing
more and ends; the same command goes on from there. Lines of several machines may be put into one file.
"""

from __future__ import annotations

import argparse
import itertools
import json
import multiprocessing
import os
import shutil
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path
from typing import Any

for _library in ("OMP", "OPENBLAS", "MKL"):  # before numpy is there: each process computes in one thread
    os.environ.setdefault(f"{_library}_NUM_THREADS", "1")

import numpy as np  # noqa: E402
import pandas as pd  # noqa: E402

from inference_laws import LAWS, MECHANISMS, analyse, draw_table, hide  # noqa: E402
from inference_shown import as_markdown, as_table, merged  # noqa: E402
from lacuna.errors import MissingPackage, UserError  # noqa: E402
from lacuna.imputer import Imputer  # noqa: E402
from lacuna.pooling import pool  # noqa: E402
from lacuna.rng import stream  # noqa: E402

Line = dict[str, Any]

RESULTS = Path(__file__).parent / "results" / "inference.jsonl"
BY_R = Path(__file__).with_name("inference.R")
SETTING = ("law", "mechanism", "rate", "n", "method", "m")
R_AT_ONCE = 25  # tables that one process of R completes
CLUSTERED = ("linear", "mixed")  # laws that are tried in sites too


class Unavailable(Exception):
    """A method that cannot be had here, or has nothing to say of a law; the message says why."""


# --- methods, at the settings of a laptop where they have some --------------------------------------------------------


def _chained(law: str) -> Any:
    from lacuna.methods.chained import Chained

    return Chained()


def _chained_analysis(law: str) -> Any:
    from lacuna.methods.chained import Chained

    if LAWS[law].formula is None:
        raise Unavailable(f"the analysis of {law} is no formula")
    try:
        return Chained(analysis=LAWS[law].formula)  # type: ignore[call-arg, unused-ignore]
    except TypeError as error:
        raise Unavailable("chained takes no analysis") from error


def _selective(law: str) -> Any:
    from lacuna.methods.selective import Selective

    return Selective()


def _boosting(law: str) -> Any:
    from lacuna.methods.boosting import BoostedTrees

    return BoostedTrees()


def _ice(law: str) -> Any:
    from lacuna.methods.external.ice import ICE

    return ICE(rounds=5)


def _missforest(law: str) -> Any:
    from lacuna.methods.external.missforest_sklearn import ChainedForests

    return ChainedForests(rounds=3, trees=20, min_leaf=5)


def _missbgm(law: str) -> Any:
    from lacuna.methods.missbgm import MissBGM

    return MissBGM(max_batches=10_000, burn_in=500, device="cpu")


def _miceforest(law: str) -> Any:
    from lacuna.methods.external.miceforest import MiceForest

    return MiceForest(iterations=5)


MAKERS: dict[str, Callable[[str], Any]] = {
    "chained": _chained,
    "chained_analysis": _chained_analysis,
    "selective": _selective,
    "boosting": _boosting,
    "ice": _ice,
    "missforest_sklearn": _missforest,
    "miceforest": _miceforest,
    "missbgm": _missbgm,
}
METHODS = ("complete", *MAKERS, "mice_r")


def why_not(method: str, law: str) -> str | None:
    """Why ``method`` cannot be tried on ``law`` here; None where it can."""
    if method == "complete":
        return None
    if method == "mice_r":
        return None if shutil.which("Rscript") else "Rscript is not installed"
    try:
        made = MAKERS[method](law)
        if method == "chained_analysis":  # its package may be asked for by the fit alone
            Imputer(made).fit(draw_table(law, 60, stream(0, "inference")))
    except (Unavailable, MissingPackage) as reason:
        return str(reason)
    return None


# --- one block ----------------------------------------------------------------------------------------------------


def tables_of(setting: Line, seed: int) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The table of a repetition, and the same with its cells hidden."""
    rng = stream(seed, "inference", setting["law"], setting["n"])
    complete = draw_table(setting["law"], setting["n"], rng)
    if setting["method"] == "complete":
        return complete, complete
    return complete, hide(complete, setting["mechanism"], setting["rate"], rng)


def completions(setting: Line, seeds: list[int]) -> Iterator[tuple[list[pd.DataFrame] | None, float]]:
    """By seed: m completed tables, None where the method failed, and the CPU seconds that they took."""
    if setting["method"] == "mice_r":
        yield from _by_r(setting, seeds)
        return
    for seed in seeds:
        complete, blank = tables_of(setting, seed)
        started = time.process_time()
        try:
            done: list[pd.DataFrame] | None = _completed(setting, seed, complete, blank)
        except (UserError, ArithmeticError, ValueError, RuntimeError) as error:
            print(f"{setting} seed {seed}: {type(error).__name__}: {error}", file=sys.stderr, flush=True)
            done = None
        yield done, time.process_time() - started


def _completed(setting: Line, seed: int, complete: pd.DataFrame, blank: pd.DataFrame) -> list[pd.DataFrame]:
    if setting["method"] == "complete":
        return [complete] * 2
    law = setting["law"]
    candidates = list(LAWS[law].candidates) or None
    imputer = Imputer(MAKERS[setting["method"]](law), mm_candidates=candidates, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # packages warn of each table
        imputer.fit(blank)
        try:
            return list(imputer.draws(blank, setting["m"]))
        except UserError:  # it gives no draws
            return [imputer.transform(blank)] * setting["m"]


def _by_r(setting: Line, seeds: list[int]) -> Iterator[tuple[list[pd.DataFrame] | None, float]]:
    with tempfile.TemporaryDirectory() as folder:
        blank, done = Path(folder, "blank.csv"), Path(folder, "done.csv")
        tables = [tables_of(setting, seed)[1] for seed in seeds]
        ordered = [name for name in tables[0] if getattr(tables[0][name].dtype, "ordered", False)]
        pd.concat(tables, keys=seeds, names=["rep", None]).reset_index("rep").to_csv(blank, index=False)
        subprocess.run(["Rscript", BY_R, blank, done, str(setting["m"]), *ordered], check=True, capture_output=True)
        found = dict(list(pd.read_csv(done).groupby("rep"))) if done.stat().st_size > 10 else {}
        for seed in seeds:
            if seed not in found:
                yield None, float("nan")
            else:
                yield [table for _, table in found[seed].groupby("imp")], float(found[seed]["seconds"].iloc[0])


def measure(setting: Line, first: int, last: int, deadline: float = float("inf")) -> Line | None:
    """What repetitions ``first`` to ``last - 1`` found, or as many of them as ``time.time()`` allows; None if none.

    Of each estimand: mean and variance of the pooled estimates, mean of their squared standard errors, share of 95%
    intervals that hold the truth, their mean width, mean fraction of missing information.
    """
    law = LAWS[setting["law"]]
    truth = np.array(law.truth, float)
    at_once = R_AT_ONCE if setting["method"] == "mice_r" else 1
    found: list[np.ndarray] = []
    seconds: list[float] = []
    longest, done = 0.0, first
    while done < last and time.time() + longest < deadline:
        started = time.time()
        seeds = list(range(done, min(done + at_once, last)))
        for tables, took in completions(setting, seeds):
            if tables is not None and (row := _pooled(setting, tables, truth)) is not None:
                found.append(row)
                seconds.append(took)
        done += len(seeds)
        longest = max(longest, time.time() - started)
    if done == first:
        return None
    line = setting | {"first": first, "repetitions": done - first, "failed": done - first - len(found)}
    if not found:
        return line
    estimate, variance, width, covered, fmi = np.array(found).transpose(1, 0, 2)
    return line | {
        "estimands": law.names,
        "truth": [round(float(value), 6) for value in truth],
        "estimate": _rounded(estimate.mean(0)),
        "spread": _rounded(estimate.var(0)),
        "variance": _rounded(variance.mean(0)),
        "covered": _rounded(covered.mean(0)),
        "width": _rounded(width.mean(0)),
        "fmi": _rounded(fmi.mean(0)),
        "seconds": round(float(np.mean(seconds)), 4),
    }


def _pooled(setting: Line, tables: list[pd.DataFrame], truth: np.ndarray) -> np.ndarray | None:
    """(5, k): estimates, squared errors, widths, whether they cover, fmi; None where the analysis has no answer."""
    try:
        with np.errstate(all="ignore"):
            fits = [analyse(setting["law"], table) for table in tables]
            pooled = pool(*(np.array(part) for part in zip(*fits, strict=True)), n_complete=setting["n"])
            low, high = pooled.interval().T
            row = np.array([pooled.estimate, pooled.variance, high - low, (low <= truth) & (truth <= high), pooled.fmi])
    except np.linalg.LinAlgError:
        return None
    return row if np.isfinite(row[:4]).all() else None


def _rounded(values: np.ndarray) -> list[float]:
    return [float(f"{value:.6g}") for value in values]


# --- many blocks --------------------------------------------------------------------------------------------------


def settings_of(asked: argparse.Namespace) -> Iterator[Line]:
    """The grid: complete tables once; sites with some laws only, unless laws are named."""
    laws = asked.laws or tuple(LAWS)
    sites = laws if asked.laws else CLUSTERED
    for n, method, law in itertools.product(asked.n, asked.methods, laws):
        blanks = list(itertools.product(asked.mechanisms, asked.rates))
        for mechanism, rate in [("none", 0.0)] if method == "complete" else blanks:
            if mechanism != "clustered" or law in sites:
                yield dict(zip(SETTING, (law, mechanism, rate, n, method, asked.m), strict=True))


def to_do(settings: Iterable[Line], lines: list[Line], repetitions: int, block: int) -> list[tuple[Line, int, int]]:
    """Settings with the first and last seed of blocks that no line tells of."""
    known: dict[tuple[Any, ...], set[int]] = {}
    for line in lines:
        seeds = range(line["first"], line["first"] + line["repetitions"])
        known.setdefault(tuple(line[key] for key in SETTING), set()).update(seeds)
    blocks = []
    for setting in settings:
        done = known.get(tuple(setting[key] for key in SETTING), set())
        for start in range(0, repetitions, block):
            left = [seed for seed in range(start, min(start + block, repetitions)) if seed not in done]
            for _, group in itertools.groupby(enumerate(left), key=lambda pair: pair[1] - pair[0]):
                run = [seed for _, seed in group]
                blocks.append((setting, run[0], run[-1] + 1))
    return blocks


def read_lines(path: Path) -> list[Line]:
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def carry_out(blocks: list[tuple[Line, int, int]], out: Path, jobs: int, deadline: float) -> None:
    """Measure blocks, several processes side by side, and add a line for each as it ends."""
    out.parent.mkdir(parents=True, exist_ok=True)

    def keep(line: Line | None) -> None:
        if line is not None:
            with out.open("a") as file:
                file.write(json.dumps(line) + "\n")

    if jobs == 1:
        for block in blocks:
            keep(measure(*block, deadline))
        return
    with ProcessPoolExecutor(jobs, mp_context=multiprocessing.get_context("spawn")) as workers:
        for ended in as_completed([workers.submit(measure, *block, deadline) for block in blocks]):
            keep(ended.result())


def main() -> None:
    started = time.time()
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", nargs="+", default=METHODS, choices=METHODS)
    parser.add_argument("--laws", nargs="+", choices=tuple(LAWS), help="default: all")
    parser.add_argument("--mechanisms", nargs="+", default=MECHANISMS, choices=MECHANISMS)
    parser.add_argument("--rates", nargs="+", type=float, default=(0.1, 0.3, 0.5))
    parser.add_argument("--n", nargs="+", type=int, default=(300, 1000))
    parser.add_argument("--m", type=int, default=20)
    parser.add_argument("--repetitions", type=int, default=200)
    parser.add_argument("--block", type=int, default=50, help="repetitions of a line, at most")
    parser.add_argument("--jobs", type=int, default=os.cpu_count(), help="processes")
    parser.add_argument("--within", type=float, default=float("inf"), help="seconds after which nothing more is begun")
    parser.add_argument("--out", type=Path, default=RESULTS)
    parser.add_argument("--count", action="store_true", help="say what is left to do, and run nothing")
    parser.add_argument("--merge", action="store_true", help="make one line of neighbouring blocks in --out")
    parser.add_argument("--table", action="store_true", help="print what --out holds, and run nothing")
    parser.add_argument("--markdown", type=Path, help="write a short table of what --out holds, and run nothing")
    asked = parser.parse_args()
    lines = read_lines(asked.out)
    if asked.merge:
        asked.out.write_text("".join(json.dumps(line) + "\n" for line in merged(lines, apart=True)))
    elif asked.table:
        print(as_table(merged(lines)))
    elif asked.markdown:
        asked.markdown.write_text(as_markdown(merged(lines)))
    else:
        reasons = {(method, law): why_not(method, law) for method in asked.methods for law in asked.laws or LAWS}
        for reason in dict.fromkeys(f"{method}: {why}" for (method, _), why in reasons.items() if why):
            print(f"left out: {reason}", file=sys.stderr)
        served = (s for s in settings_of(asked) if reasons[s["method"], s["law"]] is None)
        blocks = to_do(served, lines, asked.repetitions, asked.block)
        print(f"{len(blocks)} blocks, {sum(last - first for _, first, last in blocks)} repetitions to do", flush=True)
        if not asked.count:
            carry_out(blocks, asked.out, asked.jobs, started + asked.within)


if __name__ == "__main__":
    main()
