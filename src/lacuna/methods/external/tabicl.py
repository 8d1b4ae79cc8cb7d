"""TabICL: Qu, Holzmueller, Varoquaux, Le Morvan, "TabICL: A Tabular Foundation Model for In-Context Learning on Large
Data", ICML 2025, by the package of its authors.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from lacuna.methods.external.in_context import LEVELS, InContext


class TabICL(InContext):
    """Imputation by TabICL, see ``InContext``; its own blanks it fills with column means first."""

    label = "TabICL"
    package: ClassVar[str] = "tabicl"
    where_from: ClassVar[str] = "huggingface.co/jingang/TabICL"

    def _model(self, weights: Path, categorical: list[int]) -> Any:
        from tabicl import TabICLClassifier, TabICLRegressor

        kind = TabICLClassifier if weights == self.classifier else TabICLRegressor
        return kind(
            n_estimators=self.estimators,
            model_path=str(weights),
            allow_auto_download=False,
            random_state=self.seed_ % 2**32,
        )

    def _predicted(self, model: Any, asked: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        found = model.predict(asked, output_type=["mean", "quantiles"], alphas=LEVELS.tolist())
        return np.asarray(found["mean"]), np.asarray(found["quantiles"])
