"""missForest as the package hyperimpute has it: Stekhoven, Buehlmann, "MissForest: non-parametric missing value
imputation for mixed-type data", Bioinformatics 2012.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, ClassVar

import numpy as np

from lacuna.methods.external.packages import loguru_untouched, require, untouched
from lacuna.methods.external.tables import Regular, to_frame
from lacuna.methods.external.transductive import Transductive
from lacuna.methods.held_out import held_out_cells, normalised_error
from lacuna.rng import stream
from lacuna.types import Imputation, Incomplete


class MissForest(Transductive):
    """The best of some configurations from the package's own search space, by cells held out of the training rows.

    The package classifies columns with fewer than five distinct cells, a blank being one, and regresses the others;
    codes are rounded. Of its two hyper-parameters it hands none to its forests: ``n_estimators`` is dropped, and
    ``max_iter`` is hardly ever reached. Configurations therefore do the same where they share ``max_iter`` or where the
    package stops before it, and what would be done again is not.

    Args:
        configurations: drawn.
        search_rows: training rows that are tried on, at most.
    """

    label = "missForest"
    generative: ClassVar[bool] = False

    def __init__(self, configurations: int = 50, search_rows: int = 10_000) -> None:
        super().__init__(samples=1)
        if configurations < 1 or search_rows < 2:
            raise ValueError(f"need a configuration and two rows, got {configurations} and {search_rows}")
        require("missforest", "hyperimpute")
        self.configurations, self.search_rows = configurations, search_rows

    def _learn(self, train: Incomplete) -> None:
        self.errors_: list[float] = []
        self.options_: dict[str, int] = {}
        if len(train.columns) and train.hidden.any():
            tried = self._configurations()
            self.options_ = tried[0] if len(tried) == 1 else self._best(tried, train)

    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        return self._completed(table, self.options_)[0][table.hidden][None]

    def _impute(self, rows: Incomplete, draws: int) -> Imputation:
        done = super()._impute(rows, draws)
        done.diagnostics.update(configuration=self.options_, held_out_errors=self.errors_)
        return done

    def _configurations(self) -> list[dict[str, int]]:
        """Those among the drawn ones that do not do the same, in the order of drawing."""
        with hyperimpute_imputers(self.seed_) as imputers:
            plugin = imputers.get_type("missforest")
            drawn = [plugin.sample_hyperparameters_np() for _ in range(self.configurations)]
        different: dict[int, dict[str, int]] = {}
        for options in drawn:
            different.setdefault(options["max_iter"], {name: int(value) for name, value in options.items()})
        return list(different.values())

    def _best(self, tried: list[dict[str, int]], train: Incomplete) -> dict[str, int]:
        rng = stream(self.seed_, "missforest", "held out")
        some = rng.permutation(len(train))[: self.search_rows]
        table = train.take(some)
        held_out = held_out_cells(table, rng)
        shown = Incomplete(table.columns, np.where(held_out, np.nan, table.values), table.observed & ~held_out)
        enough, converged = math.inf, math.inf  # the rounds after which the package stops by itself, its error then
        for i, options in enumerate(tried):
            self.monitor.progress("configurations", i, len(tried))
            error = converged
            if options["max_iter"] < enough:
                completed, rounds = self._completed(shown, options)
                error = normalised_error(table, completed, held_out)
                if rounds < options["max_iter"]:
                    enough, converged = rounds, error
            self.errors_.append(error)
        return tried[int(np.argmin(self.errors_))]

    def _completed(self, table: Incomplete, options: dict[str, int]) -> tuple[np.ndarray, int]:
        """Values (n, d), and the rounds that it took."""
        visited: list[str] = []
        with hyperimpute_imputers(self.seed_) as imputers:
            plugin = imputers.get("missforest", random_state=self.seed_ % 2**32, **options)
            core = plugin._model.model

            def impute(frame: Any, name: str, train: bool) -> Any:
                visited.append(name)
                return impute_column(core, frame, name, train)

            core._impute_single_column = impute
            completed = plugin.fit_transform(to_frame(table, categories=False))
        rounds = len(visited) // len(table.columns)
        return Regular.of(table)(np.asarray(completed, dtype=np.float64)), rounds


@contextmanager
def hyperimpute_imputers(seed: int) -> Iterator[Any]:
    """The imputers of hyperimpute, whose import takes seconds and changes the logging of optuna and loguru.

    Their forests would use half of the cores: threads add up trees as they come, so that sums differ in the last bit
    from run to run, and with them the rounds. One after the other, trees give the same numbers on every machine.
    """
    import joblib
    import optuna  # noqa: F401  # its own settings come before hyperimpute's

    with untouched(seed), loguru_untouched("hyperimpute"), joblib.parallel_config(backend="sequential"):
        from hyperimpute.plugins.imputers import Imputers

        yield Imputers()


def impute_column(core: Any, frame: Any, name: str, train: bool) -> Any:
    """What ``_impute_single_column`` of hyperimpute 0.1.17 is meant to do.

    It writes through chained indexing, which pandas 3 makes an assignment to a copy: nothing but column means would
    come out.
    """
    hidden = core.mask[name]
    if not hidden.any():
        return frame
    features, target = frame[core._get_neighbors_for_col(name)], frame.loc[~hidden, name]
    if name in core.categorical_cols:
        target = target.astype(int)
    if target.nunique() == 1:
        frame.loc[hidden, name] = target.iloc[0]
        return frame
    model = core.column_to_model[name]
    if train:
        model.fit(features[~hidden], target)
    predicted = np.asarray(model.predict(features[hidden])).reshape(-1)
    frame.loc[hidden, name] = np.clip(predicted, *core.limits[name])
    return frame
