"""The public names and how they are called, one line each.

``python tests/public/listing.py`` writes ``tests/public/names.txt`` anew: its change is what a reviewer looks at.
"""

from __future__ import annotations

import enum
import importlib
import inspect
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import attrs

from livered_core.hooks.inspection import HOOKS
from livered_core.hooks.spec import LiveredHooks

PACKAGES = (
    "livered_core",
    "livered_core.diffraction",
    "livered_core.geometry",
    "livered_core.references",
    "livered_core.workspaces",
    "livered_core.testing",
)
FILE = Path(__file__).with_name("names.txt")


def names_of(package: str) -> Iterator[str]:
    """Give a line for each public name of a package, and for each public method and property of its classes."""
    module = importlib.import_module(package)
    for name in sorted(module.__all__):
        yield from _lines(f"{package}.{name}", getattr(module, name))


def _lines(path: str, thing: Any) -> Iterator[str]:
    # On Python 3.10 an alias such as Callable[[int], None] passes for a class.
    if not isinstance(thing, type) or hasattr(thing, "__origin__"):
        yield f"{path}{_call(thing)}" if inspect.isroutine(thing) else f"{path}: {_kind(thing)}"
        return
    if issubclass(thing, enum.Enum):
        yield f"{path}: {', '.join(member.name for member in thing)}"
        return
    if attrs.has(thing):
        yield f"{path}({', '.join(_field(field) for field in attrs.fields(thing) if field.init)})"
    elif issubclass(thing, Exception):
        yield f"{path}: {thing.__mro__[1].__name__}"
    else:
        yield f"{path}{_call(thing)}"
    for name, member in sorted(vars(thing).items()):
        if name.startswith("_") or issubclass(thing, Exception):
            continue
        if isinstance(member, property):
            yield f"{path}.{name}"
        elif inspect.isfunction(member):
            yield f"{path}.{name}{_call(member)}"
        elif isinstance(member, classmethod | staticmethod):
            yield f"{path}.{name}{_call(member.__func__)}"


def _kind(thing: Any) -> str:
    """Tell what a name that is no class and no function stands for; a type's own name differs between Pythons."""
    simple = int, float, str, tuple, enum.Enum
    return type(thing).__name__ if isinstance(thing, simple) else "object"


def _field(field: attrs.Attribute[Any]) -> str:
    name = field.alias or field.name
    return name + ("" if field.default is attrs.NOTHING else "=") + (" kw" if field.kw_only else "")


def _call(function: Any) -> str:
    try:
        parameters = inspect.signature(function).parameters.values()
    except ValueError:
        return "(...)"
    parts = []
    for parameter in parameters:
        if parameter.name in ("self", "cls"):
            continue
        stars = {parameter.VAR_POSITIONAL: "*", parameter.VAR_KEYWORD: "**"}.get(parameter.kind, "")
        keyword = " kw" if parameter.kind is parameter.KEYWORD_ONLY else ""
        parts.append(stars + parameter.name + ("" if parameter.default is parameter.empty else "=") + keyword)
    return f"({', '.join(parts)})"


def hooks() -> Iterator[str]:
    """Give a line for each hook that a plugin may implement."""
    for name in HOOKS:
        yield f"hook {name}{_call(getattr(LiveredHooks, name))}"


def listing() -> str:
    """Return all lines."""
    lines = [*hooks(), *(line for package in PACKAGES for line in names_of(package))]
    return "".join(f"{line}\n" for line in lines)


if __name__ == "__main__":
    FILE.write_text(listing(), encoding="utf-8")
