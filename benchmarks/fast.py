"""Which arithmetic the scores need: settings between the paper's and ``quick``, their seconds and scores on one GPU.

    python benchmarks/fast.py search diffjoint [--gpu 0] [--within 500] [--outputs DIR]    # resumes from records
    python benchmarks/fast.py show [--outputs DIR] [--figure FILE]

The search runs on draws of the data (root seeds 100 and 101, mcar 0.2) that no published or reported figure uses. A
setting is admitted where no score is worse than the paper's setting's by more than the spread between seeds.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
from collections import defaultdict
from pathlib import Path

ROOT = Path(__file__).parents[1]
SEEDS = (100, 101)
PROBLEMS = ("dataset=bayesnet mask=mcar ratio=0.2",)
NARROW = "method.hidden=256"
QUICKLY = f"{NARROW} method.lr=0.001 method.epochs=200 method.patience=40 method.steps=20"
BRIEFLY = f"{NARROW} method.lr=0.001 method.epochs=100 method.patience=40 method.steps=20"
GENTLY = f"{NARROW} method.lr=0.0005 method.epochs=150 method.patience=40"
LARGE_BATCH = "method.batch=512 method.lr=0.002 method.epochs=100 method.warm_up=15"
SHALLOW = "method.encoder_blocks=4 method.decoder_blocks=2"
SETTINGS: dict[str, list[str]] = {
    "diffjoint": [
        "",
        NARROW,
        f"{NARROW} method.steps=20 method.samples=15",
        f"{BRIEFLY} method.samples=15 method.repeats=5",
        f"{BRIEFLY} method.samples=30 method.repeats=5",
        f"{BRIEFLY} method.samples=30 method.repeats=3",
        f"{GENTLY} method.steps=20 method.samples=30 method.repeats=5",
        "method.hidden=384 method.lr=0.0007 method.epochs=100 method.steps=20 method.samples=30 method.repeats=5",
        "method.hidden=128 method.lr=0.001 method.epochs=100 method.steps=20 method.samples=30 method.repeats=5",
    ],
    "diffputer": [
        "",
        f"{NARROW} method.lr=0.0005 method.epochs=300 method.patience=60 method.steps=30 method.repeats=10",
        f"{QUICKLY} method.repeats=10",
        f"{BRIEFLY} method.repeats=5",
    ],
    "cmae": [
        "",
        "method.batch=512 method.lr=0.002",
        LARGE_BATCH,
        f"{LARGE_BATCH} {SHALLOW}",
        f"method.batch=1024 method.lr=0.003 method.epochs=60 method.warm_up=10 {SHALLOW}",
    ],
    "tabcsdi": [
        "",
        "method.batch=64 method.lr=0.002 method.epochs=200",
        "method.batch=256 method.lr=0.003 method.epochs=200 method.steps=50",
        "method.batch=256 method.lr=0.003 method.epochs=100 method.steps=30 method.layers=3 method.channels=32",
    ],
    "missbgm": [
        "",
        "method.epochs=100",
        "method.epochs=100 method.batch_size=32",
        "method.epochs=50 method.batch_size=32 method.egm_n_iter=500",
        "method.epochs=50 method.batch_size=64 method.egm_n_iter=500",
    ],
    "gain": ["", "method.iterations=5000", "method.iterations=3000", "method.iterations=2000 method.batch=256"],
}
SHOWN = ("test/acc", "test/acc_discrete", "test/mm_f1", "test/rmse")


def search(method: str, outputs: Path, gpu: int, within: float) -> None:
    """Run what has no record yet, one run after the other, until the time is up."""
    began = time.monotonic()
    environment = os.environ | {"CUDA_VISIBLE_DEVICES": str(gpu)}
    for problem in PROBLEMS:
        for seed in SEEDS:
            for setting in SETTINGS[method]:
                left = within - (time.monotonic() - began)
                if left < 20:
                    return
                given = [f"method={method}", *problem.split(), *setting.split(), f"seed={seed}", "budget=paper"]
                command = [sys.executable, "run.py", *given, "device=cuda", "tracking=none", f"outputs={outputs}"]
                try:
                    subprocess.run(
                        command, cwd=ROOT, env=environment, timeout=left, stdout=subprocess.DEVNULL, check=False
                    )
                except subprocess.TimeoutExpired:
                    return


def show(outputs: Path, figure: Path | None) -> None:
    """Seconds and scores of each setting, means over seeds; * where the paper's setting is within its noise."""
    found: dict[tuple[str, str], list[dict[str, float]]] = defaultdict(list)
    for path in sorted((outputs / "runs").rglob("record.json")):
        record = json.loads(path.read_text())
        if record["status"] != "finished":
            continue
        method = record["config"]["names"]["method"]
        words = record["command"].split()
        setting = " ".join(word.removeprefix("method.") for word in words if word.startswith("method."))
        kept = {key: record["scores"][key] for key in SHOWN if record["scores"].get(key) is not None}
        found[method, setting].append({"seconds": record["seconds"]["total"], **kept})
    for (method, setting), runs in found.items():
        keys = runs[0].keys()
        means = {key: sum(run[key] for run in runs) / len(runs) for key in keys}
        told = "  ".join(f"{key.removeprefix('test/')} {value:.4g}" for key, value in means.items())
        print(f"{method:10} {len(runs)}  {told}  {setting or 'paper'}")
    if figure is not None:
        _draw(found, figure)


def _draw(found: dict[tuple[str, str], list[dict[str, float]]], path: Path) -> None:
    from matplotlib.figure import Figure

    methods = sorted({method for method, _ in found})
    figure = Figure(figsize=(4 * len(methods), 3.4), layout="constrained")
    for axis, method in zip(figure.subplots(1, len(methods), squeeze=False)[0], methods, strict=True):
        for (own, setting), runs in found.items():
            if own == method:
                key = "test/acc_discrete"
                x, y = (sum(run[name] for run in runs) / len(runs) for name in ("seconds", key))
                axis.plot(x, 100 * y, "ko" if setting else "C3D", markersize=5)
        axis.set(xscale="log", xlabel="seconds", ylabel="accuracy, discrete (%)", title=method)
    figure.savefig(path)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    one = commands.add_parser("search")
    one.add_argument("method", choices=SETTINGS, nargs="+")
    one.add_argument("--gpu", type=int, default=0)
    one.add_argument("--within", type=float, default=540.0)
    other = commands.add_parser("show")
    other.add_argument("--figure", type=Path)
    for each in (one, other):
        each.add_argument("--outputs", type=Path, default=ROOT / "outputs" / "fast")
    arguments = parser.parse_args()
    if arguments.command == "show":
        show(arguments.outputs, arguments.figure)
        return
    began = time.monotonic()
    for method in arguments.method:
        search(method, arguments.outputs.absolute(), arguments.gpu, arguments.within - (time.monotonic() - began))


if __name__ == "__main__":
    main()
