"""`chained`: what a statistician may rely on."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from lacuna import Imputer
from lacuna.errors import UserError
from lacuna.methods.chained import Chained
from lacuna.methods.chained.donors import nearest_donors
from lacuna.methods.chained.plan import holds_its_values
from lacuna.types import Column, Incomplete


def incomplete(values: np.ndarray, columns: tuple[Column, ...] | None = None) -> Incomplete:
    columns = columns or tuple(Column(f"x{j}") for j in range(values.shape[1]))
    return Incomplete(columns, values, ~np.isnan(values))


def related(n: int = 150, rate: float = 0.2) -> tuple[np.ndarray, np.ndarray]:
    """Complete values (n, 4) and the same with blanks."""
    rng = np.random.default_rng(0)
    z = rng.normal(size=n)
    complete = np.column_stack([z + 0.3 * rng.normal(size=n) for _ in range(4)])
    return complete, np.where(rng.random(complete.shape) < rate, np.nan, complete)


def mixed(n: int = 80) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    size = rng.normal(size=n)
    table = pd.DataFrame(
        {
            "size": size,
            "rounds": rng.poisson(np.exp(size / 2)),
            "kind": rng.choice(["u", "v", "w"], n),
            "same": np.ones(n),
            "full": size + rng.normal(size=n),
        }
    )
    hidden = rng.random(table.shape) < 0.3
    hidden[:, 4] = False
    return table.mask(hidden)


@pytest.mark.parametrize(("factor", "offset"), [(1e-12, 0.0), (1.0, 1.7e9), (1e9, 0.0)])
def test_units_change_nothing_beyond_rounding(factor: float, offset: float) -> None:
    _, blank = related()
    scale, shift = np.array([factor, 1, factor, 1]), np.array([offset, 0, 0, 0])
    plain = Chained(chains=2).fit(incomplete(blank)).impute(incomplete(blank), 3)
    other = Chained(chains=2).fit(incomplete(blank * scale + shift)).impute(incomplete(blank * scale + shift), 3)
    np.testing.assert_allclose((other.values - shift) / scale, plain.values, atol=1e-4)
    of_column = plain.draws.cells[:, 1]
    np.testing.assert_allclose((other.draws.mean - shift[of_column]) / scale[of_column], plain.draws.mean, atol=1e-4)


def test_draws_of_counts_are_observed_counts_and_of_levels_are_levels() -> None:
    table = mixed()
    imputer = Imputer("chained", random_state=0).fit(table)
    for done in imputer.draws(table, 3):
        assert not done.isna().any().any()
        assert set(done["rounds"]) <= set(table["rounds"].dropna())
        assert set(done["kind"]) == {"u", "v", "w"}
        pd.testing.assert_frame_equal(done.mask(table.isna()), table, check_dtype=False)


def test_rows_not_trained_on() -> None:
    table = mixed()
    imputer = Imputer("chained", random_state=0).fit(table)
    rows = pd.DataFrame([{"full": 2.0}, {"size": 1.0, "kind": "u"}, {}], columns=table.columns)  # the last all blank
    done = imputer.transform(rows.astype({"kind": object}))
    assert not done.isna().any().any()
    assert (done["same"] == 1).all()
    assert done["size"][0] > done["size"][2]  # it goes with the column that was never blank in training
    assert done["full"][1] > table["full"].mean()


def test_draws_have_the_spread_of_what_is_hidden() -> None:
    complete, blank = related(400)
    imputer = Imputer("chained", random_state=0).fit(blank)
    low, high = imputer.interval(blank, 0.1, 200)
    hidden = np.isnan(blank)
    assert 0.85 < ((low <= complete) & (complete <= high))[hidden].mean() < 0.95


def test_probabilities_of_levels_follow_the_other_columns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=300)
    level = (x > 0).astype(float)
    level[:50] = np.nan
    rows = incomplete(np.column_stack([x, level]), (Column("x"), Column("level", "categorical", ("a", "b"))))
    probabilities = Chained(chains=2, sweeps=2).fit(rows).level_probabilities(rows)[1]
    np.testing.assert_allclose(probabilities.sum(1), 1)
    assert ((probabilities[:, 1] > 0.5) == (x[:50] > 0)).mean() > 0.9


def test_trees_join_in_where_the_relation_is_bent_and_only_there() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = np.stack([np.sin(3 * x[:, 0]), x[:, 0]]) + 0.3 * rng.normal(size=(2, 400))
    y[:, :100] = np.nan
    bent, straight = (Chained(chains=1, sweeps=1).fit(incomplete(np.column_stack([x, one]))) for one in y)
    assert bent.plans_[2].extent > 0.5
    assert straight.plans_[2].extent == 0
    imputed = bent.impute(incomplete(np.column_stack([x, y[0]]))).values[:100, 2]
    assert np.corrcoef(imputed, np.sin(3 * x[:100, 0]))[0, 1] > 0.9


def test_squares_and_products_are_found_and_hold_beyond_what_was_seen() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    y = x[:, 0] ** 2 + x[:, 0] * x[:, 1]
    blank = np.where(x[:, 0] > 1, np.nan, y + 0.3 * rng.normal(size=400))
    rows = incomplete(np.column_stack([x, blank]))
    fitted = Chained(chains=2, sweeps=2).fit(rows)
    assert {(0, 0), (0, 1)} <= {tuple(pair) for pair in fitted.plans_[2].inputs.pairs.tolist()}
    drawn = fitted.impute(rows, 2).draws.mean
    np.testing.assert_allclose(drawn.mean(), y[x[:, 0] > 1].mean(), rtol=0.1)


def test_levels_that_go_with_a_product_of_other_columns() -> None:
    rng = np.random.default_rng(0)
    x = rng.normal(size=(400, 2))
    level = (x[:, 0] * x[:, 1] + 0.3 * rng.logistic(size=400) > 0).astype(float)
    hidden = rng.random(400) < 0.3
    columns = (Column("a"), Column("b"), Column("level", "categorical", ("no", "yes")))
    rows = incomplete(np.column_stack([x, np.where(hidden, np.nan, level)]), columns)
    fitted = Chained(chains=1, sweeps=3).fit(rows)
    assert [0, 1] in fitted.plans_[2].inputs.pairs.tolist()
    assert (fitted.impute(rows).values[hidden, 2] == level[hidden]).mean() > 0.6  # by chance 0.5


def test_a_column_of_many_levels() -> None:
    rng = np.random.default_rng(0)
    level = rng.integers(40, size=500).astype(float)
    x = np.column_stack([level % 8 + 0.1 * rng.normal(size=500), level])
    hidden = rng.random(500) < 0.2
    column = Column("level", "categorical", tuple(f"l{i}" for i in range(40)))
    rows = incomplete(np.column_stack([x[:, 0], np.where(hidden, np.nan, level)]), (Column("x"), column))
    p = Chained(chains=1, sweeps=2).fit(rows).level_probabilities(rows)[1]
    right = p[np.arange(len(p)), level[hidden].astype(int)]
    assert np.log(right).mean() > np.log(1 / 40) + 0.5  # it has learned which levels go with x


def test_more_columns_than_rows_and_tiny_tables() -> None:
    rng = np.random.default_rng(0)
    wide = np.where(rng.random((15, 30)) < 0.2, np.nan, rng.normal(size=(15, 30)))
    for values in (wide, np.array([[1.0, 2], [2, np.nan], [3, 4]]), np.array([[1.0], [np.nan], [3.0]])):
        rows = incomplete(values)
        assert np.isfinite(Chained(chains=1, sweeps=2).fit(rows).impute(rows, 2).values).all()


def test_of_very_many_columns_those_that_tell_most_are_used() -> None:
    rng = np.random.default_rng(0)
    values = rng.normal(size=(60, 200))
    values[:, 7] = values[:, 150] + 0.1 * rng.normal(size=60)
    values[:10, 7] = np.nan
    fitted = Chained(chains=1, sweeps=1).fit(incomplete(values))
    assert len(fitted.plans_[7].inputs.predictors) == 150
    assert 150 in fitted.plans_[7].inputs.predictors
    assert np.corrcoef(fitted.impute(incomplete(values)).values[:10, 7], values[:10, 150])[0, 1] > 0.5


def test_a_subset_of_the_rows_learns_for_all() -> None:
    complete, blank = related(600)
    rows, hidden = incomplete(blank), np.isnan(blank)
    few = Chained(chains=2, sweeps=4, max_rows=200).fit(rows)
    assert len(few.learn_) == 200
    error = (few.impute(rows).values - complete)[hidden].std() / complete[hidden].std()
    assert error < 0.45  # 0.3 sd of noise in either column


def test_at_least_as_good_as_linear_chains_on_twenty_rows() -> None:
    ratios = []
    for seed in range(6):
        rng = np.random.default_rng(seed)
        x = rng.normal(size=20)
        table = np.column_stack([x, 3 * x + 0.3 * rng.normal(size=20), rng.normal(size=20)])
        hidden = np.zeros(table.shape, bool)
        hidden[:5, 1] = True
        blank = np.where(hidden, np.nan, table)
        done = Imputer("chained", random_state=0).fit_transform(blank)
        ratios.append(np.sqrt(((done - table)[hidden] ** 2).mean() / table[hidden].var()))
    assert np.mean(ratios) < 0.25


def test_donors_are_drawn_by_weight_among_the_nearest() -> None:
    rng = np.random.default_rng(0)
    offered, weights = np.array([0.0, 5.0, 5.0, 5.0, 9.0]), np.array([1.0, 1, 2, 3, 1])
    drawn = nearest_donors(np.full(6000, 5.0), offered, weights, 1, rng)
    np.testing.assert_allclose(np.bincount(drawn, minlength=5) / 6000, [0, 1 / 6, 2 / 6, 3 / 6, 0], atol=0.03)
    assert set(nearest_donors(np.array([-3.0, 20.0]), offered, weights, 1, rng)) == {0, 4}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.random.default_rng(0).normal(size=300), False),
        (np.random.default_rng(0).lognormal(sigma=0.3, size=300), False),
        (np.random.default_rng(0).normal(size=300).round(1), True),
        (np.random.default_rng(0).uniform(size=300), True),
        (np.maximum(np.random.default_rng(0).normal(size=300), 0), True),
        (np.random.default_rng(0).normal(size=20), False),
    ],
)
def test_columns_whose_draws_are_values_of_donors(values: np.ndarray, expected: bool) -> None:
    assert holds_its_values(values) == expected


def test_delta_shifts_what_is_imputed() -> None:
    table = mixed()
    plain = Imputer("chained", random_state=0).fit(table)
    options = {"delta": {"size": -1.0, "kind": {"v": 20.0}}}
    moved = Imputer("chained", random_state=0, method_options=options).fit(table)
    blank = table.isna()
    shift = [i.transform(table)["size"][blank["size"]].mean() / table["size"].std() for i in (plain, moved)]
    assert shift[1] - shift[0] == pytest.approx(-1, abs=0.3)  # other columns answer to it
    assert set(moved.draws(table, 1)[0]["kind"][blank["kind"]]) == {"v"}


@pytest.mark.parametrize(
    ("delta", "message"),
    [({"sise": 1.0}, "no column"), ({"size": {"u": 1.0}}, "number of sds"), ({"kind": 1.0}, "log-odds by level")],
)
def test_delta_that_makes_no_sense(delta: dict, message: str) -> None:
    with pytest.raises(UserError, match=message):
        Imputer("chained", method_options={"delta": delta}).fit(mixed())


def test_convergence_by_sweep_and_chain() -> None:
    table = mixed()
    found = Imputer("chained", random_state=0).fit(table).diagnostics_["convergence"]
    assert set(found) == {"size", "rounds", "kind"}  # those with blanks that vary
    assert np.shape(found["size"]["mean"]) == np.shape(found["size"]["sd"]) == (5, 10)
    assert 0.8 < found["size"]["rhat"] < 2
    assert abs(np.mean(found["rounds"]["mean"]) - table["rounds"].mean()) < table["rounds"].std()
    assert (np.array(found["kind"]["mean"]) <= 1).all()
