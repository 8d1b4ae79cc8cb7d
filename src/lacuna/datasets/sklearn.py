"""The tables that come with scikit-learn."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import pandas as pd

from lacuna.datasets.base import Dataset
from lacuna.datasets.from_frame import table_of
from lacuna.errors import UserError, did_you_mean
from lacuna.types import Table


class Sklearn(Dataset):
    """One of them, features and target; the target of a classification has its classes' names.

    Args:
        name: diabetes, iris, wine, breast_cancer, digits or linnerud.
        drop: columns to leave out.
        schema: kind by column where the table misleads: continuous, integer, categorical, or ignore.
        mm_candidates: the columns that may hold meaningful missingness.
    """

    description = "a table of scikit-learn"
    seeded = False

    def __init__(
        self,
        name: str,
        *,
        drop: Sequence[str] = (),
        schema: Mapping[str, str] | None = None,
        mm_candidates: list[str] | str | None = None,
    ) -> None:
        self.name, self.drop, self.schema, self.mm_candidates = name, drop, schema, mm_candidates

    def load(self, rng: np.random.Generator, split_rng: np.random.Generator) -> Table:
        """Read the table.

        Raises:
            UserError: there is no such table or column.
        """
        frame = read_frame(self.name)
        return table_of(self.name, frame, drop=self.drop, schema=self.schema, mm_candidates=self.mm_candidates)


def read_frame(name: str) -> pd.DataFrame:
    """All columns of a table of scikit-learn."""
    from sklearn import datasets

    loaders: dict[str, Callable[..., object]] = {
        "diabetes": datasets.load_diabetes,
        "iris": datasets.load_iris,
        "wine": datasets.load_wine,
        "breast_cancer": datasets.load_breast_cancer,
        "digits": datasets.load_digits,
        "linnerud": datasets.load_linnerud,
    }
    if name not in loaders:
        raise UserError(f"dataset.name: scikit-learn brings no table {name!r}{did_you_mean(name, loaders)}")
    found: dict[str, pd.DataFrame] = dict(loaders[name](as_frame=True))  # type: ignore[call-overload]
    frame = found["frame"]
    if name in ("iris", "wine", "breast_cancer", "digits"):
        classes = [str(name) for name in found["target_names"]]
        names = frame["target"].map(dict(enumerate(classes)))
        frame = frame.assign(target=names.astype(pd.CategoricalDtype(classes)))
    return frame
