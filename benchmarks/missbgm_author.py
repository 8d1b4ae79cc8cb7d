"""The author's MissBGM (PyPI, TensorFlow) and ours on the same published draw of mnar_oracle, side by side.

    python3.12 -m venv author && author/bin/pip install missbgm==0.1.1 tensorflow-cpu==2.18.1
    python benchmarks/missbgm_author.py --author author/bin/python --cells 500:0.3,500:0.7 --burn-in 1000 --draws 1000

Both run at the same time, each in one thread, ours in this interpreter. One JSON line a cell goes to --out: rmse of the
MAP and of the posterior mean, error of the posterior sd, width and coverage of the 95% intervals, acceptance, CPU and
wall-clock seconds, the author's over ours; `sampler` is our sampler on the author's fitted parameters, by the weight
of the mask in its target (beta of the fit, and 1), which tells a difference of the samplers from one of the fits.
--author may hold a whole command (`taskset -c 1 .../python`).
"""

from __future__ import annotations

import argparse
import json
import re
import shlex
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import torch

from lacuna.methods.missbgm import MissBGM
from lacuna.types import Draws, Imputation, Problem
from lines import Line, measured_once
from missbgm import published, rmse, rounded, simulation, uncertainty
from missbgm_tensorflow import timed

HERE = Path(__file__).parent
OUT = HERE / "results" / "missbgm_author.jsonl"
HAS_PACKAGE = "import importlib.util, sys; sys.exit(importlib.util.find_spec('missbgm') is None)"


def require_package(command: str) -> None:
    """End here where the author's package is not to be had."""
    try:
        absent = subprocess.run([*shlex.split(command), "-P", "-c", HAS_PACKAGE], check=False).returncode != 0
    except FileNotFoundError:
        absent = True
    if absent:
        sys.exit(f"--author {command}: no Python there that has missbgm; --help says how to install it")


class Author:
    """The author's side of one cell, running beside us until ``found`` is asked for."""

    def __init__(self, command: str, problem: Problem, key: Line, folder: Path) -> None:
        self.problem, self.result = problem, folder / "found.npz"
        table, script = folder / "table.npz", HERE / "missbgm_tensorflow.py"
        np.savez(table, n=key["n"], ratio=key["ratio"], values=problem.train.values)
        self.process = subprocess.Popen(
            [*shlex.split(command), "-P", str(script), str(table), str(self.result), json.dumps(key)],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )

    def found(self) -> dict[str, Any]:
        """What it wrote; the last line of its complaint where it failed."""
        _, said = self.process.communicate()
        if self.process.returncode:
            sys.exit(f"the author's side failed: {said.strip().splitlines()[-1]}")
        return dict(np.load(self.result))

    def imputation(self, found: dict[str, Any]) -> Imputation:
        draws = None
        if "mean" in found:
            summary = [found[name] for name in ("mean", "sd", "lower", "upper")]
            draws = Draws(np.argwhere(self.problem.train.hidden), *summary, 0.05)
        return Imputation(found["map"].astype(float), draws=draws)


def acceptance(said: str) -> Line:
    """Rates of z and x from what the author's sampler prints, over all sweeps.

    >>> acceptance("MCMC diagnostics: z_accept=0.7512, x_accept=0.7603, step_size=0.1 -> ...")
    {'acceptance_z': 0.7512, 'acceptance_x': 0.7603}
    """
    return {f"acceptance_{block}": float(rate) for block, rate in re.findall(r"([zx])_accept=([\d.]+)", said)}


def scores(problem: Problem, imputation: Imputation) -> Line:
    found = {"map_rmse": rmse(problem, imputation)}
    if imputation.draws is not None:
        found |= uncertainty(problem, imputation)
    return found


def rates(imputation: Imputation) -> Line:
    return {name: imputation.diagnostics[f"acceptance_{name[-1]}"] for name in ("acceptance_z", "acceptance_x")}


def ours(problem: Problem, key: Line) -> tuple[MissBGM, Line]:
    method, fit = timed(
        lambda: simulation(key["seed"], problem, epochs=key["epochs"], burn_in=key["burn_in"], device="cpu")
    )
    if not key["draws"]:
        return method, scores(problem, method.impute(problem.train)) | {"fit": fit}
    imputation, draws = timed(lambda: method.impute(problem.train, key["draws"]))
    return method, scores(problem, imputation) | rates(imputation) | {"fit": fit, "draws": draws}


def sampler_from(method: MissBGM, found: dict[str, Any], problem: Problem, beta: float, draws: int) -> Line:
    """Our sampler on the author's parameters, z and x, the mask weighted by ``beta``."""
    method.model_.beta, g, f = beta, method.model_.g, method.model_.f
    places = {
        "g": g.vector,
        "f": f.vector,
        "moving_mean": g.moving_mean,
        "moving_variance": g.moving_variance,
        "z": method.z_,
        "x": method.x_,
    }
    for name, place in places.items():
        place.copy_(torch.from_numpy(found[name]))
    imputation = method.impute(problem.train, draws)
    return scores(problem, imputation) | rates(imputation)


def compare(command: str, key: Line) -> Line:
    problem = published(key["n"], key["ratio"])
    with tempfile.TemporaryDirectory() as folder:
        author = Author(command, problem, key, Path(folder))
        method, mine = ours(problem, key)
        found = author.found()
    report = json.loads(str(found["report"]))
    theirs = scores(problem, author.imputation(found)) | acceptance(report.pop("said", "")) | report
    line: Line = {"author": theirs, "ours": mine}
    if key["draws"]:
        line["sampler"] = {
            str(beta): sampler_from(method, found, problem, beta, key["draws"]) for beta in (method.beta, 1.0)
        }
    phases = [phase for phase in ("fit", "draws") if phase in mine]
    line["author_over_ours"] = {
        phase: {unit: theirs[phase][unit] / mine[phase][unit] for unit in mine[phase]} for phase in phases
    }
    return rounded(line | {"torch": torch.__version__})


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--author", required=True, help="interpreter that has the author's package")
    parser.add_argument("--cells", default="500:0.3,500:0.5,500:0.7", help="n:ratio, ...")
    parser.add_argument("--epochs", type=int, default=50)
    parser.add_argument("--burn-in", type=int, default=1000)
    parser.add_argument("--draws", type=int, default=1000, help="0: the fit alone")
    parser.add_argument("--seed", type=int, default=42, help="of both models")
    parser.add_argument("--out", type=Path, default=OUT)
    arguments = parser.parse_args()
    require_package(arguments.author)
    torch.set_num_threads(1)
    settings = {name: getattr(arguments, name) for name in ("epochs", "burn_in", "draws", "seed")}
    cells = [cell.split(":") for cell in arguments.cells.split(",")]
    keys = [{"n": int(n), "ratio": float(ratio)} | settings for n, ratio in cells]
    measured_once(arguments.out, keys, lambda key: compare(arguments.author, key))


if __name__ == "__main__":
    main()
