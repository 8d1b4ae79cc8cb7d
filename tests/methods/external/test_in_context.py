"""TabPFN and TabICL: what is said without their weights, and, where the package is, what a network without any says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lacuna import errors
from lacuna.errors import MissingPackage, MissingWeights
from lacuna.methods.external.in_context import InContext
from lacuna.methods.external.packages import untouched
from lacuna.methods.external.tabicl import TabICL
from lacuna.methods.external.tabpfn import TabPFN
from lacuna.types import Column, Incomplete, Problem

SEED = 4


@pytest.mark.parametrize("kind", [TabICL, TabPFN])
def test_what_is_absent_is_said_in_a_line(
    kind: type[InContext], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    with pytest.raises(MissingPackage, match=rf"method {kind.package} needs {kind.package}, .*\[foundation\]"):
        kind(str(tmp_path), "r.ckpt", "c.ckpt")
    monkeypatch.setattr(errors, "is_installed", lambda package: True)
    (tmp_path / "r.ckpt").touch()
    with pytest.raises(
        MissingWeights, match=rf"needs c\.ckpt of {kind.where_from}: put it into .*method\.folder"
    ) as said:
        kind(str(tmp_path), "r.ckpt", "c.ckpt")
    assert "\n" not in str(said.value)


def test_tabpfn_says_that_it_cannot_predict_many_levels(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(errors, "is_installed", lambda package: True)
    for name in ("r.ckpt", "c.ckpt"):
        (tmp_path / name).touch()
    columns = (Column("town", "categorical", tuple(range(11))),)
    problem = Problem("towns", Incomplete(columns, np.zeros((3, 1)), np.ones((3, 1), bool)), None, {})
    assert "'town'" in str(TabPFN(str(tmp_path), "r.ckpt", "c.ckpt").unsupported(problem))


@pytest.fixture
def weights(tmp_path: Path) -> Path:
    """Files of tiny networks of TabICL, never trained."""
    pytest.importorskip("tabicl")
    import torch
    from tabicl._model.tabicl import TabICL as Network

    shape = {"embed_dim": 16, "col_num_blocks": 1, "col_nhead": 2, "col_num_inds": 4, "row_num_blocks": 1}
    shape |= {"row_nhead": 2, "row_num_cls": 2, "icl_num_blocks": 1, "icl_nhead": 2}
    with untouched(0):
        for name, config in (("r.ckpt", {"max_classes": 0} | shape), ("c.ckpt", {"max_classes": 10} | shape)):
            torch.save({"config": config, "state_dict": Network(**config).state_dict()}, tmp_path / name)
    return tmp_path


def test_tabicl_is_its_package(mixed: Incomplete, weights: Path) -> None:
    from tabicl import TabICLRegressor

    method = TabICL(str(weights), "r.ckpt", "c.ckpt", estimators=2).fit(mixed, seed=SEED)
    done = method.impute(mixed, draws=6)
    seen, hidden = mixed.observed[:, 0], mixed.hidden[:, 0]
    with untouched(0):
        model = TabICLRegressor(2, model_path=str(weights / "r.ckpt"), allow_auto_download=False, random_state=SEED)
        direct = model.fit(mixed.values[seen, 1:], mixed.values[seen, 0]).predict(mixed.values[hidden, 1:])
    low, high = mixed.values[seen, 0].min(), mixed.values[seen, 0].max()
    np.testing.assert_allclose(done.values[hidden, 0], direct.clip(low, high), rtol=1e-4, atol=1e-5)
    assert (done.values[:, 5] == 3.5).all()
    assert done.draws is not None
    assert done.draws.samples is not None
    assert set(done.draws.samples[:, done.draws.cells[:, 1] == 3].ravel()) <= {0, 1, 2}
    np.testing.assert_array_equal(done.values, method.fit(mixed, seed=SEED).impute(mixed).values)
