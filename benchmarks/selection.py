"""`selection` beside its unselected model, the oracle where there is one, and imputers that know of no selection.

    python benchmarks/selection.py --datasets mnar_oracle --n 1000,5000 --ratios 0.3,0.5,0.7 --seeds 0,1,2
    python benchmarks/selection.py --datasets wine,breast,concrete --mask self_logistic --ratios 0.2 --seeds 0,1,2
    python benchmarks/selection.py --datasets wine,mnar_oracle --mask mcar --ratios 0.2 --n 1000

One JSON line a table goes to --out: rmse over the hidden cells by imputer, coverage of the 95% intervals, error of
their sd against the oracle's, which forms of selection were found, CPU seconds of fit and draws.
"""

from __future__ import annotations

import argparse
import itertools
import json
import time
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from sklearn.ensemble import ExtraTreesRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer

from lacuna.datasets.breast import Breast
from lacuna.datasets.concrete import Concrete
from lacuna.datasets.mnar_oracle import MNAROracle
from lacuna.datasets.wine import Wine
from lacuna.masks.mcar import MCAR
from lacuna.masks.self_logistic import SelfLogistic
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.boosting import BoostedTrees
from lacuna.methods.selection import Selection
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Problem

OUT = Path(__file__).parent / "results" / "selection.jsonl"
MASKS: dict[str, Callable[[], Any]] = {
    "self": SelfMasking,
    "self_logistic": SelfLogistic,
    "published": lambda: SelfLogistic(published=True),
    "mcar": MCAR,
}


def load(name: str, mask: str, n: int, ratio: float, seed: int, uci: str) -> Problem:
    made: dict[str, Callable[[], Any]] = {
        "mnar_oracle": lambda: MNAROracle(n),
        "mnar_oracle_published": lambda: MNAROracle(n, published=True),
        "wine": Wine,
        "breast": lambda: Breast(uci),
        "concrete": lambda: Concrete(uci),
    }
    table = made[name]().load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, MASKS[mask]().draw(table, ratio, stream(seed, "mask")))


def baselines(problem: Problem, seed: int) -> dict[str, np.ndarray]:
    """Completed tables (n, d) by imputers that know of no selection."""
    rows = problem.train
    trees = ExtraTreesRegressor(100, random_state=seed)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # that ten rounds are not enough for trees to settle
        chained = IterativeImputer(trees, max_iter=5, random_state=seed).fit_transform(rows.values)
    return {
        "boosting": BoostedTrees().fit(rows, seed).impute(rows).values,
        "knn": KNNImputer().fit_transform(rows.values),
        "extra_trees": chained,
        "mean": np.where(rows.hidden, np.nanmean(rows.values, axis=0), rows.values),
    }


def measure(problem: Problem, seed: int, draws: int, with_baselines: bool) -> dict[str, Any]:
    hidden = problem.train.hidden
    truth = problem.answers["train"].values[hidden]

    def rmse(cells: np.ndarray) -> float:
        return round(float(np.sqrt(np.mean((cells - truth) ** 2))), 4)

    begun = time.process_time()
    method = Selection().fit(problem.train, seed)
    fitted = time.process_time()
    done = method.impute(problem.train, draws)
    drawn = time.process_time()
    plain = Selection(select=False).fit(problem.train, seed).impute(problem.train)
    found = done.draws
    assert found is not None
    result: dict[str, Any] = {
        "rmse": rmse(done.values[hidden]),
        "rmse_unselected": rmse(plain.values[hidden]),
        "coverage": round(float(np.mean((found.lower <= truth) & (truth <= found.upper))), 4),
        "forms": Counter(column["selection"] for column in done.diagnostics["columns"].values()),
        "cpu_seconds_fit": round(fitted - begun, 1),
        "cpu_seconds_draws": round(drawn - fitted, 1),
    }
    if problem.law is not None:
        exact = problem.law.posterior(problem.train).regular
        result["rmse_oracle"] = rmse(exact.mean)
        result["sd_rmse"] = round(float(np.sqrt(np.mean((found.sd - exact.sd) ** 2))), 4)
    if with_baselines:
        result |= {f"rmse_{name}": rmse(values[hidden]) for name, values in baselines(problem, seed).items()}
    return result


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--datasets", default="mnar_oracle")
    parser.add_argument("--mask", choices=list(MASKS), default="self")
    parser.add_argument("--n", default="1000", help="rows of mnar_oracle")
    parser.add_argument("--ratios", default="0.3,0.5,0.7")
    parser.add_argument("--seeds", default="0")
    parser.add_argument("--draws", type=int, default=200)
    parser.add_argument("--no-baselines", action="store_true", help="spares the time of imputers without selection")
    parser.add_argument("--uci", default="data/uci", help="folder of the UCI files")
    parser.add_argument("--out", type=Path, default=OUT)
    args = parser.parse_args()
    axes = (args.datasets.split(","), args.n.split(","), args.ratios.split(","), args.seeds.split(","))
    for name, n, ratio, seed in itertools.product(*axes):
        problem = load(name, args.mask, int(n), float(ratio), int(seed), args.uci)
        key = {"dataset": name, "mask": args.mask, "ratio": float(ratio), "seed": int(seed)}
        key["rows"], key["columns"] = problem.train.values.shape
        with_baselines = "mnar_oracle" not in name and not args.no_baselines
        line = json.dumps(key | measure(problem, int(seed), args.draws, with_baselines))
        print(line, flush=True)
        with args.out.open("a") as lines:
            lines.write(line + "\n")


if __name__ == "__main__":
    main()
