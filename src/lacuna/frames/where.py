"""Which blanks of a table are to be filled."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pandas as pd

from lacuna.errors import UserError
from lacuna.frames.codec import FrameCodec
from lacuna.frames.labels import known_label, label_text, listed


def to_fill(
    codec: FrameCodec, n: int, where: Any = None, predict_only: Any = None, label: Callable[[Any], str] = label_text
) -> np.ndarray:
    """(d,) or (n, d) bool of the modelled columns: True where a blank is to be filled.

    Args:
        codec: of the table.
        n: its rows.
        where: labels of columns, or a mask of bool (n, columns of the table), as an array or a DataFrame; None: all.
        predict_only: labels of columns whose blanks stay.
        label: the text that a column's label goes by.

    Raises:
        UserError: a label is unknown, or a mask has another shape.
    """
    wide = np.ones(len(codec.labels), bool)
    if is_mask(where):
        wide = np.asarray(where, bool)
        if wide.shape != (n, len(codec.labels)):
            raise UserError(f"where is a mask of shape {wide.shape}: the table has shape {(n, len(codec.labels))}")
    elif where is not None:
        asked = {known_label(label(column), codec.labels, "where") for column in listed(where)}
        wide = np.array([name in asked for name in codec.labels])
    stays = {known_label(label(column), codec.labels, "predict_only") for column in listed(predict_only)}
    wide = wide & np.array([name not in stays for name in codec.labels])
    return wide[..., [coded.position for coded in codec.coded]]


def is_mask(where: Any) -> bool:
    """Whether it is a flag for each cell rather than labels of columns."""
    return isinstance(where, pd.DataFrame) or getattr(where, "ndim", 1) == 2
