"""Small tables with every kind of column, and tests that need a package of the extra."""

from __future__ import annotations

import os
from collections.abc import Callable
from importlib.util import find_spec

import numpy as np
import pytest

from lacuna.masks.mcar import MCAR
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Column, Incomplete, Problem, Table


@pytest.fixture
def needs() -> Callable[[str], None]:
    """Skip where a package is absent, unless the environment demands all of them."""

    def check(package: str) -> None:
        if find_spec(package) is None:
            if os.environ.get("LACUNA_REQUIRE_BASELINES"):
                pytest.fail(f"{package} is not installed")
            pytest.skip(f"{package} is not installed: pip install 'lacuna-impute[baselines]'")

    return check


@pytest.fixture(scope="session")
def mixed() -> Incomplete:
    """100 rows with numbers, integers, categories and booleans; the last column shows one cell only."""
    rng = stream(0, "mixed")
    latent = rng.normal(size=100)
    city, smokes = np.digitize(latent + 0.3 * rng.normal(size=100), [-0.5, 0.5]), latent > 0
    values = np.stack([3 * latent, 40 - latent + 0.1 * rng.normal(size=100), np.round(latent), city, smokes], axis=1)
    observed = rng.random((100, 5)) > 0.2
    rare = np.where(np.arange(100) == 7, 3.5, np.nan)[:, None]
    columns = (
        Column("height"),
        Column("income"),
        Column("children", "integer"),
        Column("city", "categorical", ("Bonn", "Rome", "Oslo")),
        Column("smokes", "categorical", (False, True)),
        Column("rare"),
    )
    values = np.hstack([np.where(observed, values, np.nan), rare])
    return Incomplete(columns, values, ~np.isnan(values))


@pytest.fixture(scope="session")
def numbers() -> Incomplete:
    """120 rows of four related numbers."""
    rng = stream(0, "numbers")
    latent = rng.normal(size=(120, 1))
    values = latent @ np.array([[1.0, -2.0, 0.5, 3.0]]) + 0.3 * rng.normal(size=(120, 4)) + [0, 5, 10, 0]
    values[rng.random(values.shape) < 0.2] = np.nan
    return Incomplete(tuple(Column(f"x{j}") for j in range(4)), values, ~np.isnan(values))


@pytest.fixture(scope="session")
def rank_one() -> Problem:
    """Every row a multiple of one, so that any cell shows all others."""
    rng = stream(0, "rank one")
    values = rng.normal(size=(400, 1)) @ rng.uniform(0.5, 1.5, (1, 5))
    table = Table("rank one", tuple(Column(f"x{j}") for j in range(5)), values, np.zeros(values.shape, bool))
    return hide(table, MCAR().draw(table, 0.2, stream(0, "mask")))
