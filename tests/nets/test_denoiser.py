from __future__ import annotations

import math

import torch

from lacuna.nets.denoiser import MLPDenoiser


def network() -> MLPDenoiser:
    made = MLPDenoiser(width=5, hidden=32)
    made.reset(torch.Generator().manual_seed(0))
    return made


def test_one_noise_level_for_all_rows_is_that_level_for_each():
    made, state = network(), torch.randn(6, 5, generator=torch.Generator().manual_seed(1))
    torch.testing.assert_close(made(state, torch.tensor(0.3)), made(state, torch.full((6, 1), 0.3)))


def test_it_depends_on_state_and_noise():
    made, state = network(), torch.zeros(1, 5)
    assert not torch.allclose(made(state, torch.tensor(0.0)), made(state, torch.tensor(1.0)))
    assert not torch.allclose(made(state, torch.tensor(0.0)), made(state + 1, torch.tensor(0.0)))


def test_weights_start_like_torch_s_linear_layers_and_follow_the_generator():
    made = network()
    bound = 1 / math.sqrt(5)
    assert made.project.weight.abs().max() <= bound
    assert made.project.weight.abs().max() > 0.9 * bound
    assert torch.equal(made.body[0].weight, network().body[0].weight)


def test_widths_of_the_paper():
    shapes = [tuple(layer.weight.shape) for layer in network().body if hasattr(layer, "weight")]
    assert shapes == [(64, 32), (64, 64), (32, 64), (16, 32)], "hidden -> 2 -> 2 -> 1 -> width, padded to 16"
