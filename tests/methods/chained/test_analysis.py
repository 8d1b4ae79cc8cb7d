"""Formulas as designs, and that they hold nothing but arithmetic."""

from __future__ import annotations

import numpy as np
import pytest

from lacuna.errors import UserError
from lacuna.methods.chained.analysis import Analysis
from lacuna.types import Column

pytest.importorskip("formulaic")
COLUMNS = (Column("y"), Column("a"), Column("an x"), Column("g", "categorical", ("u", "v", "w")))
VALUES = np.column_stack([np.random.default_rng(0).normal(size=(60, 3)), np.arange(60) % 3])


def spans(design: np.ndarray, columns: list[np.ndarray]) -> bool:
    """Whether the design and these columns span the same."""
    expected = np.column_stack(columns)
    both = np.column_stack([design, expected])
    return np.linalg.matrix_rank(both) == np.linalg.matrix_rank(design) == np.linalg.matrix_rank(expected)


def test_designs():
    one, (a, x, g) = np.ones(60), VALUES.T[1:]
    levels = [g == k for k in range(3)]
    for formula, columns in {
        "y ~ a * `an x`": [one, a, x, a * x],
        "y ~ a:g - 1": [a * level for level in levels],
        "y ~ g + I(a**2) + np.sin(`an x`)": [*levels, a**2, np.sin(x)],
        "y ~ poly(a, 2)": [one, a, a**2],
        "y ~ scale(`an x`):a": [one, (x - x.mean()) * a],
    }.items():
        analysis = Analysis.of(formula, COLUMNS, VALUES)
        assert spans(analysis.design(VALUES), columns), formula
        np.testing.assert_allclose(analysis.design(VALUES[:7]), analysis.design(VALUES)[:7])  # nothing is fitted anew
    assert Analysis.of("g ~ `an x`", COLUMNS, VALUES).outcome == 3
    assert Analysis.of("g ~ `an x`", COLUMNS, VALUES).covariates == (2,)


def test_two_levels_that_are_numbers_are_numbers():
    columns = (Column("y"), Column("b", "categorical", (False, True)))
    design = Analysis.of("y ~ I(b + 1)", columns, np.eye(2)).design(np.eye(2))
    assert spans(design, [np.ones(2), np.array([1.0, 2.0])])


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("y ~ q", "names 'q', which is no modelled column"),
        ("q ~ a", "names 'q', which is no modelled column"),
        ("y ~ a + y", "needs other columns than its outcome"),
        ("y ~ 1", "needs other columns than its outcome"),
        ("~ a", "one column on the left"),
        ("log(y) ~ a", "one column on the left"),
        ("y ~ a | g", "one column on the left"),
        ("y ~ (a", "is no formula"),
        ("y ~ I(g + 1)", "cannot be computed"),
        ("y ~ open('x')", "not 'open'"),
        ("y ~ I(a.__class__)", "not 'a.__class__'"),
        ("y ~ np.fromfile('x')", "not 'np.fromfile'"),
        ("y ~ I((lambda: a)())", "may use numbers, columns and"),
        ("y ~ I([b for b in a])", "may use numbers, columns and"),
    ],
)
def test_formulas_that_are_refused(formula: str, message: str):
    with pytest.raises(UserError, match=message):
        Analysis.of(formula, COLUMNS, VALUES)
