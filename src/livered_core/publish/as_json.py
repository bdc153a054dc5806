"""Results, logs and states as JSON that any reader takes: strict, exact, and soon made.

Numbers are written so that they read back as the same float64; those that are not finite become ``null``. Long
columns are made in pieces, since other threads wait while one is made: a few milliseconds each.
"""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from typing import Any, Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.model import Curve, Image, SlowLog
from livered_core.publish.latest import Published

FORMAT: Final = 2
"""Version of the layout of the files in the run directory."""
MOST_LOGS: Final = 500
"""Logs that are shown."""
LONGEST_TEXT: Final = 200
"""Characters that are shown of a log's text."""
_FIRST_VALUES: Final = 8
_AT_ONCE: Final = 10_000
_SMALL: Final = 4096
"""Whole numbers below are looked up."""
_LARGEST_WHOLE: Final = 2.0**53
"""Whole numbers below are written with all their digits, and are exact as integers."""

F64 = npt.NDArray[np.float64]


def to_json(value: Any) -> str:
    """Write nested mappings, lists, texts and numbers as strict JSON in ASCII; numbers that are not finite as null."""
    return json.dumps(finite(value), allow_nan=False)


def lines_of(document: Mapping[str, Any]) -> Iterator[str]:
    """Write an object with one line for each of its keys, for people who look into the file."""
    between = "{\n "
    for key, value in document.items():
        yield f"{between}{json.dumps(key)}: {to_json(value)}"
        between = ",\n "
    yield "\n}\n"


def finite(value: Any) -> Any:
    """Copy nested mappings and lists with numpy's scalars made Python's and numbers that are not finite made None."""
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): finite(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [finite(item) for item in value]
    return value


class ResultEncoder:
    """Writes results in the layout of ``latest.json``; belongs to one thread.

    What stays the same from one result to the next, such as the edges of bins, is not written anew.
    """

    def __init__(self) -> None:
        self._known: dict[bytes, str] = {}
        self._used: dict[bytes, str] = {}
        self._small = tuple(f"{number}.0" for number in range(_SMALL))

    def parts(self, item: Published) -> Iterator[str]:
        """Write a result in parts that follow each other in the file."""
        self._known, self._used = self._used, {}
        head = {
            "format": FORMAT,
            "session": item.session,
            "version": item.version,
            "published_ns": item.published_ns,
            "run": attrs.asdict(item.run),
            "update": attrs.asdict(item.update),
            "title": item.result.title,
            "metadata": item.result.metadata,
        }
        yield f'{_open(head)},\n"curves": ['
        between = "\n"
        for curve in item.result.curves:
            yield between
            yield from self._curve(curve)
            between = ",\n"
        yield '],\n"images": ['
        between = "\n"
        for image in item.result.images:
            yield between
            yield from self._image(image)
            between = ",\n"
        yield "]}\n"

    def _curve(self, curve: Curve) -> Iterator[str]:
        names = ("label", "x_name", "x_unit", "y_name", "y_unit", "metadata")
        yield _open({name: getattr(curve, name) for name in names})
        yield f', "x": {self._edges(curve.x)}'
        yield f', "y": {numbers(curve.y)}'
        yield f', "e": {numbers(curve.e)}}}'

    def _image(self, image: Image) -> Iterator[str]:
        names = ("label", "x_unit", "y_unit", "z_unit", "metadata")
        yield _open({name: getattr(image, name) for name in names})
        yield f', "x": {self._edges(image.x)}, "y": {self._edges(image.y)}, "z": ['
        between = ""
        at_once = max(1, _AT_ONCE // max(1, image.z.shape[1]))
        for start in range(0, len(image.z), at_once):
            for row in self._rows(image.z[start : start + at_once]):
                yield f"{between}{row}"
                between = ", "
        yield "]}"

    def _rows(self, values: F64) -> Iterator[str]:
        """Write some rows; counts, which most images hold, in a third of the time."""
        whole = _whole(values)
        if whole is None:
            yield from (numbers(row) for row in values)
        elif whole.size and whole.max() < _SMALL:
            small = self._small
            yield from (f"[{', '.join([small[number] for number in row])}]" for row in whole.tolist())
        else:
            yield from (_with_points(row) for row in whole.tolist())

    def _edges(self, values: F64) -> str:
        key = values.tobytes()
        text = self._used.get(key) or self._known.get(key) or numbers(values)
        self._used[key] = text
        return text


def numbers(values: F64) -> str:
    """Write a column, float64[n], as a list of numbers and nulls."""
    pieces = (values[start : start + _AT_ONCE] for start in range(0, len(values), _AT_ONCE))
    return f"[{', '.join(_piece(piece) for piece in pieces)}]"


def _whole(values: F64) -> npt.NDArray[np.int64] | None:
    """Return numbers as integers where all of them are whole, and not below 0 (nor the 0 that has a sign); else None."""
    # What is not a number compares as false.
    if not bool((values < _LARGEST_WHOLE).all()) or bool(np.signbit(values).any()):
        return None
    whole = values.astype(np.int64)
    return whole if bool((whole == values).all()) else None


def _with_points(numbers: list[int]) -> str:
    """Write integers as the list of floats that they are."""
    return f"[{', '.join([f'{number}.0' for number in numbers])}]"


def _piece(values: F64) -> str:
    column: list[float | None] = values.tolist()
    for index in np.flatnonzero(~np.isfinite(values)).tolist():
        column[index] = None
    return json.dumps(column, allow_nan=False)[1:-1]


def newest_values(logs: Mapping[str, SlowLog]) -> tuple[list[dict[str, Any]], int]:
    """Return the newest value of each log, by name, and how many logs were left out.

    Parameters
    ----------
    logs
        Of the newest chunk.

    Returns
    -------
    values, left_out
        At most `MOST_LOGS` of ``{"name", "device", "unit", "value", "time_ns"}``; long texts and arrays are shortened.
    """
    shown = []
    for name in sorted(logs)[:MOST_LOGS]:
        log = logs[name]
        if not len(log.value):
            continue
        shown.append(
            {
                "name": _short(log.name),
                "device": _short(log.device),
                "unit": _short(log.unit),
                "value": _value(log.last),
                "time_ns": int(log.time_ns[-1]),
            }
        )
    return shown, max(0, len(logs) - MOST_LOGS)


def _value(value: float | str | F64) -> float | str:
    if isinstance(value, np.ndarray):
        flat = value.ravel()
        text = ", ".join(f"{number:.6g}" for number in flat[:_FIRST_VALUES].tolist())
        return text if flat.size <= _FIRST_VALUES else f"{text}, ... ({flat.size} values)"
    return _short(value) if isinstance(value, str) else value


def _short(text: str) -> str:
    return text if len(text) <= LONGEST_TEXT else f"{text[: LONGEST_TEXT - 3]}..."


def _open(head: Mapping[str, Any]) -> str:
    """Write an object that has keys and is not closed yet."""
    return to_json(head)[:-1]
