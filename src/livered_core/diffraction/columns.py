"""Converters of attrs fields that hold arrays: copy, convert, make read-only."""

from __future__ import annotations

from typing import Any, TypeGuard

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


def own_float64_column(values: npt.ArrayLike) -> npt.NDArray[np.float64]:
    """Return a read-only float64 copy, or the array itself where it is read-only and no view."""
    return values if _is_settled(values, np.float64) else float64_column(values)


def own_int64_column(values: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Return a read-only int64 copy, or the array itself where it is read-only and no view."""
    return values if _is_settled(values, np.int64) else int64_column(values)


def _is_settled(values: npt.ArrayLike, dtype: type[np.generic]) -> TypeGuard[npt.NDArray[Any]]:
    """Say whether an array is read-only and has memory of its own: a read-only view may be of what others write to."""
    return (
        isinstance(values, np.ndarray)
        and values.dtype == dtype
        and values.flags.owndata
        and not values.flags.writeable
    )
