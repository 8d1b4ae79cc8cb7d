"""ForestDiffusion: Jolicoeur-Martineau, Fatras, Kachman, "Generating and Imputing Tabular Data via Diffusion and
Flow-based Gradient-Boosted Trees", AISTATS 2024, by the package of its authors.
"""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lacuna.methods.external.packages import require, untouched
from lacuna.methods.external.tables import Dummies
from lacuna.methods.external.transductive import Transductive
from lacuna.types import Incomplete


class ForestDiffusion(Transductive):
    """Boosted trees learn the score of a diffusion; hidden cells are sampled with the observed ones kept.

    All columns go to the package as numbers, categories as 0/1 coordinates: blanks of what it calls categorical it
    takes for the first level, and with pandas 3 it fails where binary columns are there too.

    Args:
        steps: noise levels, each with its own trees for every column.
        duplicates: noisy copies of each row to learn from.
        depth, trees, lr: of XGBoost.
        samples: completions behind a point imputation.
        jobs: processes that fit; 1: this one.
    """

    label = "ForestDiffusion"
    alone: ClassVar[bool] = True

    def __init__(
        self,
        steps: int = 50,
        duplicates: int = 100,
        depth: int = 7,
        trees: int = 100,
        lr: float = 0.3,
        samples: int = 5,
        jobs: int = 1,
    ) -> None:
        super().__init__(samples)
        for name, count in (("steps", steps), ("duplicates", duplicates), ("depth", depth), ("trees", trees)):
            if count < 1:
                raise ValueError(f"{name} must be at least 1, got {count}")
        require("forest_diffusion", "ForestDiffusion")
        self.options: dict[str, float] = {
            "n_t": steps,
            "duplicate_K": duplicates,
            "max_depth": depth,
            "n_estimators": trees,
        }
        self.options |= {"eta": lr, "n_jobs": jobs}
        self.model_: Any = None

    def __getstate__(self) -> dict[str, Any]:
        return {**self.__dict__, "model_": None}  # no file holds it: what was saved learns again, to the same trees

    def _learn(self, train: Incomplete) -> None:
        self.dummies_ = Dummies.fit(train) if train.columns else None
        self.model_ = None

    def _complete(self, table: Incomplete, n: int) -> np.ndarray:
        assert self.dummies_ is not None
        if self.model_ is None:
            with untouched(self.seed_):
                self.model_ = self._fitted(self.dummies_)
        with untouched(self.seed_):
            scaled = self.model_.scaler.transform(self.dummies_.encode(table.values))
            samples = np.empty((n, table.hidden.sum()))
            for k in range(n):
                self.monitor.progress("samples", k, n)
                samples[k] = self.dummies_.decode(self.model_.impute(X=scaled))[table.hidden]
        return samples

    def _fitted(self, dummies: Dummies) -> Any:
        from ForestDiffusion import ForestDiffusionModel

        self.monitor.progress("trees", 0, 1)
        encoded = dummies.encode(self._part(self.train_).values)
        return ForestDiffusionModel(encoded, diffusion_type="vp", seed=self.seed_ % 2**32, **self.options)
