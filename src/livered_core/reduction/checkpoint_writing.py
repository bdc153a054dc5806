"""A value as a tree of nodes and the parts beside it; see `livered_core.reduction.checkpoint_codec`."""

from __future__ import annotations

import enum
import math
import struct
from collections.abc import Callable
from typing import Any, Final

import numpy as np

from livered_core.reduction.checkpoint_classes import (
    CACHED_HASH,
    can_be_made_empty,
    extra_attribute,
    field_names,
    name_of,
    plain_name,
    with_article,
)
from livered_core.reduction.checkpoint_parts import Piece, array_part, scalar_part
from livered_core.reduction.checkpoint_scipp import is_scipp, take_apart

DEEPEST: Final = 100
"""Most levels of a value; a value that holds itself has more than any number."""

_FLOAT: Final = struct.Struct("<d")
_LONG_TEXT: Final = 256
_LARGEST: Final = 2**62
_UNSET: Final = object()


class Refused(Exception):  # noqa: N818
    """Why a value cannot be held, and the steps to it, the last one first."""

    def __init__(self, value: Any, why: str) -> None:
        super().__init__(why)
        self.type_name = plain_name(type(value))
        self.why = why
        self.steps: list[str] = []


class TreeWriter:
    """Makes nodes of values, and collects the parts."""

    def __init__(self) -> None:
        self.descriptions: list[Any] = []
        self.pieces: list[Piece] = []
        self._known: dict[int, int] = {}
        # Of what is known by its id, so that nothing else gets the same.
        self._held: list[Any] = []

    def node(self, value: Any, depth: int) -> Any:
        """Write a value that is so many levels deep.

        Raises
        ------
        Refused
            When it cannot be held.
        """
        if depth > DEEPEST:
            raise Refused(value, f"more than {DEEPEST} levels deep, or holds itself")
        cls = type(value)
        if value is None or cls is bool:
            return value
        write = _WRITERS.get(cls)
        if write is not None:
            return write(self, value, depth)
        if isinstance(value, enum.Enum):
            return self._member(value)
        if isinstance(value, np.generic):
            return self._scalar(value)
        if is_scipp(value):
            return self._scipp(value, depth)
        return self._instance(value, depth)

    def _at(self, step: str, value: Any, depth: int) -> Any:
        try:
            return self.node(value, depth + 1)
        except Refused as refused:
            refused.steps.append(step)
            raise

    def _items(self, kind: str, values: Any, depth: int) -> list[Any]:
        node: list[Any] = [kind]
        for index, value in enumerate(values):
            try:
                node.append(self.node(value, depth + 1))
            except Refused as refused:
                refused.steps.append(f"[{index}]")
                raise
        return node

    def _int(self, value: int, _depth: int) -> Any:
        return value if -_LARGEST < value < _LARGEST else ["int", hex(value)]

    def _float(self, value: float, _depth: int) -> Any:
        return value if math.isfinite(value) else ["float", _FLOAT.pack(value).hex()]

    def _complex(self, value: complex, _depth: int) -> Any:
        return ["complex", _FLOAT.pack(value.real).hex(), _FLOAT.pack(value.imag).hex()]

    def _str(self, value: str, _depth: int) -> Any:
        if len(value) < _LONG_TEXT:
            # JSON would join two halves of a character that stand alone.
            is_whole = value.isascii() or not any("\ud800" <= character <= "\udfff" for character in value)
            return value if is_whole else ["text", value.encode("utf-32-le", "surrogatepass").hex()]
        return self._part(value, lambda: self._text(value))

    def _bytes(self, value: bytes, _depth: int) -> Any:
        return self._part(value, lambda: (["bytes", len(value)], value))

    def _tuple(self, value: tuple[Any, ...], depth: int) -> Any:
        return self._items("tuple", value, depth)

    def _list(self, value: list[Any], depth: int) -> Any:
        return self._items("list", value, depth)

    def _set(self, value: set[Any], depth: int) -> Any:
        return self._items("set", value, depth)

    def _frozenset(self, value: frozenset[Any], depth: int) -> Any:
        return self._items("frozenset", value, depth)

    def _dict(self, value: dict[Any, Any], depth: int) -> Any:
        node: list[Any] = ["dict"]
        for key, item in value.items():
            step = f'["{key}"]' if type(key) is str else f"[{key!r:.50}]" if type(key) is int else "[...]"
            node += [self._at(step, key, depth), self._at(step, item, depth)]
        return node

    def _array(self, value: np.ndarray[Any, Any], depth: int) -> Any:
        if value.dtype == np.dtype(object):
            return [
                "objects",
                list(value.shape),
                bool(value.flags.writeable),
                self._items("list", value.ravel().tolist(), depth),
            ]
        try:
            return self._part(value, lambda: array_part(value))
        except TypeError as error:
            raise Refused(value, str(error)) from None

    def _text(self, value: str) -> tuple[list[Any], Piece]:
        data = value.encode("utf-8", "surrogatepass")
        return ["text", len(data)], data

    def _part(self, value: Any, make: Callable[[], tuple[list[Any], Piece]]) -> list[Any]:
        number = self._known.get(id(value))
        if number is None:
            description, piece = make()
            number = self._known[id(value)] = len(self.pieces)
            self._held.append(value)
            self.descriptions.append(description)
            self.pieces.append(piece)
        return ["part", number]

    def _member(self, value: enum.Enum) -> list[Any]:
        cls = type(value)
        try:
            name = name_of(cls)
        except TypeError as error:
            raise Refused(value, str(error)) from None
        if cls.__members__.get(str(value.name)) is value:
            return ["member", name, value.name]
        if isinstance(value, enum.Flag) and type(value.value) is int:
            return ["flags", name, value.value]
        raise Refused(value, f"no named member of {plain_name(cls)}")

    def _scalar(self, value: np.generic) -> list[Any]:
        # Of exactly these types: numpy leaves out zeros at the end of what it reads as such a scalar.
        if type(value) is np.str_:
            return ["str_", self._str(str.__getitem__(value, slice(None)), 0)]
        if type(value) is np.bytes_:
            return ["bytes_", bytes(value).hex()]
        try:
            return ["scalar", *scalar_part(value)]
        except TypeError as error:
            raise Refused(value, str(error)) from None

    def _scipp(self, value: Any, depth: int) -> list[Any]:
        try:
            kind, parts = take_apart(value)
        except TypeError as error:
            raise Refused(value, str(error)) from None
        return ["scipp", kind, self._dict(parts, depth)]

    def _instance(self, value: Any, depth: int) -> list[Any]:
        cls = type(value)
        names = field_names(cls)
        if names is None or not can_be_made_empty(cls):
            raise Refused(value, with_article(cls))
        extra = extra_attribute(value, names)
        if extra:
            raise Refused(
                value, f"{with_article(cls)} with the attribute {extra}, which is none of its fields"
            )
        try:
            node: list[Any] = ["instance", name_of(cls)]
        except TypeError as error:
            raise Refused(value, str(error)) from None
        for name in names:
            item = getattr(value, name, _UNSET)
            node += [name, ["unset"] if item is _UNSET else self._at(f".{name}", item, depth)]
        if hasattr(value, CACHED_HASH):
            node += [CACHED_HASH, None]
        return node


_WRITERS: Final[dict[type, Callable[[TreeWriter, Any, int], Any]]] = {
    int: TreeWriter._int,
    float: TreeWriter._float,
    complex: TreeWriter._complex,
    str: TreeWriter._str,
    bytes: TreeWriter._bytes,
    tuple: TreeWriter._tuple,
    list: TreeWriter._list,
    set: TreeWriter._set,
    frozenset: TreeWriter._frozenset,
    dict: TreeWriter._dict,
    np.ndarray: TreeWriter._array,
}
