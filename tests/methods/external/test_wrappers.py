"""Each wrapper against its package called directly with the same seed."""

from __future__ import annotations

import inspect
import textwrap
import warnings
from collections.abc import Callable

import numpy as np
import pandas as pd
import pytest
from sklearn.ensemble import RandomForestRegressor
from sklearn.experimental import enable_iterative_imputer  # noqa: F401
from sklearn.impute import IterativeImputer, KNNImputer, SimpleImputer
from sklearn.linear_model import BayesianRidge

from lacuna.errors import UserError
from lacuna.methods.base import Method
from lacuna.methods.external.forest_diffusion import ForestDiffusion
from lacuna.methods.external.hyperimpute import HyperImpute, without_multi_class
from lacuna.methods.external.ice import ICE, chain_seed
from lacuna.methods.external.miceforest import MiceForest
from lacuna.methods.external.missforest import MissForest, hyperimpute_imputers
from lacuna.methods.external.missforest_sklearn import ChainedForests
from lacuna.methods.external.ot import OptimalTransport
from lacuna.methods.external.packages import untouched
from lacuna.methods.external.tables import Dummies, point
from lacuna.methods.knn import KNN
from lacuna.methods.median import Median
from lacuna.types import Incomplete, Problem

SEED = 4


def completed(method: Method, rows: Incomplete) -> np.ndarray:
    return method.fit(rows, seed=SEED).impute(rows).values


def test_ice_is_the_mean_of_chains_of_scikit_learn(numbers: Incomplete) -> None:
    low, high = np.nanmin(numbers.values, axis=0), np.nanmax(numbers.values, axis=0)
    chains = []
    for seed in (chain_seed(SEED, k) for k in range(3)):
        imputer = IterativeImputer(BayesianRidge(), sample_posterior=True, max_iter=4, random_state=seed)
        chains.append(imputer.fit_transform(numbers.values).clip(low, high))
    method = ICE(rounds=4, samples=3)
    np.testing.assert_allclose(completed(method, numbers), np.mean(chains, axis=0), rtol=1e-12)
    draws = method.impute(numbers, draws=2).draws
    np.testing.assert_allclose(draws.samples, np.stack(chains)[:2, numbers.hidden], rtol=1e-6)


def test_neighbouring_seeds_of_ice_share_no_chain() -> None:
    seeds = [chain_seed(seed, k) for seed in range(10) for k in range(5)]
    assert len(set(seeds)) == 50
    assert max(seeds) < 2**32  # what scikit-learn takes


def test_miceforest_is_the_mean_and_mode_of_its_package(mixed: Incomplete, needs: Callable[[str], None]) -> None:
    needs("miceforest")
    import miceforest

    frame = pd.DataFrame(mixed.values[:, :5], columns=list("abcde"))
    frame["d"] = pd.Categorical.from_codes(frame["d"].fillna(-1).astype(int), categories=[0, 1, 2])
    frame["e"] = pd.Categorical.from_codes(frame["e"].fillna(-1).astype(int), categories=[0, 1])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        kernel = miceforest.ImputationKernel(frame, num_datasets=3, random_state=SEED)
        kernel.mice(2)
    chains = np.stack([kernel.complete_data(k).astype(float).to_numpy() for k in range(3)])
    found = completed(MiceForest(iterations=2, samples=3), mixed)
    np.testing.assert_allclose(found[:, :2], chains[:, :, :2].mean(0), rtol=1e-12)
    np.testing.assert_array_equal(found[:, 2], chains[:, :, 2].mean(0).round())
    for j in (3, 4):
        np.testing.assert_array_equal(found[:, j], [np.bincount(x.astype(int)).argmax() for x in chains[:, :, j].T])
    assert (found[:, 5] == 3.5).all()


def test_forest_diffusion_is_the_mean_of_samples_of_its_package(
    numbers: Incomplete, needs: Callable[[str], None]
) -> None:
    needs("ForestDiffusion")
    from ForestDiffusion import ForestDiffusionModel

    options = {"n_t": 4, "duplicate_K": 3, "max_depth": 3, "n_estimators": 5}
    with untouched(0):
        model = ForestDiffusionModel(numbers.values, diffusion_type="vp", seed=SEED, n_jobs=1, **options)
        np.random.seed(SEED)  # noqa: NPY002
        samples = model.impute(k=3)
    method = ForestDiffusion(steps=4, duplicates=3, depth=3, trees=5, samples=3)
    np.testing.assert_allclose(completed(method, numbers), samples.mean(0), rtol=1e-9)


@pytest.mark.slow
def test_missforest_is_its_package_with_assignments_that_reach_the_table(
    mixed: Incomplete, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("hyperimpute")
    with untouched(0):
        from hyperimpute.plugins.imputers import Imputers, _hyperimpute_internals

        core = _hyperimpute_internals.IterativeErrorCorrection
        written = inspect.getsource(inspect.unwrap(core._impute_single_column))
        assert written.count("X[col][self.mask[col]] =") == 3
        program = textwrap.dedent(written).replace("X[col][self.mask[col]] =", "X.loc[self.mask[col], col] =")
        scope = dict(vars(_hyperimpute_internals))
        exec(program, scope)
        monkeypatch.setattr(core, "_impute_single_column", scope["_impute_single_column"])
    method = MissForest(configurations=1).fit(mixed, seed=SEED)
    found = method.impute(mixed)
    with untouched(SEED):
        plugin = Imputers().get("missforest", random_state=SEED, **found.diagnostics["configuration"])
        direct = plugin.fit_transform(pd.DataFrame(mixed.values[:, :5])).to_numpy()
    np.testing.assert_allclose(found.values[:, :2], direct[:, :2])
    np.testing.assert_array_equal(found.values[:, 2:5], direct[:, 2:].round())
    means = np.nanmean(mixed.values, axis=0)
    assert np.abs(found.values - means)[mixed.hidden[:, 0], 0].min() > 1e-6  # the package as it is gives means


@pytest.mark.slow
def test_hyperimpute_is_its_package_with_assignments_that_reach_the_table(
    mixed: Incomplete, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """The package's own function, with its chained indexing written as pandas 3 asks for."""
    needs("hyperimpute")
    found = completed(HyperImpute(2, "linear_and_forests"), mixed)
    with hyperimpute_imputers(SEED) as imputers, without_multi_class():
        from hyperimpute.plugins.imputers import _hyperimpute_internals as internals

        core = internals.IterativeErrorCorrection
        written = inspect.getsource(inspect.unwrap(core._impute_single_column))
        program = textwrap.dedent(written).replace("X[col][self.mask[col]] =", "X.loc[self.mask[col], col] =")
        scope = dict(vars(internals))
        exec(program, scope)
        monkeypatch.setattr(core, "_impute_single_column", scope["_impute_single_column"])
        seeds = {"classifier_seed": internals.SMALL_DATA_CLF_SEEDS, "regression_seed": internals.SMALL_DATA_REG_SEEDS}
        plugin = imputers.get("hyperimpute", random_state=SEED, n_inner_iter=2, **seeds)
        direct = plugin.fit_transform(pd.DataFrame(mixed.values[:, :5], columns=[f"x{j}" for j in range(5)])).to_numpy()
    np.testing.assert_allclose(found[:, :2], direct[:, :2])
    np.testing.assert_array_equal(found[:, 2:5], direct[:, 2:].astype(float).round())
    means = np.nanmean(mixed.values, axis=0)
    assert np.abs(found - means)[mixed.hidden[:, 0], 0].min() > 1e-6


def test_hyperimpute_that_does_nothing_is_no_imputation(
    numbers: Incomplete, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """What the package does by itself under pandas 3, where nothing it assigns reaches the table."""
    needs("hyperimpute")
    monkeypatch.setattr("lacuna.methods.external.hyperimpute.impute_column", lambda core, frame, name, train: frame)
    with pytest.raises(UserError, match="returned column means"):
        HyperImpute(1, "linear_and_forests").fit(numbers.take(slice(0, 40)), seed=SEED)


@pytest.mark.slow
def test_the_package_of_missforest_drops_the_number_of_trees(numbers: Incomplete, needs: Callable[[str], None]) -> None:
    needs("hyperimpute")
    few = numbers.take(np.arange(60))
    method = MissForest(configurations=1).fit(few, seed=SEED)
    first, second = (method._completed(few, {"n_estimators": n, "max_iter": 100})[0] for n in (10, 50))
    np.testing.assert_array_equal(first, second)


def test_missforest_tries_configurations_that_differ_in_what_they_do_once(
    numbers: Incomplete, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("hyperimpute")
    tried = []
    truth = np.nan_to_num(numbers.values)

    def stand_in(self: MissForest, table: Incomplete, options: dict[str, int]) -> tuple[np.ndarray, int]:
        tried.append((options, table))
        return truth + abs(options["max_iter"] - 200), options["max_iter"]

    monkeypatch.setattr(MissForest, "_completed", stand_in)
    done = MissForest(configurations=200).fit(numbers, seed=SEED).impute(numbers)
    *searched, (last, _) = tried
    assert sorted(options["max_iter"] for options, _ in searched) == [100, 200, 300]  # the whole space
    assert last == done.diagnostics["configuration"]
    assert last["max_iter"] == 200
    for _, table in searched:
        assert not (table.observed & ~numbers.observed.take(0)).all()
        assert 0.05 < 1 - table.observed.sum() / numbers.observed.sum() < 0.15


def test_missforest_does_not_repeat_what_ends_by_itself(
    numbers: Incomplete, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("hyperimpute")
    tried = []

    def stand_in(self: MissForest, table: Incomplete, options: dict[str, int]) -> tuple[np.ndarray, int]:
        tried.append(options["max_iter"])
        rounds = min(options["max_iter"], 150)
        return np.nan_to_num(numbers.values) + rounds, rounds

    monkeypatch.setattr(MissForest, "_completed", stand_in)
    method = MissForest(configurations=200).fit(numbers, seed=SEED)
    drawn = [options["max_iter"] for options in method._configurations()]
    first = next(limit for limit in drawn if limit > 150)
    assert tried[:-1] == [limit for limit in drawn if limit in (100, first)]
    want = method.errors_[drawn.index(100)], method.errors_[drawn.index(first)]
    assert want[0] < want[1]
    assert method.errors_ == [want[limit > 150] for limit in drawn]


@pytest.mark.slow
def test_the_package_of_missforest_does_the_same_for_every_max_iter_that_it_does_not_reach(
    numbers: Incomplete, needs: Callable[[str], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    needs("hyperimpute")
    few = Incomplete(numbers.columns[:2], numbers.values[:60, :2], numbers.observed[:60, :2])
    method = MissForest(configurations=1)
    method.seed_ = SEED
    whole, rounds = method._completed(few, {"max_iter": 100})
    assert 1 < rounds < 100
    monkeypatch.setattr("multiprocessing.cpu_count", lambda: 16)  # on which nothing may depend
    for limit in (1, rounds):
        found, took = method._completed(few, {"max_iter": limit})
        assert took == limit
        assert np.array_equal(found, whole) == (limit == rounds)


def test_chained_forests_are_the_iterative_imputer_of_scikit_learn(numbers: Incomplete) -> None:
    imputer = IterativeImputer(RandomForestRegressor(10, random_state=SEED), max_iter=1, tol=0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        one_round = imputer.fit_transform(numbers.values)
    method = ChainedForests(rounds=1, trees=10)
    np.testing.assert_allclose(completed(method, numbers), one_round, rtol=1e-12)


def test_threads_do_not_change_the_last_bits_of_chained_forests(
    numbers: Incomplete, monkeypatch: pytest.MonkeyPatch
) -> None:
    one = completed(ChainedForests(rounds=2, trees=40), numbers)
    monkeypatch.setattr("lacuna.methods.external.missforest_sklearn.FEW_ROWS", 0)
    monkeypatch.setattr("os.cpu_count", lambda: 8)
    np.testing.assert_array_equal(completed(ChainedForests(rounds=2, trees=40), numbers), one)


def test_knn_is_scikit_learns(numbers: Incomplete) -> None:
    mean, sd = np.nanmean(numbers.values, axis=0), np.nanstd(numbers.values, axis=0)
    direct = KNNImputer(n_neighbors=3).fit_transform((numbers.values - mean) / sd) * sd + mean
    np.testing.assert_allclose(completed(KNN(3), numbers), direct, rtol=1e-5)


def test_median_is_scikit_learns(numbers: Incomplete, mixed: Incomplete) -> None:
    direct = SimpleImputer(strategy="median").fit_transform(numbers.values)
    np.testing.assert_array_equal(completed(Median(), numbers), direct)
    found = completed(Median(), mixed)
    modes = SimpleImputer(strategy="most_frequent").fit_transform(mixed.values)
    np.testing.assert_array_equal(found[:, 3:5], modes[:, 3:5])


@pytest.mark.parametrize(
    "make",
    [
        lambda: ICE(3, samples=2),
        lambda: OptimalTransport(30, samples=2, device="cpu"),
        lambda: ChainedForests(2, trees=5),
        lambda: MiceForest(1, samples=2),
        lambda: ForestDiffusion(3, duplicates=2, depth=2, trees=3, samples=2),
        lambda: KNN(device="cpu"),
    ],
)
def test_mixed_tables_and_a_column_with_one_observed_value(
    make: Callable[[], Method], mixed: Incomplete, needs: Callable[[str], None]
) -> None:
    for package in ("miceforest", "ForestDiffusion"):
        needs(package)
    method = make().fit(mixed, seed=SEED)
    for rows in (mixed, mixed.take(slice(20, 40)), mixed.take([3])):
        values = method.impute(rows).values
        np.testing.assert_array_equal(values[rows.observed], rows.values[rows.observed])
        np.testing.assert_array_equal(values[:, 2:5], values[:, 2:5].round())
        assert (values[:, 5] == 3.5).all()
        for j in range(5):
            assert values[:, j].min() >= np.nanmin(mixed.values[:, j])
            assert values[:, j].max() <= np.nanmax(mixed.values[:, j])
    single = Incomplete(mixed.columns[:1], mixed.values[:, :1], mixed.observed[:, :1])
    assert np.isfinite(make().fit(single, seed=SEED).impute(single).values).all()


def test_dummies_come_back_as_they_were(mixed: Incomplete) -> None:
    dummies = Dummies.fit(mixed)
    encoded = dummies.encode(mixed.values)
    assert encoded.shape == (100, 7)
    np.testing.assert_array_equal(np.isnan(encoded[:, 3:5]).all(1), mixed.hidden[:, 3])
    np.testing.assert_array_equal(dummies.decode(encoded)[mixed.observed], mixed.values[mixed.observed])


def test_a_point_is_a_mean_or_a_mode(mixed: Incomplete) -> None:
    cells = np.argwhere(mixed.hidden)
    samples = np.tile([[0.0], [1.0], [1.0], [0.0], [1.0]], (1, len(cells)))
    found = point(mixed, samples)[mixed.hidden]
    want = np.array([0.6, 0.6, 1.0, 1.0, 1.0, 0.6])[cells[:, 1]]
    np.testing.assert_allclose(found, want)


def test_optimal_transport_moves_points_on_the_scale_asked_for(numbers: Incomplete) -> None:
    mean, sd = np.nanmean(numbers.values, axis=0), np.nanstd(numbers.values, axis=0)
    scaled = Incomplete(numbers.columns, (numbers.values - mean) / sd, numbers.observed)
    by_itself = completed(OptimalTransport(30, samples=1, device="cpu"), numbers)
    by_hand = completed(OptimalTransport(30, samples=1, standardise=False, device="cpu"), scaled) * sd + mean
    np.testing.assert_allclose(by_itself, by_hand, rtol=1e-4, atol=1e-4)


def test_optimal_transport_on_rank_one_data(rank_one: Problem) -> None:
    answer, rows = rank_one.answers["train"], rank_one.train
    found = completed(OptimalTransport(500, samples=2, device="cpu"), rows)
    error = np.sqrt(np.mean((found - answer.values)[answer.ordinary] ** 2))
    means = np.sqrt(np.mean((np.nanmean(rows.values, axis=0) - answer.values)[answer.ordinary] ** 2))
    assert error < 0.5 * means
