"""The error that settings are compared by, by hand."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.errors import NothingToScore
from lacuna.metrics.held_out import error
from lacuna.types import Answer, Column, Imputation

COLUMNS = (Column("x", mm_candidate=True), Column("k", "integer"), Column("level", "categorical", ("a", "b")))


def answer(hidden: np.ndarray) -> Answer:
    values = np.array([[1.0, 10, 0], [2.0, 20, 1]])
    return Answer(COLUMNS, values, np.zeros((2, 3), bool), hidden, np.array([0.5, 10.0, 1.0]), meaningful_known=False)


def test_numbers_count_in_sds_and_levels_by_their_share() -> None:
    imputed = Imputation(np.array([[2.0, 10, 1], [2.0, 40, 1]]), meaningful=np.ones((2, 3), bool))
    everything = np.ones((2, 3), bool)
    assert error(answer(everything), imputed) == pytest.approx(np.sqrt((2**2 + 0 + 0 + 2**2) / 4) + 1 / 2)
    levels = everything & [False, False, True]
    assert error(answer(levels), imputed) == 0.5
    assert error(answer(everything & ~levels), imputed) == pytest.approx(np.sqrt(2))


def test_nothing_held_out_is_no_score() -> None:
    with pytest.raises(NothingToScore, match="no column has two observed cells"):
        error(answer(np.zeros((2, 3), bool)), Imputation(np.zeros((2, 3))))
