"""A value from its tree of nodes and the parts beside it; see `livered_core.reduction.checkpoint_codec`."""

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
    field_names,
    find_class,
)
from livered_core.reduction.checkpoint_parts import read_array, read_scalar, read_shape
from livered_core.reduction.checkpoint_scipp import put_together

_FLOAT: Final = struct.Struct("<d")


class TreeReader:
    """Makes values of nodes; whatever is wrong with them raises one of the errors that Python has for such."""

    def __init__(self, descriptions: Any, rest: memoryview, allowed: Callable[[str], bool]) -> None:
        self._allowed = allowed
        self._descriptions = descriptions
        self._pieces: list[memoryview] = []
        self._read: dict[int, Any] = {}
        self._classes: dict[str, type] = {}
        begin = 0
        for description in descriptions:
            length = _whole(description[1])
            self._pieces.append(rest[begin : begin + length])
            begin += length
        if begin != len(rest) or any(
            len(piece) != description[1]
            for piece, description in zip(self._pieces, descriptions, strict=True)
        ):
            message = f"its parts have {begin} bytes, and there are {len(rest)}"
            raise ValueError(message)

    def value(self, node: Any) -> Any:
        """Make the value of a node."""
        if not isinstance(node, list):
            if isinstance(node, dict):
                message = "a table stands where a node belongs"
                raise TypeError(message)
            return node
        read: Callable[[TreeReader, list[Any]], Any] = _READERS[node[0]]
        return read(self, node)

    def _tuple(self, node: list[Any]) -> Any:
        return tuple([self.value(item) for item in node[1:]])

    def _list(self, node: list[Any]) -> Any:
        return [self.value(item) for item in node[1:]]

    def _set(self, node: list[Any]) -> Any:
        return {self.value(item) for item in node[1:]}

    def _frozenset(self, node: list[Any]) -> Any:
        return frozenset(self.value(item) for item in node[1:])

    def _dict(self, node: list[Any]) -> Any:
        return {self.value(key): self.value(item) for key, item in zip(node[1::2], node[2::2], strict=True)}

    def _part(self, node: list[Any]) -> Any:
        _, number = node
        if number not in self._read:
            description, piece = self._descriptions[_whole(number)], self._pieces[number]
            kind = description[0]
            if kind == "array":
                self._read[number] = read_array(description, piece)
            elif kind == "text":
                self._read[number] = bytes(piece).decode("utf-8", "surrogatepass")
            elif kind == "bytes":
                self._read[number] = bytes(piece)
            else:
                message = f"{kind!r:.50} is no kind of part"
                raise ValueError(message)
        return self._read[number]

    def _objects(self, node: list[Any]) -> Any:
        _, shape, writeable, items = node
        values, lengths = self.value(items), read_shape(shape)
        if (
            not isinstance(values, list)
            or math.prod(lengths) != len(values)
            or not isinstance(writeable, bool)
        ):
            message = f"an array of objects of shape {lengths} does not fit its items"
            raise ValueError(message)
        flat = np.empty(len(values), object)
        # One by one: numpy would look into what is itself a sequence.
        for index, value in enumerate(values):
            flat[index] = value
        array = flat.reshape(lengths)
        array.flags.writeable = writeable
        return array

    def _member(self, node: list[Any]) -> Any:
        _, name, member = node
        return self._enumeration(name).__members__[member]

    def _flags(self, node: list[Any]) -> Any:
        _, name, number = node
        cls = self._enumeration(name)
        if not issubclass(cls, enum.Flag) or not isinstance(number, int):
            message = f"{name} has no flags"
            raise ValueError(message)
        return cls(number)

    def _instance(self, node: list[Any]) -> Any:
        cls = self._class(node[1])
        fields = dict(zip(node[2::2], node[3::2], strict=True))
        names = field_names(cls)
        if names is None or not can_be_made_empty(cls) or set(fields) - {CACHED_HASH} != set(names):
            message = f"the fields of {node[1]} are others"
            raise ValueError(message)
        made: Any = object.__new__(cls)
        for name, item in fields.items():
            if item != ["unset"]:
                object.__setattr__(made, name, self.value(item))
        return made

    def _enumeration(self, name: Any) -> type[enum.Enum]:
        cls = self._class(name)
        if not issubclass(cls, enum.Enum):
            message = f"{name} is no enumeration"
            raise ValueError(message)
        return cls

    def _class(self, name: Any) -> type:
        if name not in self._classes:
            self._classes[name] = find_class(name, self._allowed)
        return self._classes[name]


def _whole(number: Any) -> int:
    if type(number) is not int or number < 0:
        message = f"{number!r:.50} stands where a number of bytes or parts belongs"
        raise ValueError(message)
    return number


def _double(text: str) -> float:
    number: float = _FLOAT.unpack(bytes.fromhex(text))[0]
    return number


_READERS: Final[dict[str, Callable[[TreeReader, list[Any]], Any]]] = {
    "int": lambda _, node: int(node[1], 16),
    "float": lambda _, node: _double(node[1]),
    "complex": lambda _, node: complex(_double(node[1]), _double(node[2])),
    "text": lambda _, node: bytes.fromhex(node[1]).decode("utf-32-le", "surrogatepass"),
    "str_": lambda reader, node: np.str_(reader.value(node[1])),
    "bytes_": lambda _, node: np.bytes_(bytes.fromhex(node[1])),
    "scalar": lambda _, node: read_scalar(node[1], node[2]),
    "tuple": TreeReader._tuple,
    "list": TreeReader._list,
    "set": TreeReader._set,
    "frozenset": TreeReader._frozenset,
    "dict": TreeReader._dict,
    "part": TreeReader._part,
    "objects": TreeReader._objects,
    "member": TreeReader._member,
    "flags": TreeReader._flags,
    "scipp": lambda reader, node: put_together(node[1], reader.value(node[2])),
    "instance": TreeReader._instance,
}
