"""Chains that are apart are named; what so few sweeps do by chance is not."""

from __future__ import annotations

import numpy as np

from lacuna.numerics.diagnostics import split_rhat
from lacuna.records import convergence


def trace(apart: float, seed: int, sweeps: int = 10) -> dict:
    """Of 6 chains whose means differ by ``apart`` sds of a sweep."""
    rng = np.random.default_rng(seed)
    mean = rng.normal(size=(6, sweeps)) + apart * np.arange(6)[:, None]
    rhat = float(split_rhat(mean[:, sweeps // 2 :, None])[0])
    return {"mean": mean.tolist(), "sd": np.ones_like(mean).tolist(), "rhat": rhat}


def test_only_chains_that_are_apart_are_named() -> None:
    alike = [trace(0.0, seed) for seed in range(200)]
    assert np.mean([one["rhat"] > convergence.LARGE for one in alike]) > 0.1  # of so few sweeps R-hat says little
    assert np.mean([convergence.apart(one) for one in alike]) < 0.03
    assert all(convergence.apart(trace(3.0, seed)) for seed in range(50))
    found = {
        "train": {"convergence": {"pay": trace(4.0, 0), "age": trace(0.0, 1), "fixed": trace(0, 2) | {"rhat": None}}}
    }
    (line,) = convergence.remarks({"test": {}} | found)
    assert line.startswith("chains have not converged (split R-hat above 1.1) for 'pay' (")
    assert "age" not in line
    assert convergence.remarks({"train": {}}) == []
    assert list(convergence.traces(found)) == ["pay", "age", "fixed"]
