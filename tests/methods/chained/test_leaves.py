"""Trees whose leaves give donors, and predictive mean matching."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lacuna import Imputer
from lacuna.methods.chained.law import NumberLaw, fit_law
from lacuna.methods.chained.leaves import LEAST_IN_LEAF, LeafLaw
from lacuna.methods.chained.plan import SLIGHT, first_plan
from lacuna.methods.chained.rows import Rows

X = np.random.default_rng(0).normal(size=(200, 2))
Y = np.where(X[:, 0] > 0, 3.0, 0.0) + X[:, 1] + 0.1 * np.random.default_rng(1).normal(size=200)
NEW = Rows(X[:40] + 0.01, np.zeros((40, 3)), np.ones((40, 3), bool))


def fitted(learner: str, target: np.ndarray, n_levels: int = 0, donors: str = "auto"):
    rng = np.random.default_rng(0)
    plan = first_plan(n_levels, np.arange(2), X, target, rng, learner, donors)
    return fit_law(plan, X, target, rng.exponential(size=200), rng)


def test_donors_share_a_leaf():
    law = fitted("cart", Y)
    assert isinstance(law, LeafLaw)
    leaves, asked = law.trees[0].apply(X), law.trees[0].apply(NEW.features)
    assert np.bincount(leaves)[np.unique(leaves)].min() >= LEAST_IN_LEAF
    np.testing.assert_allclose(law.mean(NEW)[:, 0], [Y[leaves == leaf].mean() for leaf in asked])
    rng, seen = np.random.default_rng(0), [set() for _ in asked]
    for _ in range(300):
        for found, value in zip(seen, law.draw(law.mean(NEW), NEW, rng)[0], strict=True):
            found.add(value)
    assert all(found == set(Y[leaves == leaf]) for found, leaf in zip(seen, asked, strict=True))


def test_a_forest_gives_the_donors_of_all_its_trees_alike():
    law = fitted("forest", Y)
    shares = np.zeros((40, 200))
    for tree in law.trees:
        shares += tree.apply(NEW.features)[:, None] == tree.apply(X)[None]
    shares /= shares.sum(1, keepdims=True)
    np.testing.assert_allclose(law.mean(NEW)[:, 0], shares @ Y)
    many = Rows(np.repeat(NEW.features[:1], 20_000, axis=0), NEW.state, NEW.observed)
    drawn = law.draw(law.mean(many), many, np.random.default_rng(0))[0]
    donor = np.argsort(Y)[np.searchsorted(np.sort(Y), drawn)]
    np.testing.assert_allclose(np.bincount(donor, minlength=200) / 20_000, shares[0], atol=0.012)


@pytest.mark.parametrize("learner", ["cart", "forest"])
def test_levels_by_their_shares_in_a_leaf(learner: str):
    level = (Y > 1.5).astype(float)
    law = fitted(learner, level, 2)
    p = law.mean(NEW)
    np.testing.assert_allclose(p.sum(1), 1)
    assert ((p[:, 1] > 0.5) == (Y[:40] > 1.5)).mean() > 0.9


def test_matched_means_are_those_of_least_squares_and_wanted_ones_of_a_bootstrap():
    law = fitted("linear", Y, donors="values")
    assert isinstance(law, NumberLaw)
    assert law.plan.penalty == SLIGHT
    design = np.column_stack([np.ones(200), X])
    least_squares = design @ np.linalg.lstsq(design, Y, rcond=None)[0]
    np.testing.assert_allclose(law.offered, least_squares, atol=1e-3)
    root = np.sqrt(law.row_weights)
    drawn = np.linalg.lstsq(design * root[:, None], Y * root, rcond=None)[0]
    np.testing.assert_allclose(law.mean(NEW)[:, 0], np.column_stack([np.ones(40), NEW.features]) @ drawn, atol=1e-3)
    near = np.argsort(np.abs(least_squares - law.mean(NEW)[0, 0]))[:9]
    one = Rows(np.repeat(NEW.features[:1], 300, axis=0), NEW.state, NEW.observed)
    assert set(law.draw(law.mean(one), one, np.random.default_rng(0))[0]) <= set(Y[near])


@pytest.mark.parametrize("method", ["mice_pmm", "mice_cart", "mice_rf"])
def test_draws_are_observed_values(method: str):
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": X[:, 0], "y": Y, "g": rng.choice(list("uvw"), 200)}).mask(rng.random((200, 3)) < 0.2)
    for done in Imputer(method, method_options={"chains": 2, "sweeps": 2}).fit(table).draws(table, 2):
        assert not done.isna().any().any()
        assert set(done["g"]) == {"u", "v", "w"}
        for name in ("x", "y"):  # draws are kept in float32
            assert set(done[name].astype(np.float32)) == set(table[name].dropna().astype(np.float32))
