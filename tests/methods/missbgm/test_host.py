"""Sweeps on a CPU against those of ``reference`` in float32, on the same random numbers."""

from __future__ import annotations

import copy
from itertools import pairwise

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from lacuna.methods.missbgm import reference
from lacuna.methods.missbgm.chains import Chains
from lacuna.methods.missbgm.conditional import Conditional
from lacuna.methods.missbgm.host import HostChains, LatentView
from lacuna.methods.missbgm.local import at_rest
from lacuna.methods.missbgm.model import Generator, Heads, Missingness, Model
from lacuna.methods.missbgm.posterior import cut
from lacuna.methods.missbgm.settings import ChainSettings
from lacuna.methods.missbgm.targets import Networks
from lacuna.nets.flipout import GaussianWeights

CPU = torch.device("cpu")
ROWS, N, STEP = 200, 6, torch.tensor([[0.25]])
SETTINGS = ChainSettings(0, 0.25, 5, "simple", 0.8, 0.75)


def parts(levels: list[int], beta: float = 0.5) -> tuple[Model, Tensor, Tensor, Tensor]:
    """Model, z (n, 3), x (n, width) and mask (n, d)."""
    generator, n_levels = torch.Generator().manual_seed(0), max(levels, default=0)
    width, d = N + len(levels) * n_levels, N + len(levels)
    g = Generator(3, [24, 24], Heads(N, np.array(levels, dtype=np.intp), CPU), generator, CPU)
    g.vector += 0.1 * torch.randn(g.vector.shape, generator=generator)
    z, x = torch.randn(ROWS, 3, generator=generator), torch.randn(ROWS, width, generator=generator)
    for block in range(len(levels)):
        codes = torch.randint(levels[block], (ROWS,), generator=generator)
        x[:, N + block * n_levels : N + (block + 1) * n_levels] = F.one_hot(codes, n_levels)
    r = (torch.rand(ROWS, d, generator=generator) > 0.4).float()
    return Model(g, Missingness(width, [16, 16], d, generator, CPU), beta), z, x, r


def chains(kind: type[Chains], levels: list[int], beta: float = 0.5) -> Chains:
    model, z, x, r = parts(levels, beta)
    return kind(at_rest(z, x, N), r, model, SETTINGS, torch.Generator().manual_seed(7))


class Plain:
    """The sweeps of the reference, from the same start and on the same random numbers as ``chains``."""

    def __init__(self, levels: list[int], beta: float) -> None:
        self.model, self.z, self.x, self.r = parts(levels, beta)
        self.generator = torch.Generator().manual_seed(7)

    def sweep(self) -> Tensor:
        state = (self.z, self.x, self.r, self.model)
        self.z, self.x, acceptance = reference.sweep(*state, [STEP, STEP], SETTINGS.n_leapfrog, self.generator)
        return acceptance


@pytest.mark.parametrize("kind", [Chains, HostChains])
@pytest.mark.parametrize(("levels", "beta"), [([], 0.0), ([], 0.5), ([2, 3], 0.5)])
def test_sweeps_are_those_of_the_reference(kind: type[Chains], levels: list[int], beta: float) -> None:
    """In float32 to 1e-3 over five sweeps, but for at most one row in a hundred whose acceptance was that close."""
    plain, ours = Plain(levels, beta), chains(kind, levels, beta)
    networks = Networks.of(ours.model, torch.float32)
    for _ in range(5):
        wanted, found = plain.sweep(), ours.sweep(networks, STEP, STEP)
        assert ((found - wanted).abs().amax(0) > 1e-2).sum() <= ROWS / 100
    off = ((ours.rows.z - plain.z).abs().amax(1) > 1e-3) | ((ours.rows.x - plain.x).abs().amax(1) > 1e-3)
    assert off.sum() <= ROWS / 100
    assert 0.3 < wanted.mean() < 0.99  # some were refused


def test_rough_gradients_lead_to_nearly_the_same_place() -> None:
    """bfloat16: one sweep's acceptance within 0.02 on average, nine in ten positions accepted by both within 0.02."""
    plain, ours = Plain([], 0.5), chains(HostChains, [], 0.5)
    before = plain.z
    wanted, found = plain.sweep(), ours.sweep(Networks.of(ours.model, torch.bfloat16), STEP, STEP)
    assert ((found - wanted).mean(1).abs() < 0.02).all()
    moved = (plain.z != before).any(1) & (ours.rows.z != before).any(1)
    assert moved.float().mean() > 0.5
    assert (plain.z - ours.rows.z)[moved].abs().quantile(0.9) < 0.02


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("levels", [[], [2, 3]])
def test_what_is_remembered_is_what_would_be_seen(levels: list[int], dtype: torch.dtype) -> None:
    ours = chains(HostChains, levels)
    assert isinstance(ours, HostChains)
    networks = Networks.of(ours.model, dtype)
    for _ in range(4):
        acceptance = ours.sweep(networks, STEP, STEP)
    assert acceptance.min() < 0.9
    assert ours.latent is not None
    fresh = LatentView.at(ours.rows.z, networks, ours.model.heads)
    for kept, seen in zip(ours.latent.tensors(), fresh.tensors(), strict=True):
        torch.testing.assert_close(kept, seen)
    assert ours.missing is not None
    if not levels:
        logits = reference.f(ours.model, ours.model.f.vector, ours.rows.numeric)
        mask_loss = F.binary_cross_entropy_with_logits(logits, ours.r, reduction="none").sum(1)
        torch.testing.assert_close(ours.missing.mask_loss, mask_loss, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("bayesian", [False, True])
def test_mixed_tables_go_the_way_of_the_captured_chains(bayesian: bool) -> None:
    levels = [2, 3]
    both = [chains(kind, levels) for kind in (Chains, HostChains)]
    if bayesian:
        for c in both:
            c.model.posteriors = tuple(GaussianWeights(net.vector.clone(), net.shapes) for net in c.model.nets)
    for i in range(3):
        for c in both:
            c.model.draw(torch.Generator().manual_seed(i))
            c.sweep(Networks.of(c.model, torch.float32), STEP, STEP)
    theirs, ours = both
    same = (theirs.rows.x - ours.rows.x).abs().amax(1) < 1e-3
    assert same.float().mean() > 0.99
    assert (theirs.rows.levels != parts(levels)[2][:, N:]).any()


def test_an_conditional_is_the_likelihood_by_another_way() -> None:
    model, z, x, _ = parts([2, 3])
    raw = model.g.frozen().forward(z)[-1]
    conditional = Conditional.of(raw, model.heads)
    numeric, levels = x[:, :N], x[:, N:]
    torch.testing.assert_close(
        conditional.log_density(numeric, levels), -model.heads.negative_log_likelihood(raw, x), rtol=1e-5, atol=1e-4
    )
    torch.testing.assert_close(conditional.by_raw(numeric, levels, torch.float32), model.heads.by_raw(raw, x))


def test_one_row_is_not_seen_through_its_own_memory() -> None:
    model, z, _, _ = parts([])
    raw = model.g.frozen().forward(z[:1])[-1]
    before = copy.deepcopy(raw)
    Conditional.of(raw, model.heads).by_raw(z[:1].new_zeros(1, N), raw[:, :0], torch.float32)
    torch.testing.assert_close(raw, before)


@pytest.mark.parametrize(
    ("n", "size", "n_parts"), [(5000, 4369, 2), (1000, 4369, 2), (100, 64, 2), (64, 64, 1), (9000, 4369, 4), (3, 1, 3)]
)
def test_rows_are_cut_evenly(n: int, size: int, n_parts: int) -> None:
    found = cut(n, size, even=True)
    lengths = [part.stop - part.start for part in found]
    assert len(found) == n_parts
    assert sum(lengths) == n
    assert max(lengths) <= size
    assert found[0].start == 0
    assert all(a.stop == b.start for a, b in pairwise(found))
