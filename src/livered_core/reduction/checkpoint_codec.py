"""What a run has accumulated as bytes, and back, exactly. Nothing that is read is executed.

Layout: the length of the header (8 bytes, little-endian), the header (JSON in ASCII), and the parts that it lists, one
after the other: arrays, long texts and bytes as they are. In the header ``parts`` describes them and ``value`` is a
tree of nodes. None, bools, whole numbers, finite floats and short texts stand for themselves; any other node is a list
that begins with its kind.

An instance of an attrs class or a dataclass is kept as all its fields, and made again by setting them: no constructor,
converter or validator is run, so that it is what it was. What was shared is shared again if it is an array, a long text
or bytes; containers are written as often as they occur.
"""

from __future__ import annotations

import json
import struct
from collections.abc import Callable
from typing import Any, Final

from livered_core.errors import LiveredError
from livered_core.reduction.checkpoint_parts import Piece
from livered_core.reduction.checkpoint_reading import TreeReader
from livered_core.reduction.checkpoint_writing import Refused, TreeWriter

CODEC_LAYOUT: Final = 1
"""Version of the layout: part of that of a checkpoint."""

_LENGTH: Final = struct.Struct("<Q")


class NotStorable(LiveredError):  # noqa: N818  (reads as what it is)
    """A value that a checkpoint cannot hold.

    Attributes
    ----------
    type_name
        Of what cannot be held, for people.
    path
        Where it is, such as ``accumulated.histograms["Q"]``.
    """

    def __init__(self, type_name: str, path: str, why: str) -> None:
        self.type_name = type_name
        self.path = path
        self.why = why
        super().__init__(
            f"A checkpoint cannot hold {path or 'it'}: it is {why}. Hold numpy arrays, numbers, texts, lists, "
            "dictionaries, attrs classes and dataclasses instead."
        )


class CodecDamaged(LiveredError):  # noqa: N818
    """The bytes are not those of a value, or not all of them, or of classes that are not taken from it."""


def encode(value: Any, root: str = "") -> list[Piece]:
    """Write a value as bytes.

    Parameters
    ----------
    value
        None, bool, int, float, complex, str, bytes, tuple, list, dict, set, frozenset, members of enumerations, numpy
        arrays and scalars, and instances of attrs classes and dataclasses, of exactly these types; and arrays of scipp
        (`livered_core.reduction.checkpoint_scipp`).
    root
        What to call it in an error.

    Returns
    -------
    list of bytes and memoryview
        To be written one after the other. The views are of the arrays themselves: these must stay as they are
        until the pieces have been written.

    Raises
    ------
    NotStorable
        When something in it cannot be held.
    """
    writer = TreeWriter()
    try:
        tree = writer.node(value, 0)
    except Refused as refused:
        path = "".join([root, *reversed(refused.steps)]).lstrip(".")
        raise NotStorable(refused.type_name, path, refused.why) from None
    header = json.dumps(
        {"parts": writer.descriptions, "value": tree}, separators=(",", ":"), allow_nan=False
    ).encode("ascii")
    return [_LENGTH.pack(len(header)), header, *writer.pieces]


def decode(data: bytes | bytearray | memoryview, allowed: Callable[[str], bool]) -> Any:
    """Read a value that `encode` wrote.

    Parameters
    ----------
    data
        The pieces, joined.
    allowed
        Says of the name of a module whether classes may be taken from it.

    Returns
    -------
    Any
        An equal value. Its arrays have memory of their own, and are read-only where they were.

    Raises
    ------
    CodecDamaged
        Whatever is wrong with the bytes.
    """
    view = memoryview(data)
    try:
        (length,) = _LENGTH.unpack_from(view)
        header = json.loads(bytes(view[_LENGTH.size : _LENGTH.size + length]).decode("ascii"))
        return TreeReader(header["parts"], view[_LENGTH.size + length :], allowed).value(header["value"])
    except (
        struct.error,
        ValueError,
        TypeError,
        KeyError,
        IndexError,
        AttributeError,
        OverflowError,
        RecursionError,
        MemoryError,
    ) as error:
        message = f"it does not hold what this livered knows ({type(error).__name__}: {str(error)[:200]})"
        raise CodecDamaged(message) from error
