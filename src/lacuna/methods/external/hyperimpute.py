"""HyperImpute: Jarrett, Cebere, Liu, Curth, van der Schaar, "HyperImpute: Generalized Iterative Imputation with
Automatic Model Selection", ICML 2022, by the package of its authors.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar, Literal

import numpy as np

from lacuna.errors import UserError
from lacuna.methods.external.missforest import hyperimpute_imputers, impute_column
from lacuna.methods.external.packages import require
from lacuna.methods.external.tables import Regular, to_frame
from lacuna.methods.external.transductive import Transductive
from lacuna.types import Incomplete

FAILED = -9_999_999  # the package's score of a model that raised an error


class HyperImpute(Transductive):
    """Chained equations; each column, in each round, has the model that predicts held-out observed cells best.

    The package classifies columns with fewer than five distinct cells, a blank being one, and regresses the others;
    codes are rounded. With pandas 3 the package as it is returns column means, and with scikit-learn 1.8 its logistic
    regression cannot be made; both are put right here, see ``impute_column`` and ``without_multi_class``.

    Args:
        rounds: at most; the package stops where no score has risen for five.
        models: to choose among: all of the package (linear, forests, XGBoost, CatBoost), or linear models and forests,
            which the package itself takes for few cells.
    """

    label = "HyperImpute"
    generative: ClassVar[bool] = False

    def __init__(self, rounds: int = 40, models: Literal["all", "linear_and_forests"] = "all") -> None:
        super().__init__(samples=1)
        if rounds < 1:
            raise ValueError(f"rounds must be at least 1, got {rounds}")
        if models not in ("all", "linear_and_forests"):
            raise ValueError(f"models must be all or linear_and_forests, got {models!r}")
        require("hyperimpute", "hyperimpute")
        self.rounds, self.models = rounds, models

    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        with hyperimpute_imputers(self.seed_) as imputers, without_multi_class():
            plugin = imputers.get("hyperimpute", random_state=self.seed_ % 2**32, **self._options())
            core = plugin.model
            core._impute_single_column = lambda frame, name, train: impute_column(core, frame, name, train)
            core.inner_loop_hook = lambda i, frame: self.monitor.progress("rounds", i, self.rounds)
            completed = np.asarray(plugin.fit_transform(to_frame(table, categories=False)), dtype=np.float64)
        for name, scores in core.perf_trace.items():
            if max(scores) <= FAILED:
                column = table.columns[int(name[1:])].name
                raise UserError(f"hyperimpute could fit no model to column {column!r}: check the versions it asks for")
        means = np.broadcast_to(np.nanmean(table.values, axis=0), table.values.shape)
        if np.array_equal(completed[table.hidden], means[table.hidden]):
            raise UserError("hyperimpute returned column means: take hyperimpute 0.1.17")
        return Regular.of(table)(completed)[table.hidden][None]

    def _options(self) -> dict[str, Any]:
        from hyperimpute.plugins.imputers import _hyperimpute_internals as internals

        options: dict[str, Any] = {"n_inner_iter": self.rounds}
        if self.models == "linear_and_forests":
            options |= {"classifier_seed": internals.SMALL_DATA_CLF_SEEDS}
            options |= {"regression_seed": internals.SMALL_DATA_REG_SEEDS}
        return options


@contextmanager
def without_multi_class() -> Iterator[None]:
    """Let the package hand scikit-learn's logistic regression ``multi_class``, gone with 1.8, and drop it.

    The package asks for "auto", which is what scikit-learn now always does.
    """
    from sklearn import linear_model

    original = linear_model.LogisticRegression
    linear_model.LogisticRegression = lambda multi_class="auto", **options: original(**options)
    try:
        yield
    finally:
        linear_model.LogisticRegression = original
