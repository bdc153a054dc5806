"""The parts of a checkpoint that are written as they are in memory: arrays, long texts and bytes.

A part is described by a list that JSON can hold: its kind, its length in bytes, and what else is needed to read it.
"""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Sequence
from typing import Any, Final

import numpy as np
import numpy.typing as npt

Piece = bytes | memoryview
"""What a part is written as."""

_PLAIN_TYPE: Final = re.compile(r"[<>|][biufcmMSUV]\d{1,9}(\[\d{0,9}[A-Za-z]{1,7}\])?")
"""How numpy writes a type without fields: byte order, kind, size, unit of a time."""
_MOST_DIMENSIONS: Final = 64


def array_part(array: npt.NDArray[Any]) -> tuple[list[Any], Piece]:
    """Describe an array, and give its bytes without a copy where they lie together.

    Parameters
    ----------
    array
        Of exactly the type ``numpy.ndarray``, and not of objects.

    Returns
    -------
    description, piece
        For `read_array`.

    Raises
    ------
    TypeError
        When its type cannot be written; the text goes on after "it is ".
    """
    described = _describe_type(array.dtype)
    order = None
    plain = array
    if not array.flags.c_contiguous:
        # The order of the axes in memory is kept: sums of floats depend on it.
        order = sorted(range(array.ndim), key=lambda axis: -abs(array.strides[axis]))
        plain = np.ascontiguousarray(array.transpose(order))
    flat: Any = plain.reshape(-1).view(np.uint8) if array.size else b""
    piece = memoryview(flat)
    return ["array", array.nbytes, described, list(array.shape), order, bool(array.flags.writeable)], piece


def read_array(description: Sequence[Any], piece: memoryview) -> npt.NDArray[Any]:
    """Make the array of a description and its bytes; it has memory of its own.

    Raises
    ------
    ValueError, TypeError, IndexError
        When they are not those of an array.
    """
    _, _, described, shape, order, writeable = description
    dtype = _read_type(described)
    lengths = read_shape(shape)
    if dtype.hasobject or dtype.itemsize == 0 or math.prod(lengths) * dtype.itemsize != len(piece):
        message = f"an array of type {dtype} and shape {lengths} does not have {len(piece)} bytes"
        raise ValueError(message)
    flat = np.frombuffer(piece, dtype) if len(piece) else np.empty(0, dtype)
    if order is None:
        array: npt.NDArray[Any] = flat.reshape(lengths).copy()
    else:
        axes = [operator.index(axis) for axis in order]
        if sorted(axes) != list(range(len(lengths))):
            message = f"{axes} is no order of {len(lengths)} axes"
            raise ValueError(message)
        in_memory = flat.reshape([lengths[axis] for axis in axes]).copy()
        array = in_memory.transpose(np.argsort(axes))
    array.flags.writeable = _bool(writeable)
    return array


def read_shape(shape: Any) -> tuple[int, ...]:
    """Read the shape of an array.

    Raises
    ------
    ValueError, TypeError
        When it is none.
    """
    lengths = tuple(operator.index(length) for length in shape)
    if len(lengths) > _MOST_DIMENSIONS or any(length < 0 for length in lengths):
        message = f"{lengths} is no shape"
        raise ValueError(message)
    return lengths


def scalar_part(scalar: np.generic) -> list[Any]:
    """Describe a scalar of numpy by its type and its bytes.

    Raises
    ------
    TypeError
        When its type cannot be written.
    """
    return [_describe_type(scalar.dtype), scalar.tobytes().hex()]


def read_scalar(described: Any, text: str) -> np.generic:
    """Make the scalar of `scalar_part`.

    Raises
    ------
    ValueError, TypeError
        When they are not those of a scalar.
    """
    dtype, data = _read_type(described), bytes.fromhex(text)
    if dtype.hasobject or dtype.itemsize == 0 or len(data) != dtype.itemsize:
        message = f"a scalar of type {dtype} does not have {len(data)} bytes"
        raise ValueError(message)
    scalar: np.generic = np.frombuffer(data, dtype)[0]
    return scalar.copy() if isinstance(scalar, np.void) else scalar


def _describe_type(dtype: np.dtype[Any]) -> Any:
    """Describe a type of numpy: a text, or a list with a list for each field."""
    if dtype.hasobject:
        message = "an array of records that hold objects"
        raise TypeError(message)
    if dtype.itemsize == 0:
        message = "an array whose items have no size"
        raise TypeError(message)
    described: Any
    if dtype.names is None:
        described = dtype.str
    else:
        offsets = [dtype.fields[name][1] for name in dtype.names] if dtype.fields else []
        described = [
            [name, _describe_type(dtype[name].base), list(dtype[name].shape), offset]
            for name, offset in zip(dtype.names, offsets, strict=True)
        ]
        described = [dtype.itemsize, described]
    try:
        found = _read_type(described)
        same = found == dtype and found.type is dtype.type
    except (ValueError, TypeError):
        same = False
    if not same:
        message = f"an array of type {dtype}"
        raise TypeError(message)
    return described


def _read_type(described: Any) -> np.dtype[Any]:
    if isinstance(described, str):
        if not _PLAIN_TYPE.fullmatch(described):
            message = f"{described[:50]!r} is no type of numpy"
            raise ValueError(message)
        return np.dtype(described)
    itemsize, fields = described
    names, types, shapes, offsets = zip(*fields, strict=True)
    return np.dtype(
        {
            "names": [_text(name) for name in names],
            "formats": [
                (_read_type(inner), read_shape(shape)) if shape else _read_type(inner)
                for inner, shape in zip(types, shapes, strict=True)
            ],
            "offsets": [operator.index(offset) for offset in offsets],
            "itemsize": operator.index(itemsize),
        }
    )


def _text(value: Any) -> str:
    if not isinstance(value, str):
        message = f"a {type(value).__name__} stands where a text belongs"
        raise TypeError(message)
    return value


def _bool(value: Any) -> bool:
    if not isinstance(value, bool):
        message = f"a {type(value).__name__} stands where true or false belongs"
        raise TypeError(message)
    return value
