"""TabPFN: Hollmann et al., "Accurate predictions on small data with a tabular foundation model", Nature 2025, by the
package of its authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lacuna.methods.external.in_context import LEVELS, InContext


class TabPFN(InContext):
    """Imputation by TabPFN, see ``InContext``; columns of more than ten levels it cannot predict."""

    label = "TabPFN"
    package: ClassVar[str] = "tabpfn"
    where_from: ClassVar[str] = "huggingface.co/Prior-Labs"
    most_levels: ClassVar[int | None] = 10

    def _model(self, weights: Path, categorical: list[int]) -> Any:
        from tabpfn import TabPFNClassifier, TabPFNRegressor

        kind = TabPFNClassifier if weights == self.classifier else TabPFNRegressor
        return kind(
            n_estimators=self.estimators,
            categorical_features_indices=categorical,
            model_path=weights,
            ignore_pretraining_limits=True,
            random_state=self.seed_ % 2**32,
        )

    def _predicted(self, model: Any, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = model.predict(asked, output_type="main", quantiles=LEVELS.tolist())
        return np.asarray(found["mean"]), np.stack(found["quantiles"], axis=1)
