"""The energy-I-Score: its energy score against scoringrules, its propriety, and which cells it uses."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
import pytest
import scoringrules

from lacuna.methods.base import Method
from lacuna.methods.mean_mode import MeanMode
from lacuna.metrics.i_score import energy_i_score, energy_score
from lacuna.types import Column, Draws, Imputation, Incomplete


@dataclass
class Line(Method):
    """The last column, by a line through the others; ``noise`` times the spread of what is left is added."""

    noise: float = 1.0
    slope: float = 1.0  # times the right one

    def _fit(self, train: Incomplete, seed: int) -> None:
        self.seed_, seen = seed, train.observed[:, -1]
        x, y = self._design(train)[seen], train.values[seen, -1]
        self.beta_ = np.linalg.lstsq(x, y)[0]
        self.sd_ = float((y - x @ self.beta_).std())

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        values, hidden = rows.values.copy(), rows.hidden[:, -1]
        mean = self._design(rows)[hidden] @ (self.beta_ * [1, *[self.slope] * (len(self.beta_) - 1)])
        values[hidden, -1] = mean
        if not draws:
            return Imputation(values)
        samples = mean + self.noise * self.sd_ * np.random.default_rng(self.seed_).normal(size=(draws, len(mean)))
        return Imputation(values, draws=Draws.from_samples(np.argwhere(rows.hidden), samples))

    @staticmethod
    def _design(rows: Incomplete) -> np.ndarray:
        return np.column_stack([np.ones(len(rows)), rows.values[:, :-1]])


def blank_by_x(n: int = 800) -> Incomplete:
    rng = np.random.default_rng(1)
    x = rng.normal(size=n)
    values = np.column_stack([x, 1e6 * (x + rng.normal(size=n))])
    values[rng.random(n) < 1 / (1 + np.exp(-2 * x)), 1] = np.nan
    return Incomplete((Column("x"), Column("y")), values, ~np.isnan(values))


def score_of(method: Line, rows: Incomplete) -> float:
    done = replace(method).fit(rows, 3).impute(rows, 5)
    return energy_i_score(lambda: replace(method), rows, done, draws=50).score


def test_energy_score_is_that_of_scoringrules():
    rng = np.random.default_rng(0)
    samples, truth = rng.normal(size=(7, 40)), rng.normal(size=40)
    known = scoringrules.crps_ensemble(truth, samples.T, estimator="nrg")
    np.testing.assert_allclose(energy_score(samples, truth), known, rtol=1e-10)


def test_energy_score_of_levels_is_half_the_brier_score():
    rng = np.random.default_rng(0)
    samples, truth = rng.integers(3, size=(7, 40)), rng.integers(3, size=40)
    shares = (samples[:, :, None] == np.arange(3)).mean(0)
    brier = ((shares - np.eye(3)[truth]) ** 2).sum(1)
    np.testing.assert_allclose(energy_score(samples, truth, discrete=True), brier / 2, rtol=1e-10)


def test_draws_from_the_law_score_best():
    rows = blank_by_x()
    right = score_of(Line(), rows)
    # of a normal law in sds of the column: that of y given x times 1 / sqrt(pi) (Gneiting 2007)
    spread = np.nanstd(rows.values[:, 1]) / 1e6
    assert right == pytest.approx(np.pi**-0.5 / spread, rel=0.1)
    for worse in (Line(noise=0), Line(noise=0.3), Line(noise=3), Line(slope=0.3), Line(slope=0)):
        assert score_of(worse, rows) > 1.03 * right


def test_a_method_without_draws_is_scored_by_its_guess():
    rows = blank_by_x(100)
    found = energy_i_score(MeanMode, rows, MeanMode().fit(rows).impute(rows))
    y, seen = rows.values[:, 1], rows.observed[:, 1]
    assert found.score == pytest.approx(np.abs(y[seen] - y[seen].mean()).mean() / y[seen].std())
    assert found.weights == {"y": pytest.approx(seen.mean() * (1 - seen.mean()))}
    assert not found.left_out


def test_columns_are_weighed_and_those_without_a_question_left_out():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 4))
    values[rng.random((100, 4)) < [0, 0.2, 0.5, 0]] = np.nan
    values[0, 3] = np.nan  # one row to learn from is too few
    rows = Incomplete(tuple(Column(name) for name in "abcd"), values, ~np.isnan(values))
    done = MeanMode().fit(rows).impute(rows)
    found = energy_i_score(MeanMode, rows, done)
    assert set(found.columns) == {"b", "c"}
    assert set(found.left_out) == {"d"}
    weights = {name: found.weights[name] for name in "bc"}
    total = sum(weights[name] * found.columns[name] for name in "bc")
    assert found.score == pytest.approx(total / sum(weights.values()))
    assert set(energy_i_score(MeanMode, rows, done, columns=("c",)).columns) == {"c"}


def test_a_table_all_of_whose_columns_have_blanks():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(100, 3))
    values[rng.random((100, 3)) < 0.3] = np.nan
    rows = Incomplete(tuple(Column(name) for name in "abc"), values, ~np.isnan(values))
    assert set(energy_i_score(MeanMode, rows, MeanMode().fit(rows).impute(rows)).columns) == {"a", "b", "c"}
    alone = Incomplete(rows.columns[:1], values[:, :1], rows.observed[:, :1])
    found = energy_i_score(MeanMode, alone, MeanMode().fit(alone).impute(alone))
    assert np.isnan(found.score)
    assert "a" in found.left_out
