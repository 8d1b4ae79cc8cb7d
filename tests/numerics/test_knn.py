"""Nearest-neighbour completion against scikit-learn's."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from sklearn.impute import KNNImputer

from lacuna.numerics import knn
from lacuna.numerics.knn import knn_complete


def completed(values: np.ndarray, neighbours: int = 5) -> np.ndarray:
    x, seen = torch.from_numpy(np.nan_to_num(values)), torch.from_numpy(~np.isnan(values))
    return knn_complete(x, seen, x, seen, neighbours, torch.from_numpy(np.nanmean(values, axis=0))).numpy()


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
@pytest.mark.parametrize("rows", [1, 64])
def test_same_as_scikit_learn(rate: float, rows: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "CELLS_AT_ONCE", {"cpu": 1})
    monkeypatch.setattr(knn, "FEWEST_ROWS", rows)
    rng = np.random.default_rng(0)
    values = rng.normal(size=(120, 7)) @ rng.normal(size=(7, 7))
    values[rng.random(values.shape) < rate] = np.nan
    values[0] = 1.0
    np.testing.assert_allclose(completed(values), KNNImputer(n_neighbors=5).fit_transform(values), atol=1e-10)


def test_a_column_with_few_values_uses_those() -> None:
    values = np.random.default_rng(0).normal(size=(50, 3))
    values[2:, 2] = np.nan
    np.testing.assert_allclose(completed(values)[2:, 2], values[:2, 2].mean())


def test_rows_that_share_nothing_get_the_fallback() -> None:
    values = np.array([[1.0, np.nan], [3.0, np.nan], [np.nan, 5.0], [np.nan, 7.0]])
    np.testing.assert_allclose(completed(values), [[1, 6], [3, 6], [2, 5], [2, 7]])


def test_new_rows_take_donors_from_the_training_rows_only() -> None:
    donors = torch.tensor([[0.0, 10.0], [1.0, 20.0]])
    rows, seen = torch.tensor([[0.1, 0.0], [0.1, 99.0]]), torch.tensor([[True, False], [True, True]])
    all_seen = torch.ones(2, 2, dtype=torch.bool)
    done = knn_complete(rows, seen, donors, all_seen, 1, torch.zeros(2))
    torch.testing.assert_close(done, torch.tensor([[0.1, 10.0], [0.1, 99.0]]))


def test_distances_are_held_for_a_chunk_of_incomplete_rows_at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(knn, "CELLS_AT_ONCE", {"cpu": 70 * 200})
    shapes, distances = [], knn.Donors.distances

    def noted(self: knn.Donors, values: torch.Tensor, seen: torch.Tensor) -> torch.Tensor:
        found = distances(self, values, seen)
        shapes.append(tuple(found.shape))
        return found

    monkeypatch.setattr(knn.Donors, "distances", noted)
    values = np.random.default_rng(0).normal(size=(200, 3))
    values[:150, 2] = np.nan
    completed(values)
    assert shapes == [(70, 200), (70, 200), (10, 200)]
