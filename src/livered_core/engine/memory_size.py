"""How much memory an object takes with all that it holds: an estimate, for what plugins accumulate."""

from __future__ import annotations

import sys
from collections import deque
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np

_MOST_OBJECTS: Final = 200_000
"""Objects that are looked at; of more, the number is too small."""
_ASKED: Final = ("getMemorySize", "underlying_size")
"""Methods by which objects say what they take: those of Mantid's workspaces and of scipp's arrays."""
_LEAVES: Final = (int, float, complex, bool, str, bytes, bytearray, type(None))


def memory_size(thing: Any) -> int:
    """Estimate what an object takes, in bytes. What several parts share is counted once.

    Parameters
    ----------
    thing
        Anything; it may change meanwhile on another thread, and is not changed. Arrays count with the memory that they
        are views of. Objects that know their size, such as Mantid's workspaces and scipp's arrays, are asked.
    """
    seen: dict[int, Any] = {}
    total = 0
    waiting = [thing]
    while waiting and len(seen) < _MOST_OBJECTS:
        one = waiting.pop()
        if id(one) in seen or isinstance(one, type):
            continue
        # Kept, so that its number is nobody else's meanwhile.
        seen[id(one)] = one
        try:
            own, parts = _look(one)
        except Exception:  # noqa: BLE001  (it is a plugin's class, or it changes while it is looked at)
            own, parts = 0, []
        total += own
        waiting += parts
    return total


def _look(thing: Any) -> tuple[int, list[Any]]:
    """Return what an object takes itself, and what it holds."""
    if isinstance(thing, np.ndarray):
        if isinstance(thing.base, np.ndarray):
            return sys.getsizeof(thing), [thing.base]
        held = list(thing.flat)[:_MOST_OBJECTS] if thing.dtype.hasobject else []
        return max(int(thing.nbytes), sys.getsizeof(thing)), held
    own = sys.getsizeof(thing, 0)
    if isinstance(thing, _LEAVES):
        return own, []
    for name in _ASKED:
        asked = getattr(type(thing), name, None)
        if callable(asked):
            return int(asked(thing)), []
    if isinstance(thing, Mapping):
        return own, [part for pair in list(thing.items()) for part in pair]
    if isinstance(thing, (list, tuple, set, frozenset, deque)):
        return own, list(thing)
    parts = list(getattr(thing, "__dict__", {}).values())
    if attrs.has(type(thing)):
        parts += [getattr(thing, field.name, None) for field in attrs.fields(type(thing))]
    else:
        slots = [name for kind in type(thing).__mro__ for name in _names(getattr(kind, "__slots__", ()))]
        parts += [getattr(thing, name, None) for name in slots]
    return own, parts


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)
