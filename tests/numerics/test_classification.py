"""Scores of a classifier, against hand-computed cases, counts of cells and scikit-learn."""

from __future__ import annotations

import math

import numpy as np
import pytest
from sklearn.metrics import roc_auc_score

from lacuna.numerics.classification import f1_by_class, macro_f1, roc_auc, weighted_f1
from lacuna.rng import stream


def classified(n_classes: int, n: int = 200) -> tuple[np.ndarray, np.ndarray]:
    """Truth (n,) and probabilities (n, n_classes) that know something of it."""
    rng = stream(n_classes, "classified")
    truth = rng.integers(n_classes, size=n)
    scores = rng.random((n, n_classes)).round(1) + 0.5 * np.eye(n_classes)[truth]  # with ties
    return truth, scores / scores.sum(1, keepdims=True)


@pytest.mark.parametrize("n_classes", [2, 3, 6])
def test_f1_is_a_ratio_of_counts_to_the_last_bit(n_classes: int) -> None:
    truth, probabilities = classified(n_classes)
    predicted = probabilities.argmax(1)
    is_true, is_chosen = (codes[:, None] == np.arange(n_classes) for codes in (truth, predicted))
    by_count = 2 * (is_true & is_chosen).sum(0) / (is_true.sum(0) + is_chosen.sum(0))
    np.testing.assert_array_equal(f1_by_class(truth, predicted), by_count)
    assert macro_f1(truth, predicted) == by_count.mean()


def test_weighted_f1_by_hand() -> None:
    truth = np.array([0] * 6 + [1] * 3 + [2])
    predicted = np.array([0] * 5 + [1] + [1, 1, 0] + [1])
    # F1: 2 * 5 / (6 + 6), 2 * 2 / (3 + 4), 0; weights: (1 - 0.6) / 2, (1 - 0.3) / 2, (1 - 0.1) / 2
    assert weighted_f1(truth, predicted) == pytest.approx(0.2 * 10 / 12 + 0.35 * 4 / 7 + 0.45 * 0)
    assert weighted_f1(truth, truth) == pytest.approx(1)


def test_weighted_f1_of_classes_of_one_size_is_macro_f1() -> None:
    truth = np.tile(np.arange(4), 25)
    predicted = stream(0, "guess").integers(4, size=100)
    assert weighted_f1(truth, predicted) == pytest.approx(macro_f1(truth, predicted))


def test_only_the_classes_of_the_truth_count() -> None:
    truth, predicted = np.array([0, 0, 1, 1]), np.array([0, 7, 1, 1])
    np.testing.assert_allclose(f1_by_class(truth, predicted), [2 / 3, 1])


@pytest.mark.parametrize("n_classes", [3, 6])
def test_roc_auc_is_that_of_scikit_learn(n_classes: int) -> None:
    truth, probabilities = classified(n_classes)
    assert roc_auc(truth, probabilities) == pytest.approx(roc_auc_score(truth, probabilities, multi_class="ovr"))


def test_roc_auc_of_two_classes() -> None:
    truth, (_, second) = classified(2)[0], classified(2)[1].round(2).T
    probabilities = np.stack([1 - second, second], axis=1).round(2)
    assert roc_auc(truth, probabilities) == pytest.approx(roc_auc_score(truth, probabilities[:, 1]))


def test_a_class_without_a_score_has_half_the_area() -> None:
    truth = np.array([0, 0, 1, 2])
    probabilities = np.array([[0.8, 0, 0.2], [0.7, 0, 0.3], [0.6, 0, 0.4], [0.1, 0, 0.9]])
    assert roc_auc(truth, probabilities) == pytest.approx((1 + 0.5 + 1) / 3)


def test_one_class_has_no_score() -> None:
    assert math.isnan(weighted_f1(np.zeros(3, int), np.zeros(3, int)))
    assert math.isnan(roc_auc(np.zeros(3, int), np.ones((3, 2))))
