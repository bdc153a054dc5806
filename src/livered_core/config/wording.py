"""Words for types and values in sentences about the configuration."""

from __future__ import annotations

import enum
import re
import types
from collections.abc import Iterable, Mapping
from datetime import date, datetime, time
from pathlib import Path, PurePath
from typing import Any, Literal, Union, get_args, get_origin

from livered_core.config.secrets import mentions_secret
from livered_core.config.toml import toml_value

_LONGEST = 60
_LOGIN = re.compile(r"[^\s/\"'@]*:[^\s/\"'@]*@")
_SIMPLE = {
    str: "text",
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    Path: "a path",
    Any: "any value",
}


def wanted(kind: Any) -> str:
    """Say what a type is in TOML, for example ``a list of text``."""
    if kind in _SIMPLE:
        return _SIMPLE[kind]
    origin, arguments = get_origin(kind), get_args(kind)
    if origin is Literal:
        return one_of(arguments)
    if is_union(kind):
        return " or ".join(wanted(member) for member in arguments if member is not type(None))
    if isinstance(kind, type) and issubclass(kind, enum.Enum):
        return one_of(member.value for member in kind)
    container = origin or kind
    if container in (tuple, list, set, frozenset) or (
        isinstance(container, type) and not _is_table(container)
    ):
        members = [argument for argument in arguments if argument is not Ellipsis]
        if container is tuple and members and Ellipsis not in arguments:
            return f"a list of {len(members)}: {', '.join(wanted(member) for member in members)}"
        return f"a list of {wanted(members[0])}" if members else "a list"
    return "a table"


def _is_table(container: type) -> bool:
    return issubclass(container, Mapping) or hasattr(container, "__attrs_attrs__")


def is_union(kind: Any) -> bool:
    """Tell whether a type is ``A | B`` or ``Union[A, B]``."""
    return get_origin(kind) in (Union, types.UnionType)


def one_of(choices: Iterable[Any]) -> str:
    """Write choices for people: ``one of "auto", "native"``."""
    return f"one of {', '.join(toml_value(choice) for choice in choices)}"


def found(value: Any) -> str:
    """Say what a value is, for example ``the text "30"``; long ones are cut, logins in addresses hidden."""
    if isinstance(value, bool):
        return toml_value(value)
    if isinstance(value, str | PurePath):
        return (
            f"the text {shown(value)}" if not mentions_secret(str(value)) else "a text that may hold a secret"
        )
    if isinstance(value, int):
        return f"the whole number {shown(value)}"
    if isinstance(value, float):
        return f"the number {shown(value)}"
    if isinstance(value, datetime | date | time):
        return f"the date or time {shown(value)}"
    if isinstance(value, Mapping):
        return "a table"
    if isinstance(value, list | tuple):
        return "a list"
    return f"a value of type {type(value).__name__}"


def shown(value: Any) -> str:
    """Write a value as TOML for a sentence: long ones are cut, logins in addresses hidden."""
    if isinstance(value, str | PurePath):
        text = _LOGIN.sub("***@", str(value))
        return toml_value(text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...")
    text = toml_value(value)
    return text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
