"""Skip logic: what decides on meaningful blanks, and at what rate; self-masking by a threshold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.tree import DecisionTreeClassifier

from lacuna.errors import UserError
from lacuna.masks.self_threshold import SelfThreshold
from lacuna.masks.skip_logic import Cause, SkipLogic
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Table, where

seeds = st.integers(0, 199)
causes: st.SearchStrategy[Cause] = st.sampled_from(["rule", "logistic", "hidden"])


def mixed(seed: int, n: int = 800) -> Table:
    rng = stream(seed, "table")
    latent = rng.normal(size=n)
    numbers = latent[:, None] * rng.normal(size=4) + rng.normal(size=(n, 4))
    levels = rng.integers(0, 5, (n, 2))
    values = np.column_stack([numbers, np.round(latent * 2), levels])
    columns = (*(Column(f"x{j}") for j in range(4)), Column("count", "integer"))
    columns += tuple(Column(f"k{j}", "categorical", tuple("abcde")) for j in range(2))
    return Table("mixed", columns, values, np.zeros(values.shape, bool))


@given(seeds, causes, st.floats(0.1, 0.6))
def test_candidates_are_blank_together_at_about_the_share(seed: int, cause: Cause, share: float) -> None:
    table = mixed(seed)
    done = SkipLogic(cause, share).prepared(table, stream(seed, "meaningful"))
    candidates = where(done.columns, mm_candidate=True)
    assert candidates.sum() >= 1
    assert not done.meaningful[:, ~candidates].any()
    rows = done.meaningful[:, candidates]
    assert (rows == rows[:, :1]).all()
    assert abs(rows.mean() - share) <= max(0.06, 0.5 * share)
    assert len(done.columns) == len(table.columns) - (cause == "hidden")
    np.testing.assert_array_equal(np.isnan(done.values), done.meaningful)


@given(seeds)
def test_a_rule_is_seen_in_one_column_and_a_hidden_one_in_none(seed: int) -> None:
    def best_split(cause: Cause) -> float:
        """Accuracy of the best tree of one column."""
        table = SkipLogic(cause).prepared(mixed(seed), stream(seed, "meaningful"))
        candidates = where(table.columns, mm_candidate=True)
        blank = table.meaningful[:, candidates][:, 0]
        seen = table.values[:, ~candidates]
        return max(DecisionTreeClassifier().fit(x[:, None], blank).score(x[:, None], blank) for x in seen.T if x.any())

    table = SkipLogic("rule").prepared(mixed(seed), stream(seed, "meaningful"))
    gates = [c.name for c in mixed(seed).columns]
    assert [c.name for c in table.columns] == gates
    assert best_split("rule") == 1


@given(seeds)
def test_the_hidden_column_is_the_one_that_decides(seed: int) -> None:
    whole, cut = (SkipLogic(c).prepared(mixed(seed), stream(seed, "meaningful")) for c in ("rule", "hidden"))
    (gone,) = {c.name for c in whole.columns} - {c.name for c in cut.columns}
    at = [c.name for c in whole.columns].index(gone)
    blank = whole.meaningful.any(1)
    np.testing.assert_array_equal(blank, cut.meaningful.any(1))
    assert not set(whole.values[blank, at]) & set(whole.values[~blank, at])


def test_a_logistic_follows_its_drivers_by_chance() -> None:
    table = SkipLogic("logistic", 0.4).prepared(mixed(1, 20_000), stream(1, "meaningful"))
    candidates = where(table.columns, mm_candidate=True)
    blank = table.meaningful[:, candidates][:, 0]
    gaps = [abs(x[blank].mean() - x[~blank].mean()) / x.std() for x in table.values[:, ~candidates].T]
    assert max(gaps) > 0.3
    for x in table.values[:, ~candidates].T:
        assert len(np.unique(x[blank])) > 1
        assert x[blank].min() < x[~blank].max()
        assert x[~blank].min() < x[blank].max()


def test_other_cells_are_lost_at_the_ratio_and_meaningful_ones_stay_so() -> None:
    mask = SkipLogic("rule")
    table = mask.prepared(mixed(0, 20_000), stream(0, "meaningful"))
    drawn = mask.draw(table, 0.3, stream(0, "mask"))
    answer = hide(table, drawn).answers["train"]
    np.testing.assert_array_equal(answer.meaningful, table.meaningful)
    assert not (answer.meaningful & answer.ordinary).any()
    assert abs(drawn.ordinary.mean() - 0.3) < 0.01


def test_a_table_with_blanks_of_its_own_is_refused() -> None:
    table = mixed(0)
    table.values[0, 0] = np.nan
    with pytest.raises(UserError, match="which are meaningful is not known"):
        SkipLogic().prepared(table, stream(0, "meaningful"))


@given(seeds, st.floats(0.05, 0.7))
def test_the_largest_residuals_of_half_the_numbers_are_hidden(seed: int, ratio: float) -> None:
    table = mixed(seed)
    drawn = SelfThreshold().draw(table, ratio, stream(seed, "mask"))
    targets = np.flatnonzero(drawn.ordinary.any(0))
    assert set(targets) <= set(drawn.mechanism.targets)
    assert len(drawn.mechanism.targets) == 2
    assert not where(table.columns, discrete=True)[targets].any()
    residuals = drawn.mechanism.residuals(table.values)
    lost = drawn.ordinary[:, drawn.mechanism.targets]
    for k in range(2):
        if lost[:, k].any() and not lost[:, k].all():
            assert residuals[lost[:, k], k].min() > residuals[~lost[:, k], k].max()
    np.testing.assert_allclose(lost.mean(0), ratio, atol=0.01)
    np.testing.assert_array_equal(drawn.mechanism.hide_probability(table.values), drawn.ordinary)


def test_residuals_are_those_of_a_regression_on_what_is_never_hidden() -> None:
    table = mixed(3, 5_000)
    law = SelfThreshold().draw(table, 0.3, stream(3, "mask")).mechanism
    others = np.setdiff1d(np.arange(len(table.columns)), law.targets)
    features = np.column_stack([np.ones(5_000), table.values[:, others]])
    for k, j in enumerate(law.targets):
        weights, *_ = np.linalg.lstsq(features, table.values[:, j])
        wanted = (table.values[:, j] - features @ weights) / table.values[:, j].std()
        np.testing.assert_allclose(law.residuals(table.values)[:, k], wanted, atol=0.07)
