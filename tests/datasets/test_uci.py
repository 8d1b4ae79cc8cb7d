"""Tables of the UCI repository: the published mean imputation, the cache, and what happens without a network."""

from __future__ import annotations

import zipfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.datasets import breast, concrete, gisette, uci
from lacuna.datasets.base import Dataset
from lacuna.datasets.breast import Breast
from lacuna.datasets.concrete import Concrete
from lacuna.datasets.gisette import Gisette
from lacuna.datasets.wine import Wine
from lacuna.errors import UserError
from lacuna.masks.self_logistic import SelfLogistic
from lacuna.methods.mean_mode import MeanMode
from lacuna.metrics.numeric import rmse_all
from lacuna.problem import hide
from lacuna.rng import stream
from lacuna.types import Table


def load(dataset: Dataset) -> Table:
    return dataset.load(stream(0, "dataset"), stream(0, "split"))


@pytest.mark.parametrize(
    ("make", "shape", "rmse"),
    [
        (lambda folder: Wine(), (178, 13), 1.043),
        (lambda folder: Breast(str(folder)), (683, 9), 0.809),
        (lambda folder: Concrete(str(folder)), (1030, 8), 0.976),
    ],
)
def test_mean_imputation_of_the_published_mask(
    make: Callable[[Path], Dataset], shape: tuple[int, int], rmse: float, real_data: Path
) -> None:
    table = load(make(real_data))
    assert table.values.shape == shape
    np.testing.assert_allclose(table.values.mean(0), 0, atol=1e-12)
    np.testing.assert_allclose(table.values.std(0), 1, atol=1e-12)
    problem = hide(table, SelfLogistic(published=True).draw(table, 0.2, stream(0, "mask")))
    done = MeanMode().fit(problem.train).impute(problem.train)
    assert round(rmse_all(problem.answers["train"], done), 3) == rmse


def no_network(number: int) -> pd.DataFrame:
    raise OSError("the repository said: no network")


@pytest.mark.parametrize(("module", "file"), [(concrete, "concrete.csv"), (breast, "breast-cancer-wisconsin.data")])
def test_without_cache_and_network_the_file_to_put_there_is_named(
    module: object, file: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "fetch_frame", no_network)
    make = Concrete if module is concrete else Breast
    with pytest.raises(UserError, match=rf"{file} is not there and could not be fetched \(.*no network\): download"):
        load(make(str(tmp_path / "uci")))
    assert not list(tmp_path.rglob("*.*"))


def test_a_fetched_file_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.normal(size=(1030, 9)), columns=[*concrete.NAMES, "strength"])
    asked = []

    def fetch(number: int) -> pd.DataFrame:
        asked.append(number)
        return frame

    monkeypatch.setattr(concrete, "fetch_frame", fetch)
    first, second = (load(Concrete(str(tmp_path))) for _ in range(2))
    assert asked == [165]
    assert first.digest == second.digest
    assert [c.name for c in first.columns] == list(concrete.NAMES)


def test_a_file_of_another_shape_is_refused(tmp_path: Path) -> None:
    (tmp_path / "concrete.csv").write_text("a,b,c\n1,2,3\n4,x,6\n")
    with pytest.raises(UserError, match=r"gives 2 x 3 numbers and 1 blanks, not 1030 x 8"):
        load(Concrete(str(tmp_path)))


def test_gisette_from_the_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {"gisette_train.data": 3, "gisette_valid.data": 1, "gisette_test.data": 2}
    monkeypatch.setattr(gisette, "PARTS", parts)
    monkeypatch.setattr(gisette, "N_FEATURES", 4)
    numbers = np.random.default_rng(0).integers(0, 1000, (6, 4))
    with zipfile.ZipFile(tmp_path / "gisette.zip", "w") as archive:
        for (name, n_rows), first in zip(parts.items(), (0, 3, 4), strict=True):
            lines = [" ".join(map(str, row)) + " " for row in numbers[first : first + n_rows]]
            archive.writestr(f"GISETTE/{name}", "\n".join(lines))
    wanted = (numbers - numbers.mean(0)) / numbers.std(0)
    np.testing.assert_allclose(load(Gisette(str(tmp_path))).values, wanted)
    (tmp_path / "gisette.zip").unlink()  # its numbers are kept beside it
    np.testing.assert_allclose(load(Gisette(str(tmp_path))).values, wanted)


def test_an_archive_without_a_part_is_refused(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "gisette.zip", "w") as archive:
        archive.writestr("other.data", "1")
    with pytest.raises(UserError, match=r"does not hold gisette_train.data: delete it"):
        load(Gisette(str(tmp_path)))


def test_an_error_page_is_no_archive(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    class Answer:
        def __enter__(self) -> Answer:
            return self

        def __exit__(self, *error: object) -> None:
            pass

        def read(self) -> bytes:
            return b"<html>not found</html>"

    monkeypatch.setattr(uci.urllib.request, "urlopen", lambda address: Answer())
    with pytest.raises(
        UserError, match=r"gisette.zip is not there and could not be fetched \(File is not a zip file\)"
    ):
        load(Gisette(str(tmp_path)))
