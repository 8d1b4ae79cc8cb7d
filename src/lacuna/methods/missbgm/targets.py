"""The two densities of a sweep as targets of HMC (12): z given x, and the missing numbers given z."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor

from lacuna.methods.missbgm.model import Heads, Model, mask_gradient
from lacuna.nets.fused_perceptron import rough as in_rough
from lacuna.nets.perceptron import Perceptron
from lacuna.numerics import hmc


@dataclass(frozen=True)
class Networks:
    """g, its normalisation frozen, and f, in the precision of densities and in that of gradients."""

    g: Perceptron
    f: Perceptron
    rough_g: Perceptron
    rough_f: Perceptron

    @classmethod
    def of(cls, model: Model, rough: torch.dtype) -> Networks:
        g, f = model.g.frozen(), model.f.network
        return cls(g, f, in_rough(g, rough), in_rough(f, rough))


def latent_target(networks: Networks, heads: Heads, x: Tensor) -> hmc.Target:
    """log p(z | x) (equation 5) for states x (n, width); keeps g's raw output."""

    def look(z: Tensor) -> tuple[Tensor, Tensor]:
        raw = networks.g.forward(z)[-1]
        return latent_density(z, raw, heads, x), raw

    def gradient(z: Tensor) -> Tensor:
        g = networks.rough_g
        activations = g.forward(z.to(g.dtype))
        upstream = heads.by_raw(activations[-1].to(z.dtype), x)
        return -z - g.to_input(activations, upstream.to(g.dtype)).to(z.dtype)

    return hmc.Target(look, gradient)


def latent_density(z: Tensor, raw: Tensor, heads: Heads, x: Tensor) -> Tensor:
    """log p(z | x) (n,) up to a constant, from the raw output of g at z."""
    return -0.5 * z.square().sum(1) - heads.negative_log_likelihood(raw, x)


def missing_target(networks: Networks, model: Model, raw: Tensor, r: Tensor, levels: Tensor) -> hmc.Target:
    """log p(missing numbers | z, mask, levels) (equation 7, the mask tempered by beta), raw the output of g at z."""
    n, beta = model.heads.n, model.beta
    mean, variance = model.heads.gaussian(raw)
    free = 1 - r[:, :n]
    nothing = raw[:, :0]

    def state(numeric: Tensor) -> Tensor:
        return torch.cat([numeric, levels], 1) if levels.shape[1] else numeric

    def look(numeric: Tensor) -> tuple[Tensor, Tensor]:
        density = -0.5 * ((numeric - mean).square() / variance).sum(1)
        if beta:
            density = density - beta * model.f.negative_log_likelihood(networks.f.forward(state(numeric))[-1], r)
        return density, nothing

    def gradient(numeric: Tensor) -> Tensor:
        pull = (numeric - mean) / variance
        if beta:
            pull = pull.add_(mask_gradient(networks.rough_f, state(numeric), r)[:, :n], alpha=beta)
        return pull.mul_(free).neg_()

    return hmc.Target(look, gradient)


def gradient_dtype(device: torch.device) -> torch.dtype:
    """bfloat16 where the processor multiplies it faster than float32, as far as torch says (on CPUs from 2.10 on)."""
    if device.type == "cuda":
        return torch.bfloat16 if torch.cuda.is_bf16_supported(including_emulation=False) else torch.float32
    capabilities: dict[str, Any] = getattr(torch.cpu, "get_capabilities", dict)()
    return torch.bfloat16 if capabilities.get("avx512_bf16") else torch.float32
