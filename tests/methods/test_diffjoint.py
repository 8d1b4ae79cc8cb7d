from __future__ import annotations

from typing import Any

import numpy as np
import pytest
import torch

from lacuna import saving
from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mcar import MCAR
from lacuna.methods.base import Monitor
from lacuna.methods.diffjoint import DiffJoint
from lacuna.methods.iterative_diffusion import Samples
from lacuna.methods.selective import MeaningfulPosterior
from lacuna.metrics.meaningful import mm_f1
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Incomplete, Problem

TINY: dict[str, Any] = {
    "iterations": 2,
    "samples": 5,
    "steps": 4,
    "repeats": 2,
    "hidden": 16,
    "epochs": 5,
    "batch": 64,
    "lr": 1e-3,
    "device": "cpu",
}


def bayesnet(n_train: int = 200, n_test: int = 60, ratio: float = 0.2) -> Problem:
    table = BayesNet(n_train, n_test).load(stream(0, "dataset"), stream(0, "split"))
    return hide(table, MCAR().draw(table, ratio, stream(0, "mask")))


PROBLEM = bayesnet()


def test_start_is_uniform_over_what_is_observed():
    train = bayesnet(4000, 1).train
    method = DiffJoint(**TINY)
    start = method._start(train, seed=0)
    assert not start.meaningful.any()
    support = set(train.values[train.observed[:, 0], 0])
    assert set(start.values[train.hidden[:, 0], 0]) <= support
    levels = start.values[train.hidden[:, 3], 3]
    np.testing.assert_allclose(np.bincount(levels.astype(int)) / len(levels), 1 / 3, atol=0.05)


def test_the_joint_state_is_encoding_and_raw_mask():
    method = DiffJoint(**TINY).fit(PROBLEM.train, 0)
    state = method._encoded(method.state_)
    np.testing.assert_array_equal(state[:, 9:], method.state_.meaningful)
    np.testing.assert_array_equal(state[:, :9], method.encoder_.encode(method.state_.values))


def test_what_is_known_to_the_sampler():
    """Observed cells, their mask, and the mask of columns that are no candidates; nothing else."""
    method = DiffJoint(**TINY).fit(PROBLEM.train, 0)
    rows = PROBLEM.train.take(slice(0, 50))
    known, is_known = method._known(rows)
    assert np.array_equal(is_known[:, [0, 1]], rows.observed[:, [0, 1]])
    assert np.array_equal(is_known[:, 9:], rows.observed | ~rows.candidates)
    assert (known[:, 9:] == 0).all()


@pytest.mark.parametrize("rule", ["or", "and", "uncertainty", "vote"])
def test_rules(rule):
    method = DiffJoint(**TINY | {"rule": rule})
    columns = (Column("a", mm_candidate=True),)
    observed = np.array([[False]] * 4 + [[True]])
    rows = Incomplete(columns, np.where(observed, 1.0, np.nan), observed)
    uncertainty = np.array([[0.1], [0.1], [0.9], [0.9], [5.0]])
    votes = np.array([[0.0], [0.6], [0.5], [1.0], [1.0]])
    expected = {
        "or": [False, True, True, True, False],
        "and": [False, False, False, True, False],
        "uncertainty": [False, False, True, True, False],
        "vote": [False, True, False, True, False],
    }
    assert method._flags(rows, uncertainty, votes)[:, 0].tolist() == expected[rule]


def test_aggregation_follows_equations_five_and_six():
    method = DiffJoint(**TINY | {"samples": 4}).fit(PROBLEM.train, 0)
    encoder = method.encoder_
    values = np.array([[25.0, 50.0, 0, 2, 1], [26.0, 52.0, 0, 2, 1], [27.0, 54.0, 1, 0, 0], [24.0, 56.0, 0, 1, 0]])
    masks = np.array([[0, 0, 0, 1, 1], [0, 0, 0, 1, 0], [0, 0, 0, 0, 0], [1, 0, 0, 1, 0.4]])
    states = torch.from_numpy(np.concatenate([encoder.encode(values), masks], axis=1).astype(np.float32))[None]
    samples = Samples(np.array([0]), states, encoder.decode(states[..., :9]))
    point, uncertainty, votes = (a[0].numpy() for a in method._estimate(samples))
    np.testing.assert_allclose(point, [25.5, 53.0, 0, 2, 0], rtol=1e-5)
    expected = [values[:, 0].std(), values[:, 1].std(), 0.5623, 1.0397, 0.6931]
    np.testing.assert_allclose(uncertainty, expected, rtol=1e-3)
    np.testing.assert_allclose(votes, [0.25, 0, 0, 0.75, 0.25])


def test_training_rows_keep_the_state_of_the_fit():
    method = DiffJoint(**TINY).fit(PROBLEM.train, 0)
    again = method.impute(PROBLEM.train)
    assert np.array_equal(again.values, method.state_.values)
    assert np.array_equal(again.meaningful, method.state_.meaningful)


def test_no_iteration_samples_from_an_untrained_network():
    method = DiffJoint(**TINY | {"iterations": 0}).fit(PROBLEM.train, 0)
    assert np.isfinite(method.impute(PROBLEM.test).values).all()


def test_draws_are_the_hidden_cells_of_the_rows():
    imputation = DiffJoint(**TINY).fit(PROBLEM.train, 0).impute(PROBLEM.test, draws=7)
    draws = imputation.draws
    assert draws.samples.shape == (7, PROBLEM.test.hidden.sum())
    d2 = draws.cells[:, 1] == 3
    assert set(np.unique(draws.samples[:, d2])) <= {0.0, 1.0, 2.0}


class Keeper(Monitor):
    """Keeps the checkpoint in memory and can stop a fit after an iteration."""

    def __init__(self, kept: dict | None = None, stop_after: int | None = None) -> None:
        self.kept, self.stop_after, self.iterations = kept, stop_after, []

    def iteration(self, index, impute):
        self.iterations.append(index)

    def save(self, state):
        self.kept = state
        if state["iteration"] == self.stop_after:
            raise KeyboardInterrupt

    def restore(self):
        return self.kept


@pytest.mark.parametrize("rule", ["or", "propensity"])
def test_a_resumed_fit_ends_where_an_uninterrupted_one_does(rule):
    first, second, straight = (DiffJoint(**TINY | {"rule": rule}) for _ in range(3))
    whole = straight.fit(PROBLEM.train, 3).impute(PROBLEM.test)
    first.monitor = Keeper(stop_after=1)
    with pytest.raises(KeyboardInterrupt):
        first.fit(PROBLEM.train, 3)
    second.monitor = Keeper(first.monitor.kept)
    resumed = second.fit(PROBLEM.train, 3).impute(PROBLEM.test)
    assert second.monitor.iterations == [2]
    assert np.array_equal(resumed.values, whole.values)
    assert np.array_equal(resumed.meaningful, whole.meaningful)
    assert np.array_equal(resumed.meaningful_probability, whole.meaningful_probability)
    assert second.impute(PROBLEM.train).diagnostics.keys() == straight.impute(PROBLEM.train).diagnostics.keys()


def test_a_resumed_fit_that_was_over_keeps_its_state():
    """Stopped after its last iteration, nothing is left to train: the state of the training rows is the kept one."""
    first, second = DiffJoint(**PROPENSITY), DiffJoint(**PROPENSITY)
    first.monitor = Keeper()
    whole = first.fit(PROBLEM.train, 3).impute(PROBLEM.train)
    second.monitor = Keeper(first.monitor.kept)
    resumed = second.fit(PROBLEM.train, 3).impute(PROBLEM.train)
    assert second.monitor.iterations == []
    assert np.array_equal(resumed.final, whole.final, equal_nan=True)
    assert resumed.diagnostics["columns"] == whole.diagnostics["columns"]


PROPENSITY = TINY | {"rule": "propensity"}


def test_propensity_flags_where_the_posterior_of_selective_does_at_every_iteration():
    posterior = MeaningfulPosterior().fit(PROBLEM.train, 3)
    seen = []

    class Watcher(Monitor):
        def iteration(self, index, impute):
            seen.extend(impute(rows) for rows in (PROBLEM.train, PROBLEM.test))

    method = DiffJoint(**PROPENSITY)
    method.monitor = Watcher()
    method.fit(PROBLEM.train, 3)
    assert len(seen) == 2 * method.iterations
    for done, rows in zip(seen, [PROBLEM.train, PROBLEM.test] * method.iterations, strict=True):
        probability = posterior.predict(rows)
        assert 0 < done.meaningful.sum() < rows.hidden[:, rows.candidates].sum()
        np.testing.assert_array_equal(done.meaningful_probability, probability)
        np.testing.assert_array_equal(done.meaningful, probability > 0.5)
        assert done.diagnostics["columns"].keys() == {"C1", "D2", "D3"}


def test_the_next_iteration_learns_from_the_flags_of_propensity():
    states = []

    class Learner(DiffJoint):
        def _update_model(self, t):
            states.append(self._encoded(self.state_))
            super()._update_model(t)

    method = Learner(**PROPENSITY).fit(PROBLEM.train, 3)
    assert not states[0][:, 9:].any()
    np.testing.assert_array_equal(states[1][:, 9:] > 0.5, method.impute(PROBLEM.train).meaningful)


def test_a_saved_method_with_propensity_answers_as_before(tmp_path):
    method = DiffJoint(**PROPENSITY).fit(PROBLEM.train, 3)
    saving.save_object(method, tmp_path / "method")
    loaded = saving.load_object(tmp_path / "method")
    for rows in (PROBLEM.train, PROBLEM.test):
        before, after = method.impute(rows), loaded.impute(rows)
        np.testing.assert_array_equal(after.final, before.final)
        np.testing.assert_array_equal(after.meaningful_probability, before.meaningful_probability)


def test_without_the_mask_there_are_no_flags():
    imputation = DiffJoint(**TINY | {"joint": False}).fit(PROBLEM.train, 0).impute(PROBLEM.test)
    assert imputation.meaningful is None


def test_ranges():
    with pytest.raises(ValueError, match="rule must be one of or, and, uncertainty, vote, propensity, got 'xor'"):
        DiffJoint(rule="xor")
    with pytest.raises(ValueError, match="iterations"):
        DiffJoint(iterations=-1)


@pytest.mark.slow
def test_it_finds_meaningful_blanks_on_a_small_bayesnet():
    """A reduced setting still beats the floor that calls every hidden candidate cell meaningful."""
    problem = bayesnet(3000, 1000, ratio=0.3)
    method = DiffJoint(iterations=1, samples=12, steps=15, repeats=8, hidden=48, epochs=60, batch=256, lr=1e-3)
    imputation = method.fit(problem.train, 0).impute(problem.train)
    answer = problem.answers["train"]
    share = answer.meaningful[:, [0, 3, 4]].sum() / answer.hidden[:, [0, 3, 4]].sum()
    calls = imputation.meaningful.sum() / answer.hidden[:, [0, 3, 4]].sum()
    precision = (imputation.meaningful & answer.meaningful).sum() / imputation.meaningful.sum()
    assert precision > share + 0.03
    assert calls < 0.9
    assert mm_f1(answer, imputation) > 0.4
