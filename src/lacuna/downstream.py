"""What an imputation is worth to those who learn from it: train on imputed, test on real (Diff-Joint, D.1).

For each target of a table an XGBoost classifier is trained on the completed training rows, features and labels, and
tested on the true test rows. NA is a class of the target and a category of the features; numeric columns that may
hold meaningful missingness are left out. Hyper-parameters are chosen on the true training rows, once for each table
and target: every method gets the same.
"""

from __future__ import annotations

import hashlib
import itertools
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self, TypeAlias

import numpy as np

from lacuna.crossfit import FEW_ROWS, balanced_folds
from lacuna.errors import UserError, require
from lacuna.files import locked, write_text
from lacuna.metrics.display import Display
from lacuna.numerics.classification import macro_f1, roc_auc, weighted_f1
from lacuna.rng import stream
from lacuna.types import Column, Table, where

if TYPE_CHECKING:
    import xgboost

Setting: TypeAlias = dict[str, Any]  # rounds, learning_rate, depth
DISPLAYS = {
    "macro_f1": Display("Macro-F1", better=1, percent=True),
    "roc_auc": Display("ROC-AUC", better=1, percent=True),
    "weighted_f1": Display("Weighted-F1", better=1, percent=True),
    "accuracy": Display("Acc.", better=1, percent=True),
}


@dataclass(frozen=True)
class Task:
    """One target, and the columns it is predicted from."""

    columns: tuple[Column, ...]  # d
    target: int
    features: np.ndarray  # (f,) int

    @classmethod
    def of(cls, columns: tuple[Column, ...], target: str) -> Self:
        at = next(j for j, column in enumerate(columns) if column.name == target)
        may_be_na = where(columns, mm_candidate=True) & ~where(columns, discrete=True)
        return cls(columns, at, np.flatnonzero(~may_be_na & (np.arange(len(columns)) != at)))

    @property
    def n_classes(self) -> int:
        """The levels of the target, then NA."""
        return self.columns[self.target].n_levels + 1

    def labels(self, values: np.ndarray) -> np.ndarray:
        """Classes (n,) int of the target in values (n, d)."""
        return self._codes(values, self.target).astype(np.intp)

    def matrix(self, values: np.ndarray) -> xgboost.DMatrix:
        """The features in values (n, d), as XGBoost takes them."""
        import xgboost

        chosen = [self.columns[j] for j in self.features]
        cells = [self._codes(values, j) if self.columns[j].discrete else values[:, j] for j in self.features]
        kinds = ["c" if column.discrete else "q" for column in chosen]
        threads = 1 if len(values) <= FEW_ROWS else 0  # 0: all of them
        features = np.stack(cells, axis=1) if cells else np.zeros((len(values), 1))
        return xgboost.DMatrix(features, feature_types=kinds or ["q"], enable_categorical=True, nthread=threads)

    def _codes(self, values: np.ndarray, j: int) -> np.ndarray:
        """(n,) with NA as the code after the last level."""
        return np.nan_to_num(values[:, j], nan=self.columns[j].n_levels)


@dataclass(frozen=True)
class Classifier:
    """Boosted trees for the classes that its training table has."""

    task: Task
    classes: np.ndarray  # (k,) int, ascending
    trees: xgboost.Booster | None  # None where there is one class only

    @classmethod
    def fit(cls, task: Task, values: np.ndarray, setting: Setting) -> Self:
        """Train on values (n, d); NaN is NA."""
        import xgboost

        classes, labels = np.unique(task.labels(values), return_inverse=True)
        if len(classes) < 2:
            return cls(task, classes, None)
        data = task.matrix(values)
        data.set_label(labels)
        fixed = {"objective": "multi:softprob", "num_class": len(classes), "tree_method": "hist", "verbosity": 0}
        chosen = {"max_depth": setting["depth"], "learning_rate": setting["learning_rate"]}
        threads = {"nthread": 1 if len(values) <= FEW_ROWS else 0}
        return cls(task, classes, xgboost.train(fixed | chosen | threads, data, setting["rounds"]))

    def probabilities(self, values: np.ndarray, rounds: int = 0) -> np.ndarray:
        """(n, classes of the task), 0 for those that the training table lacks.

        Args:
            values: (n, d).
            rounds: use the first so many; 0: all.
        """
        every = np.zeros((len(values), self.task.n_classes))
        if self.trees is None:
            every[:, self.classes] = 1.0
        else:
            every[:, self.classes] = self.trees.predict(self.task.matrix(values), iteration_range=(0, rounds))
        return every


class XGBoost:
    """The downstream tasks of a table with XGBoost.

    Args:
        rounds: of boosting; with the next two the grid that is tried.
        learning_rate: of each round.
        depth: of the trees.
        folds: the true training rows are cut into so many, one of which validates.

    Raises:
        MissingPackage: xgboost is not installed.
    """

    def __init__(self, rounds: list[int], learning_rate: list[float], depth: list[int], folds: int = 5) -> None:
        if not (rounds and learning_rate and depth) or min(*rounds, *depth, *learning_rate) <= 0:
            raise ValueError("rounds, learning_rate and depth must be lists of positive numbers")
        if folds < 2:
            raise ValueError(f"folds must be at least 2, got {folds}")
        require("downstream=xgboost", "downstream", "xgboost")
        self.rounds, self.learning_rate, self.depth, self.folds = sorted(rounds), learning_rate, depth, folds

    def unsupported(self, table: Table) -> str | None:
        """Why there is no downstream task on ``table``, in a sentence; None where there is one."""
        if not table.targets:
            return "the data set declares no targets"
        return "it has no test rows" if table.train_rows is None else None

    def scores(self, table: Table, completed: np.ndarray, cache: Path) -> dict[str, float]:
        """The four scores of every target, under ``<target>/<score>``.

        Args:
            table: the truth; rows whose target is blank without being meaningful are left out.
            completed: (n_train, d) the training rows as a method completed them; NaN where it kept NA.
            cache: folder of the chosen hyper-parameters.

        Raises:
            UserError: a target is known in too few rows.
        """
        assert table.train_rows is not None
        found: dict[str, float] = {}
        for target in table.targets:
            task = Task.of(table.columns, target)
            model = Classifier.fit(task, completed, self.setting(table, task, cache))
            test = _known(table, task, ~table.train_rows)
            if not len(test):
                raise UserError(f"downstream target {target!r} is known in no test row")
            scores = evaluate(task.labels(test), model.probabilities(test))
            found |= {f"{target}/{name}": value for name, value in scores.items()}
        return found

    def setting(self, table: Table, task: Task, cache: Path) -> Setting:
        """The best of the grid by validation on the true training rows; chosen once, whichever process asks first."""
        name = task.columns[task.target].name
        about = {"data_digest": table.digest, "target": name, "grid": [self.rounds, self.learning_rate, self.depth]}
        key = hashlib.sha256(json.dumps(about | {"folds": self.folds}).encode()).hexdigest()[:16]
        folder = cache / key
        with locked(folder):
            if kept := _read(folder / "choice.json"):
                return kept
            tried = self._tried(table, task)
            best = max(tried, key=lambda setting: setting["macro_f1"])  # of equals the first, which is the smallest
            version = {"table": table.name, "xgboost": _version()}
            write_text(folder / "choice.json", json.dumps(version | about | {"chosen": best, "tried": tried}, indent=2))
            return best

    def _tried(self, table: Table, task: Task) -> list[Setting]:
        """Every setting of the grid with its Macro-F1 on the validation rows."""
        rows = _known(table, task, np.asarray(table.train_rows))
        if len(rows) < self.folds:
            name = task.columns[task.target].name
            raise UserError(f"downstream target {name!r} is known in {len(rows)} training rows, needs {self.folds}")
        fold = balanced_folds(task.labels(rows), self.folds, stream(0, "downstream"))
        train, validation = rows[fold != 0], rows[fold == 0]
        tried = []
        for depth, learning_rate in itertools.product(self.depth, self.learning_rate):
            setting = {"depth": depth, "learning_rate": learning_rate, "rounds": self.rounds[-1]}
            model = Classifier.fit(task, train, setting)
            for rounds in self.rounds:
                predicted = model.probabilities(validation, rounds).argmax(1)
                score = macro_f1(task.labels(validation), predicted)
                tried.append(setting | {"rounds": rounds, "macro_f1": score})
        return tried


def evaluate(truth: np.ndarray, probabilities: np.ndarray) -> dict[str, float]:
    """The four scores over the classes in truth (n,) int, from probabilities (n, k) of classes 0 .. k - 1."""
    predicted = probabilities.argmax(1)
    return {
        "macro_f1": macro_f1(truth, predicted),
        "weighted_f1": weighted_f1(truth, predicted),
        "roc_auc": roc_auc(truth, probabilities),
        "accuracy": float(np.mean(truth == predicted)),
    }


def _known(table: Table, task: Task, rows: np.ndarray) -> np.ndarray:
    """The true values of those of rows (n,) bool whose class is known."""
    blank = np.isnan(table.values[:, task.target]) & ~table.meaningful[:, task.target]
    return table.values[rows & ~blank]


def _read(path: Path) -> Setting | None:
    """What was chosen before; None where there is nothing, or it cannot be read."""
    try:
        chosen = json.loads(path.read_text(encoding="utf-8"))["chosen"]
    except (OSError, ValueError, KeyError, TypeError):
        return None
    whole = isinstance(chosen, Mapping) and {"rounds", "learning_rate", "depth"} <= set(chosen)
    return dict(chosen) if whole else None


def _version() -> str:
    import xgboost

    return xgboost.__version__
