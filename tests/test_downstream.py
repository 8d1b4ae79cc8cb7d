"""Train on imputed, test on real: what counts as a class, and hyper-parameters chosen once."""

from __future__ import annotations

import json
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from lacuna.config.compose import compose, plain
from lacuna.config.instantiate import instantiate
from lacuna.downstream import Task, XGBoost
from lacuna.errors import UserError
from lacuna.records.record import identity
from lacuna.rng import stream
from lacuna.runner import experiment
from lacuna.runner.experiment import Outcome
from lacuna.types import Column, Table

SMALL_GRID = ("downstream=xgboost", "downstream.rounds=[5,20]", "downstream.learning_rate=[0.3]")
COLUMNS = (
    Column("height", "continuous"),
    Column("income", "continuous", mm_candidate=True),
    Column("visits", "integer", mm_candidate=True),
    Column("city", "categorical", ("Bonn", "Rome"), mm_candidate=True),
    Column("smokes", "categorical", (False, True), mm_candidate=True),
)


def table(n: int = 400) -> Table:
    """Smokes is NA where height is below 0, else whether the city is NA."""
    rng = stream(0, "downstream table")
    values = rng.normal(size=(n, 5))
    values[:, 3] = np.where(rng.random(n) < 0.4, np.nan, rng.integers(2, size=n))
    values[:, 4] = np.where(values[:, 0] < 0, np.nan, np.isnan(values[:, 3]))
    return Table("people", COLUMNS, values, np.isnan(values), np.arange(n) < n // 2, targets=("smokes",))


@pytest.fixture
def people() -> Table:
    return table()


def classifier(**changes: object) -> XGBoost:
    return XGBoost(**{"rounds": [20], "learning_rate": [0.3], "depth": [3]} | changes)


def test_features_are_all_but_the_target_and_numbers_that_may_be_na() -> None:
    task = Task.of(COLUMNS, "smokes")
    assert [COLUMNS[j].name for j in task.features] == ["height", "city"]
    assert [COLUMNS[j].name for j in Task.of(COLUMNS, "city").features] == ["height", "smokes"]


def test_na_is_the_class_after_the_levels(people: Table) -> None:
    task = Task.of(COLUMNS, "smokes")
    labels = task.labels(people.values)
    np.testing.assert_array_equal(labels == 2, np.isnan(people.values[:, 4]))
    assert task.n_classes == 3


def test_na_is_learned_as_a_class_and_as_a_category(people: Table, tmp_path: Path) -> None:
    scores = classifier().scores(people, people.values[:200], tmp_path)
    assert set(scores) == {"smokes/macro_f1", "smokes/weighted_f1", "smokes/roc_auc", "smokes/accuracy"}
    assert scores["smokes/accuracy"] > 0.98
    assert scores["smokes/roc_auc"] > 0.98


def test_a_class_that_the_training_table_lacks_has_no_f1_and_no_rank(people: Table, tmp_path: Path) -> None:
    completed = np.nan_to_num(people.values[:200], nan=0.0)
    completed[:, 3] = people.values[:200, 3]
    sure = people.values[:200, 0] >= 0
    completed[:, 4] = np.where(sure, completed[:, 4], np.isnan(completed[:, 3]))  # the rule holds everywhere
    scores = classifier().scores(people, completed, tmp_path)
    test = people.values[200:]
    na, city_na = np.isnan(test[:, 4]), np.isnan(test[:, 3])
    f1 = [2 * (of & ~na).sum() / (of.sum() + (of & ~na).sum()) for of in (~city_na, city_na)]
    assert scores["smokes/accuracy"] == pytest.approx(np.mean(~na))
    assert scores["smokes/macro_f1"] == pytest.approx((sum(f1) + 0) / 3)


def test_a_training_table_of_one_class_predicts_it(people: Table, tmp_path: Path) -> None:
    completed = people.values[:200].copy()
    completed[:, 4] = 1.0
    scores = classifier().scores(people, completed, tmp_path)
    share = np.mean(people.values[200:, 4] == 1)
    assert scores["smokes/accuracy"] == pytest.approx(share)
    assert scores["smokes/roc_auc"] == 0.5


def test_the_better_of_two_settings_is_chosen(people: Table, tmp_path: Path) -> None:
    task = Task.of(COLUMNS, "smokes")
    chosen = classifier(learning_rate=[1e-9, 0.3]).setting(people, task, tmp_path)
    assert chosen["learning_rate"] == 0.3


def test_settings_are_chosen_once_for_all_who_ask(
    people: Table, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls, tried = [], XGBoost._tried

    def counted(*arguments: object) -> list:
        calls.append(1)
        return tried(*arguments)

    monkeypatch.setattr(XGBoost, "_tried", counted)
    task = Task.of(COLUMNS, "smokes")
    with ThreadPoolExecutor(4) as pool:
        chosen = list(pool.map(lambda _: classifier().setting(people, task, tmp_path), range(4)))
    assert len(calls) == 1
    assert all(each == chosen[0] for each in chosen)
    (path,) = tmp_path.glob("*/choice.json")
    path.write_text(path.read_text()[:50])
    assert classifier().setting(people, task, tmp_path) == chosen[0]
    classifier(depth=[4]).setting(people, task, tmp_path)
    classifier().setting(table(402), task, tmp_path)
    assert len(calls) == 4


def test_rows_whose_target_is_blank_for_no_known_reason_do_not_count(people: Table, tmp_path: Path) -> None:
    meaningful = people.meaningful.copy()
    meaningful[:, 4] = False
    unsure = Table("people", COLUMNS, people.values, meaningful, people.train_rows, targets=("smokes",))
    known = ~np.isnan(people.values[:, 4])
    scores = classifier().scores(unsure, people.values[:200][known[:200]], tmp_path)
    assert scores["smokes/accuracy"] == 1.0
    (choice,) = tmp_path.glob("*/choice.json")
    assert json.loads(choice.read_text())["chosen"]["macro_f1"] == 1.0


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"rounds": []}, "positive numbers"), ({"depth": [0]}, "positive numbers"), ({"folds": 1}, "at least 2")],
)
def test_a_wrong_grid_is_refused(changes: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        classifier(**changes)


def test_too_few_rows_are_said(people: Table, tmp_path: Path) -> None:
    few = Table("people", COLUMNS, people.values[:4], people.meaningful[:4], np.arange(4) < 3, targets=("smokes",))
    with pytest.raises(UserError, match="'smokes' is known in 3 training rows, needs 5"):
        classifier().scores(few, few.values[:3], tmp_path)


def test_a_target_must_be_categorical(people: Table) -> None:
    with pytest.raises(ValueError, match="target 'height' is no categorical column"):
        Table("people", COLUMNS, people.values, people.meaningful, targets=("height",))


# --- in the runner ------------------------------------------------------------------------------------------------


@pytest.fixture
def carry_out(tmp_path: Path):
    def run(*overrides: str, grid: tuple[str, ...] = SMALL_GRID) -> Outcome:
        small = ["dataset.n_train=600", "dataset.n_test=400"] if not any("dataset=" in o for o in overrides) else []
        chosen = ["method=oracle", "device=cpu", f"outputs={tmp_path}", *small, *grid, *overrides]
        return experiment.run(plain(compose(chosen)))

    return run


def test_scores_are_those_of_xgboost_on_the_imputed_table(carry_out, tmp_path: Path) -> None:
    from sklearn.metrics import accuracy_score
    from xgboost import XGBClassifier

    outcome = carry_out()
    scores = {key: value for key, value in outcome.record.scores.items() if "/downstream/" in key}
    assert len(scores) == 8
    parts = experiment.assemble(plain(compose(["method=oracle", *SMALL_GRID, *sizes(outcome)])))
    truth = parts.dataset.load(stream(0, "dataset"), stream(0, "split"))
    choices = [json.loads(path.read_text()) for path in tmp_path.glob("downstream/*/choice.json")]
    (chosen,) = (choice["chosen"] for choice in choices if choice["target"] == "D2")

    imputed = pd.read_parquet(outcome.folder / "imputed.parquet")
    cells = np.where(np.isnan(truth.values), None, truth.values)
    real = pd.DataFrame(cells, columns=imputed.columns)
    levels = {c.name: c.n_levels for c in truth.columns if c.discrete}  # whose labels are 0, 1, ...

    def prepared(frame: pd.DataFrame, rows: np.ndarray) -> pd.DataFrame:
        named = frame[rows].drop(columns="C1").astype(object)
        for name, n in levels.items():
            codes = pd.to_numeric(named[name]).fillna(n).astype(int)
            named[name] = pd.Categorical(codes, range(n + 1))
        return named.astype({"C2": float})

    train, test = prepared(imputed, truth.train_rows), prepared(real, ~truth.train_rows)
    model = XGBClassifier(
        n_estimators=chosen["rounds"], learning_rate=0.3, max_depth=chosen["depth"], enable_categorical=True, n_jobs=1
    )
    model.fit(train.drop(columns="D2"), train["D2"].cat.codes)
    predicted = model.predict(test.drop(columns="D2"))
    assert scores["test/downstream/D2/accuracy"] == pytest.approx(accuracy_score(test["D2"].cat.codes, predicted))


def sizes(outcome: Outcome) -> list[str]:
    return [f"dataset.{key}={outcome.record.config['dataset'][key]}" for key in ("n_train", "n_test")]


def test_keeping_na_pays(carry_out) -> None:
    oracle, mean_mode = carry_out().record.scores, carry_out("method=mean_mode").record.scores
    for target in ("D2", "D3"):
        for score in ("macro_f1", "weighted_f1", "roc_auc", "accuracy"):
            key = f"test/downstream/{target}/{score}"
            assert oracle[key] > mean_mode[key] + 0.03, key


def test_a_record_without_downstream_scores_does_not_count_for_a_run_that_wants_them(carry_out) -> None:
    before = carry_out(grid=())
    assert not any("downstream" in key for key in before.record.scores)
    assert "downstream" not in identity(plain(compose(["method=oracle"])))
    after = carry_out()
    assert not after.reused
    assert after.folder != before.folder
    assert carry_out().reused


@pytest.mark.parametrize(
    ("overrides", "why"),
    [(["dataset=wine", "method=mean_mode"], "declares no targets"), (["dataset.n_test=0"], "has no test rows")],
)
def test_a_data_set_without_a_task_is_unsupported(carry_out, overrides: list[str], why: str) -> None:
    record = carry_out(*overrides).record
    assert (record.status, record.error.endswith(why)) == ("unsupported", True)


def test_a_file_names_its_targets(carry_out, tmp_path: Path) -> None:
    path = tmp_path / "mine.csv"
    rows = [f"{i % 7},{'' if i % 11 == 0 else 'ab'[i % 7 > 3]}" for i in range(200)]
    path.write_text("\n".join(["size,kind", *rows]))
    options = ["dataset=csv", f"dataset.path={path}", "dataset.test_fraction=0.5", "method=mean_mode"]
    record = carry_out(*options, "dataset.targets=[kind]").record
    assert record.error is None
    assert record.scores["test/downstream/kind/accuracy"] > 0.9
    dataset = instantiate(plain(compose([*options, "dataset.targets=[kinds]"]))["dataset"], "dataset")
    with pytest.raises(UserError, match=r"no categorical column 'kinds': did you mean 'kind'\?"):
        dataset.load(stream(0, "dataset"), stream(0, "split"))
