"""Classes whose instances a checkpoint can hold: attrs classes, dataclasses and enumerations that can be found again."""

from __future__ import annotations

import dataclasses
import enum
import functools
import importlib
import re
import sys
from collections.abc import Callable
from typing import Any, Final

import attrs

_NAME: Final = re.compile(r"[^\W\d]\w*(\.[^\W\d]\w*)*:[^\W\d]\w*(\.[^\W\d]\w*)*")
CACHED_HASH: Final = "_attrs_cached_hash"
"""Where attrs keeps the hash of an instance, if it is asked to; it is computed again."""
_OF_PYTHON: Final = ("__weakref__", "__dict__", CACHED_HASH)


def name_of(cls: type) -> str:
    """Give the name under which a class is found again: ``module:Class``.

    Raises
    ------
    TypeError
        When it is not found under its name; the text goes on after "it is ".
    """
    name = f"{cls.__module__}:{cls.__qualname__}"
    if _NAME.fullmatch(name) is None or _look_up(cls.__module__, cls.__qualname__) is not cls:
        message = f"{with_article(cls)}, a class that its module does not have under that name"
        raise TypeError(message)
    return name


def with_article(cls: type) -> str:
    """Give the name of a class for people, with its article."""
    name = plain_name(cls)
    return f"{'an' if name[0].lower() in 'aeiou' else 'a'} {name}"


def plain_name(cls: type) -> str:
    """Give the name of a class for people."""
    return cls.__qualname__ if cls.__module__ == "builtins" else f"{cls.__module__}.{cls.__qualname__}"


def field_names(cls: type) -> tuple[str, ...] | None:
    """Give the names of the fields of an attrs class or a dataclass; None for a class that is neither."""
    if attrs.has(cls):
        return tuple(field.name for field in attrs.fields(cls))
    if dataclasses.is_dataclass(cls):
        return tuple(field.name for field in dataclasses.fields(cls))
    return None


def extra_attribute(instance: Any, names: tuple[str, ...]) -> str:
    """Name an attribute of an instance that is none of its fields and would be lost; empty where there is none.

    What a `functools.cached_property` has computed is not lost: it is computed again.
    """
    cls = type(instance)
    for name in getattr(instance, "__dict__", ()):
        if name not in names and name not in _OF_PYTHON and not _is_cached_property(cls, name):
            return str(name)
    for base in cls.__mro__:
        if "__attrs_attrs__" in base.__dict__ or "__dataclass_fields__" in base.__dict__:
            continue  # its slots are made of its fields
        slots = base.__dict__.get("__slots__", ())
        for name in (slots,) if isinstance(slots, str) else slots:
            if name not in names and name not in _OF_PYTHON and hasattr(instance, name):
                return str(name)
    return ""


def can_be_made_empty(cls: type) -> bool:
    """Tell whether an instance can be made without running code of the class."""
    new: object = cls.__new__
    return new is object.__new__


def find_class(name: str, allowed: Callable[[str], bool]) -> type:
    """Find a class by its name; its module is imported.

    Parameters
    ----------
    name
        As of `name_of`.
    allowed
        Says whether a module may be imported.

    Raises
    ------
    ValueError
        When the module may not be imported, cannot be, or does not have such a class.
    """
    if _NAME.fullmatch(name) is None:
        message = f"{name[:100]!r} is no name of a class"
        raise ValueError(message)
    module, _, path = name.partition(":")
    if not allowed(module) or "__main__" in module.split("."):
        message = f"classes of {module} are not taken from it"
        raise ValueError(message)
    try:
        importlib.import_module(module)
    except (Exception, SystemExit) as error:
        message = f"{module} cannot be imported ({type(error).__name__})"
        raise ValueError(message) from error
    found = _look_up(module, path)
    is_class = isinstance(found, type) and (found.__module__, found.__qualname__) == (module, path)
    if not is_class or not (issubclass(found, enum.Enum) or field_names(found) is not None):
        message = f"there is no attrs class, dataclass or enumeration {name}"
        raise ValueError(message)
    cls: type = found
    return cls


def _look_up(module: str, path: str) -> Any:
    found: Any = sys.modules.get(module)
    for name in path.split("."):
        found = getattr(found, name, None)
    return found


def _is_cached_property(cls: type, name: str) -> bool:
    return isinstance(getattr(cls, name, None), functools.cached_property)
