"""Masks block, dropout, frailty, rates, pattern and detection_limit: their rates, their structure, their laws."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lacuna.datasets.bayesnet import BayesNet
from lacuna.errors import UserError
from lacuna.masks.base import Mask
from lacuna.masks.block import Block
from lacuna.masks.detection_limit import DetectionLimit, limit
from lacuna.masks.dropout import Dropout, hazard
from lacuna.masks.frailty import Frailty
from lacuna.masks.pattern import Pattern, tilted
from lacuna.masks.rates import Rates
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Table

ratios = st.floats(0.02, 0.95)
seeds = st.integers(0, 999)


def numbers(n: int, d: int, seed: int = 0) -> Table:
    values = stream(seed, "table").normal(3.0, 2.0, (n, d))
    return Table("numbers", tuple(Column(f"x{j}") for j in range(d)), values, np.zeros((n, d), bool))


def drawn(mask: Mask, table: Table, ratio: float, seed: int = 0) -> np.ndarray:
    return mask.draw(table, ratio, stream(seed, "mask")).ordinary


@given(st.integers(1, 9), st.integers(1, 5), ratios, seeds)
def test_columns_of_a_block_are_lost_together(d: int, size: int, ratio: float, seed: int) -> None:
    lost = drawn(Block(size), numbers(300, d), ratio, seed)
    sizes = [(lost == lost[:, [j]]).all(0).sum() for j in range(d)]
    assert min(sizes) >= min(size, d)
    assert np.unique(lost, axis=1).shape[1] <= max(1, d // size)


def test_blocks_are_lost_at_the_rate_and_independently_of_each_other() -> None:
    lost = drawn(Block(2), numbers(40_000, 6), 0.2)
    np.testing.assert_allclose(lost.mean(0), 0.2, atol=0.01)
    correlation = np.corrcoef(lost.T)
    assert ((np.abs(correlation - 1) < 1e-9).sum(1) == 2).all()
    assert np.abs(correlation[correlation < 0.99]).max() < 0.02


@given(st.integers(1, 40), ratios)
def test_hazard_reaches_the_mean_rate(d: int, ratio: float) -> None:
    h = hazard(d, ratio)
    assert np.mean([1 - (1 - h) ** j for j in range(1, d + 1)]) == pytest.approx(ratio, abs=1e-9)


@given(st.integers(2, 9), st.integers(1, 8), ratios, seeds)
def test_dropout_is_monotone_and_spares_the_first_columns(d: int, n_seen: int, ratio: float, seed: int) -> None:
    table = numbers(200, d)
    if n_seen >= d:
        with pytest.raises(UserError, match=r"lower mask\.n_seen"):
            Dropout(n_seen).draw(table, ratio, stream(seed, "mask"))
        return
    lost = drawn(Dropout(n_seen), table, ratio, seed)
    assert (np.diff(lost.astype(int), axis=1) >= 0).all()
    assert not lost[:, :n_seen].any()


def test_dropout_has_its_rates() -> None:
    lost = drawn(Dropout(2), numbers(60_000, 8), 0.3)
    h = hazard(6, 0.3)
    np.testing.assert_allclose(lost.mean(0), [0, 0, *(1 - (1 - h) ** np.arange(1, 7))], atol=0.01)
    assert lost[:, 2:].mean() == pytest.approx(0.3, abs=0.01)


@pytest.mark.parametrize("concentration", [1.0, 5.0, 50.0])
def test_frailty_correlates_the_blanks_of_a_row(concentration: float) -> None:
    lost = drawn(Frailty(concentration), numbers(60_000, 5), 0.1)
    np.testing.assert_allclose(lost.mean(0), 0.1, atol=0.01)
    off = np.corrcoef(lost.T)[np.triu_indices(5, 1)]
    np.testing.assert_allclose(off, 1 / (1 + concentration), atol=0.02)
    mean, variance = 5 * 0.1, lost.sum(1).var()
    assert variance == pytest.approx(mean * 0.9 * (1 + 4 / (1 + concentration)), rel=0.05)  # beta-binomial


@given(st.integers(1, 30), st.floats(0, 3), ratios, seeds)
def test_rates_have_their_mean_and_are_the_law(d: int, spread: float, ratio: float, seed: int) -> None:
    table = numbers(50, d)
    found = Rates(spread).draw(table, ratio, stream(seed, "mask"))
    assert found.mechanism.rates.mean() == pytest.approx(ratio, abs=1e-9)
    np.testing.assert_array_equal(found.mechanism.hide_probability(table.values)[7], found.mechanism.rates)
    if spread == 0:
        np.testing.assert_allclose(found.mechanism.rates, ratio)


def test_rates_spread_on_the_log_odds_scale() -> None:
    found = Rates(0.8).draw(numbers(4000, 400), 0.2, stream(0, "mask"))
    rates = found.mechanism.rates
    assert np.log(rates / (1 - rates)).std() == pytest.approx(0.8, rel=0.1)
    np.testing.assert_allclose(found.ordinary.mean(0), rates, atol=0.04)


@given(st.integers(1, 12), st.floats(0.05, 1.0), ratios, seeds)
def test_detection_limits_hide_the_lowest_values_and_those_only(d: int, share: float, ratio: float, seed: int) -> None:
    table = numbers(400, d)
    lost = drawn(DetectionLimit(share), table, ratio, seed)
    limited = lost.any(0)
    assert limited.sum() == max(1, int(share * d + 1e-9))
    for j in np.flatnonzero(limited):
        assert lost[:, j].mean() == pytest.approx(ratio, abs=1 / 400)
        assert table.values[lost[:, j], j].max() < table.values[~lost[:, j], j].min()


@given(st.lists(st.integers(0, 4), min_size=1, max_size=60), ratios)
def test_no_other_limit_is_nearer_to_the_ratio(values: list[int], ratio: float) -> None:
    known = np.array(values, float)
    miss = abs((known < limit(known, ratio)).mean() - ratio)
    assert miss == pytest.approx(min(abs((known < v).mean() - ratio) for v in known))


def test_limits_are_for_numbers_and_leave_meaningful_cells_alone() -> None:
    levels = Table("levels", (Column("a", "categorical", (0, 1)),), np.zeros((3, 1)), np.zeros((3, 1), bool))
    with pytest.raises(UserError, match="no numeric column"):
        DetectionLimit().draw(levels, 0.3, stream(0, "mask"))
    bayesnet = BayesNet(3000, 0).load(stream(0, "dataset"), stream(0, "split"))
    found = DetectionLimit(1.0).draw(bayesnet, 0.3, stream(0, "mask"))
    assert not (found.ordinary & bayesnet.meaningful).any()
    assert not found.ordinary[:, 2:].any()
    assert hide(bayesnet, found).law is None  # its quadrature cannot follow a jump anywhere


@given(st.integers(1, 8), st.integers(1, 8), seeds)
def test_each_row_has_the_blanks_of_a_row_of_the_pattern(d: int, q: int, seed: int) -> None:
    blanks = stream(seed, "blanks").random((40, q)) < 0.3
    blanks[0] = True
    lost = drawn(Pattern(blanks, scaled=False), numbers(60, d), 0.3, seed)
    allowed = {tuple(sorted(row)) for row in blanks}
    if q == d:
        assert {tuple(sorted(row)) for row in lost} <= allowed
    assert lost.any(0).sum() <= min(d, q)
    assert np.unique(lost, axis=0).shape[0] <= np.unique(blanks, axis=0).shape[0]


def test_blanks_that_come_together_stay_together() -> None:
    rng = stream(0, "blanks")
    blanks = np.zeros((500, 6), bool)
    blanks[:, [0, 1, 2]] = (rng.random(500) < 0.1)[:, None]
    blanks[:, 4] = rng.random(500) < 0.3
    lost = drawn(Pattern(blanks), numbers(20_000, 8), 0.25, 3)
    rates = lost.mean(0)
    assert (rates > 0).sum() == 4  # of the pattern's six columns two have no blank
    assert rates[rates > 0].mean() == pytest.approx(0.25, abs=0.01)
    same = [j for j in range(8) if rates[j] and ((lost == lost[:, [j]]).all(0)).sum() == 3]
    assert len(same) == 3


@given(st.lists(st.floats(0, 1), min_size=2, max_size=30), st.floats(0.01, 0.99))
def test_tilted_weights_reach_the_mean_or_say_why_not(shares: list[float], ratio: float) -> None:
    known = np.array(shares)
    if not known.min() + 1e-6 < ratio < known.max() - 1e-6:
        if not known.min() < ratio < known.max():
            with pytest.raises(UserError, match="cannot be reached"):
                tilted(known, ratio)
        return
    weights = tilted(known, ratio)
    assert weights.sum() == pytest.approx(1)
    assert weights @ known == pytest.approx(ratio, abs=1e-7)


def test_a_pattern_comes_from_a_file(tmp_path: Path) -> None:
    frame = pd.DataFrame({"a": [1.0, None, 3.0, 4.0], "b": ["x", None, "y", None], "c": [1, 2, 3, 4]})
    frame.to_csv(tmp_path / "p.csv", index=False)
    frame.to_parquet(tmp_path / "p.parquet")
    table = numbers(5000, 4)
    found = [drawn(Pattern(str(tmp_path / name)), table, 0.4) for name in ("p.csv", "p.parquet")]
    np.testing.assert_array_equal(*found)
    np.testing.assert_array_equal(found[0], drawn(Pattern(frame.isna().to_numpy()), table, 0.4))
    with pytest.raises(UserError, match="cannot be read"):
        drawn(Pattern(str(tmp_path / "absent.csv")), table, 0.4)
    with pytest.raises(UserError, match="no cell"):
        drawn(Pattern(np.zeros((3, 2), bool)), table, 0.4)
    with pytest.raises(ValueError, match="bool array"):
        Pattern(np.ones((3, 2)))
