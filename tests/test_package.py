"""What the package needs, and what it says where something is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

import pytest

import lacuna
from lacuna.errors import DISTRIBUTION, MissingPackage, require

ROOT = Path(__file__).parents[1]
PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
ABSENT = ("torch", "triton", "mlflow")
WITHOUT = f"""
import sys

class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {ABSENT!r}:
            raise ModuleNotFoundError(f"No module named {{name!r}}", name=name)

sys.meta_path.insert(0, Absent())
"""
IMPUTER = """
import numpy as np, pandas as pd, lacuna
from lacuna import Imputer
from lacuna.errors import MissingPackage

rng = np.random.default_rng(0)
income = np.where(rng.random(120) < 0.3, np.nan, rng.normal(size=120))
frame = pd.DataFrame({"income": income, "job": np.where(np.isnan(income), "none", "paid"), "age": rng.normal(size=120)})
frame.loc[:9, "age"] = np.nan
assert not Imputer().fit_transform(frame).isna().any(axis=None)
imputer = Imputer(mm_candidates=["income"]).fit(frame)
imputer.save("model.lacuna")
pd.testing.assert_frame_equal(lacuna.load("model.lacuna").transform(frame), imputer.transform(frame))
for method in ("boosting", "ice", "median", "missforest_sklearn"):
    assert not Imputer(method).fit_transform(frame).isna().any(axis=None)
try:
    Imputer("diffjoint").fit(frame)
except MissingPackage as error:
    print(error)
frame.to_csv("survey.csv", index=False)
"""
COMMAND = "from lacuna.cli.main import main; main()"
SMALL = ("dataset.n_train=200", "dataset.n_test=50", "outputs=out")


def without(folder: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """What a process prints that can import neither torch nor mlflow."""
    command = [sys.executable, "-c", WITHOUT + program, *arguments]
    path = os.pathsep.join([str(ROOT / "src"), os.environ.get("PYTHONPATH", "")])
    environment = os.environ | {"PYTHONPATH": path, "OMP_NUM_THREADS": "1"}
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_the_core_needs_neither_torch_nor_mlflow(tmp_path: Path) -> None:
    done = without(tmp_path, IMPUTER)
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"method DiffJoint needs torch, not installed here: pip install '{DISTRIBUTION}[deep]'\n"
    for candidates in ((), ("--mm-candidates", "income")):
        impute = ("impute", "survey.csv", "--force", *candidates, "--set", "outputs=out")
        done = without(tmp_path, COMMAND, *impute)
        assert (done.returncode, done.stderr) == (0, "")
    done = without(tmp_path, COMMAND, "run", "method=selective", "tracking=none", *SMALL)
    assert (done.returncode, done.stderr) == (0, "")
    assert list(tmp_path.glob("out/runs/bayesnet/selective/*/*/record.json"))


@pytest.mark.slow
def test_a_run_without_mlflow_is_a_run_with_a_warning(tmp_path: Path) -> None:
    done = without(tmp_path, COMMAND, "run", "method=mean_mode", "tracking=mlflow", *SMALL)
    (line,) = done.stderr.splitlines()
    assert line.startswith("warning: tracking=mlflow needs mlflow")
    assert f"'{DISTRIBUTION}[tracking]'" in line
    assert done.returncode == 0


@pytest.mark.slow
@pytest.mark.parametrize("asked", ["method=knn", "device=cuda"])
def test_what_needs_torch_says_so_in_a_line(tmp_path: Path, asked: str) -> None:
    done = without(tmp_path, COMMAND, "run", "method=mean_mode", asked, "tracking=none", *SMALL)
    (line,) = done.stderr.splitlines()
    assert line.endswith(f" needs torch, not installed here: pip install '{DISTRIBUTION}[deep]'")
    assert done.returncode == 2


def test_every_extra_that_is_named_exists() -> None:
    assert PROJECT["name"] == DISTRIBUTION
    for page in (*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("scripts/*.py")):
        text = page.read_text(encoding="utf-8")
        for named in text.split(f"{DISTRIBUTION}[")[1:]:
            extras = named.partition("]")[0].split(",")
            assert set(extras) <= set(PROJECT["optional-dependencies"]), page.name
        assert "install lacuna" not in text.replace(f"install {DISTRIBUTION}", ""), f"{page.name}: of another project"


def test_all_is_every_extra_for_users() -> None:
    extras = PROJECT["optional-dependencies"]
    (everything,) = extras["all"]
    assert everything == f"{DISTRIBUTION}[{','.join(name for name in extras if name not in ('all', 'dev', 'docs'))}]"


def test_a_missing_package_is_named_with_its_extra() -> None:
    require("this", "deep", "numpy")
    with pytest.raises(MissingPackage, match=r"^this needs no_such and no\.such, .* pip install 'lacuna-impute\[x\]'$"):
        require("this", "x", "numpy", "no_such", "no.such")


def test_the_citation_has_the_version_of_the_package() -> None:
    assert f"\nversion: {lacuna.__version__}\n" in (ROOT / "CITATION.cff").read_text(encoding="utf-8")


def test_the_package_shows_what_it_offers() -> None:
    assert {"Imputer", "load", "__version__"} <= set(dir(lacuna))
    assert all(name.islower() or name == "Imputer" for name in dir(lacuna))
