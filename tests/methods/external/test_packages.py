"""Foreign code leaves no trace, and its absence is one line."""

from __future__ import annotations

import logging
import os
import random
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from lacuna.errors import MissingPackage
from lacuna.methods.base import Method
from lacuna.methods.cacti import CACTI
from lacuna.methods.diffputer import DiffPuter
from lacuna.methods.external.forest_diffusion import ForestDiffusion
from lacuna.methods.external.hyperimpute import HyperImpute
from lacuna.methods.external.ice import ICE
from lacuna.methods.external.miceforest import MiceForest
from lacuna.methods.external.missforest import MissForest
from lacuna.methods.external.missforest_sklearn import ChainedForests
from lacuna.methods.external.ot import OptimalTransport
from lacuna.methods.external.packages import require, untouched
from lacuna.methods.gain import GAIN
from lacuna.methods.gcimpute import GaussianCopula
from lacuna.methods.missbgm import MissBGM
from lacuna.methods.miwae import MIWAE
from lacuna.methods.notmiwae import NotMIWAE
from lacuna.methods.tabcsdi import TabCSDI
from lacuna.types import Incomplete

ROOT = Path(__file__).parents[3]
PACKAGE = {
    "missforest": "hyperimpute",
    "hyperimpute": "hyperimpute",
    "miceforest": "miceforest",
    "forest_diffusion": "ForestDiffusion",
}
MAKE: dict[str, Callable[[], Method]] = {
    "ice": lambda: ICE(rounds=2, samples=2),
    "missforest": lambda: MissForest(configurations=1),
    "hyperimpute": lambda: HyperImpute(1, "linear_and_forests"),
    "miceforest": lambda: MiceForest(iterations=1, samples=2),
    "forest_diffusion": lambda: ForestDiffusion(3, duplicates=2, depth=2, trees=3, samples=2),
    "missforest_sklearn": lambda: ChainedForests(rounds=2, trees=3),
}
OURS: dict[str, Callable[[], Method]] = {
    "cmae": lambda: CACTI(None, width=8, heads=1, encoder_blocks=1, decoder_blocks=1, epochs=2, device="cpu"),
    "diffputer": lambda: DiffPuter(1, 2, steps=2, repeats=1, hidden=8, epochs=2, device="cpu"),
    "gain": lambda: GAIN(iterations=20, device="cpu"),
    "miwae": lambda: MIWAE(hidden=8, layers=1, importance=3, iterations=5, samples=10, device="cpu"),
    "notmiwae": lambda: NotMIWAE(hidden=8, layers=1, importance=3, iterations=5, samples=10, device="cpu"),
    "gcimpute": lambda: GaussianCopula(iterations=2),
    "ot": lambda: OptimalTransport(5, samples=2, device="cpu"),
    "missbgm": lambda: MissBGM(epochs=1, g_units=(8,), e_units=(8,), egm_n_iter=3, device="cpu"),
    "tabcsdi": lambda: TabCSDI(steps=3, channels=8, layers=1, noise=8, samples=2, epochs=2, device="cpu"),
}


def state() -> dict[str, Any]:
    """All that foreign packages may change in a process."""
    loggers = [logging.root, *(x for x in logging.root.manager.loggerDict.values() if isinstance(x, logging.Logger))]
    python, numpy = random.getstate(), np.random.get_state()  # noqa: NPY002
    return {
        "random": (python, numpy[1].tobytes(), numpy[2], torch.get_rng_state().numpy().tobytes()),
        "warnings": (list(warnings.filters), warnings.showwarning),
        "logging": {x.name: (x.level, x.propagate, x.disabled, tuple(x.handlers), tuple(x.filters)) for x in loggers},
        "disabled": logging.root.manager.disable,
        "environment": dict(os.environ),
        "errors": np.geterr(),
    }


def same(before: dict[str, Any], after: dict[str, Any]) -> None:
    """Loggers that are new do not count."""
    kept = {name: after["logging"].get(name) for name in before["logging"]}
    assert after | {"logging": kept} == before


@pytest.fixture
def _logger_of_the_user() -> Any:
    """Settings that packages would undo."""
    handler = logging.StreamHandler()
    logging.root.addHandler(handler)
    yield
    logging.root.removeHandler(handler)


@pytest.mark.usefixtures("_logger_of_the_user")
@pytest.mark.parametrize("failing", [False, True])
def test_foreign_code_leaves_no_trace(failing: bool) -> None:
    mine = logging.getLogger("mine")
    before = state()
    try:
        with untouched(3):
            drawn = random.random(), np.random.random(), float(torch.rand(1))  # noqa: NPY002
            np.random.seed(0)  # noqa: NPY002
            np.seterr(all="raise")
            warnings.simplefilter("error")
            logging.basicConfig(level=logging.DEBUG, force=True)
            logging.disable(logging.CRITICAL)
            mine.setLevel(logging.ERROR)
            os.environ["OMP_NUM_THREADS"] = "17"
            os.environ["OF_THE_PACKAGE"] = "1"
            os.environ.pop("PATH")
            if failing:
                raise ZeroDivisionError
    except ZeroDivisionError:
        assert failing
    same(before, state())
    with untouched(3):
        again = random.random(), np.random.random(), float(torch.rand(1))  # noqa: NPY002
    assert again == drawn


@pytest.mark.usefixtures("_logger_of_the_user")
@pytest.mark.parametrize("name", MAKE)
def test_a_method_leaves_no_trace(
    name: str, numbers: Incomplete, needs: Callable[[str], None], capfd: pytest.CaptureFixture[str]
) -> None:
    needs(PACKAGE.get(name, "sklearn"))
    before = state()
    with warnings.catch_warnings(record=True) as shown:
        warnings.simplefilter("always")
        inner = list(warnings.filters)
        method = MAKE[name]().fit(numbers, seed=1)
        method.impute(numbers.take(slice(0, 10)), draws=3)
        assert list(warnings.filters) == inner
    assert not shown
    assert capfd.readouterr() == ("", "")
    same(before, state())


# each order in a process of its own, whose parent has imported what the tests import and run nothing
PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
import numpy as np
from test_packages import MAKE, OURS
from lacuna.types import Column, Incomplete
make = MAKE | OURS
values = np.load(sys.argv[2])
rows = Incomplete(tuple(Column(f"x{j}") for j in range(values.shape[1])), values, ~np.isnan(values))
for order in sys.argv[4:]:
    if (child := os.fork()) == 0:
        for name in order.split(","):
            np.save(f"{sys.argv[3]}-{order}-{name}", make[name]().fit(rows, seed=1).impute(rows).values)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0, order
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "fork"), reason="orders are compared in forked processes")
def test_two_methods_in_either_order_give_what_each_gives_alone(
    numbers: Incomplete, tmp_path: Path, needs: Callable[[str], None]
) -> None:
    for package in PACKAGE.values():
        needs(package)
    np.save(tmp_path / "values.npy", numbers.values)
    names = [*MAKE, *OURS]
    forth, back = ",".join(names), ",".join(names[::-1])
    command = [sys.executable, "-c", PROGRAM, Path(__file__).parent, tmp_path / "values.npy", tmp_path / "found"]
    environment = os.environ | {"PYTHONPATH": os.pathsep.join(sys.path), "OMP_NUM_THREADS": "1"}
    subprocess.run([*command, forth, back, *names], check=True, env=environment)
    for name in names:
        first, second, alone = (np.load(tmp_path / f"found-{order}-{name}.npy") for order in (forth, back, name))
        np.testing.assert_array_equal(first, alone, err_msg=name)
        np.testing.assert_array_equal(second, alone, err_msg=name)


def test_an_absent_package_is_named_with_what_to_install() -> None:
    require("mine", "numpy", "torch")
    with pytest.raises(MissingPackage, match=r"mine needs no_such and nor_this, .* pip install 'lacuna-impute\[base"):
        require("mine", "numpy", "no_such", "nor_this")


@pytest.mark.parametrize("name", PACKAGE)
def test_an_absent_extra_is_one_line_before_any_work(
    name: str, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from lacuna import errors
    from lacuna.cli.run import main

    monkeypatch.setattr(errors, "is_installed", lambda package: False)
    arguments = [f"method={name}", f"outputs={tmp_path / 'outputs'}", "tracking=none", "device=cpu"]
    monkeypatch.setattr(sys, "argv", ["run.py", *arguments])
    with pytest.raises(SystemExit) as end:
        main()
    assert end.value.code == 2
    line = f"error: method {name} needs {PACKAGE[name]}"
    shown = capsys.readouterr().err.strip()
    assert shown.startswith(line)
    assert shown.endswith("pip install 'lacuna-impute[baselines]'")
    assert "\n" not in shown
    assert not list(tmp_path.rglob("record.json"))
