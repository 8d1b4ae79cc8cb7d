"""Speed and scores of Diff-Joint at the paper's setting.

    python benchmarks/diffjoint.py speed                         # one JSON line: training, sampling, reference
    python benchmarks/diffjoint.py scores --ratio 0.1 --seed 0   # one JSON line: a whole run on bayesnet, timed

Needs only torch and the scientific stack. ``speed`` measures a plain float32 loop beside ours in the same run.
"""

from __future__ import annotations

import argparse
import json
import math
import resource
import time
from collections.abc import Callable

import numpy as np
import torch
from torch.nn import functional as F

from lacuna.backend.device import pick
from lacuna.backend.training import Schedule
from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR
from lacuna.masks.mnar import MNAR
from lacuna.methods.base import Monitor
from lacuna.methods.diffjoint import DiffJoint
from lacuna.methods.diffputer import DiffPuter
from lacuna.methods.diffusion import SIGMA_DATA, DiffusionModel, SamplerSettings
from lacuna.nets.denoiser import MLPDenoiser
from lacuna.numerics import edm
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Answer, Imputation, Incomplete

WIDTH = 14  # bayesnet: 9 encoded coordinates and 5 of the mask
METHODS = {"diffjoint": DiffJoint, "diffputer": DiffPuter}
MASKS = {"mcar": MCAR, "mar": MAR, "mnar": MNAR}


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


def flop_per_state(hidden: int, width: int, folded: bool) -> float:
    """Multiply-adds of one network call on one state, counted twice; the shared noise embedding left out.

    ``folded``: the projection and the first layer of the body are one matrix, as in our sampler.
    """
    first = 2 * width * hidden if folded else width * hidden + 2 * hidden * hidden
    return 2.0 * (first + 4 * hidden * hidden + 2 * hidden * hidden + width * hidden)


def plain_loop(n: int, hidden: int, batch: int, states: int) -> dict[str, float]:
    """The usual float32 loop: eager, a Python loop over steps, one host read of the loss a step."""
    device = pick()
    network = MLPDenoiser(WIDTH, hidden).to(device)
    network.reset(torch.Generator(device).manual_seed(0))
    data = 0.5 * torch.randn(n, WIDTH, device=device)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-4)

    def epoch() -> None:
        for rows in torch.randperm(n, device=device).split(batch):
            clean = data[rows]
            sigma = edm.training_sigma(torch.randn(len(rows), 1, device=device))
            noisy, c_noise, target = edm.regression(clean, torch.randn_like(clean), sigma, SIGMA_DATA)
            optimizer.zero_grad()
            loss = F.mse_loss(network(noisy, c_noise), target)
            loss.backward()
            optimizer.step()
            loss.item()

    @torch.no_grad()
    def sampling(levels: int) -> None:
        state = torch.randn(states, WIDTH, device=device)
        is_known = torch.rand(states, WIDTH, device=device) < 0.5
        sigmas = edm.noise_levels(50, 0.002, 80.0, 7.0).to(device)
        for i in range(levels):
            noise = torch.randn(3, *state.shape, device=device)
            levels_here = sigmas[i], sigmas[i + 1], torch.ones_like(sigmas[i])
            state = edm.inpainting_step(denoiser, state, state, is_known, noise, *levels_here, 0.02, True)

    def denoiser(state: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
        return edm.denoise(network, state, sigma, SIGMA_DATA)

    epoch(), sampling(1)
    epochs, levels = 3, 5
    rate = 2 * levels * states / seconds(lambda: sampling(levels))
    return {
        "epoch_ms": 1e3 * seconds(lambda: [epoch() for _ in range(epochs)]) / epochs,
        "evaluations_per_s": rate,
        "sampling_tflops": rate * flop_per_state(hidden, WIDTH, folded=False) / 1e12,
    }


def ours(n: int, hidden: int, batch: int, states: int, precision: str) -> dict[str, float]:
    """The same work through DiffusionModel."""
    device = pick()
    model = DiffusionModel(WIDTH, hidden, device, precision)
    data = 0.5 * torch.randn(n, WIDTH, device=device)
    short, long = 40, 240
    model.fit(data, Schedule(2, batch, 1e-4), seed=0)

    def epoch(rows: int) -> float:
        """Seconds of one more epoch, captures and warm-up left out."""

        def fit(epochs: int) -> float:
            return seconds(lambda: model.fit(data[:rows], Schedule(epochs, batch, 1e-4), seed=0))

        return (fit(long) - fit(short)) / (long - short)

    sampling = SamplerSettings(steps=10, repeats=10)
    known, is_known = data[: states // 30], torch.rand(states // 30, WIDTH, device=device) < 0.5
    first = seconds(lambda: model.sample(known, is_known, 30, sampling, seed=0))
    again = seconds(lambda: model.sample(known, is_known, 30, sampling, seed=0))
    rate = len(known) * 30 * (2 * (sampling.steps - 1) + 1) * sampling.repeats / again
    return {
        "epoch_ms": 1e3 * epoch(n),
        "step_ms": 1e3 * epoch(n // batch * batch) / (n // batch),
        "evaluations_per_s": rate,
        "sampling_tflops": rate * flop_per_state(hidden, WIDTH, folded=True) / 1e12,
        "first_sampling_extra_s": first - again,
    }


def speed(arguments: argparse.Namespace) -> dict:
    """One epoch of 14,000 rows and network evaluations of the sampler, reference and ours side by side."""
    n, batch, hidden, states = 14_000, 4096, arguments.hidden, arguments.states
    reference = plain_loop(n, hidden, batch, min(states, 131_072))
    found = ours(n, hidden, batch, states, arguments.precision)
    ratio = {
        "training": reference["epoch_ms"] / found["epoch_ms"],
        "sampling": found["evaluations_per_s"] / reference["evaluations_per_s"],
    }
    return {"rows": n, "precision": arguments.precision, "reference": reference, "ours": found, "ratio": ratio}


def scores(answer: Answer, imputation: Imputation) -> dict[str, float]:
    """The figures of Tables 1 and 2, written apart from lacuna.metrics."""
    candidates = np.array([c.mm_candidate for c in answer.columns])
    discrete = np.array([c.kind == "categorical" for c in answer.columns])
    hidden, final = answer.hidden, imputation.final
    right = (final == answer.values) | (np.isnan(final) & np.isnan(answer.values))
    lost = answer.ordinary[:, ~discrete & ~candidates]
    error = (imputation.values - answer.values)[:, ~discrete & ~candidates][lost]
    found = {
        "acc": right[hidden & discrete & candidates].mean(),
        "acc_discrete": right[hidden & discrete].mean(),
        "rmse": math.sqrt((error**2).mean()),
    }
    if imputation.meaningful is not None:
        called, true = imputation.meaningful[hidden & candidates], answer.meaningful[hidden & candidates]
        precision, recall = (called & true).sum() / max(called.sum(), 1), (called & true).sum() / true.sum()
        found |= {"mm_precision": precision, "mm_recall": recall}
        found["mm_f1"] = 2 * precision * recall / (precision + recall)
    return {k: round(float(v), 4) for k, v in found.items()}


class Watch(Monitor):
    """Scores and seconds after every outer iteration."""

    def __init__(self, problem, quiet: bool = False) -> None:
        self.problem, self.quiet, self.rows = problem, quiet, []
        self.since = self.trained = time.perf_counter()
        self.epochs = 0

    def progress(self, phase: str, done: int, total: int, **info: float) -> None:
        if "training" in phase:
            self.epochs, self.trained = done, time.perf_counter()

    def iteration(self, index: int, impute: Callable[[Incomplete], Imputation]) -> None:
        now = time.perf_counter()
        took = {"seconds": now - self.since, "training_s": self.trained - self.since}
        found = scores(self.problem.answers["train"], impute(self.problem.train))
        self.rows.append(
            {"iteration": index, "epochs": self.epochs} | {k: round(v, 2) for k, v in took.items()} | found
        )
        self.since = time.perf_counter()
        if not self.quiet:
            print(self.rows[-1], flush=True)


def whole_run(arguments: argparse.Namespace) -> dict:
    table = BayesNet().load(stream(arguments.seed, "dataset"), stream(arguments.seed, "split"))
    problem = hide(table, MASKS[arguments.mask]().draw(table, arguments.ratio, stream(arguments.seed, "mask")))
    method = METHODS[arguments.method](**json.loads(arguments.options))
    method.monitor = Watch(problem)
    took = {"fit_s": seconds(lambda: method.fit(problem.train, arguments.seed))}
    done: list[Imputation] = []
    took["impute_test_s"] = seconds(lambda: done.append(method.impute(problem.test)))
    return {
        "seed": arguments.seed,
        "mask": arguments.mask,
        "ratio": arguments.ratio,
        "method": arguments.method,
        "options": json.loads(arguments.options),
        **{k: round(v, 2) for k, v in took.items()},
        "train": scores(problem.answers["train"], method.impute(problem.train)),
        "test": scores(problem.answers["test"], done[0]),
        "iterations": method.monitor.rows,
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=["speed", "scores"])
    parser.add_argument("--hidden", type=int, default=1024)
    parser.add_argument("--states", type=int, default=256_200, help="sampled states in `speed`")
    parser.add_argument("--precision", default="auto")
    parser.add_argument("--method", choices=list(METHODS), default="diffjoint")
    parser.add_argument("--mask", choices=list(MASKS), default="mcar")
    parser.add_argument("--ratio", type=float, default=0.1)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--options", default="{}", help="JSON of constructor arguments")
    arguments = parser.parse_args()
    result = speed(arguments) if arguments.what == "speed" else whole_run(arguments)
    result["device"] = torch.cuda.get_device_name() if torch.cuda.is_available() else "cpu"
    result["torch"] = torch.__version__
    result["peak_memory_gb"] = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20, 2)
    if torch.cuda.is_available():
        result["peak_device_memory_gb"] = round(torch.cuda.max_memory_allocated() / 2**30, 2)
    print(json.dumps(result))


if __name__ == "__main__":
    main()
