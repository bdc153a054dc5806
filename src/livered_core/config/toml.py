"""Read and write TOML: text to plain values, values and paths of keys to text."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Mapping, Sequence
from datetime import date, datetime, time
from importlib import import_module
from pathlib import PurePath
from typing import Any

from livered_core.errors import ConfigError

MAX_DEPTH = 32
"""Tables and lists may be nested this deep."""

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
_POSITION = re.compile(r"\s*\(at (?:line (?P<line>\d+), column (?P<column>\d+)|end of document)\)\s*$")
# What a terminal could take as a command, and what TOML wants escaped: DEL and the C1 control characters.
_CONTROLS = re.compile("[\x7f-\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")


def parse_toml(text: str, origin: str) -> dict[str, Any]:
    """Read a TOML document.

    Parameters
    ----------
    text
        The document.
    origin
        Where it is from, for the sentence of an error.

    Raises
    ------
    ConfigError
        When it is not TOML or nested deeper than `MAX_DEPTH`; the sentence names origin, line and column.
    """
    # The type checker reads this for Python 3.10, where neither module need be installed on its machine.
    toml = import_module("tomllib" if sys.version_info >= (3, 11) else "tomli")
    try:
        values: dict[str, Any] = toml.loads(text)
    except RecursionError:
        message = f"{origin} is nested too deep: tables and lists may be nested {MAX_DEPTH} deep."
        raise ConfigError(message) from None
    except ValueError as error:  # TOMLDecodeError, and integers with thousands of digits
        what = str(error)
        where = "at its end"
        position = _POSITION.search(what)
        if position and position["line"]:
            where = f"on line {position['line']}, column {position['column']}"
        elif not position:
            where = "in a value"
        what = _POSITION.sub("", what).partition(";")[0].rstrip(".")
        message = f"{origin} is not valid TOML {where}: {what[:1].lower()}{what[1:]}; correct it there."
        raise ConfigError(message) from None
    if _depth_exceeds(values, MAX_DEPTH):
        message = f"{origin} is nested too deep: tables and lists may be nested {MAX_DEPTH} deep."
        raise ConfigError(message)
    return values


def _depth_exceeds(values: Any, limit: int) -> bool:
    level: list[Any] = [values]
    for _ in range(limit):
        below: list[Any] = []
        for item in level:
            if isinstance(item, Mapping):
                below.extend(item.values())
            elif isinstance(item, list | tuple):
                below.extend(item)
        level = [item for item in below if isinstance(item, Mapping | list | tuple)]
        if not level:
            return False
    return True


def dotted(path: Sequence[str | int]) -> str:
    """Write the path of a key as TOML does, for example ``plugins.nom.calibration``.

    Parameters
    ----------
    path
        Keys from the outermost table inwards. A number is a position in a list, counted from 0, and is written
        ``banks[2]``. Keys that are not bare keys of TOML are quoted, so that different paths are never written
        alike.
    """
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        key = part if _BARE_KEY.fullmatch(part) else _quoted(part)
        text += f".{key}" if text else key
    return text


def toml_value(value: Any) -> str:
    """Write a value as TOML on one line.

    Parameters
    ----------
    value
        Text, number, bool, time, path, or a list or mapping of these. Text is escaped: no control character
        gets out. None, which TOML does not have, is written ``nothing``; anything else as Python writes it.
    """
    if value is None:
        return "nothing"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, str | PurePath):
        return _quoted(str(value))
    if isinstance(value, int | float):
        return _number(value)
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    if isinstance(value, Mapping):
        inner = ", ".join(f"{dotted([str(key)])} = {toml_value(item)}" for key, item in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if isinstance(value, list | tuple | set | frozenset):
        return f"[{', '.join(toml_value(item) for item in value)}]"
    return _quoted(repr(value))


def _number(value: float) -> str:
    try:
        return repr(value)
    except ValueError:  # Python does not write integers of thousands of digits
        return "a number with thousands of digits"


def _quoted(text: str) -> str:
    text = _SURROGATES.sub("\N{REPLACEMENT CHARACTER}", text)
    escaped = json.dumps(text, ensure_ascii=False)
    return _CONTROLS.sub(lambda match: f"\\u{ord(match[0]):04x}", escaped)
