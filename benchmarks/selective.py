"""How close `selective` comes to the Bayes oracle on bayesnet, over masks, ratios and seeds.

    python benchmarks/selective.py                                          # all 60 tables, about five minutes
    python benchmarks/selective.py --masks mcar --ratios 0.1 --seeds 0,1    # some of them

14,000 rows are fitted, 6,000 others scored. One JSON line a run goes to --out; a line that is there is not measured
again. Means and sd over seeds are printed at the end. Needs only the core's packages.
"""

from __future__ import annotations

import argparse
import itertools
import resource
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np

from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR
from lacuna.masks.mnar import MNAR
from lacuna.methods.base import Method
from lacuna.methods.oracle import Oracle
from lacuna.methods.selective import Selective
from lacuna.metrics.discrete import acc, acc_discrete
from lacuna.metrics.meaningful import mm_f1, mm_precision, mm_recall
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Answer, Imputation, Problem
from lines import Line, measured_once

OUT = Path(__file__).parent / "results" / "selective.jsonl"
MASKS = {"mcar": MCAR, "mar": MAR, "mnar": MNAR}
Metric = Callable[[Answer, Imputation], float | None]
METRICS: tuple[Metric, ...] = (acc, acc_discrete, mm_f1, mm_precision, mm_recall)
METHODS = ("selective", "oracle")


def load(mask: str, ratio: float, seed: int, n_train: int = 14_000) -> Problem:
    """bayesnet under a mask, with 3 rows to score for every 7 to fit."""
    table = BayesNet(n_train, 3 * n_train // 7).load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, MASKS[mask]().draw(table, ratio, stream(seed, "mask")))


def measure(key: Line) -> Line:
    problem = load(key["mask"], key["ratio"], key["seed"])
    method: Method = Selective()
    if key["method"] == "oracle":
        method = Oracle()
        method.law = problem.law
    return scored(method, problem, key["seed"])


def scored(method: Method, problem: Problem, seed: int, more_metrics: Sequence[Metric] = ()) -> Line:
    """Scores on the test rows and CPU seconds of one run."""
    start = time.process_time()
    method.fit(problem.train, seed)
    fitted = time.process_time()
    done = method.impute(problem.test)
    spent = {"fit_cpu_s": fitted - start, "impute_cpu_s": time.process_time() - fitted}
    found = {metric.__name__: metric(problem.answers["test"], done) for metric in (*METRICS, *more_metrics)}
    return {k: round(v, 4) for k, v in (spent | found).items()} | {"peak_memory_gb": peak_memory_gb()}


def peak_memory_gb() -> float:
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)


def table(lines: list[Line]) -> str:
    """Markdown: a row for each mask and ratio; mean (sd) over seeds, in percent."""
    head = "| mask | ratio | acc | oracle | gap | mm_f1 | oracle | gap | CPU s |\n|" + "---|" * 9
    rows = []
    for mask, ratio in dict.fromkeys((line["mask"], line["ratio"]) for line in lines):
        cells = [mask, f"{ratio:g}"]
        of = {m: [x for x in lines if (x["mask"], x["ratio"], x["method"]) == (mask, ratio, m)] for m in METHODS}
        for metric in ("acc", "mm_f1"):
            ours, best = (100 * np.array([line[metric] for line in of[method]]) for method in METHODS)
            cells += [*(f"{x.mean():.1f} ({x.std(ddof=len(x) > 1):.1f})" for x in (ours, best))]
            cells.append(f"{(best - ours).mean():.1f}")
        cells.append(f"{np.mean([x['fit_cpu_s'] + x['impute_cpu_s'] for x in of['selective']]):.1f}")
        rows.append("| " + " | ".join(cells) + " |")
    return "\n".join([head, *rows])


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--masks", default="mcar,mar,mnar")
    parser.add_argument("--ratios", default="0.1,0.2,0.3,0.4")
    parser.add_argument("--seeds", default="0,1,2,3,4")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    keys = [
        {"mask": mask, "ratio": float(ratio), "seed": int(seed), "method": method}
        for mask, ratio, seed, method in itertools.product(
            arguments.masks.split(","), arguments.ratios.split(","), arguments.seeds.split(","), METHODS
        )
    ]
    print(table(measured_once(arguments.out, keys, measure)))


if __name__ == "__main__":
    main()
