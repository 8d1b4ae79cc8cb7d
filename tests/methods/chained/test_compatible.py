"""Draws that go with an outcome: beside exact conditionals, and in analyses of the completed tables."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import norm

from lacuna import Imputer, pool
from lacuna.errors import UserError
from lacuna.imputer import load
from lacuna.methods.chained import Chained
from lacuna.methods.chained.compatible import CovariateLaw
from lacuna.methods.chained.design import Design
from lacuna.methods.chained.law import fit_law
from lacuna.methods.chained.plan import first_plan
from lacuna.methods.chained.rows import Rows
from lacuna.types import Column, Incomplete

SLOPE, NOISE = 1.5, 0.5
NUMBERS = (Column("x"), Column("z"), Column("y"))


class Product:
    """The outcome is normal around SLOPE times the product of the first two columns: known, not learned."""

    def mean(self, rows: Rows) -> np.ndarray:
        return SLOPE * rows.state[:, :1] * rows.state[:, 1:2]

    def draw(self, mean: np.ndarray, rows: Rows, rng: np.random.Generator) -> tuple[np.ndarray, np.ndarray]:
        return mean[:, 0] + NOISE * rng.normal(size=len(mean)), mean

    def log_density(self, rows: Rows) -> np.ndarray:
        return -0.5 * ((rows.state[:, 2] - self.mean(rows)[:, 0]) / NOISE) ** 2


def law_of_first(columns: tuple[Column, ...], values: np.ndarray) -> tuple[CovariateLaw, Design]:
    """The law of the first column of three, learned from the second and weighed by the third."""
    design = Design.fit(Incomplete(columns, values, np.isfinite(values)))
    design = Design(
        columns, np.zeros(3), np.ones(3), *(getattr(design, x) for x in ("varied", "blocks", "centers", "scales"))
    )
    features, rng = design.features(values), np.random.default_rng(0)
    second = np.arange(design.width)[design.blocks[1]]
    plan = first_plan(columns[0].n_levels, second, features, values[:, 0], rng)
    proposal = fit_law(plan, features, values[:, 0], np.ones(len(values)), rng)
    return CovariateLaw(0, proposal, Product(), 2, design), design


def repeated(design: Design, z: float, y: float, n: int) -> Rows:
    state = np.tile([0.0, z, y], (n, 1))
    return Rows(design.features(state), state, np.tile([False, True, True], (n, 1)))


@pytest.mark.parametrize(("z", "y"), [(0.0, 1.0), (1.0, 0.5), (-1.5, 2.0), (2.0, 9.0)])
def test_a_number_given_a_product_of_it(z: float, y: float):
    rng = np.random.default_rng(0)
    second = rng.normal(size=4000)
    first = 0.6 * second + 0.8 * rng.normal(size=4000)
    law, design = law_of_first(NUMBERS, np.column_stack([first, second, first * second]))
    rows = repeated(design, z, y, 3000)
    drawn, expected = law.draw(law.mean(rows), rows, rng)
    precision = 1 / 0.64 + (SLOPE * z / NOISE) ** 2  # of two normals multiplied
    mean = (0.6 * z / 0.64 + SLOPE * z * y / NOISE**2) / precision
    np.testing.assert_allclose(drawn.mean(), mean, atol=0.06)
    np.testing.assert_allclose(expected.mean(), mean, atol=0.06)
    np.testing.assert_allclose(drawn.std(), precision**-0.5, rtol=0.12)


def test_a_level_given_a_product_of_it():
    rng = np.random.default_rng(0)
    second = rng.normal(size=4000)
    first = (rng.random(4000) < 0.3).astype(float)
    columns = (Column("x", "categorical", ("a", "b")), Column("z"), Column("y"))
    law, design = law_of_first(columns, np.column_stack([first, second, first * second]))
    rows = repeated(design, 0.4, 0.3, 5)
    drawn, p = law.draw(law.mean(rows), rows, rng)
    weighed = np.array([0.7, 0.3]) * norm.pdf(0.3, [0, SLOPE * 0.4], NOISE)
    np.testing.assert_allclose(p, np.tile(weighed / weighed.sum(), (5, 1)), atol=0.03)
    assert set(drawn) <= {0.0, 1.0}


def test_rows_that_do_not_show_the_outcome_keep_their_proposals():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(2000, 3))
    law, design = law_of_first(NUMBERS, values)
    rows = repeated(design, 1.0, 50.0, 2000)
    drawn, _ = law.draw(law.mean(rows), rows._replace(observed=np.zeros((2000, 3), bool)), rng)
    np.testing.assert_allclose([drawn.mean(), drawn.std()], [values[:, 0].mean(), values[:, 0].std()], atol=0.1)


def test_a_cell_that_no_proposal_fits_gets_the_nearest():
    rng = np.random.default_rng(0)
    law, design = law_of_first(NUMBERS, rng.normal(size=(2000, 3)))
    rows = repeated(design, 1.0, 50.0, 20)
    drawn, _ = law.draw(law.mean(rows), rows, rng)
    assert (drawn > 2).all()


def interacting(n: int, seed: int) -> pd.DataFrame:
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 2)) @ [[1, 0.5], [0, 0.75**0.5]]
    table = pd.DataFrame({"x1": x[:, 0], "x2": x[:, 1]})
    table["y"] = table.x1 + table.x2 + table.x1 * table.x2 + rng.normal(size=n)
    return table.mask(rng.random(table.shape) < 0.3)


def slope_of_product(table: pd.DataFrame) -> tuple[float, float]:
    design = np.column_stack([np.ones(len(table)), table.x1, table.x2, table.x1 * table.x2])
    inverse = np.linalg.inv(design.T @ design)
    beta = inverse @ design.T @ table.y
    return beta[3], inverse[3, 3] * ((table.y - design @ beta) ** 2).sum() / (len(table) - 4)


@pytest.mark.slow
@pytest.mark.parametrize("analysis", [None, "y ~ x1 * x2"])
def test_the_slope_of_a_product_is_not_diluted(analysis: str | None):
    if analysis:
        pytest.importorskip("formulaic")
    estimates, covered = [], []
    for seed in range(8):
        table = interacting(400, seed)
        imputer = Imputer("chained", random_state=0, method_options={"analysis": analysis}).fit(table)
        fits = np.array([slope_of_product(done) for done in imputer.draws(table, 5)])
        pooled = pool(*fits.T[:, :, None])
        estimates.append(pooled.estimate[0])
        covered.append(abs(pooled.estimate[0] - 1) < 2.2 * pooled.se[0])
    assert np.mean(estimates) == pytest.approx(1, abs=0.06 if analysis else 0.12)  # mice, pmm: 0.74
    assert sum(covered) >= 6


def test_an_outcome_is_found_where_products_make_one_and_only_there():
    table = interacting(500, 0)
    rows = Incomplete(tuple(map(Column, table)), table.to_numpy(), table.notna().to_numpy())
    found = Chained(chains=1, sweeps=1).fit(rows).outcome_
    assert (found.column, found.covariates) == (2, {0, 1})
    rng = np.random.default_rng(0)
    normal = rng.normal(size=(500, 3)) @ rng.normal(size=(3, 3))
    normal[rng.random(normal.shape) < 0.3] = np.nan
    assert Chained(chains=1, sweeps=1).fit(Incomplete(rows.columns, normal, np.isfinite(normal))).outcome_ is None


def of_all_kinds(n: int = 120) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    x, group = rng.normal(size=n), rng.integers(3, size=n)
    columns = {
        "an x": x,
        "group": np.array(["u", "v", "w"])[group],
        "count": rng.poisson(np.exp(0.5 * x)),
        "sick": rng.random(n) < 1 / (1 + np.exp(-2 * x)),
        "y": x * group + rng.normal(size=n),
    }
    return pd.DataFrame(columns).mask(rng.random((n, 5)) < 0.2)


@pytest.mark.parametrize(
    "options",
    [
        {"analysis": "y ~ `an x` * group"},
        {"analysis": "sick ~ `an x` + count"},
        {"analysis": "group ~ `an x` + y"},
        {"analysis": "count ~ `an x` + sick", "family": "poisson"},
        {"analysis": "y ~ `an x` * group", "delta": {"y": 1.0, "group": {"u": 1.0}}},
        {"analysis": "y ~ group", "learner": "cart"},
    ],
)
def test_outcomes_and_covariates_of_all_kinds(options: dict, tmp_path):
    pytest.importorskip("formulaic")
    table = of_all_kinds()
    imputer = Imputer("chained", method_options={"chains": 1, "sweeps": 2, **options}).fit(table)
    for done in imputer.draws(table, 2):
        assert not done.isna().any().any()
        pd.testing.assert_frame_equal(done.mask(table.isna()), table, check_dtype=False)
        assert set(done["group"]) == {"u", "v", "w"}
        assert (done["count"] >= 0).all()
    rows = table.head(8)  # some are not as fit has seen them
    imputer.save(tmp_path / "imputer")
    pd.testing.assert_frame_equal(load(tmp_path / "imputer").transform(rows), imputer.transform(rows))


def test_an_analysis_is_of_the_columns_in_their_own_units():
    pytest.importorskip("formulaic")
    rng = np.random.default_rng(0)
    x = rng.uniform(1e6, 3e6, size=300)
    table = pd.DataFrame({"x": x, "y": np.log(x) + 0.01 * rng.normal(size=300)})
    blank = table.assign(x=table.x.where(np.arange(300) % 4 > 0))
    done = Imputer("chained", analysis="y ~ log(x)", method_options={"chains": 2}).fit(blank).draws(blank, 1)[0]
    hidden = blank.x.isna()
    np.testing.assert_allclose(np.log(done.x[hidden]) - table.y[hidden], 0, atol=0.08)


def test_a_method_that_takes_no_analysis_says_so():
    with pytest.raises(UserError, match="analysis"):
        Imputer("knn", analysis="y ~ count").fit(of_all_kinds())


def test_choices_that_do_not_exist():
    for option in ("family", "learner", "donors"):
        with pytest.raises(UserError, match=f"{option} must be one of"):
            Imputer("chained", method_options={option: "none"}).fit(of_all_kinds())
