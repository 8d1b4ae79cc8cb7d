"""benchmarks/missbgm_tensorflow.py without TensorFlow: the author's parameters in our networks' order."""

from __future__ import annotations

from collections.abc import Callable
from types import ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch

from lacuna.methods.missbgm.model import NORM_EPSILON, Generator, Heads, Missingness

CPU = torch.device("cpu")
D, N, UNITS, ROWS = 2, 3, [7, 6], 4


@pytest.fixture
def side(loaded: Callable[[str], ModuleType]) -> ModuleType:
    return loaded("benchmarks/missbgm_tensorflow.py")


class Layer:
    """A dense layer as Keras keeps it: kernel (in, out) and bias."""

    def __init__(self, rng: np.random.Generator, n_in: int, n_out: int) -> None:
        self.weights = [rng.normal(size=(n_in, n_out)), rng.normal(size=n_out)]

    def get_weights(self) -> list[np.ndarray]:
        return self.weights

    def __call__(self, x: np.ndarray) -> np.ndarray:
        return x @ self.weights[0] + self.weights[1]


def hidden(layers: list[Layer], x: np.ndarray) -> np.ndarray:
    for layer in layers:
        x = layer(x)
        x = np.where(x > 0, x, 0.2 * x)
    return x


def test_our_networks_with_the_authors_parameters_give_their_output(side: ModuleType) -> None:
    rng = np.random.default_rng(0)
    norm = [rng.normal(size=D), rng.normal(size=D), rng.normal(size=D), rng.uniform(0.5, 2, D)]
    g_layers = [Layer(rng, a, b) for a, b in zip([D, *UNITS], UNITS, strict=False)]
    mean, variance = (Layer(rng, UNITS[-1], N) for _ in range(2))
    f_layers, f_out = [Layer(rng, N, 5)], Layer(rng, 5, N)
    z, x = rng.normal(size=(ROWS, D)), rng.normal(size=(ROWS, N))
    model = SimpleNamespace(
        g_net=SimpleNamespace(
            hidden_layers=g_layers,
            norm_layer=SimpleNamespace(get_weights=lambda: norm),
            mean_layer=mean,
            var_layer=variance,
        ),
        phi_net=SimpleNamespace(hidden_layers=[(layer, None) for layer in f_layers], output_layer=f_out),
        data_z=SimpleNamespace(numpy=lambda: z),
        data_x=SimpleNamespace(numpy=lambda: x),
    )
    found = {name: torch.from_numpy(value).float() for name, value in side.parameters(model).items()}

    generator = torch.Generator().manual_seed(0)
    g = Generator(D, UNITS, Heads(N, np.array([], dtype=np.intp), CPU), generator, CPU)
    f = Missingness(N, [5], N, generator, CPU)
    for place, name in ((g.vector, "g"), (f.vector, "f"), (g.moving_mean, "moving_mean")):
        place.copy_(found[name])
    g.moving_variance.copy_(found["moving_variance"])

    gamma, shift, moving_mean, moving_variance = norm
    last = hidden(g_layers, gamma * (z - moving_mean) / np.sqrt(moving_variance + NORM_EPSILON) + shift)
    wanted = np.concatenate([mean(last), variance(last)], axis=1)
    np.testing.assert_allclose(g.frozen().forward(found["z"])[-1].numpy(), wanted, rtol=1e-4, atol=1e-4)
    wanted = f_out(hidden(f_layers, x))
    np.testing.assert_allclose(f.network.forward(found["x"])[-1].numpy(), wanted, rtol=1e-4, atol=1e-4)
