"""The Bayes oracle and the floor beside it on bayesnet."""

import numpy as np
import pytest

from lacuna.datasets.bayesnet import BayesNet
from lacuna.datasets.bayesnet_law import BayesNetLaw
from lacuna.errors import UserError
from lacuna.laws import Posterior
from lacuna.masks.mar import MAR
from lacuna.masks.mcar import MCAR, ConstantHiding
from lacuna.masks.mnar import MNAR
from lacuna.masks.none import NoMask
from lacuna.methods.always_na import AlwaysNA
from lacuna.methods.oracle import Oracle, OracleF1
from lacuna.metrics.discrete import acc
from lacuna.metrics.meaningful import mm_average_precision, mm_brier, mm_f1
from lacuna.metrics.numeric import rmse
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Draws, Imputation, Incomplete, Problem


def bayesnet(mask, ratio: float, seed: int = 0, n: int = 8_000) -> Problem:
    table = BayesNet(n, 0).load(stream(seed, "dataset"), stream(seed, "split"))
    return hide(table, mask.draw(table, ratio, stream(seed, "mask")))


def oracle(problem: Problem) -> Imputation:
    method = Oracle()
    method.law = problem.law
    return method.fit(problem.train).impute(problem.train)


def test_check_figures_at_mcar():
    problem = bayesnet(MCAR(), 0.1, n=40_000)
    answer, best = problem.answers["train"], oracle(problem)
    floor = AlwaysNA().fit(problem.train).impute(problem.train)
    assert abs(acc(answer, best) - 0.937) < 0.005
    assert abs(mm_f1(answer, best) - 0.933) < 0.005
    # All hidden candidates are flagged: meaningful are 0.525 of a column, hidden are 0.1 of the other cells.
    precision = 0.525 / (0.525 + 0.1 * (3 - 0.525))
    assert abs(mm_f1(answer, floor) - 2 * precision / (1 + precision)) < 0.005


@pytest.mark.parametrize("mask", [MCAR(), MAR(), MNAR()])
@pytest.mark.parametrize("ratio", [0.15, 0.35])
def test_it_scores_what_it_expects_to_score(mask, ratio):
    """The scores of an exact posterior are known beforehand from its own probabilities."""
    problem = bayesnet(mask, ratio, seed=1)
    answer, best = problem.answers["train"], oracle(problem)
    found = problem.law.posterior(problem.train)
    n = answer.hidden[:, 3:].sum()

    chances = found.meaningful[:, None]
    states = np.concatenate([chances, (1 - chances) * found.levels], axis=1)
    state = np.where(chances[:, 0] > 0.5, 0, 1 + found.levels.argmax(1))
    expected = states[np.arange(len(state)), state][found.regular.cells[:, 1] >= 3]
    assert abs(acc(answer, best) - expected.mean()) < 4.5 * np.sqrt((expected * (1 - expected)).sum()) / n

    candidates = np.isin(found.regular.cells[:, 1], [0, 3, 4])
    spread = (found.meaningful * (1 - found.meaningful))[candidates]
    assert abs(mm_brier(answer, best) - spread.mean()) < 4.5 * np.sqrt(spread.mean() / len(spread))
    c2 = (found.regular.cells[:, 1] == 1) & ~found.meaningful.astype(bool)
    assert np.isclose(rmse(answer, best), np.sqrt((found.regular.sd[c2] ** 2).mean()), rtol=0.08)


@pytest.mark.parametrize("mask", [MCAR(), MAR(), MNAR()])
def test_it_beats_the_floor_and_the_oracle_of_another_mask(mask):
    problem = bayesnet(mask, 0.25, seed=2)
    answer, best = problem.answers["train"], oracle(problem)
    floor = AlwaysNA().fit(problem.train).impute(problem.train)
    assert mm_f1(answer, best) > mm_f1(answer, floor) + 0.02
    assert acc(answer, best) > acc(answer, floor) + 0.05
    assert mm_average_precision(answer, best) > mm_average_precision(answer, floor) + 0.05
    assert mm_brier(answer, best) < mm_brier(answer, oracle_of_another_mask(problem))


def oracle_of_another_mask(problem: Problem) -> Imputation:
    method = Oracle()
    method.law = BayesNetLaw().under(ConstantHiding(0.1))
    return method.fit(problem.train).impute(problem.train)


def test_rows_alone_get_what_they_get_together():
    problem = bayesnet(MNAR(), 0.3, n=400)
    method = Oracle()
    method.law = problem.law
    method.fit(problem.train)
    whole = method.impute(problem.train)
    for i in range(0, 400, 40):
        alone = method.impute(problem.train.take([i]))
        assert np.allclose(alone.values, whole.values[[i]])
        assert np.allclose(alone.meaningful_probability, whole.meaningful_probability[[i]])


def test_draws_are_asked_for_and_reproducible():
    problem = bayesnet(MCAR(), 0.3, n=200)
    assert oracle(problem).draws is None
    method = Oracle()
    method.law = problem.law
    one, two, other = (method.fit(problem.train, seed).impute(problem.train, draws=7).draws for seed in (0, 0, 1))
    assert np.array_equal(one.cells, np.argwhere(problem.train.hidden))
    assert one.samples.shape == (7, len(one.cells))
    assert np.array_equal(one.samples, two.samples, equal_nan=True)
    assert not np.array_equal(one.samples, other.samples, equal_nan=True)
    assert np.array_equal(one.mean, other.mean)


def test_without_a_law_it_says_so():
    unknown = bayesnet(NoMask(), 0.1, n=100)
    assert "law" in Oracle().unsupported(unknown)
    assert Oracle().unsupported(bayesnet(MCAR(), 0.1, n=100)) is None
    with pytest.raises(UserError, match="without a law"):
        Oracle().fit(unknown.train)


def test_any_law_of_the_protocol_serves():
    """A law of one numeric and one integer column without levels or meaningful blanks."""

    class Halves:
        def posterior(self, rows, draws=0, rng=None, alpha=0.05):
            cells = np.argwhere(rows.hidden)
            mean = np.full(len(cells), 1.7)
            regular = Draws(cells, mean, mean, mean, mean, alpha)
            return Posterior(np.zeros(len(cells)), np.zeros((len(cells), 1)), regular)

    nan = float("nan")
    values = np.array([[1.0, nan], [nan, 3.0], [2.0, 4.0]])
    rows = Incomplete((Column("a"), Column("b", "integer")), values, ~np.isnan(values))
    method = Oracle()
    method.law = Halves()
    done = method.fit(rows).impute(rows)
    assert done.values.tolist() == [[1.0, 2.0], [1.7, 3.0], [2.0, 4.0]]
    assert not done.meaningful.any()


@pytest.mark.parametrize("mask", [MCAR(), MNAR()])
def test_no_threshold_has_a_higher_f1_than_that_of_oracle_f1(mask):
    problem = bayesnet(mask, 0.4, seed=3)
    answer, best = problem.answers["train"], oracle(problem)
    method = OracleF1()
    method.law = problem.law
    done = method.fit(problem.train).impute(problem.train)
    assert mm_f1(answer, done) > mm_f1(answer, best)
    assert best.meaningful_probability is not None
    for threshold in np.linspace(0.05, 0.95, 19):
        flags = problem.train.hidden & problem.train.candidates & (best.meaningful_probability > threshold)
        rival = Imputation(best.values, flags, best.meaningful_probability)
        assert mm_f1(answer, done) > mm_f1(answer, rival) - 0.003  # expected F1 and F1 differ by noise


def test_the_best_f1_by_trying_every_subset():
    rows = Incomplete((Column("a", "continuous", mm_candidate=True),), np.full((5, 1), np.nan), np.zeros((5, 1), bool))
    p = np.array([[0.05], [0.4], [0.45], [0.9], [0.3]])

    def expected(flags: np.ndarray) -> float:
        return 2 * p[flags].sum() / (flags.sum() + p.sum())

    every = [np.array([[i >> j & 1] for j in range(5)], bool) for i in range(1, 32)]
    assert expected(OracleF1()._flags(p, rows)) == max(map(expected, every))
