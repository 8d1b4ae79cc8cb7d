"""Frames of other libraries (polars, pyarrow and what narwhals knows) and masked arrays, to pandas and back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from lacuna.errors import UserError
from lacuna.frames.arrow import nullable_frame, with_columns

KNOWN = ("builtins", "numpy", "pandas", "scipy")  # where what needs no conversion is defined
PROTOCOLS = ("__arrow_c_stream__", "__arrow_c_array__", "__dataframe__")  # of what has columns with names


def to_pandas(given: Any) -> Any:
    """A frame of another library as a DataFrame, a masked array with NaN where masked, anything else as it is.

    Raises:
        UserError: it is no table that can come back as it is, such as a lazy frame.

    >>> to_pandas(np.ma.masked_equal([[1.0, -9.0]], -9.0))
    array([[ 1., nan]])
    """
    if isinstance(given, np.ma.MaskedArray):
        if given.dtype.kind not in "biuf":
            raise UserError(f"a masked array of {given.dtype} is not a table of numbers: give a DataFrame")
        return np.ma.filled(given.astype(np.result_type(given.dtype, np.float32)), np.nan)
    if is_foreign(given):
        return _foreign_to_pandas(given)
    mapping = isinstance(given, Mapping) and not hasattr(given, "shape")  # which sparse matrices have
    records = getattr(getattr(given, "dtype", None), "names", None)
    if mapping or records or (not _is_plain(given) and any(hasattr(given, each) for each in PROTOCOLS)):
        raise UserError(f"a {type(given).__name__} is not a frame that can be completed: give a DataFrame")
    return given


def _foreign_to_pandas(given: Any) -> pd.DataFrame:
    import narwhals as nw

    frame = nw.from_native(given)
    if isinstance(frame, nw.LazyFrame):
        raise UserError(f"a lazy frame ({type(given).__name__}) has no rows yet: collect it first")
    try:
        return nullable_frame(frame.to_arrow())
    except UserError:
        raise
    except Exception as error:  # of the library, about a type that Arrow does not have
        raise UserError(f"the {type(given).__name__} cannot be read: {' '.join(str(error).split())}") from None


def _is_plain(given: Any) -> bool:
    """Whether it is of Python, numpy, pandas or scipy, which need no conversion."""
    return type(given).__module__.partition(".")[0] in KNOWN or isinstance(given, pd.DataFrame)


def is_foreign(given: Any) -> bool:
    """Whether ``given`` is a frame of a library other than pandas that narwhals knows."""
    if _is_plain(given):
        return False
    import narwhals as nw

    return isinstance(nw.from_native(given, pass_through=True), nw.DataFrame | nw.LazyFrame)


def like(given: Any, frame: pd.DataFrame) -> Any:
    """``frame`` as a frame of the library of ``given``."""
    import narwhals as nw
    import pyarrow

    arrow = pyarrow.Table.from_pandas(frame, preserve_index=False)
    return nw.from_arrow(arrow, backend=nw.from_native(given).implementation).to_native()


def completed(given: Any, frame: pd.DataFrame, positions: Sequence[int]) -> Any:
    """``given`` whose columns at ``positions`` have the cells of ``frame``, with the types they had."""
    import narwhals as nw

    native = nw.from_native(given)
    arrow = with_columns(native.to_arrow(), frame, positions)
    if native.implementation.is_pyarrow():
        return arrow
    changed = nw.from_arrow(arrow.select(list(positions)), backend=native.implementation)
    return native.with_columns(*(changed[name].cast(native[name].dtype) for name in changed.columns)).to_native()
