from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.cluster import KMeans

from lacuna.numerics.clustering import two_means_threshold


def within(values: np.ndarray, threshold: float) -> float:
    parts = values[values < threshold], values[values >= threshold]
    return sum(float(((p - p.mean()) ** 2).sum()) for p in parts if len(p))


@given(arrays(np.float64, st.integers(2, 30), elements=st.integers(-20, 20).map(lambda k: k / 4)))
def test_no_cut_is_better(values):
    threshold = two_means_threshold(values)
    if len(np.unique(values)) < 2:
        assert threshold == np.inf
    else:
        assert within(values, threshold) <= min(within(values, cut) for cut in np.unique(values)[1:]) + 1e-9


def test_agrees_with_k_means():
    rng = np.random.default_rng(0)
    values = np.concatenate([rng.normal(0, 1, 700), rng.normal(3, 0.5, 300)])
    labels = KMeans(2, n_init=10, random_state=0).fit(values[:, None]).labels_
    upper = labels == labels[values.argmax()]
    assert np.array_equal(values >= two_means_threshold(values), upper)


def test_nothing_to_split():
    assert two_means_threshold(np.array([])) == np.inf
    assert two_means_threshold(np.full(5, 0.3)) == np.inf
