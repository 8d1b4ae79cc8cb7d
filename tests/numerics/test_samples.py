from __future__ import annotations

import numpy as np
import torch
from scipy import stats

from lacuna.numerics.samples import mean_and_sd, mode_and_entropy


def test_mode_and_entropy_agree_with_scipy():
    samples = np.random.default_rng(0).integers(0, 4, (30, 50)).astype(float)
    mode, entropy = mode_and_entropy(torch.from_numpy(samples))
    assert np.array_equal(mode.numpy(), stats.mode(samples, axis=0).mode)
    expected = [stats.entropy(np.unique(column, return_counts=True)[1]) for column in samples.T]
    np.testing.assert_allclose(entropy.numpy(), expected, rtol=1e-5)


def test_mean_and_sd_are_population_moments():
    samples = np.random.default_rng(1).normal(size=(30, 7))
    mean, sd = mean_and_sd(torch.from_numpy(samples))
    np.testing.assert_allclose(mean, samples.mean(0))
    np.testing.assert_allclose(sd, samples.std(0))
