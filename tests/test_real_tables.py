"""A real table with blanks of both kinds put into it: what `lacuna.Imputer` makes of a file that no law describes."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from sklearn.datasets import load_breast_cancer

from lacuna import Imputer

RATE = 0.1


def with_blanks(seed: int) -> tuple[pd.DataFrame, pd.DataFrame, pd.Series]:
    """Ten measurements and a grade; the grade is left blank on purpose where the tumour is large, and by mishap.

    Returns:
        The truth, the table with blanks, and where the grade's blanks are meaningful.
    """
    rng = np.random.default_rng(seed)
    truth = load_breast_cancer(as_frame=True).data.iloc[:, :10].copy()
    truth["grade"] = pd.qcut(truth["mean concavity"], 3, labels=["low", "middle", "high"]).astype(str)
    meant = truth["mean area"] > truth["mean area"].quantile(0.75)
    table = truth.mask(rng.random(truth.shape) < RATE)
    table.loc[meant, "grade"] = np.nan
    return truth, table, meant


@pytest.mark.parametrize("seed", [0, 1])
def test_meant_blanks_stay_and_lost_ones_are_filled(seed: int) -> None:
    truth, table, meant = with_blanks(seed)
    imputer = Imputer("selective", mm_candidates=["grade"], random_state=seed)
    done = imputer.fit_transform(table)
    blank = table["grade"].isna()
    kept = done["grade"].isna()
    right = (kept == meant)[blank].mean()
    assert right > 0.9 > max(meant[blank].mean(), 1 - meant[blank].mean())
    filled = blank & ~kept & ~meant
    commonest = table["grade"].mode()[0]
    assert (done["grade"] == truth["grade"])[filled].mean() > (truth["grade"] == commonest)[filled].mean() + 0.2
    numbers = truth.columns[:10]
    lost = table[numbers].isna().to_numpy()
    error, spread = (done[numbers] - truth[numbers]) / truth[numbers].std(), truth[numbers].std()
    by_mean = (table[numbers].mean() - truth[numbers]) / spread
    assert (error.to_numpy()[lost] ** 2).mean() < 0.3 * (by_mean.to_numpy()[lost] ** 2).mean()
    assert not done[numbers].isna().any().any()


def test_lost_blanks_alone_are_filled() -> None:
    truth, _, _ = with_blanks(0)
    table = truth.mask(np.random.default_rng(3).random(truth.shape) < RATE)
    done = Imputer("selective", mm_candidates=["grade"]).fit_transform(table)
    assert done["grade"].isna().sum() < 0.1 * table["grade"].isna().sum() + 1
