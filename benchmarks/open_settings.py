"""What settings that MissBGM's paper leaves open do to its methods, on the very draw and masks of its tables.

    python benchmarks/open_settings.py --methods ice --cells wine,breast,concrete --seeds 10
    python benchmarks/open_settings.py --methods gain --cells 500:0.3,500:0.5,500:0.7,1000:0.5,5000:0.3
    python benchmarks/open_settings.py --methods missbgm_beta_1 --cells breast,concrete --seeds 5

A cell is a UCI table, at ratio 0.2, or rows of mnar_oracle with a ratio. Every method runs with the paper's budget,
once as it is and once in each setting of ``SETTINGS``. One JSON line a run goes to --out; a line that is there is not
measured again. Means and sds over seeds of all lines go to
src/lacuna/tables/papers/open_settings.csv, from which the page of results takes its sentences.
"""

from __future__ import annotations

import argparse
import csv
import itertools
import json
import time
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lacuna.config.compose import compose
from lacuna.config.instantiate import instantiate
from lacuna.methods.base import Method
from lacuna.methods.external.ice import ICE
from lacuna.methods.external.ot import OptimalTransport
from lacuna.metrics.numeric import rmse_all
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Problem
from lines import Line, measured_once

HERE = Path(__file__).parent
LINES = HERE / "results" / "open_settings.jsonl"
TABLE = HERE.parent / "src" / "lacuna" / "tables" / "papers" / "open_settings.csv"
AS_IS = ""
BETAS = ("0", "0.01", "0.1", "1")


class FreshPass(ICE):
    """As scripts call ``fit`` and then ``transform``: the fitted regressions draw all blanks once more."""

    def _chain(self, encoded: np.ndarray, seed: int) -> np.ndarray:
        return self._imputer(seed).fit(encoded).transform(encoded)


class ByRMSprop(OptimalTransport):
    optimizer = torch.optim.RMSprop


Setting = dict[str, Any]  # options in place of the configured ones; "class" in place of the method's
SETTINGS: dict[str, dict[str, Setting]] = {
    "ice": {"fit, then a fresh pass": {"class": FreshPass}, "one chain": {"samples": 1}},
    "ot": {
        "columns rescaled by their observed cells": {"standardise": True},
        "RMSprop for Adam": {"class": ByRMSprop},
        "1,000 iterations": {"iterations": 1000},
    },
    "gain": {f"{n:,} iterations": {"iterations": n} for n in (1_000, 3_000, 30_000)},
    "tabcsdi": {
        "100 draws": {"samples": 100},
        "5 draws and 100 epochs": {"epochs": 100},
        "5 draws and 2000 epochs": {"epochs": 2000},
        "5 draws and a random share hidden in training": {"hide": "uniform"},
    },
    "miceforest": {"10 iterations": {"iterations": 10}, "one chain": {"samples": 1}},
} | {
    f"missbgm_beta_{beta}": {
        "weight decay 0.0001 (the text's)": {"weight_decay": 1e-4},
        "momentum of the batch only": {"momentum": "batch"},
        "no adversarial start": {"egm_enabled": False},
        "100 epochs": {"epochs": 100},
    }
    for beta in BETAS
}


def place(cell: str) -> Line:
    """
    >>> place("wine"), place("500:0.3")
    ({'dataset': 'wine', 'n': None, 'ratio': 0.2}, {'dataset': 'mnar_oracle', 'n': 500, 'ratio': 0.3})
    """
    rows, _, ratio = cell.partition(":")
    if rows.isdigit():
        return {"dataset": "mnar_oracle", "n": int(rows), "ratio": float(ratio)}
    return {"dataset": rows, "n": None, "ratio": 0.2}


def configured(key: Line) -> Any:
    """Of the run of a table of the paper."""
    method, _, beta = key["method"].partition("_beta_")
    table = "missbgm_table1" if key["n"] else "missbgm_table3"
    data = [f"dataset={key['dataset']}", *([f"dataset.n={key['n']}"] if key["n"] else [])]
    own = [f"method={method}", *([f"method.beta={beta}"] if beta else [])]
    return compose([f"experiment={table}", *data, *own, f"ratio={key['ratio']}", "budget=paper", "device=cpu"])


@cache
def problem(dataset: str, n: int | None, ratio: float) -> Problem:
    config = configured({"dataset": dataset, "n": n, "ratio": ratio, "method": "mean_mode"})
    table = instantiate(config.dataset, "dataset").load(stream(0, "dataset"), stream(0, "split"))
    return hide(table, instantiate(config.mask, "mask").draw(table, ratio, stream(0, "mask")))


def changed(node: Any, setting: Setting) -> Method:
    """The configured method in a setting."""
    options = {key: value for key, value in (dict(node) | setting).items() if key not in ("_target_", "class")}
    if "class" in setting:
        return setting["class"](**options)
    return instantiate({"_target_": node["_target_"], **options}, "method")


def measure(key: Line) -> Line:
    """Error over the hidden cells and CPU seconds of one run."""
    known = problem(key["dataset"], key["n"], key["ratio"])
    method = changed(configured(key).method, SETTINGS[key["method"]].get(key["setting"], {}))
    start = time.process_time()
    found = method.fit(known.train, key["seed"]).impute(known.train)
    seconds = time.process_time() - start
    return {"rmse": round(rmse_all(known.answers["train"], found), 6), "cpu_seconds": round(seconds, 1)}


def write_table(lines: list[Line], path: Path) -> None:
    """Means and sds over the seeds of each setting."""
    found: dict[tuple[Any, ...], list[float]] = {}
    for line in lines:
        key = tuple(line[name] for name in ("dataset", "n", "ratio", "method", "setting"))
        found.setdefault(key, []).append(line["rmse"])
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerow(("dataset", "n", "ratio", "method", "setting", "seeds", "mean", "sd"))
        for key, values in sorted(found.items(), key=str):
            sd = f"{np.std(values, ddof=1):.6f}" if len(values) > 1 else ""
            writer.writerow((*key, len(values), f"{np.mean(values):.6f}", sd))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--methods", default="ice,ot,gain,miceforest")
    parser.add_argument("--settings", nargs="+", default=[""], metavar="TEXT", help="how their names begin")
    parser.add_argument("--cells", default="wine,breast,concrete,500:0.3,500:0.5,500:0.7")
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--out", type=Path, default=LINES)
    arguments = parser.parse_args()
    torch.set_num_threads(1)
    keys = [
        {"method": method, "setting": setting, **place(cell), "seed": seed}
        for method, cell in itertools.product(arguments.methods.split(","), arguments.cells.split(","))
        for setting in (AS_IS, *SETTINGS[method])
        if setting.startswith(tuple(arguments.settings))
        for seed in range(arguments.seeds)
    ]
    measured_once(arguments.out, keys, measure)
    write_table([json.loads(line) for line in arguments.out.read_text().splitlines()], TABLE)


if __name__ == "__main__":
    main()
