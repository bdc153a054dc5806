"""Any value as its leaves: to compare what was reduced in two ways, and to see which memory it shares."""

from __future__ import annotations

import enum
import functools
import math
import numbers
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.reduction.checkpoint_classes import field_names, plain_name
from livered_core.reduction.checkpoint_scipp import is_scipp, take_apart

TOLERANCE: Final = 1e-9
"""How far floats may be apart, as a part of the largest in their array: the order of a sum changes its last digits."""
_DEEPEST: Final = 60
_PLAIN: Final = (
    str,
    bytes,
    bytearray,
    memoryview,
    bool,
    int,
    float,
    complex,
    type(None),
    enum.Enum,
    np.generic,
)


@attrs.frozen
class Difference:
    """Where two values differ first.

    Attributes
    ----------
    where
        Path to it, such as ``.counts[2]``; empty for the value itself.
    what
        The two values, for people.
    of_form
        Whether the values are built differently, so that their leaves cannot be compared one by one.
    """

    where: str
    what: str
    of_form: bool = False

    def __str__(self) -> str:
        return f"{self.where or 'the value'}: {self.what}"


def leaves(value: Any) -> Iterator[tuple[str, Any]]:
    """Give the leaves of a value with their paths.

    Parameters
    ----------
    value
        Anything: containers, attrs classes, dataclasses and objects with attributes are taken apart.

    Yields
    ------
    tuple of str and Any
        Path, and an array, a number, a text, or an object of which nothing is known.
    """
    return _leaves(value, "", 0, ())


def _leaves(value: Any, path: str, depth: int, above: tuple[int, ...]) -> Iterator[tuple[str, Any]]:
    if isinstance(value, _PLAIN) or (isinstance(value, np.ndarray) and value.dtype != object):
        yield path, value
        return
    if depth > _DEEPEST or id(value) in above:
        yield path, None  # it holds itself: what it holds has been given already
        return
    above = (*above, id(value))
    items = _items(value)
    if items is None:
        yield path, value
        return
    yield f"{path}#", f"{plain_name(type(value))} of {len(items)}"
    for step, item in items:
        yield from _leaves(item, path + step, depth + 1, above)


def _items(value: Any) -> list[tuple[str, Any]] | None:
    """Take a value apart by one level; None where it has no parts that are known."""
    if isinstance(value, Mapping):
        return [(f"[{key!r:.40}]", value[key]) for key in sorted(value, key=repr)]
    if isinstance(value, (list, tuple)):
        return [(f"[{index}]", item) for index, item in enumerate(value)]
    if isinstance(value, (set, frozenset)):
        return [(f"[{index}]", item) for index, item in enumerate(sorted(value, key=repr))]
    if isinstance(value, np.ndarray):
        return [(f"[{index}]", item) for index, item in enumerate(value.ravel().tolist())]
    cls = type(value)
    names = field_names(cls)
    if names is not None:
        return [(f".{name}", getattr(value, name, None)) for name in names]
    if is_scipp(value):
        return _scipp_items(value)
    if isinstance(value, type) or callable(value) or cls.__module__ == "builtins":
        return None
    names = (*getattr(value, "__dict__", ()), *_slots(cls))
    own = [name for name in names if not isinstance(getattr(cls, name, None), functools.cached_property)]
    return [(f".{name}", getattr(value, name, None)) for name in sorted(own)] or None


def _scipp_items(value: Any) -> list[tuple[str, Any]] | None:
    try:
        _, parts = take_apart(value)
    except TypeError:
        return None
    return [(f".{name}", part) for name, part in parts.items()]


def _slots(cls: type) -> Iterator[str]:
    for base in cls.__mro__:
        slots = base.__dict__.get("__slots__", ())
        yield from (
            name for name in ((slots,) if isinstance(slots, str) else slots) if not name.startswith("__")
        )


def arrays_of(value: Any) -> list[tuple[str, npt.NDArray[Any]]]:
    """Return the arrays in a value with their paths."""
    return [(path, leaf) for path, leaf in leaves(value) if isinstance(leaf, np.ndarray)]


def n_bytes(value: Any) -> int:
    """Return the bytes of the arrays and texts in a value, and 8 for each number."""
    return sum(_bytes_of(leaf) for path, leaf in leaves(value) if not path.endswith("#"))


def _bytes_of(leaf: Any) -> int:
    if isinstance(leaf, np.ndarray):
        return leaf.nbytes
    return len(leaf) if isinstance(leaf, (str, bytes, bytearray)) else 8


def shared(first: Any, second: Any, names: tuple[str, str] = ("it", "it")) -> str:
    """Say which arrays of two values share memory; empty where none do.

    Parameters
    ----------
    first, second
        Anything that `leaves` takes apart.
    names
        What to call them.
    """
    for path, array in arrays_of(first):
        for other_path, other in arrays_of(second):
            if np.may_share_memory(array, other) and np.shares_memory(array, other):
                return f"{names[0]}{path} is memory of {names[1]}{other_path}"
    return ""


def difference(first: Any, second: Any, tolerance: float = TOLERANCE) -> Difference | None:
    """Find where two values differ.

    Parameters
    ----------
    first, second
        Anything that `leaves` takes apart.
    tolerance
        How far floats may be apart, as a part of the largest in their array; whole numbers and texts must be equal,
        and NaN is equal to NaN.

    Returns
    -------
    Difference or None
        The first one; None where there is none.
    """
    if first is second and not isinstance(first, np.ndarray):
        return None
    ours, theirs = list(leaves(first)), list(leaves(second))
    for (path, leaf), (other_path, other) in zip(ours, theirs, strict=False):
        where = path.rstrip("#")
        if path != other_path:
            return Difference(
                where, f"another one has {other_path.rstrip('#') or 'nothing'} there", of_form=True
            )
        if path.endswith("#"):
            if leaf != other:
                return Difference(where, f"{leaf} and {other}", of_form=True)
            continue
        found = _leaf_difference(where, leaf, other, tolerance)
        if found is not None:
            return found
    if len(ours) != len(theirs):
        return Difference("", f"{len(ours)} parts and {len(theirs)}", of_form=True)
    return None


def _leaf_difference(where: str, ours: Any, theirs: Any, tolerance: float) -> Difference | None:
    if isinstance(ours, np.ndarray) and isinstance(theirs, np.ndarray):
        return _array_difference(where, ours, theirs, tolerance)
    if _is_number(ours) and _is_number(theirs):
        close = (
            _close(float(ours), float(theirs), tolerance)
            if _is_float(ours) or _is_float(theirs)
            else ours == theirs
        )
        return None if close else Difference(where, f"{ours!r:.60} and {theirs!r:.60}")
    if type(ours) is not type(theirs):
        return Difference(where, f"a {type(ours).__name__} and a {type(theirs).__name__}", of_form=True)
    try:
        equal = bool(ours == theirs)
    except Exception:  # noqa: BLE001  (a plugin's class, which may fail in anything it is asked)
        equal = ours is theirs
    if equal or not isinstance(ours, _PLAIN):
        # Of an object that has no parts and no equality of its own nothing can be said.
        return None
    return Difference(where, f"{ours!r:.60} and {theirs!r:.60}")


def _array_difference(
    where: str, ours: npt.NDArray[Any], theirs: npt.NDArray[Any], tolerance: float
) -> Difference | None:
    if ours.shape != theirs.shape or ours.dtype.kind != theirs.dtype.kind:
        what = f"{ours.dtype}{list(ours.shape)} and {theirs.dtype}{list(theirs.shape)}"
        return Difference(where, what, of_form=True)
    if ours.dtype.kind in "fc":
        finite = np.abs(ours[np.isfinite(ours)])
        most = tolerance * float(finite.max()) if finite.size else 0.0
        same = np.isclose(ours, theirs, rtol=0.0, atol=most, equal_nan=True)
    else:
        same = np.asarray(ours == theirs)
        if ours.dtype.kind in "mM":
            same |= np.isnat(ours) & np.isnat(theirs)
    if same.all():
        return None
    index = tuple(int(at) for at in np.argwhere(~same)[0])
    place = f"{where}[{', '.join(map(str, index))}]" if index else where
    return Difference(
        place,
        f"{ours[index]} and {theirs[index]}, and {np.count_nonzero(~same)} of {same.size} values differ",
    )


def _is_number(value: Any) -> bool:
    return isinstance(value, numbers.Real) and not isinstance(value, (bool, np.bool_))


def _is_float(value: Any) -> bool:
    return not isinstance(value, numbers.Integral)


def _close(ours: float, theirs: float, tolerance: float) -> bool:
    if math.isnan(ours) or math.isnan(theirs):
        return math.isnan(ours) and math.isnan(theirs)
    return ours == theirs or abs(ours - theirs) <= tolerance * max(abs(ours), abs(theirs))
