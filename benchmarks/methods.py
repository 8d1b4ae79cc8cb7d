"""Seconds, peak memory and errors of any methods, side by side, and how they grow with the table.

    python benchmarks/methods.py run --methods cacti,gain,mean_mode --n 1000 --p 50          # MissBGM's Figure 6, small
    python benchmarks/methods.py run --methods diffputer --n 500,1000,2000 --p 20,50         # growth with n and p
    python benchmarks/methods.py run --methods cmae --problem bayesnet --n 2000
    python benchmarks/methods.py settings --methods cacti,gain --budget paper > settings.json
    python benchmarks/methods.py run --methods cacti,gain --settings settings.json ...       # where Hydra is not

A method is any file of conf/method/. ``mnar_oracle`` is the running-time benchmark of MissBGM's Figure 6 (5,000
rows, 200 columns, self-masked at ratio 0.2), imputed where it was fitted; of ``bayesnet``, n rows are fitted and 3 n
/ 7 others imputed. --options change a method for good; --cut shortens ``epochs``, ``max_batches``, ``iterations`` or
``rounds`` only: the line then holds what was measured, and under ``whole_fit_s`` what the fit would take uncut, in
proportion. One JSON line a run goes to --out; a run that is there already is not repeated.
"""

from __future__ import annotations

import argparse
import importlib
import itertools
import json
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch

from clocks import CUTS, Stopwatch, clocked, whole
from lacuna.datasets.bayesnet import BayesNet
from lacuna.datasets.mnar_oracle import MNAROracle
from lacuna.errors import UserError
from lacuna.masks.mcar import MCAR
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.base import Method
from lacuna.methods.mean_mode import MeanMode
from lacuna.metrics.discrete import acc_discrete
from lacuna.metrics.numeric import rmse_all
from lacuna.problem import hide
from lacuna.records.environment import MemoryMeter, resident_gb
from lacuna.rng import stream
from lacuna.types import Imputation, Problem

OUT = Path(__file__).parent / "results" / "methods.jsonl"
PROBLEMS = ("mnar_oracle", "bayesnet")


def load(name: str, n: int, p: int, ratio: float, seed: int) -> Problem:
    dataset = MNAROracle(n, p) if name == "mnar_oracle" else BayesNet(n, 3 * n // 7)
    mask = SelfMasking() if name == "mnar_oracle" else MCAR()
    table = dataset.load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, mask.draw(table, ratio, stream(seed, "mask")))


def settings(methods: list[str], budget: str) -> dict[str, dict[str, Any]]:
    """What conf/method/ says, resolved, by problem and method; the device is left to the run."""
    from lacuna.config.compose import compose, plain

    def of(problem: str, method: str) -> Any:
        mask = "self" if problem == "mnar_oracle" else "mcar"
        common = [f"dataset={problem}", f"mask={mask}", f"budget={budget}", "device=cpu"]
        return plain(compose([f"method={method}", *common]))["method"]

    return {problem: {method: of(problem, method) for method in methods} for problem in PROBLEMS}


def made(node: Any, device: str) -> Any:
    """What a resolved config describes: ``_target_`` with the other keys, devices replaced."""
    if isinstance(node, list):
        return [made(part, device) for part in node]
    if not isinstance(node, dict):
        return node
    parts = {key: made(part, device) for key, part in node.items() if key != "_target_"}
    if "_target_" not in node:
        return parts
    module, _, name = node["_target_"].rpartition(".")
    return getattr(importlib.import_module(module), name)(**parts | ({"device": device} if "device" in parts else {}))


def scores(problem: Problem, split: str, done: Imputation) -> dict[str, float | None]:
    answer, found = problem.answers[split], {}
    for metric in (rmse_all, acc_discrete):
        try:
            found[metric.__name__] = metric(answer, done)
        except ValueError:  # no such column or no such cell
            continue
    return found


def measured(method: Method, problem: Problem, seed: int, draws: int) -> dict[str, Any]:
    """Fit on the training rows, impute the last split, score that."""
    split, rows = list(problem.splits.items())[-1]
    before, meter = resident_gb(), MemoryMeter()
    _, fitting = clocked("fit", lambda: method.fit(problem.train, seed))
    done, imputing = clocked("impute", lambda: method.impute(rows, draws))
    return {
        **(fitting | imputing),
        **scores(problem, split, done),
        "mean_mode": scores(problem, split, MeanMode().fit(problem.train).impute(rows)),
        "hidden_cells": int(rows.hidden.sum()),
        "memory_before_gb": before,
        "peak_memory_gb": meter.peak_gb(),
        "device_peak_memory_gb": meter.device_peak_gb(),
    }


def _rounded(value: Any) -> Any:
    return round(value, 4) if isinstance(value, float) else value


def outcome(node: dict[str, Any], key: dict[str, Any], draws: int) -> dict[str, Any]:
    """Scores and costs of one run, or why there are none."""
    problem = load(key["problem"], key["n"], key["p"], key["ratio"], key["seed"])
    try:
        uncut = {**node, **key["options"]}
        method = made({**uncut, **key["cut"]}, key["device"])
        if reason := method.unsupported(problem):
            return {"status": "unsupported", "error": reason}
        method.monitor = watch = Stopwatch()
        found = measured(method, problem, key["seed"], draws)
        found |= whole(found["fit_s"], watch, uncut, key["cut"], len(problem.train))
        return {"status": "finished", **{name: _rounded(value) for name, value in found.items()}}
    except (UserError, ImportError, MemoryError, RuntimeError) as error:
        return {"status": "failed", "error": f"{type(error).__name__}: {error}".splitlines()[0]}


def keys(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    """One for each method and size, in the order of the command line."""
    options, cut = json.loads(arguments.options), cuts(arguments.cut)
    bayesnet = arguments.problem == "bayesnet"
    sizes = itertools.product(numbers(arguments.n), [5] if bayesnet else numbers(arguments.p))
    for (n, p), method in itertools.product(sizes, arguments.methods.split(",")):
        yield {
            "method": method,
            "problem": arguments.problem,
            "n": n,
            "p": p,
            "ratio": arguments.ratio,
            "seed": arguments.seed,
            "budget": arguments.budget,
            "options": options.get(method, {}),
            "cut": cut.get(method, {}),
            "device": arguments.device,
            "draws": arguments.draws,
        }


def cuts(text: str) -> dict[str, dict[str, int]]:
    """JSON of arguments by method, of those that may be cut."""
    cut: dict[str, dict[str, int]] = json.loads(text)
    if unknown := {name for of_method in cut.values() for name in of_method} - CUTS:
        sys.exit(f"--cut knows {sorted(CUTS)}, not {sorted(unknown)}: those go to --options")
    return cut


def numbers(text: str) -> list[int]:
    return [int(part) for part in text.split(",")]


def run(arguments: argparse.Namespace) -> None:
    methods = arguments.methods.split(",")
    known = json.loads(arguments.settings.read_text()) if arguments.settings else settings(methods, arguments.budget)
    lines = arguments.out.read_text().splitlines() if arguments.out.exists() else []
    done = [json.loads(line) for line in lines]
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    if arguments.device == "cuda":
        torch.ones(8, 8, device="cuda").mm(torch.ones(8, 8, device="cuda"))  # CUDA's own start is nobody's time
    begun = time.perf_counter()
    for key in keys(arguments):
        if any(({"cut": {}} | row).items() >= key.items() and row["status"] == "finished" for row in done):
            continue
        if time.perf_counter() - begun > arguments.seconds:
            print(f"{arguments.seconds:g} seconds are over: the same command goes on")
            return
        found = outcome(known[key["problem"]][key["method"]], key, arguments.draws)
        hardware = torch.cuda.get_device_name() if arguments.device == "cuda" else f"{torch.get_num_threads()} threads"
        line = json.dumps(key | found | {"hardware": hardware, "torch": torch.__version__})
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "settings"])
    parser.add_argument("--methods", required=True, help="ids in conf/method/, with commas")
    parser.add_argument("--budget", choices=["paper", "quick"], default="quick")
    parser.add_argument("--problem", choices=PROBLEMS, default="mnar_oracle")
    parser.add_argument("--n", default="5000", help="rows to fit, one or several with commas")
    parser.add_argument("--p", default="200", help="columns of mnar_oracle, one or several with commas")
    parser.add_argument("--ratio", type=float, default=0.2)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--draws", type=int, default=0)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--options", default="{}", help='JSON of constructor arguments, {"cacti": {"epochs": 30}}')
    parser.add_argument("--cut", default="{}", help='the same for what is extrapolated, {"cacti": {"epochs": 40}}')
    parser.add_argument("--settings", type=Path, help="what `settings` printed, for a machine without Hydra")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="start no run after this long")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    if arguments.what == "settings":
        print(json.dumps(settings(arguments.methods.split(","), arguments.budget), indent=1))
    else:
        run(arguments)


if __name__ == "__main__":
    main()
