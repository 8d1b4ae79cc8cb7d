"""Multiple imputation by chained random forests and mean matching, by the package miceforest."""

from __future__ import annotations

import numpy as np

from lacuna.methods.external.packages import require, untouched
from lacuna.methods.external.tables import to_frame
from lacuna.methods.external.transductive import Transductive
from lacuna.types import Incomplete

CANDIDATES = 5  # donors of mean matching: the package's own number


class MiceForest(Transductive):
    """Chains of LightGBM's random forests; a hidden cell takes over an observed value with a near prediction.

    Args:
        iterations: of each chain.
        samples: chains behind a point imputation.
    """

    label = "miceforest"

    def __init__(self, iterations: int = 5, samples: int = 5) -> None:
        super().__init__(samples)
        if iterations < 1:
            raise ValueError(f"iterations must be at least 1, got {iterations}")
        require("miceforest", "miceforest", "lightgbm")
        self.iterations = iterations

    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        cells = np.argwhere(table.hidden)
        samples = np.empty((n, len(cells)))
        with untouched(self.seed_):
            from miceforest import ImputationKernel

            frame = to_frame(table, categories=True)
            incomplete = [f"x{j}" for j in range(len(table.columns)) if table.hidden[:, j].any()]
            donors = {name: min(CANDIDATES, int(frame[name].count())) for name in incomplete}
            kernel = ImputationKernel(
                frame,
                num_datasets=n,
                mean_match_candidates=donors,
                save_all_iterations_data=False,  # models and predictions of every step would not fit
                copy_data=False,
                random_state=self.seed_ % 2**32,
            )
            for i in range(self.iterations):
                self.monitor.progress("iterations", i, self.iterations)
                kernel.mice(1)
            for name in incomplete:
                drawn = kernel.imputation_values[name].astype(float).to_numpy()
                samples[:, cells[:, 1] == int(name[1:])] = drawn.T
        return samples
