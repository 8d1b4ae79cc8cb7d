"""One's own methods, data sets, masks and metrics: a folder of configs, and packages with entry points."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hydra._internal.config_search_path_impl import ConfigSearchPathImpl

from lacuna import Imputer
from lacuna.cli import main as command_line
from lacuna.config import discovery
from lacuna.config.compose import compose, plain
from lacuna.config.discovery import InstalledSearchPath, installed, with_config_dir
from lacuna.errors import UserError
from lacuna.methods.knn import KNN
from lacuna.records.record import find_records
from lacuna.runner import experiment

ROOT = Path(__file__).parents[2]
MODULE = """
import numpy as np
from lacuna.datasets.base import Dataset
from lacuna.masks.mcar import MCAR
from lacuna.methods import Method
from lacuna.types import Column, Imputation, Table


class Constant(Method):
    def __init__(self, value: float = 7.0, places=(0, 1), *, device: str = "cpu", kind: type = float) -> None:
        self.value, self.device = value, device

    def _fit(self, train, seed): ...

    def _impute(self, rows, draws):
        return Imputation(np.full(rows.values.shape, self.value))


class Sevens(Dataset):
    def __init__(self, n: int) -> None:
        self.n = n

    def load(self, rng, split_rng):
        values = np.full((self.n, 2), 7.0)
        return Table("sevens", (Column("a", "continuous"), Column("b", "continuous")), values, np.isnan(values))


class Holes(MCAR): ...


def largest(answer, imputation, power: int = 1):
    return float(np.abs((imputation.values - answer.values)[answer.ordinary]).max(initial=0) ** power)


class NoMethod: ...


NUMBER = 3
"""
ENTRY_POINTS = """
[lacuna.methods]
constant = shelf_of_tests.parts:Constant
no_method = shelf_of_tests.parts:NoMethod
number = shelf_of_tests.parts:NUMBER
lost = shelf_of_tests.parts:Lost
absent = shelf_of_nobody:Constant
knn = shelf_of_tests.parts:Constant

[lacuna.datasets]
sevens = shelf_of_tests.parts:Sevens

[lacuna.masks]
holes = shelf_of_tests.parts:Holes

[lacuna.metrics]
largest = shelf_of_tests.parts:largest

[lacuna.conf]
shelf = shelf_of_tests.conf
"""
CONSTANT = {"_target_": "shelf_of_tests.parts.Constant", "value": 7.0, "places": [0, 1], "device": "cpu"}
SEVENS = ["method=constant", "dataset=sevens", "dataset.n=30", "mask=holes", "metrics=[largest]", "device=cpu"]


def write(folder: Path, files: dict[str, str]) -> Path:
    for name, content in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What an installer leaves of a package that extends Lacuna."""
    files = {
        "shelf_of_tests/__init__.py": "",
        "shelf_of_tests/parts.py": MODULE,
        "shelf_of_tests/conf/method/eights.yaml": "_target_: shelf_of_tests.parts.Constant\nvalue: 8.0\n",
        "shelf_of_tests-1.0.dist-info/METADATA": "Metadata-Version: 2.1\nName: shelf-of-tests\nVersion: 1.0\n",
        "shelf_of_tests-1.0.dist-info/entry_points.txt": ENTRY_POINTS,
    }
    return write(tmp_path_factory.mktemp("site"), files)


@pytest.fixture
def shelf(site: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The package is installed, and not imported."""
    monkeypatch.syspath_prepend(str(site))
    yield
    for name in [name for name in sys.modules if name.startswith("shelf_of_tests")]:
        del sys.modules[name]


# --- packages ----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("shelf")
def test_the_defaults_of_a_constructor_are_the_configuration() -> None:
    cfg = plain(compose([*SEVENS, "method.value=9"]))
    assert cfg["method"] == CONSTANT | {"value": 9}
    assert cfg["dataset"] == {"_target_": "shelf_of_tests.parts.Sevens", "n": 30}
    assert cfg["mask"] == {"_target_": "shelf_of_tests.parts.Holes"}
    assert cfg["metrics"]["largest"] == {
        "_target_": "shelf_of_tests.parts.largest",
        "_partial_": True,
        "power": 1,
    }
    assert "largest" in compose(["method=mean_mode", "device=cpu"]).metrics


@pytest.mark.usefixtures("shelf")
def test_a_package_is_imported_only_where_it_is_chosen() -> None:
    compose(["method=mean_mode", "metrics=[rmse]", "device=cpu"])
    assert "shelf_of_tests" not in sys.modules
    with pytest.raises(UserError, match="unknown method 'constnat': did you mean 'constant'"):
        compose(["method=constnat", "metrics=[rmse]"])
    assert "shelf_of_tests" not in sys.modules
    compose(["method=constant", "metrics=[rmse]", "device=cpu"])
    assert "shelf_of_tests" in sys.modules


@pytest.mark.usefixtures("shelf")
def test_every_use_of_a_method_finds_it() -> None:
    assert compose(["method=selective", "method.base=constant", "device=cpu"]).method.base == CONSTANT
    assert compose(["method=eights", "device=cpu"]).method.value == 8
    table = pd.DataFrame({"a": [1.0, None, 3.0]})
    assert Imputer("constant").fit_transform(table)["a"].tolist() == [1, 7, 3]
    assert Imputer("constant", method_options={"value": 5}).fit_transform(table)["a"].tolist() == [1, 5, 3]
    assert Imputer("eights").fit_transform(table)["a"].tolist() == [1, 8, 3]


@pytest.mark.usefixtures("shelf")
def test_a_name_of_lacunas_own_stays_lacunas() -> None:
    assert isinstance(experiment.assemble(compose(["method=knn", "device=cpu"])).method, KNN)


@pytest.mark.usefixtures("shelf")
@pytest.mark.parametrize(
    ("override", "message"),
    [
        ("method=lost", "method 'lost' of the package shelf-of-tests: cannot import shelf_of_tests.parts:Lost: Attrib"),
        ("method=absent", "method 'absent' of the package shelf-of-tests: cannot import shelf_of_nobody:Constant: Mod"),
        ("method=number", "method 'number' of the package shelf-of-tests: shelf_of_tests.parts:NUMBER is no class"),
        ("method=no_method", "method: shelf_of_tests.parts.NoMethod must be derived from lacuna.methods.base.Method"),
        ("method.vlue=3", "unknown key 'method.vlue': did you mean 'value'?"),
        ("method.value=x", "method.value must be a valid number, got 'x'"),
        ("dataset=sevens", "dataset.n is not given: add dataset.n=..."),
    ],
)
def test_what_is_wrong_with_a_package_is_one_line(override: str, message: str) -> None:
    with pytest.raises(UserError) as caught:
        experiment.assemble(plain(compose(["method=constant", "device=cpu", override])))
    assert str(caught.value).startswith(message)
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("shelf")
def test_a_folder_of_configs_that_is_not_there_is_one_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    about = {"METADATA": "Metadata-Version: 2.1\nName: x\nVersion: 1\n"}
    about["entry_points.txt"] = "[lacuna.conf]\nx = shelf_of_tests.config\n"
    monkeypatch.syspath_prepend(str(write(tmp_path, {f"x-1.dist-info/{key}": text for key, text in about.items()})))
    with pytest.raises(
        UserError, match=r"entry point 'x' of lacuna\.conf names 'shelf_of_tests\.config', .* no folder"
    ):
        compose()


@pytest.mark.usefixtures("shelf")
def test_other_programs_that_use_hydra_see_nothing_of_it() -> None:
    search_path = ConfigSearchPathImpl()
    search_path.append("main", "file:///somewhere/conf")
    InstalledSearchPath().manipulate_search_path(search_path)
    assert len(search_path.get_path()) == 1


def command(folder: Path, path: list[Path], *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run a program in a process of its own, which stands in ``folder``."""
    given = {"PYTHONPATH": os.pathsep.join(map(str, [ROOT / "src", *path])), "OMP_NUM_THREADS": "1"}
    every = os.environ | given | environment
    return subprocess.run(
        [sys.executable, *arguments], cwd=folder, env=every, capture_output=True, text=True, check=False
    )


def scores(folder: Path) -> list[tuple[int, float]]:
    return sorted((record.config["seed"], record.scores["train/largest"]) for _, record in find_records(folder))


def test_a_sweep_in_other_processes_finds_the_package(site: Path, tmp_path: Path) -> None:
    always = ["tracking=none", f"outputs={tmp_path}"]
    swept = ["-m", "hydra/launcher=local", "hydra.launcher.n_jobs=2", "seed=0,1", "method.value=9"]
    done = command(tmp_path, [site], str(ROOT / "run.py"), *swept, *SEVENS, *always)
    assert done.returncode == 0, done.stderr
    assert scores(tmp_path) == [(0, 2), (1, 2)]


# --- a folder of configs -----------------------------------------------------------------------------------------


@pytest.fixture
def own(tmp_path: Path) -> Path:
    """A folder of configs with its Python file beside it; both with names of a user's choosing."""
    configs = "my conf, 'old' [1]"
    files = {
        "own_parts.py": MODULE,
        f"{configs}/method/own.yaml": "_target_: own_parts.Constant\n",
        f"{configs}/metric/largest.yaml": "_target_: own_parts.largest\n_partial_: true\n",
    }
    return write(tmp_path, files) / configs


@pytest.fixture
def forgotten(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """What is found in this process is found no more after the test."""
    monkeypatch.setattr(sys, "path", list(sys.path))
    yield
    sys.modules.pop("own_parts", None)


@pytest.mark.usefixtures("forgotten")
def test_the_imputer_finds_a_folder(own: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    rows = np.array([[1.0], [np.nan]])
    assert Imputer("own", config_dir=own).fit_transform(rows).tolist() == [[1], [7]]
    (own / "method" / "own.yaml").write_text("_target_: own_parts.Constant\nvalue: 6\n")
    assert Imputer("own", config_dir=str(own)).fit_transform(rows).tolist() == [[1], [6]]
    with pytest.raises(UserError, match="unknown method 'own'"):
        Imputer("own").fit(rows)
    monkeypatch.setenv(discovery.VARIABLE, str(own))
    assert Imputer("own").fit_transform(rows).tolist() == [[1], [6]]


@pytest.mark.usefixtures("forgotten")
def test_modules_of_ones_own_come_last(own: Path, tmp_path: Path) -> None:
    compose(["method=own", "device=cpu"], own)
    assert sys.path[-1] == str(tmp_path)
    assert str(Path.cwd()) in sys.path


@pytest.mark.usefixtures("forgotten")
def test_a_saved_imputer_does_not_name_the_folder(own: Path, tmp_path: Path) -> None:
    from lacuna import load

    Imputer("own", config_dir=own).fit([[1.0], [np.nan]]).save(tmp_path / "saved")
    import own_parts

    assert load(tmp_path / "saved", trusted=[own_parts.Constant]).transform([[np.nan]]).tolist() == [[7]]


def test_the_environment_stands_for_the_option(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert with_config_dir(["seed=1"]) == ["seed=1"]
    monkeypatch.setenv(discovery.VARIABLE, str(tmp_path))
    assert with_config_dir(["seed=1"]) == ["--config-dir", str(tmp_path), "seed=1"]
    for given in (["--config-dir=x"], ["--config-dir", "x"], ["-cd", "x"]):
        assert with_config_dir(given) == given
    monkeypatch.setenv(discovery.VARIABLE, str(tmp_path / "nowhere"))
    with pytest.raises(UserError, match=r"nowhere, does not exist \(LACUNA_CONFIG_DIR\)"):
        compose()
    with pytest.raises(UserError, match=r"elsewhere, does not exist$"):
        compose([], tmp_path / "elsewhere")


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize("way", ["option", "environment"])
def test_lacuna_impute_finds_a_folder(own: Path, way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(own.parent)
    Path("my.csv").write_text("a\n1.0\nNA\n")
    arguments = ["my.csv", "--method", "own", "--set", "outputs=out"]
    if way == "option":
        arguments += ["--config-dir", str(own)]
    else:
        monkeypatch.setenv(discovery.VARIABLE, str(own))
    assert command_line.impute(arguments) == 0
    assert Path("my.completed.csv").read_text().split() == ["a", "1.0", "7.0"]
    ((_, record),) = find_records(Path("out"))
    assert "--config-dir" in record.command


def test_a_sweep_in_other_processes_finds_a_folder(own: Path, tmp_path: Path) -> None:
    (elsewhere := tmp_path / "elsewhere").mkdir()
    always = ["tracking=none", f"outputs={tmp_path}", "dataset=wine", "method=own", "device=cpu"]
    swept = ["-m", "hydra/launcher=local", "hydra.launcher.n_jobs=2", "seed=0,1"]
    done = command(elsewhere, [], "-m", "lacuna", "run", *swept, *always, LACUNA_CONFIG_DIR=str(own))
    assert done.returncode == 0, done.stderr
    assert [seed for seed, _ in scores(tmp_path)] == [0, 1]
    assert all("--config-dir" in record.command for _, record in find_records(tmp_path))


@pytest.mark.usefixtures("forgotten")
@pytest.mark.parametrize(
    ("text", "reason"),
    [(None, "ModuleNotFoundError: No module named 'own_parts' (looked for on PYTHONPATH"), ("x = (", "SyntaxError: ")],
)
def test_what_cannot_be_imported_is_one_line(own: Path, text: str | None, reason: str) -> None:
    module = own.parent / "own_parts.py"
    module.unlink()
    if text is not None:
        module.write_text(text)
    with pytest.raises(UserError) as caught:
        Imputer("own", config_dir=own).fit([[1.0]])
    assert str(caught.value).startswith(f"method: cannot import own_parts.Constant: {reason}")
    assert "\n" not in str(caught.value)


@pytest.mark.usefixtures("shelf")
def test_the_look_up_follows_the_path(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert "constant" in installed("method")
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each != str(site)])
    assert "constant" not in installed("method")
