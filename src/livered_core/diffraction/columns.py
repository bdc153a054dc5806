"""Converters of attrs fields that hold arrays: copy, convert, make read-only."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt


def float64_column(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a read-only float64 copy."""
    column = np.array(values, dtype=np.float64)
    column.flags.writeable = False
    return column


def int64_column(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return a read-only int64 copy."""
    column = np.array(values, dtype=np.int64)
    column.flags.writeable = False
    return column


def int32_column(values: npt.ArrayLike) -> npt.NDArray[np.int32]:
    """Return a read-only int32 copy."""
    column = np.array(values, dtype=np.int32)
    column.flags.writeable = False
    return column


def bool_column(values: npt.ArrayLike) -> npt.NDArray[np.bool_]:
    """Return a read-only boolean copy."""
    column = np.array(values, dtype=np.bool_)
    column.flags.writeable = False
    return column
