"""DataFrames of public sources as tables: kinds and levels of columns are inferred, as for a file of the user's."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lacuna.errors import UserError, did_you_mean
from lacuna.frames.codec import FrameCodec
from lacuna.frames.reading import Reading
from lacuna.types import Table


def table_of(
    name: str,
    frame: pd.DataFrame,
    *,
    drop: Sequence[str] = (),
    schema: Mapping[str, str] | None = None,
    mm_candidates: Any = None,
) -> Table:
    """A table of the modelled columns of ``frame``, in its order; its blanks are NaN.

    Args:
        name: of the table.
        frame: n rows; blank is whatever ``isna`` says.
        drop: columns to leave out.
        schema: kind by column where the frame misleads, as in ``lacuna.frames.codec``.
        mm_candidates: the columns that may hold meaningful missingness; default: none.

    Raises:
        UserError: a column is not there, or not as it has to be.
    """
    for column in drop:
        if column not in frame.columns:
            raise UserError(f"dataset.drop: table {name} has no column {column!r}{did_you_mean(column, frame.columns)}")
    kept = frame.drop(columns=list(drop))
    codec = FrameCodec.infer(kept, schema, mm_candidates, Reading(schema_key="dataset.schema"))
    values = codec.encode(kept)
    known = not np.isnan(values).any()
    return Table(name, codec.columns, values, np.zeros(values.shape, bool), meaningful_known=known)
