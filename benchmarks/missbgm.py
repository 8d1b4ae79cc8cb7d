"""Speed and scores of MissBGM at the paper's setting.

    python benchmarks/missbgm.py run --n 5000 --ratio 0.3 --draws 1000   # fit and draws on the published data, timed
    python benchmarks/missbgm.py grid                                    # MAP of nine settings of Table 1
    python benchmarks/missbgm.py speed                                   # a batch and a sweep, a plain loop beside them
    python benchmarks/missbgm.py gisette                                 # 13,500 x 5,000: time and memory
    python benchmarks/missbgm.py uci --folder data/uci                   # Table 3 on the published mask, five seeds
    python benchmarks/missbgm.py ablation --n 1000 --ratio 0.3           # beta in 0, 0.01, 0.1, 1; Bayesian networks
    python benchmarks/missbgm.py table2 --rows 500 --draws 300           # one fit, draws by their weight of the mask

One JSON line each. Needs only torch and the scientific stack.
"""

from __future__ import annotations

import argparse
import json
import resource
import time
from collections.abc import Callable, Iterable
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch.nn import functional as F

from lacuna.backend.device import pick
from lacuna.datasets.base import Dataset
from lacuna.datasets.breast import Breast
from lacuna.datasets.concrete import Concrete
from lacuna.datasets.mnar_oracle import N_ANCHORS, MNAROracle, TruncatedAbove
from lacuna.datasets.uci import standardised_table
from lacuna.datasets.wine import Wine
from lacuna.masks.self_logistic import SelfLogistic
from lacuna.masks.self_masking import SelfMasking
from lacuna.methods.base import Monitor
from lacuna.methods.missbgm import MissBGM
from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.fitting import alternate
from lacuna.methods.missbgm.fused import serves
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.parameters import PointParameters
from lacuna.methods.missbgm.posterior import sample
from lacuna.methods.missbgm.settings import ChainSettings, LocalSteps
from lacuna.problem import hide
from lacuna.rng import stream, torch_stream
from lacuna.types import Imputation, Problem, Table

# MAP rmse of the author's implementation at data seed 123 and model seed 42, by n and ratio; the means of ten
# seeds that the paper's Table 1 gives.
CHECK = {(500, 0.5): 1.582, (1000, 0.3): 1.569, (1000, 0.5): 1.538, (5000, 0.3): 1.599, (5000, 0.5): 1.575}
TABLE_1 = {
    (500, 0.3): 1.620,
    (500, 0.5): 1.585,
    (500, 0.7): 1.673,
    (1000, 0.3): 1.568,
    (1000, 0.5): 1.538,
    (1000, 0.7): 1.619,
    (5000, 0.3): 1.599,
    (5000, 0.5): 1.574,
    (5000, 0.7): 1.662,
}
TABLE_3 = {"wine": 0.682, "breast": 0.511, "concrete": 0.529}
WIDTHS = [120] * 5


class Phases(Monitor):
    """Seconds of each phase of a method, from its first report to its last."""

    def __init__(self) -> None:
        self.first: dict[str, float] = {}
        self.last: dict[str, float] = {}

    def progress(self, phase: str, done: int, total: int, **info: float) -> None:
        self.first.setdefault(phase, time.perf_counter())
        self.last[phase] = time.perf_counter()

    def seconds(self) -> dict[str, float]:
        return {phase: round(self.last[phase] - self.first[phase], 2) for phase in self.first}


def seconds(work: Callable[[], object]) -> float:
    """Wall-clock seconds of ``work``, the device's queue included."""
    synchronise()
    start = time.perf_counter()
    work()
    synchronise()
    return time.perf_counter() - start


def synchronise() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def published(n: int, ratio: float) -> Problem:
    table = load(MNAROracle(n, published=True))
    return hide(table, SelfMasking().draw(table, ratio, stream(0, "mask")))


def load(dataset: Dataset) -> Table:
    return dataset.load(stream(0, "dataset"), stream(0, "split"))


def rmse(problem: Problem, imputation: Imputation) -> float:
    answer = problem.answers["train"]
    return float(np.sqrt(np.mean((imputation.values - answer.values)[answer.ordinary] ** 2)))


def simulation(seed: int, problem: Problem, **options: Any) -> MissBGM:
    """The paper's setting of the simulation: 50 epochs on the raw scale."""
    method = MissBGM(**{"epochs": 50, "standardise": False} | options)
    method.monitor = Phases()
    return method.fit(problem.train, seed)


def uncertainty(problem: Problem, imputation: Imputation) -> dict[str, float]:
    """The figures of Table 2 and coverage, written apart from lacuna.metrics.

    ``sd_rmse_uncut`` is against the sd of each column before the mask cuts its upper end off.
    """
    draws, law = imputation.draws, problem.law
    assert draws is not None
    assert isinstance(law, TruncatedAbove)
    exact, uncut = law.posterior(problem.train).regular, law.law.sigma[draws.cells[:, 1] - N_ANCHORS]
    some = np.isin(exact.cells[:, 0], draws.cells[:, 0])  # draws may be of the first rows only
    truth = problem.answers["train"].values[tuple(draws.cells.T)]
    inside, width = (draws.lower <= truth) & (truth <= draws.upper), draws.upper - draws.lower
    return {
        "posterior_mean_rmse": float(np.sqrt(np.mean((draws.mean - truth) ** 2))),
        "sd_rmse": float(np.sqrt(np.mean((draws.sd - exact.sd[some]) ** 2))),
        "sd_rmse_uncut": float(np.sqrt(np.mean((draws.sd - uncut) ** 2))),
        "sd_mean": float(draws.sd.mean()),
        "interval_width": float(width.mean()),
        "width_pearson": float(np.corrcoef(width, (exact.upper - exact.lower)[some])[0, 1]),
        "coverage": float(inside.mean()),
        "misses_above": float((truth > draws.upper).sum() / (~inside).sum()),
    }


def run(arguments: argparse.Namespace) -> dict[str, Any]:
    """Fit and, if asked for, draws on one published table."""
    problem = published(arguments.n, arguments.ratio)
    done: list[Any] = []
    fit_s = seconds(lambda: done.append(simulation(arguments.seed, problem, **json.loads(arguments.options))))
    method: MissBGM = done[0]
    found: dict[str, Any] = {
        "n": arguments.n,
        "ratio": arguments.ratio,
        "seed": arguments.seed,
        "rows": arguments.rows or arguments.n,
        "options": json.loads(arguments.options),
        "map_rmse": rmse(problem, method.impute(problem.train)),
        "check": CHECK.get((arguments.n, arguments.ratio)),
        "table_1": TABLE_1.get((arguments.n, arguments.ratio)),
        "fit_s": fit_s,
    }
    if arguments.draws:
        rows = problem.train.take(np.arange(arguments.rows or arguments.n))
        found["draws_s"] = seconds(lambda: done.append(method.impute(rows, arguments.draws)))
        found |= uncertainty(problem, done[1])
        found |= {k: v for k, v in done[1].diagnostics.items() if isinstance(v, float)}
    return found | {"phases": method.monitor.seconds()}


def grid(arguments: argparse.Namespace) -> dict[str, Any]:
    """MAP rmse of Table 1's settings beside it."""
    rows = []
    for (n, ratio), wanted in TABLE_1.items():
        problem = published(n, ratio)
        done: list[Any] = []
        took = seconds(lambda problem=problem, done=done: done.append(simulation(arguments.seed, problem)))
        reached = rmse(problem, done[0].impute(problem.train))
        row = {"n": n, "ratio": ratio, "map_rmse": reached, "difference": reached - wanted, "fit_s": took}
        rows.append(row | {"table_1": wanted, "check": CHECK.get((n, ratio))})
    return {"seed": arguments.seed, "rows": rows}


def uci(arguments: argparse.Namespace) -> dict[str, Any]:
    """Table 3 at ratio 0.2 on the published mask."""
    sets = {"wine": Wine(), "breast": Breast(arguments.folder), "concrete": Concrete(arguments.folder)}
    found: dict[str, Any] = {}
    for name in arguments.tables.split(","):
        table = load(sets[name])
        problem = hide(table, SelfLogistic(published=True).draw(table, 0.2, stream(0, "mask")))
        widths = WIDTHS[:3] if name == "wine" else WIDTHS
        scores = []
        for seed in range(5):
            method = MissBGM(g_units=widths, e_units=widths, standardise=False).fit(problem.train, seed)
            scores.append(rmse(problem, method.impute(problem.train)))
        mean = float(np.mean(scores))
        found[name] = {"seeds": scores, "mean": mean, "table_3": TABLE_3[name], "difference": mean - TABLE_3[name]}
    return found


def ablation(arguments: argparse.Namespace) -> dict[str, Any]:
    """Weight of the mask, and Bayesian networks, on one published table."""
    problem = published(arguments.n, arguments.ratio)
    variants: list[dict[str, Any]] = [{"beta": beta} for beta in (0.0, 0.01, 0.1, 1.0)] + [{"use_bnn": True}]
    rows = []
    for options in variants:
        method = simulation(arguments.seed, problem, **options)
        row = {**options, "map_rmse": rmse(problem, method.impute(problem.train))}
        if arguments.draws:
            row |= uncertainty(problem, method.impute(problem.train, arguments.draws))
        rows.append(row)
    return {"n": arguments.n, "ratio": arguments.ratio, "seed": arguments.seed, "rows": rows}


def table2(arguments: argparse.Namespace) -> dict[str, Any]:
    """Table 2's figures from draws of one fit, which had the paper's beta, by the beta of the draws."""
    problem = published(arguments.n, 0.2)
    method = simulation(arguments.seed, problem, **json.loads(arguments.options))
    rows, found = problem.train.take(np.arange(arguments.rows or arguments.n)), []
    for beta in (0.0, method.beta, 1.0):
        method.model_.beta = beta
        found.append({"beta": beta} | uncertainty(problem, method.impute(rows, arguments.draws or 1000)))
    return {"n": arguments.n, "seed": arguments.seed, "options": json.loads(arguments.options), "rows": found}


def gisette(arguments: argparse.Namespace) -> dict[str, Any]:
    """A table of Gisette's shape: curved functions of ten factors, a third of the columns pure noise."""
    rng = np.random.default_rng(0)
    n, p = arguments.n, arguments.p
    factors = rng.normal(size=(n, 10))
    signal = np.tanh(factors @ rng.normal(size=(10, 40))) @ rng.normal(size=(40, p)) / 6
    values = np.where(rng.random(p) < 2 / 3, signal, 0) + 0.5 * rng.normal(size=(n, p))
    table = standardised_table("gisette shape", values, [f"f{j}" for j in range(p)])
    problem = hide(table, SelfLogistic().draw(table, 0.2, stream(0, "mask")))
    options = {"z_dim": 10, "batch_size": 32, "egm_n_iter": 5000, "epochs": 200, "standardise": False}
    method = MissBGM(**options | json.loads(arguments.options))
    method.monitor = Phases()
    fit_s = seconds(lambda: method.fit(problem.train, arguments.seed))
    done: list[Imputation] = []
    draws_s = seconds(lambda: done.append(method.impute(problem.train, arguments.draws or 1000)))
    draws = done[0].draws
    assert draws is not None
    truth = problem.answers["train"].values[tuple(draws.cells.T)]
    mean = np.nanmean(problem.train.values, axis=0)
    return {
        "n": n,
        "p": p,
        "hidden_cells": len(truth),
        "fit_s": fit_s,
        "draws_s": draws_s,
        "phases": method.monitor.seconds(),
        "mean_rmse": float(np.sqrt(np.mean((mean[draws.cells[:, 1]] - truth) ** 2))),
        "map_rmse": rmse(problem, done[0]),
        "posterior_mean_rmse": float(np.sqrt(np.mean((draws.mean - truth) ** 2))),
        "coverage": float(np.mean((draws.lower <= truth) & (truth <= draws.upper))),
        "samples_kept": draws.samples is not None,
        **{k: v for k, v in done[0].diagnostics.items() if isinstance(v, float)},
    }


# --- a plain loop beside ours ---------------------------------------------------------------------------------------


class Plain:
    """The same networks as torch modules, every step by autograd, Adam over the whole table at every step."""

    def __init__(self, n: int, p: int, device: torch.device) -> None:
        self.n, self.p, self.device = n, p, device
        self.g = perceptron([5, *WIDTHS, 2 * p]).to(device)
        self.f = perceptron([p, 64, 64, p]).to(device)
        self.z, self.x = (torch.randn(n, q, device=device).requires_grad_() for q in (5, p))
        self.r = (torch.rand(n, p, device=device) > 0.3).float()
        rates = ((self.z, 0.002), (self.x, 0.002), (self.g.parameters(), 0.005), (self.f.parameters(), 0.005))
        self.optimizers = [
            torch.optim.Adam([t] if isinstance(t, torch.Tensor) else t, lr, (0.9, 0.99), 1e-7) for t, lr in rates
        ]

    def likelihood(self, z: torch.Tensor, x: torch.Tensor) -> torch.Tensor:
        mean, raw = self.g(z).chunk(2, 1)
        variance = F.softplus(raw) + 1e-4
        return 0.5 * ((x - mean).square() / variance + variance.log()).sum(1)

    def mask(self, x: torch.Tensor, r: torch.Tensor) -> torch.Tensor:
        return F.binary_cross_entropy_with_logits(self.f(x), r, reduction="none").sum(1)

    def step(self, i: int, loss: torch.Tensor) -> None:
        self.optimizers[i].zero_grad()
        loss.backward()
        self.optimizers[i].step()

    def visit(self, rows: torch.Tensor) -> None:
        scale, r = 1 / (len(rows) * self.p), self.r[rows]
        for _ in range(3):
            z = self.z[rows]
            self.step(0, (self.likelihood(z, self.x[rows]) + 0.5 * z.square().sum(1)).sum() * scale)
            x = self.x[rows]
            self.step(1, (self.likelihood(self.z[rows], x) + 0.01 * self.mask(x, r)).sum() * scale)
        z, x = self.z.detach()[rows], self.x.detach()[rows]
        self.step(2, self.likelihood(z, x).sum() * scale)
        self.step(3, self.mask(x, r).sum() * scale)

    def sweep(self) -> None:
        """One HMC step of z and one of x, five leapfrog steps each, gradients by autograd."""
        z, x = self.z.detach(), self.x.detach()
        self.hmc(z, lambda position: -self.likelihood(position, x) - 0.5 * position.square().sum(1))
        self.hmc(x, lambda position: -self.likelihood(z, position) - 0.01 * self.mask(position, self.r))

    def hmc(self, start: torch.Tensor, log_density: Callable[[torch.Tensor], torch.Tensor]) -> torch.Tensor:
        def both(position: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            position = position.detach().requires_grad_()
            value = log_density(position)
            return value.detach(), torch.autograd.grad(value.sum(), position)[0]

        position, momentum = start, torch.randn_like(start)
        density, gradient = both(position)
        before = density - 0.5 * momentum.square().sum(1)
        for _ in range(5):
            momentum = momentum + 0.05 * gradient
            position = position + 0.1 * momentum
            density, gradient = both(position)
            momentum = momentum + 0.05 * gradient
        gain = density - 0.5 * momentum.square().sum(1) - before
        return torch.where((torch.rand_like(gain).log() < gain)[:, None], position, start)


def perceptron(widths: Iterable[int]) -> torch.nn.Sequential:
    sizes = list(widths)
    layers: list[torch.nn.Module] = []
    for a, b in pairwise(sizes):
        layers += [torch.nn.Linear(a, b), torch.nn.LeakyReLU(0.2)]
    return torch.nn.Sequential(*layers[:-1])


def speed(arguments: argparse.Namespace) -> dict[str, Any]:
    """Milliseconds of a mini-batch's visit and of a sweep over all rows, plain and ours in one process."""
    device, n, p = pick(), arguments.n, 50
    plain = Plain(n, p, device)
    batches = torch.randperm(n, device=device)[: n // 16 * 16].view(-1, 16)
    short = batches[:100]
    for rows in short[:5]:
        plain.visit(rows)
    plain.sweep()
    reference = {
        "visit_ms": 1e3 * seconds(lambda: [plain.visit(rows) for rows in short]) / len(short),
        "sweep_ms": 1e3 * seconds(lambda: [plain.sweep() for _ in range(10)]) / 10,
    }

    generator = torch.Generator().manual_seed(0)
    heads = Heads(p, np.array([], dtype=np.intp), device)
    model = Model(Generator(5, WIDTHS, heads, generator, device), Missingness(p, [64, 64], p, generator, device), 0.01)
    state = at_rest(plain.z.detach().clone(), plain.x.detach().clone(), p)
    steps, noise = LocalSteps(Adam(0.002), Adam(0.002), 3, 25.0, "dense"), torch.Generator(device)
    parameters = PointParameters(model, (Adam(0.005), Adam(0.005)), 0.0)

    def fit(epochs: int) -> float:
        rng, fused = np.random.default_rng(0), serves(device, model, 16)
        return seconds(
            lambda: alternate(
                state, plain.r, model, parameters, steps, epochs, 16, rng, noise, lambda e, loss: None, fused
            )
        )

    def new_noise(name: str | int) -> torch.Generator:
        return torch_stream(0, name, device=device)

    def sweeps(count: int) -> float:
        settings = ChainSettings(count, 0.1, 5, "simple", 0.8, 0.75)
        return seconds(
            lambda: sample(state, plain.r, model, settings, 4, new_noise, lambda x: x[0, :4], lambda i, rate: None)
        )

    fit(1), sweeps(2)
    found = {
        "visit_ms": 1e3 * (fit(3) - fit(1)) / (2 * -(-n // 16)),
        "sweep_ms": 1e3 * (sweeps(46) - sweeps(6)) / 40,
    }
    ratio = {key: reference[key] / found[key] for key in found}
    return {"n": n, "p": p, "threads": torch.get_num_threads(), "reference": reference, "ours": found, "ratio": ratio}


def main() -> None:
    tasks = {
        "run": run,
        "grid": grid,
        "speed": speed,
        "gisette": gisette,
        "uci": uci,
        "ablation": ablation,
        "table2": table2,
    }
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=list(tasks))
    parser.add_argument("--n", type=int, help="rows; 5000, or 13500 in `gisette`")
    parser.add_argument("--p", type=int, default=5000, help="columns in `gisette`")
    parser.add_argument("--ratio", type=float, default=0.3)
    parser.add_argument("--seed", type=int, default=42, help="of the model; the data are the published draw")
    parser.add_argument("--draws", type=int, default=0)
    parser.add_argument("--rows", type=int, default=0, help="draws for the first rows only, in `run` and `table2`")
    parser.add_argument("--folder", default="data/uci", help="of the UCI files")
    parser.add_argument("--tables", default="wine,breast,concrete", help="in `uci`")
    parser.add_argument("--options", default="{}", help="JSON of constructor arguments, in `run` and `gisette`")
    arguments = parser.parse_args()
    arguments.n = arguments.n or (13_500 if arguments.what == "gisette" else 5000)
    result = {"what": arguments.what} | tasks[arguments.what](arguments)
    result["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    result["torch"] = torch.__version__
    result["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if torch.cuda.is_available():
        result["peak_device_memory_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    print(json.dumps(rounded(result)))


def rounded(value: Any) -> Any:
    """Floats at any depth with five digits."""
    if isinstance(value, dict):
        return {key: rounded(item) for key, item in value.items()}
    if isinstance(value, list):
        return [rounded(item) for item in value]
    return float(f"{value:.5g}") if isinstance(value, float) else value


if __name__ == "__main__":
    main()
