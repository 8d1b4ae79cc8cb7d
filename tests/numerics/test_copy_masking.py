from __future__ import annotations

import numpy as np
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from lacuna.numerics.copy_masking import copy_mask, truncate

tables = st.tuples(st.integers(1, 12), st.integers(1, 9), st.integers(0, 2**32 - 1), st.floats(0, 1))


def patterns(shape: tuple[int, int, int, float]) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Two patterns of observed cells and a table of keys, (b, d) each."""
    b, d, seed, ratio = shape
    rng = np.random.default_rng(seed)
    return (
        torch.tensor(rng.random((b, d)) > ratio),
        torch.tensor(rng.random((b, d)) > 0.5),
        torch.tensor(rng.random((b, d))),
    )


@settings(max_examples=200, deadline=None)
@given(tables)
def test_copy_masking_hides_what_the_donor_hides_unless_too_little_would_be_left(shape):
    observed, donor, _ = patterns(shape)
    visible = copy_mask(observed, donor)
    for own, other, left in zip(observed.tolist(), donor.tolist(), visible.tolist(), strict=True):
        both = [a and b for a, b in zip(own, other, strict=True)]
        assert left == (both if sum(both) >= 2 else own)


@settings(max_examples=200, deadline=None)
@given(tables)
def test_median_truncation_leaves_at_most_the_median_of_visible_cells(shape):
    visible, _, keys = patterns(shape)
    kept = truncate(visible, keys)
    median = int(np.sort(visible.sum(1).numpy())[(len(visible) - 1) // 2])
    assert not (kept & ~visible).any()
    assert torch.equal(kept.sum(1), visible.sum(1).clamp(max=median))
    worst_kept = torch.where(kept, keys, -1).amax(1)
    best_left = torch.where(visible & ~kept, keys, 2).amin(1)
    assert (worst_kept < best_left).all()


def test_median_truncation_takes_every_cell_equally_often():
    visible = torch.ones(2, 4, dtype=torch.bool)
    visible[0, 2:] = False
    generator = torch.Generator().manual_seed(0)
    kept = torch.stack([truncate(visible, torch.rand(2, 4, generator=generator))[1] for _ in range(2000)])
    torch.testing.assert_close(kept.double().mean(0), torch.full((4,), 0.5, dtype=torch.double), atol=0.04, rtol=0)
