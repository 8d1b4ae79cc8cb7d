"""What a paper sets otherwise for single data sets: there and nowhere else, and overrides win."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest

from lacuna import paths
from lacuna.config.compose import compose, plain
from lacuna.imputer import method_config
from lacuna.records.record import run_id

# Runs whose records are published, and what their settings hash to.
TABLE_4 = "method=missbgm method.beta=0.1 budget=paper experiment=missbgm_table4"
TABLE_3 = "method=ot budget=paper experiment=missbgm_table3"
STANDIN = "dataset=mimic_ed_standin dataset.n_train=8000 dataset.n_test=8000 downstream=xgboost budget=paper"
RECORDED = {
    f"{TABLE_4} dataset=breast": ("cpu", "16d4b9933e"),
    f"{TABLE_4} dataset=concrete": ("cpu", "22d5ac874d"),
    f"{TABLE_4} dataset=wine method.beta=0": ("cpu", "1f1d89cbe2"),
    f"{TABLE_3} dataset=breast": ("cpu", "5ab2120174"),
    f"{TABLE_3} dataset=concrete": ("cpu", "b594230adc"),
    f"{TABLE_3} dataset=wine": ("cpu", "cc03f1748e"),
    f"{STANDIN} method=diffjoint": ("cuda", "760c608145"),
    f"{STANDIN} method=missbgm": ("cuda", "16aee1e2a4"),
    "method=missbgm budget=paper experiment=missbgm_table2": ("cuda", "6d24086c42"),
    "method=missbgm budget=paper experiment=missbgm_figure3 dataset.n=500 ratio=0.1": ("cpu", "6e80ccad0c"),
    "method=diffjoint budget=paper experiment=diffjoint_table1 mask=mar": ("cuda", "5777b1f262"),
}


@pytest.mark.parametrize("command", RECORDED)
def test_published_records_keep_their_ids(command: str, monkeypatch: pytest.MonkeyPatch) -> None:
    device, known = RECORDED[command]
    monkeypatch.setattr("lacuna.config.compose._actual_device", lambda _: device)
    assert run_id(plain(compose([*shlex.split(command), "tracking=none"]))) == known


FILES = sorted((paths.CONF / "published").glob("*/*.yaml"))


@pytest.mark.parametrize("file", FILES, ids=lambda file: f"{file.parent.name}-{file.stem}")
def test_every_file_belongs_to_a_method_and_a_data_set_and_changes_keys_that_are_there(file: Path) -> None:
    method, dataset = file.parent.name, file.stem
    assert (paths.CONF / "method" / f"{method}.yaml").exists()
    assert (paths.CONF / "dataset" / f"{dataset}.yaml").exists()
    given = compose([f"method={method}", f"dataset={dataset}", "budget=paper", "device=cpu"]).method
    plainly = method_config(method, "paper", "cpu")
    assert given.keys() == plainly.keys()
    assert given != plainly
    below = compose(["method=selective", f"method.base={method}", f"dataset={dataset}", "budget=paper", "device=cpu"])
    assert below.method.base == given


def test_overrides_win() -> None:
    assert compose(["method=missbgm", "dataset=wine", "method.standardise=true"]).method.standardise


def test_a_data_set_of_ones_own_gets_the_defaults(tmp_path: Path) -> None:
    (tmp_path / "dataset").mkdir()
    (tmp_path / "dataset" / "mine.yaml").write_text("_target_: mine.Mine\n")
    given = compose(["method=missbgm", "dataset=mine", "budget=paper", "device=cpu"], tmp_path).method
    assert given == method_config("missbgm", "paper", "cpu")


def test_settings_for_a_data_set_of_ones_own_lie_in_ones_own_folder(tmp_path: Path) -> None:
    for name, text in {"dataset/mine": "_target_: x.Mine", "published/missbgm/mine": "epochs: 3"}.items():
        path = tmp_path / f"{name}.yaml"
        path.parent.mkdir(parents=True)
        path.write_text(text)
    assert compose(["method=missbgm", "dataset=mine", "device=cpu"], tmp_path).method.epochs == 3
