"""The outer loop of Diff-Joint and DiffPuter, and what it does with conditional samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from lacuna.datasets.bayesnet import BayesNet
from lacuna.masks.mcar import MCAR
from lacuna.methods import iterative_diffusion
from lacuna.methods.diffjoint import DiffJoint
from lacuna.methods.diffputer import DiffPuter
from lacuna.methods.iterative_diffusion import IterativeDiffusion
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Problem

TINY: dict[str, Any] = {
    "iterations": 2,
    "samples": 5,
    "steps": 3,
    "repeats": 2,
    "hidden": 16,
    "epochs": 2,
    "batch": 64,
    "device": "cpu",
}
EACH = pytest.mark.parametrize("kind", [DiffJoint, DiffPuter])


@pytest.fixture(scope="module")
def problem() -> Problem:
    table = BayesNet(150, 50).load(stream(0, "dataset"), stream(0, "split"))
    return hide(table, MCAR().draw(table, 0.2, stream(0, "mask")))


@EACH
def test_an_iteration_updates_the_model_then_samples_then_aggregates(
    kind: type[IterativeDiffusion], problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Lines 4 to 8 of Algorithm 1: each model learns from the state before, each state comes from the model before."""
    log: list[str] = []

    def spied(name: str) -> Callable[..., Any]:
        method = getattr(kind, name)

        def spy(*given: Any) -> Any:
            log.append(name)
            return method(*given)

        return spy

    for name in ("_update_model", "_conditional_sample", "_aggregate"):
        monkeypatch.setattr(kind, name, spied(name))
    kind(**TINY).fit(problem.train, 0)
    assert log == ["_update_model", "_conditional_sample", "_aggregate"] * 2


@EACH
def test_blocks_hold_every_incomplete_row_once(
    kind: type[IterativeDiffusion], problem: Problem, monkeypatch: pytest.MonkeyPatch
) -> None:
    method, rows = kind(**TINY).fit(problem.train, 0), problem.test
    assert rows is not None
    monkeypatch.setattr(iterative_diffusion, "STATES_IN_MEMORY", 7 * TINY["samples"])
    blocks = list(method._conditional_sample(rows, TINY["samples"], "test", "test"))
    assert {len(block.rows) for block in blocks[:-1]} == {7}
    np.testing.assert_array_equal(np.concatenate([b.rows for b in blocks]), np.flatnonzero(rows.hidden.any(1)))
    for block in blocks:
        assert block.states.shape[:2] == block.values.shape[:2] == (len(block.rows), TINY["samples"])
        seen = rows.observed[block.rows]
        given = np.broadcast_to(rows.values[block.rows, None], block.values.shape)
        np.testing.assert_allclose(
            block.values.numpy().swapaxes(0, 1)[:, seen], given.swapaxes(0, 1)[:, seen], rtol=1e-5
        )


@EACH
def test_estimates_take_the_first_samples_and_draws_all_of_them(
    kind: type[IterativeDiffusion], problem: Problem
) -> None:
    method, rows = kind(**TINY).fit(problem.train, 0), problem.test
    assert rows is not None
    blocks = list(method._conditional_sample(rows, 9, "test", "test"))
    few = method._estimates(rows, [block.first(TINY["samples"]) for block in blocks], draws=0)
    many = method._estimates(rows, blocks, draws=9)
    for name in ("values", "uncertainty", "votes"):
        np.testing.assert_array_equal(getattr(many, name), getattr(few, name))
    np.testing.assert_array_equal(many.values[rows.observed], rows.values[rows.observed])
    assert not many.uncertainty[rows.observed].any()
    assert few.draws is None
    assert many.draws is not None
    assert many.draws.samples is not None
    drawn = np.concatenate(
        [block.values.numpy().swapaxes(0, 1)[:, rows.hidden[block.rows]] for block in blocks], axis=1
    )
    np.testing.assert_array_equal(many.draws.samples, drawn.astype(np.float32))


@EACH
def test_rows_without_a_hidden_cell_come_back_as_they_are(kind: type[IterativeDiffusion], problem: Problem) -> None:
    complete = problem.train.take(problem.train.observed.all(1))
    done = kind(**TINY).fit(problem.train, 0).impute(complete, draws=2)
    np.testing.assert_array_equal(done.values, complete.values)
    assert done.draws is None
