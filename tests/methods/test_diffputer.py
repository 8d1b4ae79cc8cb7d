from __future__ import annotations

from typing import Any

import pytest

from lacuna.methods.diffputer import DiffPuter


@pytest.mark.slow
def test_it_comes_close_to_the_conditional_mean_of_a_gaussian(gaussian: Any) -> None:
    known = gaussian(n=800, d=3, correlation=0.8, ratio=0.2)
    sampler = {"samples": 20, "steps": 20, "repeats": 5}
    network = {"hidden": 64, "epochs": 80, "batch": 128, "lr": 3e-3, "device": "cpu"}
    done = DiffPuter(iterations=4, **sampler, **network).fit(known.problem.train, seed=0).impute(known.problem.train)
    assert known.rmse(done.values) < 1.12 * known.rmse(known.mean)
    assert known.error(done) < 0.3 < known.rmse(known.mean_imputed())
