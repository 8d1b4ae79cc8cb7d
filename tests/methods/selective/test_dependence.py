"""P-values are uniform where blanks do not depend on values, and small where they do."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.special import expit
from scipy.stats import kstest

from lacuna.methods.selective.dependence import dependence_p_value

NONE = np.empty((150, 0))


def p_values(driven: bool, together: bool, moved: bool) -> np.ndarray:
    found = []
    for seed in range(150):
        rng = np.random.default_rng(seed)
        x, other = rng.normal(size=(150, 3)), rng.random((150, 1)) < 0.3
        score = -1 + 1.5 * driven * x[:, 0] + 2 * together * other[:, 0] + 1.5 * moved * x[:, 1]
        hidden = rng.random(150) < expit(score)
        by_value, by_blanks = (x[:, :1] if driven else NONE), (other.astype(float) if together else NONE)
        found.append(dependence_p_value(x, hidden, by_value, by_blanks, rng))
    return np.array(found)


@pytest.mark.parametrize("driven", [False, True])
@pytest.mark.parametrize("together", [False, True])
def test_it_is_uniform_where_nothing_depends(driven: bool, together: bool):
    assert kstest(p_values(driven, together, moved=False), "uniform").pvalue > 0.01


def test_it_is_small_where_values_matter():
    assert (p_values(True, True, moved=True) < 0.05).mean() > 0.9


def test_where_no_blank_is_free_there_is_none():
    hidden = np.arange(150) % 2 == 0
    assert (
        dependence_p_value(np.ones((150, 1)), hidden, NONE, hidden[:, None].astype(float), np.random.default_rng(0))
        is None
    )
