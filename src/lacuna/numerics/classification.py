"""Scores of a classifier over the classes that occur in the truth (Diff-Joint, appendix D.1)."""

from __future__ import annotations

import numpy as np
from scipy.stats import rankdata
from sklearn.metrics import f1_score


def f1_by_class(truth: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """F1 of each class in truth (n,), in ascending order; 0 for one that is never predicted (n,).

    >>> f1_by_class(np.array([0, 0, 1, 2]), np.array([0, 1, 1, 5]))
    array([0.66666667, 0.66666667, 0.        ])
    """
    return f1_score(truth, predicted, labels=np.unique(truth), average=None)


def macro_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean of F1 over the classes in truth (n,)."""
    return float(f1_by_class(truth, predicted).mean())


def weighted_f1(truth: np.ndarray, predicted: np.ndarray) -> float:
    """Sum of F1_l (1 - p_l) / (L - 1) over the L classes in truth (n,), p_l their shares: rare ones count more.

    NaN where there is one class only.

    >>> weighted_f1(np.array([0, 0, 0, 1]), np.array([0, 0, 1, 1]))  # 0.8 * 1/4 + 2/3 * 3/4
    0.7
    """
    _, counts = np.unique(truth, return_counts=True)
    if len(counts) < 2:
        return float("nan")
    weights = (1 - counts / len(truth)) / (len(counts) - 1)
    return float(weights @ f1_by_class(truth, predicted))


def roc_auc(truth: np.ndarray, scores: np.ndarray) -> float:
    """Mean area under the one-vs-rest curves of the classes in truth (n,); NaN where there is one class only.

    A class whose score is the same everywhere has an area of 1/2.

    Args:
        truth: (n,) int classes.
        scores: (n, k) of class 0 .. k - 1.

    >>> roc_auc(np.array([0, 0, 2]), np.array([[0.9, 0, 0], [0.2, 0, 0], [0.5, 0, 0]]))  # 1/2 and 1/2
    0.5
    """
    labels = np.unique(truth)
    if len(labels) < 2:
        return float("nan")
    return float(np.mean([_area(truth == label, scores[:, label]) for label in labels]))


def _area(positive: np.ndarray, scores: np.ndarray) -> float:
    """Share of pairs of a positive and a negative (n,) bool that scores (n,) put in order; ties count half.

    ``roc_auc_score`` adds up trapezoids, which changes the last bit in about 1 of 3 cases; sums of ranks are exact.
    """
    n = int(positive.sum())
    smallest_possible = n * (n + 1) / 2
    return float((rankdata(scores)[positive].sum() - smallest_possible) / (n * (len(positive) - n)))
