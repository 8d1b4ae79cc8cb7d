"""The one optimisation loop. It reports; callers decide what to print, score or keep."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import ClassVar

import torch
from torch import Tensor, nn

from lacuna.backend.graphs import graphed
from lacuna.backend.private import copy_all_


@dataclass(frozen=True)
class Schedule:
    """How long and how fast to train.

    The learning rate is multiplied by ``factor`` after ``plateau`` epochs without a relative improvement of
    1e-4, and training stops after ``patience`` epochs without any.
    """

    epochs: int
    batch: int
    lr: float
    factor: float = 0.9
    plateau: int = 40
    patience: int = 200
    clip: ClassVar[float | None] = None

    def __post_init__(self) -> None:
        for name in ("epochs", "batch", "lr", "plateau", "patience"):
            if not getattr(self, name) > 0:
                raise ValueError(f"{name} must be positive, got {getattr(self, name)}")

    def pace(self, device: torch.device) -> Plateau:
        return Plateau(self, device)

    def optimizer(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        return torch.optim.Adam(parameters, lr=lr, fused=True, capturable=lr.is_cuda)


@dataclass(frozen=True)
class Plan:
    """Training whose learning rates are set beforehand; the last epoch's weights are kept."""

    rates: tuple[float, ...]  # of each epoch
    batch: int
    betas: tuple[float, float] = (0.9, 0.999)
    weight_decay: float = 0.0
    decoupled: bool = False  # True: AdamW; False: the decay is part of the gradient
    clip: float | None = None  # largest norm of a gradient

    def __post_init__(self) -> None:
        if not self.rates or min(self.rates) <= 0 or self.batch < 1:
            raise ValueError(f"need positive rates and batch, got {self.rates[:3]}... and {self.batch}")

    @property
    def epochs(self) -> int:
        return len(self.rates)

    def pace(self, device: torch.device) -> Planned:
        return Planned(self.rates, device)

    def optimizer(self, parameters: Sequence[nn.Parameter], lr: Tensor) -> torch.optim.Optimizer:
        kind = torch.optim.AdamW if self.decoupled else torch.optim.Adam
        return kind(
            parameters, lr=lr, betas=self.betas, weight_decay=self.weight_decay, fused=True, capturable=lr.is_cuda
        )


def epochs_within(max_batches: int | None, epochs: int, batch: int, n_rows: int) -> int:
    """``epochs``, or as many as ``max_batches`` mini-batches allow, at least one.

    >>> epochs_within(100, 30, 16, n_rows=160), epochs_within(100, 30, 16, n_rows=32), epochs_within(None, 30, 16, 160)
    (10, 30, 30)
    """
    if max_batches is None:
        return epochs
    return max(1, min(epochs, max_batches // -(-n_rows // batch)))


class Planned:
    """The learning rate of each epoch, on the device; never stops early, and the latest epoch is the best."""

    def __init__(self, rates: Sequence[float], device: torch.device) -> None:
        self.rates = torch.tensor(rates, device=device)
        self.lr = self.rates[0].clone()
        self.epoch = 0
        self.stopped = torch.tensor(False, device=device)
        self._better = torch.tensor(True, device=device)

    def update(self, loss: Tensor) -> Tensor:
        """An epoch is over."""
        self.epoch = min(self.epoch + 1, len(self.rates) - 1)
        self.lr.copy_(self.rates[self.epoch])
        return self._better


class Plateau:
    """Learning rate, early stop and best epoch, kept in device tensors so that no epoch waits for the host."""

    def __init__(self, schedule: Schedule, device: torch.device) -> None:
        self.schedule = schedule
        self.lr = torch.tensor(schedule.lr, device=device)
        self.best = torch.tensor(torch.inf, device=device)
        self.stale = torch.tensor(0, device=device)  # epochs since the best
        self.reference = torch.tensor(torch.inf, device=device)  # of the learning-rate rule
        self.flat = torch.tensor(0, device=device)  # epochs since the reference improved
        self.stopped = torch.tensor(False, device=device)

    def update(self, loss: Tensor) -> Tensor:
        """Take an epoch's loss; returns whether it is the best so far (never after the stop)."""
        better = (loss < self.best) & ~self.stopped
        self.best.copy_(torch.where(better, loss, self.best))
        self.stale.copy_(torch.where(better, 0, self.stale + 1))
        self.stopped |= self.stale >= self.schedule.patience
        lower = loss < self.reference * (1 - 1e-4)
        self.reference.copy_(torch.where(lower, loss, self.reference))
        self.flat.copy_(torch.where(lower, 0, self.flat + 1))
        slow = self.flat > self.schedule.plateau
        self.lr.mul_(torch.where(slow, self.schedule.factor, 1.0))
        self.flat.copy_(torch.where(slow, 0, self.flat))
        return better


def train(
    network: nn.Module,
    examples: Callable[[Tensor], Sequence[Tensor]],
    loss: Callable[..., Tensor],
    n_rows: int,
    schedule: Schedule | Plan,
    generator: torch.Generator,
    reset: Callable[[], None],
    dtype: torch.dtype = torch.float32,
    on_epoch: Callable[[int, float], None] = lambda epoch, loss: None,
) -> list[float]:
    """Minimise ``loss`` over mini-batches and leave the best epoch's weights in ``network``; a plan's last epoch's.

    Args:
        examples: row indices (n,) -> tensors (n, ...), an epoch's examples; may draw from ``generator``.
        loss: (network, *examples of a batch) -> scalar, the mean over the batch.
        generator: on the network's device; orders the rows too.
        reset: gives the network its starting weights; called once, after the kernels are warm.
        dtype: of the weights that ``loss`` is given; weights are kept and updated in float32.
        on_epoch: told (epoch, loss) now and then: every epoch on a CPU, every 20th on a GPU.

    Returns:
        The training loss of every epoch up to the stop.
    """
    parameters = list(network.parameters())
    device = parameters[0].device
    pace = schedule.pace(device)
    optimizer = schedule.optimizer(parameters, pace.lr)
    gradients = [torch.zeros_like(parameter) for parameter in parameters]
    for parameter, gradient in zip(parameters, gradients, strict=True):
        parameter.grad = gradient
    evaluated = _in_precision(network, dtype)

    def step(*batch: Tensor) -> Tensor:
        value = loss(evaluated, *batch)
        _copy(gradients, torch.autograd.grad(value, list(evaluated.parameters())))
        if schedule.clip is not None:
            nn.utils.clip_grad_norm_(parameters, schedule.clip)
        optimizer.step()
        _copy(evaluated.parameters(), parameters)
        return value.detach()

    batch = min(schedule.batch, n_rows)
    sizes = [batch] * (n_rows // batch) + ([n_rows % batch] if n_rows % batch else [])
    steps = {b: graphed(step, examples(torch.arange(b, device=device)), changes=[optimizer]) for b in set(sizes)}
    reset()
    _copy(evaluated.parameters(), parameters)

    best = [p.detach().clone() for p in parameters]
    history = torch.zeros(schedule.epochs, device=device)
    check_every = 1 if device.type == "cpu" else 20
    for epoch in range(schedule.epochs):
        order = torch.rand(n_rows, generator=generator, device=device).argsort()
        for parts in zip(*(example.split(sizes) for example in examples(order)), strict=True):
            history[epoch] += steps[len(parts[0])](*parts) * (len(parts[0]) / n_rows)
        improved = pace.update(history[epoch]).to(best[0].dtype)
        with torch.no_grad():
            for kept, now in zip(best, parameters, strict=True):
                kept.lerp_(now, improved)
        if (epoch + 1) % check_every == 0:
            on_epoch(epoch + 1, float(history[epoch]))
            if pace.stopped:
                break
    _copy(parameters, best)
    for parameter in parameters:
        parameter.grad = None
    return history[: epoch + 1].tolist()


def _in_precision(network: nn.Module, dtype: torch.dtype) -> nn.Module:
    """The network itself in float32, else a copy with parameters of ``dtype``; buffers stay as they are."""
    if dtype == torch.float32:
        return network
    copied = copy.deepcopy(network)
    for parameter in copied.parameters():
        parameter.data = parameter.data.to(dtype)
    return copied


@torch.no_grad()
def _copy(targets: Iterable[Tensor], sources: Iterable[Tensor]) -> None:
    copy_all_(list(targets), list(sources))
