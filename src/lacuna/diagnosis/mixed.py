"""A test of missing completely at random for tables of any columns, by classifying the patterns of blanks.

After PKLM (Spohn, Naef, Michel and Meinshausen 2021): random sets of columns A and B; a forest on the rows in which A
is observed tells from the values of A which of B are blank; under missing completely at random it cannot. Here trees
split at random, without looking at the patterns, so that one forest serves the data and every permutation, and each
row is judged by the other rows of its leaf.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_matrix
from sklearn.tree import ExtraTreeRegressor

PROJECTIONS, TREES, PERMUTATIONS = 40, 5, 199
MOST_PREDICTORS, MOST_TARGETS, MOST_CLASSES = 4, 4, 4
DEPTHS = (2, 9)
FEWEST_ROWS, FEWEST_OF_CLASS = 40, 5
PRIOR = 2.0  # rows of the table's own frequencies that each leaf is given


@dataclass(frozen=True)
class MixedTest:
    """Can the pattern of blanks be told from the values observed in other columns?"""

    p_value: float
    projections: int
    permutations: int


def mixed_test(
    values: np.ndarray,
    blank: np.ndarray,
    rng: np.random.Generator,
    projections: int = PROJECTIONS,
    permutations: int = PERMUTATIONS,
) -> MixedTest | str:
    """A permutation test: rows of the blanks are exchanged between rows of the values.

    Args:
        values: (n, d) numbers or codes; NaN where blank or not to be looked at.
        blank: (n, d) bool.
        rng: of projections, trees and permutations.
        projections: random sets of columns.
        permutations: of the rows.

    Returns:
        The test, or why there is none.
    """
    n = len(values)
    orders = rng.permuted(np.tile(np.arange(n), (permutations, 1)), axis=1)
    predictors = np.flatnonzero([len(np.unique(v[~np.isnan(v)])) > 1 for v in values.T])
    targets = np.flatnonzero(blank.any(0) & ~blank.all(0))
    total, used = np.zeros(permutations + 1), 0
    for _ in range(projections if len(predictors) and len(targets) else 0):
        seen = rng.permutation(predictors)[: rng.integers(1, MOST_PREDICTORS + 1)]
        others = np.setdiff1d(targets, seen)
        chosen = rng.permutation(others)[: rng.integers(1, MOST_TARGETS + 1)]
        rows = np.flatnonzero(~np.isnan(values[:, seen]).any(1))
        labels = _classes(blank[:, chosen], rows)
        if len(rows) < FEWEST_ROWS or np.bincount(labels[rows]).max() > len(rows) - FEWEST_OF_CLASS:
            continue
        exchanged = labels[np.vstack([rows, _induced(orders, rows, n)])]
        gains = _gains(values[np.ix_(rows, seen)], exchanged, rng)
        total += (gains - gains.mean()) / (gains.std() + 1e-300)
        used += 1
    if not used:
        return "too few rows in which other columns are observed"
    # ties are counted against the finding; they are rounding here
    p_value = (1 + np.count_nonzero(total[1:] >= total[0] - 1e-9)) / (permutations + 1)
    return MixedTest(float(p_value), used, permutations)


def _classes(blank: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """(n,) int: the pattern of each row of blanks (n, b); those that are rare among ``rows`` count as one."""
    _, pattern = np.unique(blank, axis=0, return_inverse=True)
    pattern = pattern.reshape(-1)
    counts = np.bincount(pattern[rows], minlength=pattern.max() + 1)
    common = np.argsort(-counts, kind="stable")[: MOST_CLASSES - 1]
    rank = np.full(len(counts), len(common))
    rank[common[counts[common] >= FEWEST_OF_CLASS]] = np.arange((counts[common] >= FEWEST_OF_CLASS).sum())
    return rank[pattern]


def _induced(orders: np.ndarray, rows: np.ndarray, n: int) -> np.ndarray:
    """(b, r): permutations of ``rows`` (r,) that follow those of all rows (b, n) until they come back to ``rows``.

    Uniform if those are, and near to them where few rows are left out: all projections see the same exchange.
    """
    inside = np.zeros(n, bool)
    inside[rows] = True
    found = orders[:, rows]
    while (outside := ~inside[found]).any():
        which, where = np.nonzero(outside)
        found[which, where] = orders[which, found[which, where]]
    return found


def _gains(values: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """(b,) mean log probability that the forest gives the class of a row, by the rest of its leaf.

    Args:
        values: (r, a)
        labels: (b, r) int, permutations of one vector.
    """
    n_labels, n_rows = labels.shape
    shares = np.bincount(labels[0]) / n_rows
    # one column for each permutation and class
    cell = np.arange(n_labels) * len(shares) + labels.T  # (r, b)
    one_hot = np.zeros((n_rows, n_labels * len(shares)), np.float32)
    np.put_along_axis(one_hot, cell, 1.0, axis=1)
    probability = np.zeros((n_rows, n_labels))
    for _ in range(TREES):
        depth, seed = int(rng.integers(*DEPTHS)), int(rng.integers(2**31))
        tree = ExtraTreeRegressor(max_depth=depth, max_features=1, min_samples_leaf=5, random_state=seed)
        leaf = tree.fit(values, rng.random(n_rows)).apply(values)
        _, leaf = np.unique(leaf, return_inverse=True)
        members = csr_matrix((np.ones(n_rows, np.float32), (leaf, np.arange(n_rows))))
        counts = members @ one_hot  # (leaves, b * classes)
        own = counts[leaf[:, None], cell] - 1
        size = np.bincount(leaf)[leaf][:, None] - 1
        probability += (own + PRIOR * shares[labels.T]) / (size + PRIOR)
    return np.log(probability / TREES).mean(0)
