"""The diffusion model's training and conditional sampling on laws with known conditionals."""

from __future__ import annotations

import copy

import numpy as np
import pytest
import torch

from lacuna.backend.training import Schedule
from lacuna.methods import diffusion
from lacuna.methods.diffusion import DiffusionModel, SamplerSettings
from lacuna.saving import load_object, save_object

CPU = torch.device("cpu")
CORRELATION = 0.8


def exact_denoiser(state: torch.Tensor, sigma: torch.Tensor) -> torch.Tensor:
    """E[x | x + sigma noise] for two correlated Gaussians of sd 0.5."""
    cov = 0.25 * torch.tensor([[1, CORRELATION], [CORRELATION, 1]])
    return state @ torch.linalg.solve(cov + sigma**2 * torch.eye(2), cov)


def conditional_moments(model: DiffusionModel, repeats: int) -> tuple[np.ndarray, np.ndarray]:
    known = torch.tensor([[-0.6, 0.0], [0.0, 0.0], [0.9, 0.0]])
    is_known = torch.tensor([[True, False]]).expand(3, 2)
    states = model.sample(known, is_known, 1500, SamplerSettings(steps=30, repeats=repeats), seed=0)
    assert torch.equal(states[..., 0], known[:, None, 0].expand(3, 1500)), "known coordinates come back as given"
    return states[..., 1].mean(1).numpy(), states[..., 1].std(1).numpy()


def test_inpainting_with_the_exact_denoiser_approaches_the_conditional(monkeypatch):
    """Resampling is what makes inpainting conditional: with many repeats, the exact mean and sd."""
    model = DiffusionModel(2, 8, CPU)
    monkeypatch.setattr(model, "_denoise", exact_denoiser)
    target = CORRELATION * np.array([-0.6, 0.0, 0.9])
    errors = []
    for repeats in (1, 8, 40):
        mean, sd = conditional_moments(model, repeats)
        errors.append(np.abs(mean - target).max())
    assert errors[0] > 2 * errors[1] > 2 * errors[2]
    assert errors[2] < 0.04
    np.testing.assert_allclose(sd, 0.5 * np.sqrt(1 - CORRELATION**2), atol=0.02)


@pytest.mark.slow
def test_a_trained_network_samples_like_the_exact_denoiser(monkeypatch):
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(4000, 2, generator=generator)
    x[:, 1] = CORRELATION * x[:, 0] + np.sqrt(1 - CORRELATION**2) * x[:, 1]
    model = DiffusionModel(2, 64, CPU)
    history = model.fit(0.5 * x, Schedule(epochs=60, batch=256, lr=1e-3), seed=1)
    assert np.mean(history[-5:]) < history[0]
    trained = conditional_moments(model, repeats=8)
    monkeypatch.setattr(model, "_denoise", exact_denoiser)
    for ours, exact in zip(trained, conditional_moments(model, repeats=8), strict=True):
        np.testing.assert_allclose(ours, exact, atol=0.09)


def test_batches_do_not_mix_rows(monkeypatch):
    """Known parts that are copied through a small batch size land at their own rows."""
    model = DiffusionModel(2, 8, CPU)
    model.network.reset(torch.Generator().manual_seed(0))
    model.rows_at_once = 7
    known = torch.arange(10.0)[:, None].expand(10, 2)
    states = model.sample(known, torch.tensor([[True, False]]).expand(10, 2), 3, SamplerSettings(4, 1), seed=0)
    assert states.shape == (10, 3, 2)
    assert torch.equal(states[:, :, 0], known[:, :1].expand(10, 3))


def test_the_seed_decides():
    model = DiffusionModel(3, 8, CPU)
    model.network.reset(torch.Generator().manual_seed(0))
    known, is_known = torch.zeros(5, 3), torch.zeros(5, 3, dtype=torch.bool)

    def draw(seed: int) -> torch.Tensor:
        return model.sample(known, is_known, 2, SamplerSettings(4, 2), seed)

    assert torch.equal(draw(1), draw(1))
    assert not torch.equal(draw(1), draw(2))


def test_a_copy_draws_the_same(tmp_path):
    model = DiffusionModel(3, 8, CPU)
    model.network.reset(torch.Generator().manual_seed(0))
    known, is_known = torch.zeros(5, 3), torch.zeros(5, 3, dtype=torch.bool)
    drawn = model.sample(known, is_known, 2, SamplerSettings(4, 2), 1)
    save_object(model, tmp_path / "model")
    for other in (copy.deepcopy(model), load_object(tmp_path / "model")):
        assert torch.equal(other.sample(known, is_known, 2, SamplerSettings(4, 2), 1), drawn)


@pytest.mark.gpu
@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
def test_captured_steps_draw_what_plain_ones_draw(monkeypatch):
    model = DiffusionModel(3, 64, torch.device("cuda"))
    model.network.reset(model.generator.manual_seed(0))
    known = torch.linspace(-1, 1, 30, device="cuda").view(10, 3)
    is_known = torch.tensor([[True, False, False]], device="cuda").expand(10, 3)
    captured = model.sample(known, is_known, 4, SamplerSettings(6, 3), seed=0)
    assert len(model._steps) == 2, "one with the second-order correction and one without"
    model._steps.clear()
    monkeypatch.setattr(diffusion, "graphed", lambda step, *_: step)
    torch.testing.assert_close(captured, model.sample(known, is_known, 4, SamplerSettings(6, 3), seed=0))
