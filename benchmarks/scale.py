"""Seconds and peak memory of methods against the number of rows, on the stand-in for MIMIC-IV-ED.

    python benchmarks/scale.py run --methods mean_mode,selective --rows 10000,50000,150000,441437
    python benchmarks/scale.py settings --methods diffjoint,cacti --budget paper > settings.json   # where Hydra is
    PYTHONPATH=src python benchmarks/scale.py run --methods diffjoint,cacti --settings settings.json --device cuda \
        --rows 10000 --cut '{"diffjoint": {"iterations": 1}, "cacti": {"max_batches": 2000}}'      # where it is not
    python benchmarks/scale.py run --methods ice,miceforest --rows 441437 --fit-only --memory-gb 20 --seconds 900
    python benchmarks/scale.py figure
    python benchmarks/scale.py tables                                # those of benchmarks/notes/size.md

Four fifths of the rows are fitted, the others imputed, MCAR at --ratio. Each measurement is a process of its own, so
that its peak memory is its own, as the operating system counts it; a line that is in --out is not measured again.
--options change a method for good. --cut shortens ``epochs``, ``max_batches``, ``iterations`` or ``rounds`` only: the
line then holds what was measured, and under ``whole_fit_s`` what the fit would take uncut, in proportion to both. A
method that stops by itself before its last epoch would take less. --fit-only imputes nothing but the training rows,
which transductive methods complete while they are fitted. A measurement that passes --seconds or --memory-gb is
stopped, and its line tells the peak until then.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import torch

from clocks import Enough, Stopwatch, clocked, whole
from lacuna.datasets.mimic_ed_standin import MimicEDStandin
from lacuna.errors import UserError
from lacuna.masks.mcar import MCAR
from lacuna.methods.base import Method
from lacuna.metrics.discrete import acc
from lacuna.metrics.meaningful import mm_f1
from lacuna.metrics.numeric import rmse
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Imputation, Problem
from methods import cuts, made, numbers
from scale_shown import figure, tables

RESULTS = Path(__file__).parent / "results"
METRICS = {"acc": acc, "rmse": rmse, "mm_f1": mm_f1}
KEY = ("method", "rows", "ratio", "seed", "budget", "options", "cut", "device", "fit_only")
GRACE = 60.0  # seconds beyond the limit in which a method may notice it by itself


def settings(methods: list[str], budget: str) -> dict[str, Any]:
    """What conf/method/ says for this data set, resolved, by method."""
    from lacuna.config.compose import compose, plain

    common = ["dataset=mimic_ed_standin", f"budget={budget}", "device=cpu"]
    return {method: plain(compose([f"method={method}", *common]))["method"] for method in methods}


def load(rows: int, ratio: float, seed: int) -> Problem:
    n_test = round(rows / 5)
    table = MimicEDStandin(rows - n_test, n_test).load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, MCAR().draw(table, ratio, stream(seed, "mask")))


def one(key: dict[str, Any], node: dict[str, Any], limit: float, memory_gb: float) -> dict[str, Any]:
    """Seconds, memory and scores of one method at one size, or why there are none."""
    start = time.perf_counter()
    problem = load(key["rows"], key["ratio"], key["seed"])
    found: dict[str, Any] = {"load_s": time.perf_counter() - start, "memory_before_gb": peak_gb()}
    watch = Stopwatch(limit)
    threading.Thread(target=guard, args=(watch, memory_gb, found), daemon=True).start()
    try:
        method = made({**node, **key["options"], **key["cut"]}, key["device"])
        if reason := method.unsupported(problem):
            return {"status": "unsupported", "error": reason}
        method.monitor = watch
        found |= {"status": "finished", **timed(method, problem, key["seed"], bool(key["fit_only"]), found)}
        found |= whole(found["fit_s"], watch, {**node, **key["options"]}, key["cut"], len(problem.train))
    except Enough as error:
        found |= {"status": "timeout", "error": f"{limit:g} seconds were over at {error}", "cpu_s": time.process_time()}
    except (MemoryError, torch.OutOfMemoryError) as error:
        found |= {"status": "out_of_memory", "error": str(error).splitlines()[0]}
    except (UserError, ImportError, RuntimeError) as error:
        found |= {"status": "failed", "error": f"{type(error).__name__}: {error}".splitlines()[0]}
    found |= {"at": watch.at, "total_s": time.perf_counter() - start, "peak_memory_gb": peak_gb()}
    if torch.cuda.is_initialized():
        found["device_peak_memory_gb"] = torch.cuda.max_memory_allocated() / 2**30
    return found


def guard(watch: Stopwatch, memory_gb: float, found: dict[str, Any]) -> None:
    """End the process where the method is deep in a package that asks nobody; its line is written all the same."""
    while (in_time := time.perf_counter() < watch.deadline + GRACE) and peak_gb() < memory_gb:
        time.sleep(0.5)
    status, what = ("out_of_memory", f"{memory_gb:g} GB") if in_time else ("timeout", "the time")
    spent = {"cpu_s": time.process_time(), "peak_memory_gb": peak_gb(), "at": watch.at}
    print(json.dumps(found | spent | {"status": status, "error": f"{what} was over at {watch.at}"}), flush=True)
    os._exit(0)


def timed(method: Method, problem: Problem, seed: int, fit_only: bool, found: dict[str, Any]) -> dict[str, float]:
    """Scores of fitting and imputing; into ``found`` goes what that took: wall-clock and processor seconds."""
    split = "train" if fit_only else "test"
    for name, work in (
        ("fit", lambda: method.fit(problem.train, seed)),
        ("impute", lambda: method.impute(problem.splits[split])),
    ):
        done, took = clocked(name, work)
        found |= took
    return scores(problem, split, done)


def scores(problem: Problem, split: str, done: Imputation) -> dict[str, float]:
    """Of the imputed rows: a glance at whether the method did its work."""
    found = {name: metric(problem.answers[split], done) for name, metric in METRICS.items()}
    return {name: value for name, value in found.items() if value is not None}


def peak_gb() -> float:
    unit = 1 if sys.platform == "darwin" else 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30


# --- many measurements ------------------------------------------------------------------------------------------------


def keys(arguments: argparse.Namespace) -> Iterator[dict[str, Any]]:
    options, cut = json.loads(arguments.options), cuts(arguments.cut)
    for rows in numbers(arguments.rows):
        for method in arguments.methods.split(","):
            own = {"options": options.get(method, {}), "cut": cut.get(method, {}), "device": arguments.device}
            common = {"ratio": arguments.ratio, "seed": arguments.seed, "budget": arguments.budget}
            yield {"method": method, "rows": rows, **common, **own, "fit_only": arguments.fit_only}


def run(arguments: argparse.Namespace) -> None:
    methods = arguments.methods.split(",")
    known = json.loads(arguments.settings.read_text()) if arguments.settings else settings(methods, arguments.budget)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.touch()
    begun = time.perf_counter()
    for key in keys(arguments):
        done = [json.loads(line) for line in arguments.out.read_text().splitlines()]
        if any(row["status"] == "finished" and all(row.get(name, False) == key[name] for name in KEY) for row in done):
            continue
        left = arguments.total_seconds - (time.perf_counter() - begun)
        if left <= 0:
            print(f"{arguments.total_seconds:g} seconds are over: the same command goes on")
            return
        limits = {"limit": min(arguments.seconds, left), "memory_gb": arguments.memory_gb}
        line = json.dumps(key | rounded(in_a_process({"key": key, "node": known[key["method"]], **limits})))
        with arguments.out.open("a") as file:
            file.write(line + "\n")
        print(line, flush=True)


def in_a_process(task: dict[str, Any]) -> dict[str, Any]:
    """``one`` in a fresh Python, which is killed where it does not end by itself."""
    killed_after = task["limit"] + 2 * GRACE
    try:
        done = subprocess.run(
            [sys.executable, __file__, "one"],
            input=json.dumps(task),
            capture_output=True,
            text=True,
            timeout=killed_after if np.isfinite(killed_after) else None,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return {"status": "timeout", "error": f"killed after {killed_after:g} seconds"}
    if done.returncode:
        reason = "killed by the system" if done.returncode < 0 else (done.stderr.strip().splitlines() or ["?"])[-1]
        return {"status": "out_of_memory" if done.returncode == -9 else "failed", "error": reason}
    return json.loads(done.stdout.splitlines()[-1])


def machine(device: str) -> dict[str, Any]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    hardware = torch.cuda.get_device_name() if device == "cuda" else f"{cores} cores, {torch.get_num_threads()} threads"
    return {"hardware": hardware, "torch": torch.__version__}


def rounded(found: dict[str, Any]) -> dict[str, Any]:
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in found.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["run", "settings", "figure", "tables", "one"])
    parser.add_argument("--methods", default="mean_mode,selective", help="ids in conf/method/, with commas")
    parser.add_argument("--rows", default="10000,50000,150000,441437", help="with commas")
    parser.add_argument("--budget", choices=["paper", "quick"], default="quick")
    parser.add_argument("--ratio", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--device", choices=["cpu", "cuda"], default="cpu")
    parser.add_argument("--options", default="{}", help='JSON of arguments by method, {"missbgm": {"z_dim": 10}}')
    parser.add_argument(
        "--cut", default="{}", help='the same for what is extrapolated, {"diffjoint": {"iterations": 1}}'
    )
    parser.add_argument("--settings", type=Path, help="what `settings` printed, for a machine without Hydra")
    parser.add_argument("--seconds", type=float, default=float("inf"), help="limit of one measurement")
    parser.add_argument("--memory-gb", type=float, default=float("inf"), help="the same, of a process")
    parser.add_argument("--fit-only", action="store_true", help="impute the training rows alone")
    parser.add_argument("--total-seconds", type=float, default=float("inf"), help="limit of all of them")
    parser.add_argument("--out", type=Path, default=RESULTS / "scale.jsonl")
    arguments = parser.parse_args()
    if arguments.what == "settings":
        print(json.dumps(settings(arguments.methods.split(","), arguments.budget), indent=1))
    elif arguments.what == "figure":
        figure(arguments.out, RESULTS / "scale.png")
    elif arguments.what == "tables":
        print(tables(arguments.out))
    elif arguments.what == "one":
        task = json.loads(sys.stdin.read())
        print(json.dumps(one(**task) | machine(task["key"]["device"])))
    else:
        run(arguments)


if __name__ == "__main__":
    main()
