"""Things for tests of checkpoints: classes that they can and cannot hold, checkpoints, and exact comparison."""

from __future__ import annotations

import dataclasses
import enum
import functools
import struct
from typing import Any

import attrs
import numpy as np

from hooks_support import run_info
from livered_core.chunking.position import StreamPosition
from livered_core.chunking.taken_pulses import TakenPulses
from livered_core.reduction.checkpoint import Checkpoint
from livered_core.reduction.run_state import RunState

FINGERPRINT = {"the configuration": "1", "the code of livered": "2"}


class Colour(enum.Enum):
    RED = "red"
    BLUE = "blue"


class Rights(enum.Flag):
    READ = 1
    WRITE = 2


@attrs.frozen
class Point:
    x: float
    y: Any = None


Alias = Point
"""Another name for it, under which it is not looked for."""


@attrs.define(eq=False)
class Private:
    """Has a private field, one that no constructor takes, and a converter that changes what it gets twice."""

    _secret: int
    doubled: int = attrs.field(converter=lambda value: value * 2)
    made: list[int] = attrs.field(init=False, factory=list)

    def secret(self) -> int:
        return self._secret


@dataclasses.dataclass(frozen=True)
class Pair:
    left: Any
    right: Any = 0


@attrs.define(slots=False, eq=False)
class Loose:
    x: int

    @functools.cached_property
    def square(self) -> int:
        return self.x**2


@attrs.frozen(cache_hash=True)
class Hashed:
    x: int


class Plain:
    pass


@attrs.define
class Refuses:
    """Would say so if its constructor or its validator ran."""

    x: int = attrs.field(validator=attrs.validators.lt(0))


def livered_alone(module: str) -> bool:
    return module.partition(".")[0] in ("livered_core", "checkpoint_support")


def _same_arrays(a: Any, b: Any) -> bool:
    if (a.dtype, a.shape, a.flags.writeable) != (b.dtype, b.shape, b.flags.writeable):
        return False
    if a.dtype == object:
        return all(map(same, a.ravel().tolist(), b.ravel().tolist()))
    if a.dtype.names:
        # What lies between the fields is nobody's.
        return all(a[name].tobytes() == b[name].tobytes() for name in a.dtype.names)
    return bool(a.tobytes() == b.tobytes())


def same(a: Any, b: Any) -> bool:
    """Tell whether two values are the same in every bit."""
    if type(a) is not type(b):
        return False
    if isinstance(a, float):
        return struct.pack("<d", a) == struct.pack("<d", b)
    if isinstance(a, complex):
        return same(a.real, b.real) and same(a.imag, b.imag)
    if isinstance(a, np.ndarray):
        return _same_arrays(a, b)
    if isinstance(a, np.generic):
        return a.dtype == b.dtype and a.tobytes() == b.tobytes()
    if isinstance(a, (list, tuple)):
        return len(a) == len(b) and all(map(same, a, b))
    if isinstance(a, dict):
        return same(list(a), list(b)) and same(list(a.values()), list(b.values()))
    if attrs.has(type(a)):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in attrs.fields(type(a)))
    if dataclasses.is_dataclass(a):
        return all(same(getattr(a, f.name), getattr(b, f.name)) for f in dataclasses.fields(a))
    if isinstance(a, (set, frozenset)):
        # One by one: a NaN is not equal to itself.
        return len(a) == len(b) and all(any(same(x, y) for y in b) for x in a)
    return bool(a == b)


def checkpoint(
    accumulated: Any, sequence: int = 1, run: int = 7, fingerprint: dict[str, str] | None = None, **more: Any
) -> Checkpoint:
    nothing = TakenPulses().times
    position = StreamPosition(run_info(run), 5, 1, nothing, nothing, 3)
    state = RunState(run_info(run), accumulated, n_chunks=sequence, missing=("something",))
    values = {"plugins": {"tst": {"kept": 1}}, "made_ns": 17, **more}
    return Checkpoint(
        state=state,
        position=position,
        fingerprint=FINGERPRINT if fingerprint is None else fingerprint,
        sequence=sequence,
        **values,
    )
