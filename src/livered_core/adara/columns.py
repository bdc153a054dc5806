"""Columns in packets: what their arrays must be, and how they compare and print."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
F64 = npt.NDArray[np.float64]
Bools = npt.NDArray[np.bool_]


def has_dtype(dtype: type[np.generic]) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """Return a validator for one-dimensional arrays of a dtype."""

    def check(packet: Any, attribute: attrs.Attribute[Any], column: Any) -> None:
        name = f"{type(packet).__name__}.{attribute.name}"
        if not isinstance(column, np.ndarray):
            message = f"{name} must be a numpy array and is a {type(column).__name__}."
            raise TypeError(message)
        if column.dtype != dtype or column.ndim != 1:
            message = f"{name} must be {np.dtype(dtype)}[n] and is {column.dtype}{list(column.shape)}."
            raise TypeError(message)

    return check


is_u32 = has_dtype(np.uint32)
is_i64 = has_dtype(np.int64)
is_bool = has_dtype(np.bool_)
is_f64 = has_dtype(np.float64)
by_value = attrs.cmp_using(eq=np.array_equal)
by_value_or_nan = attrs.cmp_using(eq=partial(np.array_equal, equal_nan=True))


def shape(column: npt.NDArray[Any]) -> str:
    """Say of an array what fits into a line."""
    return f"<{column.dtype}{list(column.shape)}>"


def require_same_length(packet: Any, *names: str) -> None:
    """Raise ValueError unless the columns of these names are as long as each other."""
    lengths = {name: len(getattr(packet, name)) for name in names}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        message = f"{type(packet).__name__} has {said}: they must be as many."
        raise ValueError(message)


def require_offsets(packet: Any, name: str, groups: int, items: int) -> None:
    """Raise ValueError unless the column `name` ascends from 0 to `items` in ``groups + 1`` values."""
    offset = getattr(packet, name)
    if (
        len(offset) != groups + 1
        or offset[0] != 0
        or offset[-1] != items
        or bool((offset[1:] < offset[:-1]).any())
    ):
        message = f"{type(packet).__name__}.{name} must ascend from 0 to {items} in {groups + 1} values."
        raise ValueError(message)
