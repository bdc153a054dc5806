"""A published result as bytes that can be kept on disk, and back, exactly.

Layout: one line of text that names the version of the layout, the SHA-256 of all that follows (32 bytes), the length
of the header (8 bytes, little-endian), the header (JSON in ASCII), and the arrays that it lists, as little-endian
float64 one after the other. Nothing in it is ever executed.
"""

from __future__ import annotations

import hashlib
import json
import operator
import re
import struct
from collections.abc import Mapping
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import LiveredError
from livered_core.model import Curve, Image, Result, RunInfo, Update
from livered_core.publish.latest import Published

STORED_FORMAT: Final = 1
"""Version of the layout."""
_FIRST_LINE: Final = re.compile(rb"livered unsent result (\d{1,9})\n")
_LENGTH: Final = struct.Struct("<Q")
_SHA_BYTES: Final = 32
_FLOAT: Final = np.dtype("<f8")
_NOUNS: Final = ("result", "run", "update")


class StoredDamaged(LiveredError):  # noqa: N818  (reads as what happened)
    """The bytes are not those of a stored result, or not all of them, or others than were written."""


class StoredTooNew(LiveredError):  # noqa: N818
    """The bytes were written by a newer livered, in a layout that is not known here."""


def to_bytes(item: Published) -> bytes:
    """Write a published result as bytes.

    Parameters
    ----------
    item
        The result with its run, its update and whatever else is known of it.

    Returns
    -------
    bytes
        What `from_bytes` reads back: the same texts, whole numbers, bools and floats, NaN and infinities included.
    """
    arrays: list[npt.NDArray[np.float64]] = []

    def place(array: npt.NDArray[np.float64]) -> list[int]:
        arrays.append(array)
        return list(array.shape)

    result = item.result
    header = {
        **{f.name: getattr(item, f.name) for f in attrs.fields(Published) if f.name not in _NOUNS},
        "run": attrs.asdict(item.run, value_serializer=_as_dict),
        "update": attrs.asdict(item.update),
        "result": {
            "run_number": result.run_number,
            "title": result.title,
            "metadata": dict(result.metadata),
            "curves": [_described(curve, ("x", "y", "e"), place) for curve in result.curves],
            "images": [_described(image, ("x", "y", "z"), place) for image in result.images],
        },
    }
    text = json.dumps(header, default=_plain).encode("ascii")
    body = b"".join(
        [_LENGTH.pack(len(text)), text, *(array.astype(_FLOAT, copy=False).tobytes() for array in arrays)]
    )
    first = f"livered unsent result {STORED_FORMAT}\n".encode("ascii")
    return first + hashlib.sha256(body).digest() + body


def from_bytes(data: bytes) -> Published:
    """Read a published result that `to_bytes` wrote.

    Raises
    ------
    StoredDamaged
        When the bytes are not whole, were changed, or are something else.
    StoredTooNew
        When a newer livered wrote them.
    """
    body = _checked_body(data)
    try:
        (length,) = _LENGTH.unpack_from(body)
        header = json.loads(body[_LENGTH.size : _LENGTH.size + length].decode("ascii"))
        return _published(header, memoryview(body)[_LENGTH.size + length :])
    except (struct.error, ValueError, TypeError, KeyError, AttributeError, RecursionError) as error:
        message = f"it does not hold a result that this livered knows ({type(error).__name__}: {error})"
        raise StoredDamaged(message) from error


def _checked_body(data: bytes) -> bytes:
    match = _FIRST_LINE.match(data)
    if match is None:
        message = "it does not begin as a stored result does"
        raise StoredDamaged(message)
    version = int(match[1])
    if version != STORED_FORMAT:
        message = f"it has layout {version}, and this livered knows layout {STORED_FORMAT} only"
        raise StoredTooNew(message)
    checksum, body = data[match.end() :][:_SHA_BYTES], data[match.end() + _SHA_BYTES :]
    if hashlib.sha256(body).digest() != checksum:
        message = "its checksum is wrong: it was cut off or changed"
        raise StoredDamaged(message)
    return body


def _described(noun: Curve | Image, names: tuple[str, ...], place: Any) -> dict[str, Any]:
    plain = {f.name: getattr(noun, f.name) for f in attrs.fields(type(noun)) if f.name not in names}
    return {**plain, "metadata": dict(noun.metadata), "shapes": {n: place(getattr(noun, n)) for n in names}}


def _published(header: dict[str, Any], rest: memoryview) -> Published:
    offset = 0

    def arrays(shapes: Mapping[str, list[int]]) -> dict[str, Any]:
        nonlocal offset
        found: dict[str, Any] = {}
        for name, shape in shapes.items():
            count = 1
            for length in shape:
                count *= operator.index(length)
            found[name] = np.frombuffer(rest, _FLOAT, count, offset).reshape(shape)
            offset += count * _FLOAT.itemsize
        return found

    result = header["result"]
    curves = [Curve(**_known(Curve, curve), **arrays(curve["shapes"])) for curve in result["curves"]]
    images = [Image(**_known(Image, image), **arrays(image["shapes"])) for image in result["images"]]
    update = {**_known(Update, header["update"]), "missing": tuple(header["update"]["missing"])}
    nouns = {
        "result": Result(result["run_number"], result["title"], curves, images, result["metadata"]),
        "run": RunInfo(**_known(RunInfo, header["run"])),
        "update": Update(**update),
    }
    return Published(**{**_known(Published, header), **nouns})


def _known(noun: type, values: Mapping[str, Any]) -> dict[str, Any]:
    """Keep what the noun has: what a later livered of the same layout adds is passed over."""
    return {f.name: values[f.name] for f in attrs.fields(noun) if f.name in values}


def _as_dict(_noun: Any, _field: Any, value: Any) -> Any:
    return dict(value) if isinstance(value, Mapping) else value


def _plain(value: Any) -> Any:
    """Make numpy's scalars Python's; a noun may hold them where nothing checks it."""
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return dict(value)
    message = f"A stored result cannot hold a {type(value).__name__}."
    raise TypeError(message)
