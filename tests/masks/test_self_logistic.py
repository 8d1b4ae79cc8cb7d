"""Self-masking logistic blanks: the published UCI masks, the formula, and the repair."""

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_wine

from lacuna.masks.self_logistic import SelfLogistic, keep_something
from lacuna.methods.mean_mode import MeanMode
from lacuna.metrics.numeric import rmse_all
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Table


def table_of(values: np.ndarray, name: str = "table") -> Table:
    return Table(name, tuple(Column(f"x{j}") for j in range(values.shape[1])), values, np.isnan(values))


def mean_imputation_rmse(values: np.ndarray) -> float:
    """On the published mask at ratio 0.2, of the standardised table."""
    table = table_of((values - values.mean(0)) / values.std(0))
    problem = hide(table, SelfLogistic(published=True).draw(table, 0.2, stream(0, "mask")))
    done = MeanMode().fit(problem.train).impute(problem.train)
    return rmse_all(problem.answers["train"], done)


def test_published_wine():
    assert round(mean_imputation_rmse(load_wine().data), 3) == 1.043


def test_published_breast(real_data):
    raw = pd.read_csv(real_data / "breast-cancer-wisconsin.data", header=None, na_values="?").dropna()
    assert raw.shape == (683, 11)
    assert round(mean_imputation_rmse(raw.iloc[:, 1:10].to_numpy(float)), 3) == 0.809


def test_published_concrete(real_data):
    raw = pd.read_csv(real_data / "concrete.csv")
    assert round(mean_imputation_rmse(raw.drop(columns="strength").to_numpy(float)), 3) == 0.976


def test_fresh_masks_follow_their_seed_and_the_published_one_does_not():
    table = table_of(load_wine().data)

    def cells(published, seed):
        return SelfLogistic(published).draw(table, 0.2, stream(seed, "mask")).ordinary

    assert np.array_equal(cells(False, 1), cells(False, 1))
    assert not np.array_equal(cells(False, 1), cells(False, 2))
    assert np.array_equal(cells(True, 1), cells(True, 2))


@pytest.mark.parametrize("ratio", [0.05, 0.2, 0.6])
def test_rate_and_probabilities(ratio):
    rng = stream(0, "values")
    table = table_of(rng.normal(10.0, 3.0, (7_000, 12)) @ rng.normal(0, 1, (12, 12)))
    drawn = SelfLogistic().draw(table, ratio, stream(0, "mask"))
    law = drawn.mechanism
    z = (table.values - table.values.mean(0)) / table.values.std(0)
    seen = 1 / (1 + np.exp(-(0.6 * z + 0.4 * np.tanh(z @ law.mixing)) - law.intercept))
    assert np.allclose(law.hide_probability(table.values), 1 - seen)
    assert np.isclose(seen.mean(), 1 - ratio, atol=1e-9)
    assert abs(drawn.ordinary.mean() - ratio) < 5 * np.sqrt(ratio / drawn.ordinary.size) + ratio**12
    assert z[~drawn.ordinary].mean() > z[drawn.ordinary].mean() + 0.2


def test_mixing_weights_have_the_stated_law():
    table = table_of(stream(0, "values").normal(size=(50, 200)))
    mixing = SelfLogistic().draw(table, 0.2, stream(0, "mask")).mechanism.mixing
    assert mixing.shape == (200, 200)
    assert np.isclose(mixing.std() * np.sqrt(200), 0.3, rtol=0.02)
    assert abs(mixing.mean()) < 5 * 0.3 / np.sqrt(200) / 200


def test_every_row_and_column_shows_something_even_at_a_high_rate():
    values = stream(0, "values").normal(size=(300, 3))
    table = table_of(values)
    train_rows = np.arange(300) < 4
    table = Table(table.name, table.columns, values, table.meaningful, train_rows)
    for seed in range(20):
        observed = ~SelfLogistic().draw(table, 0.9, stream(seed, "mask")).ordinary
        assert observed.any(1).all()
        assert observed[train_rows].any(0).all()


def test_the_repair_shows_only_cells_that_exist():
    seen = np.array([[True, False, False], [False, False, False], [False, False, False]])
    # cell (0, 0) is seen but has no value; column 2 has its only value in row 1
    preference = np.array([[-1.0, 0.3, -1.0], [0.2, 0.5, 0.4], [-1.0, -1.0, -1.0]])
    keep_something(seen, preference, None)
    assert seen.tolist() == [[True, True, False], [True, True, True], [False, False, False]]
