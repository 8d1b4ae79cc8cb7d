"""Self-masking: exact, above the quantile, never an anchor."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.datasets.mnar_oracle import N_ANCHORS, MNAROracle
from lacuna.datasets.wine import Wine
from lacuna.errors import UserError
from lacuna.masks.self_masking import SelfMasking
from lacuna.rng import stream


def test_it_hides_what_lies_above_the_quantile_given_the_anchors() -> None:
    table = MNAROracle(20_000, 8).load(stream(0, "dataset"), stream(0, "split"))
    mask = SelfMasking().draw(table, 0.3, stream(0, "mask"))
    assert not mask.ordinary[:, :N_ANCHORS].any()
    np.testing.assert_allclose(mask.ordinary[:, N_ANCHORS:].mean(0), 0.3, atol=0.015)
    mean, sigma = table.law.given_anchors(table.values)
    standard = (table.values[:, N_ANCHORS:] - mean) / sigma
    hidden = mask.ordinary[:, N_ANCHORS:]
    assert standard[hidden].min() > 0.5244 > standard[~hidden].max() - 1e-4
    np.testing.assert_array_equal(mask.mechanism.hide_probability(table.values), mask.ordinary)


def test_other_data_are_refused_in_a_sentence() -> None:
    wine = Wine().load(stream(0, "dataset"), stream(0, "split"))
    assert "mnar_oracle" in (SelfMasking().unsupported(wine) or "")
    with pytest.raises(UserError, match="not 'wine'"):
        SelfMasking().draw(wine, 0.3, stream(0, "mask"))
