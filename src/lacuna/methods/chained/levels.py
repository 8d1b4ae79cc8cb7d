"""Probabilities of levels, and what they leave."""

from __future__ import annotations

import numpy as np

SMALLEST = 1e-6  # probability


def what_is_left(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    """What probabilities (n, k) leave of levels (n,): (n, 1) for two levels, else (n, k)."""
    left = np.eye(p.shape[1])[target.astype(np.intp)] - p
    return left[:, 1:] if p.shape[1] == 2 else left


def with_added(p: np.ndarray, trees: np.ndarray, extent: float) -> np.ndarray:
    """Probabilities (n, k) moved by what trees say of the rest."""
    moved = np.column_stack([-trees, trees]) if p.shape[1] == 2 else trees
    found = np.maximum(p + extent * moved, SMALLEST)
    return found / found.sum(1, keepdims=True)


def log_loss(p: np.ndarray, target: np.ndarray) -> np.ndarray:
    return -np.log(np.maximum(p[np.arange(len(target)), target.astype(np.intp)], SMALLEST))
