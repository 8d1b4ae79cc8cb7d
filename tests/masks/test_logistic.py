"""Masks mcar, none, mar and mnar: rates, who drives whom, and that blanks follow the stated probabilities."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import expit, logit

from lacuna.datasets.bayesnet import BayesNet
from lacuna.errors import UserError
from lacuna.masks.logistic import intercept
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR
from lacuna.masks.mnar import MNAR
from lacuna.masks.none import NoMask
from lacuna.rng import stream
from lacuna.types import Column, Table


def gaussian_table(n: int, d: int, seed: int = 0) -> Table:
    values = stream(seed, "table").normal(3.0, 2.0, (n, d))
    return Table("gaussian", tuple(Column(f"x{j}") for j in range(d)), values, np.zeros((n, d), bool))


@pytest.fixture(scope="module")
def bayesnet() -> Table:
    return BayesNet().load(stream(0, "dataset"), stream(0, "split"))


@given(st.floats(0.001, 0.999), st.floats(0, 40), st.integers(0, 99))
def test_intercept_reaches_the_rate(rate, spread, seed):
    scores = stream(seed, "scores").normal(2.0, spread, (200, 3))
    assert np.allclose(expit(scores + intercept(scores, rate)).mean(0), rate, atol=1e-9)


@pytest.mark.parametrize("rate", [0.0, 1.0, -0.2, 1.7])
def test_intercept_refuses_a_rate_that_is_none(rate):
    with pytest.raises(ValueError, match="must lie in"):
        intercept(np.zeros((3, 1)), rate)


@pytest.mark.parametrize(("d", "n_drivers"), [(2, 1), (3, 1), (7, 2), (10, 3), (30, 9)])
def test_a_third_or_so_of_the_columns_drives_the_others(d, n_drivers):
    table = gaussian_table(4000, d)
    mar = MAR().draw(table, 0.3, stream(1, "mask"))
    assert (mar.ordinary.mean(0) == 0).sum() == n_drivers
    assert len(MNAR().draw(table, 0.3, stream(1, "mask")).mechanism.drivers) == n_drivers


@pytest.mark.parametrize("ratio", [0.1, 0.4])
@pytest.mark.parametrize("seed", range(3))
def test_rates_on_bayesnet(bayesnet, ratio, seed):
    def rates(mask):
        return np.array(list(mask.draw(bayesnet, ratio, stream(seed, "mask")).rates(bayesnet.columns).values()))

    tolerance = 5 * np.sqrt(ratio / len(bayesnet.values))
    assert np.allclose(rates(MCAR()), ratio, atol=tolerance)
    assert np.allclose(rates(MNAR()), ratio, atol=tolerance)
    assert np.allclose(np.sort(rates(MAR())), [0, *[ratio] * 4], atol=tolerance)
    assert np.isclose(rates(MAR(overall=True)).mean(), ratio, atol=tolerance)
    assert (rates(NoMask()) == 0).all()


def test_scores_have_unit_sd_and_depend_on_drivers_alone():
    table = gaussian_table(500, 8)
    law = MNAR().draw(table, 0.2, stream(3, "mask")).mechanism
    probability = law.hide_probability(table.values)
    assert np.allclose(logit(probability[:, law.targets]).std(0), 1.0)
    assert np.allclose(probability[:, law.targets].mean(0), 0.2)
    assert (probability[:, law.drivers] == 0.2).all()

    scrambled = table.values.copy()
    scrambled[:, law.targets] = 17.0
    assert np.array_equal(law.hide_probability(scrambled), probability)


def test_probabilities_by_hand_where_the_driver_is_blank_in_places():
    """One driver: the score of a target is plus or minus its standard score, over the sd with blanks as 0."""
    values = np.array([[1.0, 0.0], [3.0, 0.0], [5.0, 1.0], [np.nan, 1.0], [np.nan, 2.0]])
    table = Table("blanks", (Column("a"), Column("b")), values, np.isnan(values))
    law = next(m for s in range(20) if (m := MAR().draw(table, 0.3, stream(s, "mask")).mechanism).drivers == [0])
    standard = np.array([-1.0, 0.0, 1.0, 0.0, 0.0]) * np.sqrt(3 / 2)
    score = np.sign(law.weights[0, 0]) * standard / standard.std()
    assert np.allclose(logit(law.hide_probability(values)[:, 1]), score + law.intercepts[0])
    assert np.isclose(expit(score + law.intercepts[0]).mean(), 0.3)


@pytest.mark.parametrize("mask", [MAR(), MNAR(), MAR(observed_share=0.6, overall=True)])
def test_blanks_come_at_the_stated_probability(mask):
    table = gaussian_table(50_000, 5)
    drawn = mask.draw(table, 0.25, stream(5, "mask"))
    probability = drawn.mechanism.hide_probability(table.values)
    for low, high in [(0.0, 0.1), (0.1, 0.25), (0.25, 0.5), (0.5, 1.0)]:
        cells = (probability > low) & (probability <= high)
        expected, sd = probability[cells].sum(), np.sqrt((probability * (1 - probability))[cells].sum())
        assert abs(drawn.ordinary[cells].sum() - expected) < 4.5 * sd


def test_weights_are_random_in_sign_and_driver(bayesnet):
    laws = [MNAR().draw(bayesnet, 0.1, stream(s, "mask")).mechanism for s in range(30)]
    assert {int(law.drivers[0]) for law in laws} == {0, 1, 2, 3, 4}
    assert 0.2 < np.mean([law.weights > 0 for law in laws]) < 0.8


@pytest.mark.parametrize("mask", [MCAR(), MAR(), MNAR()])
def test_the_stream_alone_decides(mask, bayesnet):
    def cells(seed):
        return mask.draw(bayesnet, 0.2, stream(seed, "mask")).ordinary

    assert np.array_equal(cells(7), cells(7))
    assert not np.array_equal(cells(7), cells(8))


def test_a_constant_driver_leaves_the_plain_rate():
    table = Table("flat", (Column("a"), Column("b")), np.ones((3000, 2)), np.zeros((3000, 2), bool))
    law = MNAR().draw(table, 0.3, stream(0, "mask")).mechanism
    assert np.allclose(law.hide_probability(table.values), 0.3)


@pytest.mark.parametrize("mask", [MAR(), MAR(overall=True), MNAR()])
def test_a_single_column_is_a_clear_error(mask):
    table = gaussian_table(10, 1)
    assert "single column" in mask.unsupported(table)
    with pytest.raises(UserError, match="single column"):
        mask.draw(table, 0.1, stream(0, "mask"))
    assert mask.unsupported(gaussian_table(10, 2)) is None


def test_options_out_of_range():
    for share in (0.0, 1.0, -1.0):
        with pytest.raises(ValueError, match="observed_share"):
            MAR(share)
        with pytest.raises(ValueError, match="driving_share"):
            MNAR(share)
    with pytest.raises(UserError, match="cannot be reached"):
        MAR(observed_share=0.5, overall=True).draw(gaussian_table(10, 2), 0.5, stream(0, "mask"))
