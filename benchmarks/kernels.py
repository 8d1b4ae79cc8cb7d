"""Each hand-written kernel beside what torch makes of plain code: eager, captured as a CUDA graph, compiled, both.

    python benchmarks/kernels.py --out benchmarks/results/kernels.jsonl   # one GPU, six minutes, most of them compiling
    python benchmarks/kernels.py --dry --out /dev/null                    # tiny shapes on a CPU: does the script hold?

One JSON line a variant: microseconds of a call (median of blocks), how many times the hand-written one's that is, the
relative difference of its result from that one's, seconds to set it up. A variant that fails or runs past its limit
leaves a line that says so. The last lines are the whole of Diff-Joint's sampler and of MissBGM's fit. Needs only torch
with Triton and the scientific stack.
"""

from __future__ import annotations

import argparse
import json
import platform
import signal
import statistics
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from unittest.mock import patch

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional as F

import diffjoint
import missbgm
from lacuna.backend import kernels
from lacuna.backend.device import matmul_precision, pick
from lacuna.backend.graphs import graphed
from lacuna.methods.missbgm import fitting, local, parameters
from lacuna.methods.missbgm.dense_adam import Adam, AdamMoments
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.parameters import PointParameters
from lacuna.methods.missbgm.settings import LocalSteps
from lacuna.nets import attention
from lacuna.nets.denoiser import FoldedDenoiser, MLPDenoiser
from lacuna.nets.fused import linear_silu
from lacuna.nets.fused_attention import attend_few
from lacuna.nets.fused_perceptron import rough
from lacuna.nets.masked_autoencoder import MaskedAutoencoder
from lacuna.nets.perceptron import SLOPE, Perceptron, glorot_, size, views
from lacuna.nets.score import ScoreNetwork

Call = Callable[[], Any]
Line = dict[str, Any]
LIMIT = 60.0  # seconds of a variant, compiling included
MODES: dict[str, dict[str, Any]] = {
    "compiled": {},
    "reduce-overhead": {"mode": "reduce-overhead"},
    "max-autotune": {"mode": "max-autotune-no-cudagraphs"},
    "max-autotune with bulk copies": {
        "options": {"max_autotune": True, "triton.enable_persistent_tma_matmul": True, "triton.cudagraphs": False}
    },
    "compiled, frozen": {"options": {"freezing": True}},
}


@dataclass(frozen=True)
class Variant:
    """One way to do a case's work.

    Args:
        ready: sets it up; gives a call and, where the call's own output would not do, what to compare.
        calls: how often a call does the work.
    """

    name: str
    ready: Callable[[], tuple[Call, Any]]
    by_hand: bool = False
    calls: int = 1
    limit: float = LIMIT


@dataclass(frozen=True)
class Case:
    kernel: str
    shape: str
    variants: Iterable[Variant]
    flop: float = 0.0  # of a call


# --- how a variant is measured --------------------------------------------------------------------------------------


def microseconds(call: Call, device: torch.device) -> float:
    """Of one call, the median of blocks of calls; on a GPU by its own clock."""
    call()
    wait()
    begun = time.perf_counter()
    call()
    wait()
    about = max(time.perf_counter() - begun, 1e-6)
    n_calls = min(max(int(0.01 / about), 1), 500)
    n_blocks = min(max(int(1.0 / (n_calls * about)), 5), 15)
    return 1e6 * statistics.median(block(call, n_calls, device) for _ in range(n_blocks)) / n_calls


def block(call: Call, n_calls: int, device: torch.device) -> float:
    if device.type == "cpu":
        begun = time.perf_counter()
        for _ in range(n_calls):
            call()
        return time.perf_counter() - begun
    start, end = (torch.cuda.Event(enable_timing=True) for _ in range(2))
    start.record()
    for _ in range(n_calls):
        call()
    end.record()
    end.synchronize()
    return start.elapsed_time(end) / 1e3


def said(problem: Exception) -> str:
    """In a line."""
    return " ".join(f"{type(problem).__name__}: {problem}".split())[:300]


def wait() -> None:
    if torch.cuda.is_available():
        torch.cuda.synchronize()


def flat(found: Any) -> Tensor:
    parts = [found] if isinstance(found, Tensor) else found
    return torch.cat([part.detach().float().flatten() for part in parts])


def difference(found: Tensor, wanted: Tensor) -> float:
    return float((found - wanted).norm() / wanted.norm())


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Ends a block that runs longer by a TimeoutError."""

    def stop(*_: Any) -> None:
        raise TimeoutError(f"not ready after {seconds:.0f} s")

    before = signal.signal(signal.SIGALRM, stop)
    signal.setitimer(signal.ITIMER_REAL, seconds)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextmanager
def plain_torch() -> Iterator[None]:
    """No hand-written kernel within a block, and nothing that asks for one and would break a compiled graph."""
    with ExitStack() as stack:
        stack.enter_context(kernels.using("off"))
        stack.enter_context(patch.object(attention, "serves", lambda *about: False))
        yield


def measured(case: Case, device: torch.device, deadline: float) -> Iterator[Line]:
    """A line a variant; ratio and difference are to the hand-written one, which comes first."""
    by_hand: tuple[float, Tensor] | None = None
    failed: dict[str, str] = {}
    torch.compiler.reset()
    for variant in case.variants:
        line: Line = {"kernel": case.kernel, "shape": case.shape, "variant": variant.name, "by_hand": variant.by_hand}
        begun = time.perf_counter()
        left = deadline - time.monotonic()
        try:
            if left < 5:
                raise TimeoutError("no time left")
            if (alone := variant.name.removesuffix(", captured")) in failed:
                raise RuntimeError(f"as {alone}: {failed[alone]}")
            with ExitStack() as stack:
                stack.enter_context(limited(min(variant.limit, left)))
                if not variant.by_hand:
                    stack.enter_context(plain_torch())
                call, outcome = variant.ready()
                output = call()
                wait()
                line["set_up_s"] = round(time.perf_counter() - begun, 1)
                outcome = flat(output if outcome is None else outcome)
                us = microseconds(call, device) / variant.calls
            line |= {"us": round(us, 2)}
            if case.flop:
                line["tflops"] = round(case.flop / us / 1e6, 1)
            by_hand = by_hand or ((us, outcome) if variant.by_hand else None)
            if by_hand:
                line["ratio"] = round(us / by_hand[0], 3)
                line["difference"] = float(f"{difference(outcome, by_hand[1]):.2g}")
        except Exception as problem:
            failed[variant.name] = line["error"] = said(problem)
        yield line


# --- ways to do the same work ---------------------------------------------------------------------------------------


def captured(call: Call, times: int, device: torch.device) -> Call:
    """A graph of so many calls."""

    def several(_: Tensor) -> Any:
        for _ in range(times - 1):
            call()
        return call()

    replay = graphed(several, [torch.zeros(1, device=device)])
    nothing = torch.zeros(1, device=device)
    return lambda: replay(nothing)


def ways(
    function: Callable[..., Any],
    use: Callable[[Callable[..., Any]], Call],
    device: torch.device,
    modes: Iterable[str] = ("compiled",),
    times: int = 1,
    name: str = "",
    limit: float = LIMIT,
) -> Iterator[Variant]:
    """Eager, captured, and compiled in each mode, alone and captured.

    Args:
        use: makes a call of a function that does as ``function`` does.
        times: calls in a graph.
    """

    @cache
    def compiled(mode: str) -> Callable[..., Any]:
        return torch.compile(function, dynamic=False, **MODES[mode])

    def at(variant: str, call: Callable[[], Call], calls: int = 1) -> Variant:
        return Variant(f"{name} {variant}".strip(), lambda: (call(), None), calls=calls, limit=limit)

    graphs = device.type == "cuda"
    yield at("eager", lambda: use(function))
    if graphs:
        yield at("captured", lambda: captured(use(function), times, device), times)
    for mode in modes:
        yield at(mode, lambda mode=mode: use(compiled(mode)))
        if graphs and mode != "reduce-overhead":  # which captures by itself
            yield at(f"{mode}, captured", lambda mode=mode: captured(use(compiled(mode)), times, device), times)


def hand(call: Call, times: int, device: torch.device) -> Variant:
    return Variant("hand-written", lambda: (captured(call, times, device), None), True, times)


# --- the cases ------------------------------------------------------------------------------------------------------


def plain_layer(x: Tensor, weight: Tensor, bias: Tensor) -> Tensor:
    return F.silu(F.linear(x, weight, bias), inplace=True)


@torch.no_grad()
def silu_layer(device: torch.device, n: int, k: int, m: int, dtype: torch.dtype) -> Case:
    """One layer of the denoiser."""
    x, weight, bias = (torch.randn(shape, device=device).to(dtype) for shape in ((n, k), (m, k), (m,)))
    weight /= k**0.5

    def use(layer: Callable[..., Tensor]) -> Call:
        return torch.no_grad()(lambda: layer(x, weight, bias))

    variants = [hand(use(linear_silu), 1, device), *ways(plain_layer, use, device, ["compiled", "max-autotune"])]
    return Case("linear_silu", f"layer {n} x {k} -> {m}", variants, 2.0 * n * k * m)


def denoiser(device: torch.device, n: int, hidden: int, dtype: torch.dtype) -> Case:
    """An evaluation of the whole network by the sampler, its noise embedding left out."""
    network = MLPDenoiser(diffjoint.WIDTH, hidden).to(device)
    network.reset(torch.Generator(device).manual_seed(0))
    state_map, *rest = FoldedDenoiser(network, dtype).weights
    bias = torch.randn(len(state_map), device=device).to(dtype)
    state = torch.randn(n, network.padded, device=device)

    def evaluate(layer: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def network(state: Tensor, *weights: Tensor) -> Tensor:
            *layers, last_weight, last_bias = weights
            x = state.to(dtype)
            for weight, bias in zip(layers[::2], layers[1::2], strict=True):
                x = layer(x, weight, bias)
            return F.linear(x, last_weight, last_bias)

        return network

    def use(network: Callable[..., Tensor]) -> Call:
        return torch.no_grad()(lambda: network(state, state_map, bias, *rest))

    modes = ["compiled", "reduce-overhead", "max-autotune", "max-autotune with bulk copies"]
    variants = [hand(use(evaluate(linear_silu)), 1, device)]
    variants += ways(evaluate(plain_layer), use, device, modes, limit=90)
    shape = f"network of the sampler, {n} states, hidden {hidden}"
    return Case("linear_silu", shape, variants, n * diffjoint.flop_per_state(hidden, diffjoint.WIDTH, folded=True))


def explicit(qkv: Tensor, heads: int, attended: Tensor | None = None) -> Tensor:
    """Attention as two products and a softmax."""
    q, k, v = qkv.unflatten(-1, (3, heads, -1)).permute(2, 0, 3, 1, 4)
    score = (q @ k.transpose(-1, -2)).float() / q.shape[-1] ** 0.5
    if attended is not None:
        score = score.masked_fill(~attended[:, None, None, :], -float("inf"))
    return (score.softmax(-1).to(v.dtype) @ v).transpose(1, 2).flatten(2)


def few_tokens(
    device: torch.device, rows: int, tokens: int, heads: int, head: int, dtype: torch.dtype, masked: bool, train: bool
) -> Case:
    qkv = torch.randn(rows, tokens, 3 * heads * head, device=device).to(dtype).requires_grad_(train)
    upstream = torch.randn(rows, tokens, heads * head, device=device).to(dtype)
    attended = torch.rand(rows, tokens, device=device) < 0.7 if masked else None
    if attended is not None:
        attended[:, 0] = True

    def use(attend: Callable[..., Tensor]) -> Call:
        if train:
            return lambda: torch.autograd.grad(attend(qkv, heads, attended), qkv, upstream)
        return torch.no_grad()(lambda: attend(qkv, heads, attended))

    variants = [hand(use(attend_few), 20, device)]
    variants += ways(attention.attend, use, device, times=20, name="sdpa")
    variants += ways(explicit, use, device, times=20, name="products and softmax")
    way = "forward and backward" if train else "forward"
    shape = f"{rows} x {tokens} tokens, {heads} heads x {head}, {str(dtype)[6:]}, {way}{', masked' if masked else ''}"
    return Case("attend_few", shape, variants)


def training_step(device: torch.device, rows: int, columns: int, blocks: tuple[int, int]) -> Case:
    """Gradients of some of CACTI's blocks; all but the first way are without the hand-written kernel."""
    network = MaskedAutoencoder(columns, 64, 8, 4, *blocks).to(device)
    network.reset(torch.Generator(device).manual_seed(0))
    values, seen = torch.rand(rows, columns, device=device), torch.rand(rows, columns, device=device) < 0.7
    parameters = list(network.parameters())

    def use(network: Callable[..., Tensor]) -> Call:
        def step() -> tuple[Tensor, ...]:
            with matmul_precision("tf32"):
                return torch.autograd.grad((network(values, seen) - values).square().mean(), parameters)

        return step

    variants = [hand(use(network), 1, device), *ways(network, use, device, limit=100)]
    return Case("attend_few", f"CACTI's gradients, {sum(blocks)} blocks, {rows} x {columns + 1} tokens", variants)


def sampling_step(device: torch.device, states: int, width: int) -> Case:
    """TabCSDI's network in the sampler; all but the first way are without the hand-written kernel."""
    network = ScoreNetwork(width, steps=150, channels=64, layers=4, heads=2, noise=128).to(device)
    network.reset(torch.Generator(device).manual_seed(0))
    nn.init.normal_(network.end[-1].weight)  # type: ignore[arg-type]
    state, given = torch.randn(2, states, width, device=device)
    is_given, at = torch.rand(states, width, device=device) < 0.7, torch.full((states,), 100, device=device)

    def use(network: Callable[..., Tensor]) -> Call:
        @torch.no_grad()
        def step() -> Tensor:
            with torch.autocast(device.type, torch.bfloat16, enabled=device.type == "cuda", cache_enabled=False):
                return network(state, given, is_given, at)

        return step

    variants = [hand(use(network), 1, device), *ways(network, use, device, limit=90)]
    return Case("attend_few", f"TabCSDI's sampler, {states} x {width} tokens, autocast to bfloat16", variants)


def plain_adam(
    variables: Iterable[Tensor],
    gradients: Iterable[Tensor],
    states: Iterable[AdamMoments],
    time: Tensor,
    adam: Adam,
    divisor: Tensor | None = None,
) -> None:
    """``dense_adam.step_`` in operations that a compiler can join with those around."""
    b1, b2 = adam.betas
    for variable, gradient, (mean, square) in zip(variables, gradients, states, strict=True):
        slope = gradient if divisor is None else gradient / divisor
        mean.lerp_(slope, 1 - b1)
        square.mul_(b2).addcmul_(slope, slope, value=1 - b2)
        spread = (square / (1 - b2**time)).sqrt() + adam.epsilon
        variable.sub_(adam.lr / (1 - b1**time) * mean / spread)


def visit(device: torch.device, n: int, batch: int, units: list[int], modes: list[str]) -> Case:
    """What a batch does in MissBGM's Algorithm 1; ``modes``: how plain visits are compiled."""
    p = 50

    def parts() -> tuple[Callable[[Tensor], Tensor], list[Tensor], list[Tensor]]:
        """A visit, what it moves, and batches for it."""
        generator = torch.Generator().manual_seed(0)
        heads = Heads(p, np.array([], dtype=np.intp), device)
        g = Generator(5, units, heads, generator, device)
        model = Model(g, Missingness(p, [64, 64], p, generator, device), 0.01)
        z, x = (torch.randn(n, q, generator=generator).to(device) for q in (5, p))
        rows, r = at_rest(z, x, p), (torch.rand(n, p, generator=generator) > 0.3).float().to(device)
        batches = list(torch.randperm(n, generator=generator).to(device).split(batch))[: n // batch]
        moving = PointParameters(model, (Adam(0.005), Adam(0.005)), 0.0)
        steps, noise = LocalSteps(Adam(0.002), Adam(0.002), 3, 25.0, "dense"), torch.Generator(device)
        taken: list[tuple[Callable[[Tensor], Tensor], list[Tensor]]] = []
        with patch.object(fitting, "graphed", lambda visit, inputs, noise, changes: taken.append((visit, changes))):
            rng = np.random.default_rng(0)
            fitting.alternate(rows, r, model, moving, steps, 0, batch, rng, noise, lambda epoch, loss: None)
        return *taken[0], batches

    def compiled(function: Callable[[Tensor], Tensor], mode: str) -> Callable[[Tensor], Tensor]:
        faster = torch.compile(function, dynamic=False, **MODES[mode])

        def visit(chosen: Tensor) -> Tensor:
            with patch.object(local, "step_", plain_adam), patch.object(parameters, "step_", plain_adam):
                return faster(chosen)

        return visit

    def ready(mode: str | None, graph: bool) -> Callable[[], tuple[Call, Any]]:
        def build() -> tuple[Call, Any]:
            function, moved, batches = parts()
            function = compiled(function, mode) if mode else function
            function = graphed(function, [batches[0]], changes=moved) if graph else function
            for chosen in batches[:3]:
                function(chosen)
            outcome = moved[1].clone()  # the numbers
            turn = iter(range(10**9))
            return lambda: function(batches[next(turn) % len(batches)]), outcome

        return build

    variants = [Variant("hand-written", ready(None, True), by_hand=True)]
    if "eager" in modes:
        variants += [Variant("eager", ready(None, False)), Variant("captured", ready(None, True))]
    for mode in modes:
        if mode != "eager":
            variants.append(Variant(mode, ready(mode, False), limit=120))
            variants.append(Variant(f"{mode}, captured", ready(mode, True), limit=120))
    return Case("FusedVisit", f"{batch} of {n} rows x {p}, {len(units)} layers of {units[0]}", variants)


def new_perceptron(widths: list[int], device: torch.device, dtype: torch.dtype) -> tuple[Tensor, list[Tensor]]:
    """A vector and the parameters that are views of it."""
    shapes = Perceptron.shapes(widths)
    vector = torch.zeros(size(shapes))
    for weight in views(vector, shapes)[::2]:
        glorot_(weight, torch.Generator().manual_seed(0))
    vector = vector.to(device, dtype)
    return vector, views(vector, shapes)


def plain_forward(x: Tensor, *parameters: Tensor) -> Tensor:
    for i, (weight, bias) in enumerate(zip(parameters[::2], parameters[1::2], strict=True)):
        x = torch.addmm(bias, x, weight)
        x = F.leaky_relu(x, SLOPE) if 2 * i + 2 < len(parameters) else x
    return x


def by_parameters(device: torch.device, n: int, widths: list[int]) -> Case:
    """Derivatives by the parameters, as a step of the networks needs them."""
    vector, parameters = new_perceptron(widths, device, torch.float32)
    x, upstream = torch.randn(n, widths[0], device=device), torch.randn(n, widths[-1], device=device)
    leaves = [p.clone().requires_grad_() for p in parameters]
    out = views(torch.empty_like(vector), Perceptron.shapes(widths))

    def written_out() -> list[Tensor]:
        network = Perceptron(parameters)
        network.to_parameters(network.forward(x), upstream.clone(), out)
        return out

    def use(forward: Callable[..., Tensor]) -> Call:
        return lambda: torch.autograd.grad(forward(x, *leaves), leaves, upstream)

    shape = f"by parameters, {n} rows, {'-'.join(map(str, widths))}"
    return Case("Perceptron", shape, [hand(written_out, 5, device), *ways(plain_forward, use, device, times=5)])


def by_input(device: torch.device, n: int, widths: list[int], dtype: torch.dtype) -> Case:
    """Derivatives by the input, as a sweep needs them."""
    _, parameters = new_perceptron(widths, device, dtype)
    x, upstream = (
        torch.randn(n, widths[0], device=device).to(dtype),
        torch.randn(n, widths[-1], device=device).to(dtype),
    )
    leaf = x.clone().requires_grad_()

    def written_out() -> Tensor:
        network = Perceptron(parameters)
        return network.to_input(network.forward(x), upstream.clone())

    def use(forward: Callable[..., Tensor]) -> Call:
        return lambda: torch.autograd.grad(forward(leaf, *parameters), leaf, upstream)

    shape = f"by input, {n} rows, {'-'.join(map(str, widths))}, {str(dtype)[6:]}"
    return Case("Perceptron", shape, [hand(written_out, 5, device), *ways(plain_forward, use, device, times=5)])


def on_cpu(n: int, widths: list[int]) -> Case:
    """The same on one thread of the CPU in bfloat16, by oneDNN's fused layers."""
    cpu = torch.device("cpu")
    _, parameters = new_perceptron(widths, cpu, torch.float32)
    x, upstream = torch.randn(n, widths[0]).bfloat16(), torch.randn(n, widths[-1]).bfloat16()
    fused = rough(Perceptron(parameters), torch.bfloat16)
    plain = Perceptron([p.bfloat16() for p in parameters])

    def derivative(network: Perceptron) -> Callable[..., Tensor]:
        @torch.no_grad()
        def by_input(x: Tensor, upstream: Tensor) -> Tensor:
            return network.to_input(network.forward(x), upstream)

        return by_input

    def use(function: Callable[..., Tensor]) -> Call:
        return lambda: function(x, upstream.clone())

    variants = [Variant("hand-written", lambda: (use(derivative(fused)), None), by_hand=True)]
    variants += ways(derivative(plain), use, cpu, ["compiled", "compiled, frozen"])
    return Case("FusedPerceptron", f"by input, {n} rows, {'-'.join(map(str, widths))}, bfloat16, CPU", variants)


def cases(device: torch.device, dry: bool) -> list[tuple[str, Callable[[], Case]]]:
    """The quick ones first; what compiles for long comes last."""
    bf16, f32 = torch.bfloat16, torch.float32
    n, units = (200, [16] * 2) if dry else (5000, [120] * 5)
    widths = [5, *units, 100]
    cacti, tabcsdi, sampled = ((128, 12, 8, 8), (64, 30, 2, 32), (2000, 30, 2, 32)) if not dry else [(4, 6, 2, 8)] * 3
    layers = ((256_200, 1024, bf16), (256_200, 2048, 2048, bf16)) if not dry else ((64, 32, f32), (64, 16, 32, f32))
    found: list[tuple[str, Callable[[], Case]]] = [
        ("linear_silu", lambda: denoiser(device, *layers[0])),
        ("linear_silu", lambda: silu_layer(device, *layers[1])),
        ("FusedVisit", lambda: visit(device, n, 16, units, ["eager", "compiled"])),
        ("attend_few", lambda: few_tokens(device, *cacti, f32, masked=True, train=True)),
        ("attend_few", lambda: few_tokens(device, *tabcsdi, f32, masked=False, train=True)),
        ("attend_few", lambda: few_tokens(device, *sampled, bf16, masked=False, train=False)),
        ("Perceptron", lambda: by_parameters(device, 16, widths)),
        ("Perceptron", lambda: by_input(device, n, widths, f32 if dry else bf16)),
        ("FusedPerceptron", lambda: on_cpu(n // 2, widths)),
        ("attend_few", lambda: sampling_step(device, *((8, 4) if dry else (2000, 30)))),
        ("FusedVisit", lambda: visit(device, n, 32, units, ["eager"])),
        ("attend_few", lambda: training_step(device, *((8, 5, (1, 1)) if dry else (128, 11, (2, 1))))),
    ]
    if not dry:
        found.append(("attend_few", lambda: few_tokens(device, 128, 50, 8, 8, f32, masked=True, train=True)))
        found.append(("FusedVisit", lambda: visit(device, n, 16, units, ["max-autotune"])))
    return found


def totals(device: torch.device, dry: bool) -> Iterator[Line]:
    """The whole of Diff-Joint's sampler and of MissBGM's fit, as they are used."""
    for name, work in (("Diff-Joint", whole_diffjoint), ("MissBGM", whole_missbgm)):
        line: Line = {"kernel": "all", "shape": name, "variant": "as used", "by_hand": True}
        try:
            with limited(120):
                line |= work(dry)
        except Exception as problem:
            line["error"] = said(problem)
        yield line


def whole_diffjoint(dry: bool) -> Line:
    found = diffjoint.ours(*((200, 32, 64, 300) if dry else (14_000, 1024, 4096, 256_200)), "auto")
    return {k: float(f"{v:.4g}") for k, v in found.items()}


def whole_missbgm(dry: bool) -> Line:
    """The first fit compiles, the second does not."""
    problem = missbgm.published(500 if dry else 5000, 0.3)
    found: Line = {}
    for turn in ("first", "second"):
        begun = time.perf_counter()
        method = missbgm.simulation(42, problem, **({"epochs": 1, "egm_n_iter": 5} if dry else {}))
        found[f"{turn}_fit_s"] = round(time.perf_counter() - begun, 2)
        found[f"{turn}_phases_s"] = method.monitor.seconds()
    return found | {"map_rmse": round(missbgm.rmse(problem, method.impute(problem.train)), 4)}


# --- what is printed ------------------------------------------------------------------------------------------------


def table(lines: list[Line]) -> str:
    head, *rest = (f"{lines[0]['kernel']}: {lines[0]['shape']}", "| variant | us | ratio | set up, s | difference |")
    rows = [head, "", *rest, "|---|---|---|---|---|"]
    for line in lines:
        found = [line.get(key, "") for key in ("us", "ratio", "set_up_s", "difference")]
        found = found if "error" not in line else [line["error"], "", "", ""]
        rows.append(f"| {' | '.join(map(str, [line['variant'], *found]))} |")
    others = [line["ratio"] for line in lines if "ratio" in line and not line["by_hand"]]
    best = f"best other way / hand-written: {min(others):.2f}" if others else "nothing to compare"
    if "tflops" in lines[0]:
        best += f"; hand-written: {lines[0]['tflops']} TFLOP/s"
    return "\n".join([*rows, "", best, ""])


def about(device: torch.device) -> Line:
    try:
        import triton

        version = triton.__version__
    except ImportError:
        version = "none"
    name = torch.cuda.get_device_name() if device.type == "cuda" else platform.processor() or platform.machine()
    return {"device": name, "torch": torch.__version__, "triton": version}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "kernels.jsonl")
    parser.add_argument("--dry", action="store_true", help="tiny shapes on the CPU")
    parser.add_argument("--minutes", type=float, default=5.5, help="after which nothing is begun any more")
    parser.add_argument("--only", default="", help="kernels whose name holds this")
    options = parser.parse_args()
    device = torch.device("cpu") if options.dry else pick()
    known, deadline = about(device), time.monotonic() + 60 * options.minutes
    options.out.parent.mkdir(parents=True, exist_ok=True)
    with options.out.open("a") as file:

        def keep(line: Line) -> Line:
            file.write(json.dumps(line | known) + "\n")
            file.flush()
            return line

        if options.only in "all":
            for line in totals(device, options.dry):
                print(json.dumps(keep(line)), flush=True)
        torch.set_num_threads(1)
        for kernel, new_case in cases(device, options.dry):
            if options.only not in kernel:
                continue
            try:
                print(table([keep(line) for line in measured(new_case(), device, deadline)]), flush=True)
            except Exception as problem:
                print(json.dumps(keep({"error": said(problem)})), flush=True)
    print(json.dumps(known | {"minutes": round((time.monotonic() - deadline) / 60 + options.minutes, 1)}))


if __name__ == "__main__":
    main()
