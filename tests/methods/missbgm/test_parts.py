"""Layout and the keeping of draws."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from lacuna.methods.missbgm.dense_adam import Adam
from lacuna.methods.missbgm.draws import DrawKeeper
from lacuna.methods.missbgm.layout import Layout
from lacuna.methods.missbgm.settings import ChainSettings, Training
from lacuna.methods.missbgm.warm_start import cycled_batches
from lacuna.types import Column, Incomplete

COLUMNS = (
    Column("smokes", "categorical", (False, True)),
    Column("height"),
    Column("city", "categorical", ("Bonn", "Rome", "Oslo")),
    Column("children", "integer"),
)


def table(n: int = 40) -> Incomplete:
    rng = np.random.default_rng(0)
    values = np.stack(
        [rng.integers(0, 2, n), rng.normal(170, 9, n), rng.integers(0, 3, n), rng.integers(0, 5, n)], axis=1
    ).astype(np.float64)
    observed = rng.random(values.shape) > 0.3
    return Incomplete(COLUMNS, np.where(observed, values, np.nan), observed)


@pytest.mark.parametrize("standardise", [True, False])
def test_layout_gives_back_what_it_took(standardise: bool) -> None:
    rows = table()
    layout = Layout.fit(rows, standardise)
    assert layout.width == 2 + 2 * 3
    state = layout.encode(rows)
    back = layout.decode(torch.from_numpy(state))
    np.testing.assert_allclose(back[rows.observed], rows.values[rows.observed], rtol=1e-5)
    heights = state[:, 0][rows.observed[:, 1]]
    assert abs(heights.std() - 1) < 1e-3 if standardise else heights.mean() > 150


def test_levels_are_probabilities_from_the_start() -> None:
    rows = table()
    layout = Layout.fit(rows, standardise=True)
    levels, seen = layout.encode(rows)[:, 2:].reshape(-1, 2, 3), layout.seen(rows)[:, 2:]
    np.testing.assert_array_equal(levels.sum(-1), seen)
    assert not levels[:, 0, 2].any()  # the two-level column has no third


@pytest.mark.parametrize("room", [1e9, 0.0])
def test_draws_are_in_the_units_of_the_table(room: float) -> None:
    rows = table()
    layout = Layout.fit(rows, standardise=True)
    n_draws, rng = 60, np.random.default_rng(1)
    keeper = DrawKeeper(layout, rows, n_draws, 0.1, room, torch.device("cpu"), rng)
    states = rng.normal(size=(n_draws, len(rows), layout.width)).astype(np.float32)
    states[:, :, 4] = -9  # no third level in the first block
    watched = [keeper.take(torch.from_numpy(state)) for state in states]
    draws = keeper.draws()
    wanted = np.stack([layout.decode(torch.from_numpy(state))[rows.hidden] for state in states])
    lower, upper = np.quantile(wanted, [0.05, 0.95], axis=0)
    np.testing.assert_array_equal(draws.cells, np.argwhere(rows.hidden))
    np.testing.assert_allclose(draws.mean, wanted.mean(0), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(draws.sd, wanted.std(0), rtol=1e-3, atol=1e-4)
    np.testing.assert_allclose(draws.lower, lower, rtol=1e-4, atol=1e-4)
    np.testing.assert_allclose(draws.upper, upper, rtol=1e-4, atol=1e-4)
    assert (draws.samples is None) == (room == 0)
    assert len(watched[0]) == rows.hidden.sum()


def test_batches_go_round_all_rows() -> None:
    batches = cycled_batches(10, 4, 5, np.random.default_rng(0)).flatten()
    assert sorted(batches[:10].tolist()) == sorted(batches[10:].tolist()) == list(range(10))
    assert cycled_batches(3, 16, 2, np.random.default_rng(0)).shape == (2, 16)


@pytest.mark.parametrize(("max_batches", "n_rows", "epochs"), [(None, 10**6, 200), (1000, 160, 100), (1000, 10**6, 1)])
def test_epochs_are_cut_short_on_large_tables(max_batches: int | None, n_rows: int, epochs: int) -> None:
    settings = Training(5, 200, max_batches, 16, [8], [8], Adam(0.1), Adam(0.1), False, 0.0, 0.0)
    assert settings.epochs_for(n_rows) == epochs


def test_settings_name_what_is_wrong() -> None:
    with pytest.raises(ValueError, match=r"target_acceptance must lie in \(0, 1\), got 1"):
        ChainSettings(10, 0.1, 5, "simple", 0.8, 1.0)
    with pytest.raises(ValueError, match="n_leapfrog must be at least 1, got 0"):
        ChainSettings(10, 0.1, 0, "simple", 0.8, 0.75)
