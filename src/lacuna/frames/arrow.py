"""Arrow tables, to pandas and back, with their types."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import pandas as pd

from lacuna.errors import UserError

if TYPE_CHECKING:
    import pyarrow


def nullable_frame(arrow: pyarrow.Table) -> pd.DataFrame:
    """An Arrow table as pandas gives it, but integers and booleans with blanks keep their type and digits."""
    import pyarrow

    nullable: dict[pyarrow.DataType, Any] = {pyarrow.bool_(): pd.BooleanDtype()}
    for size in (8, 16, 32, 64):
        nullable[getattr(pyarrow, f"int{size}")()] = getattr(pd, f"Int{size}Dtype")()
        nullable[getattr(pyarrow, f"uint{size}")()] = getattr(pd, f"UInt{size}Dtype")()
    if len(set(arrow.column_names)) < len(arrow.column_names):
        label = next(name for name in arrow.column_names if arrow.column_names.count(name) > 1)
        raise UserError(f"two columns are called {label!r}: rename one")
    frame = arrow.to_pandas()
    for position, label in enumerate(frame.columns):
        cells = arrow[str(label)]
        if pyarrow.types.is_decimal(cells.type):  # its precision is that of the cells to be filled
            frame.isetitem(position, pd.arrays.ArrowExtensionArray(cells))
        elif cells.null_count and cells.type in nullable:
            frame.isetitem(position, cells.to_pandas(types_mapper=nullable.get).array)
    return frame


def with_columns(arrow: pyarrow.Table, frame: pd.DataFrame, positions: Iterable[int]) -> pyarrow.Table:
    """``arrow`` whose columns at these positions of ``frame`` have the cells there, with the types they had."""
    import pyarrow

    for position in positions:
        at = arrow.schema.get_field_index(str(frame.columns[position]))
        field = arrow.schema.field(at)
        cells = pyarrow.array(frame.iloc[:, position].array, type=field.type, from_pandas=True)
        arrow = arrow.set_column(at, field, cells)
    return arrow
