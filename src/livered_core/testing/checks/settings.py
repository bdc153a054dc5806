"""Checks of the settings: what people may write into ``[plugins.<name>]``."""

from __future__ import annotations

import datetime
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.config import Layer, merge, plain, structure
from livered_core.config.plugin_names import OWN_NAME
from livered_core.errors import ConfigError
from livered_core.testing.checks.finding import (
    CannotTell,
    Found,
    first_wrong,
    not_applicable,
    not_tried,
    ok,
    wrong,
)
from livered_core.testing.checks.subject import Subject

_NAME: Final = "checked"
_UNKNOWN_KEY: Final = "no_such_setting_xyz"
_OF_NO_TYPE: Final = datetime.date(2001, 1, 1)
"""TOML can say it, and nobody's setting is one."""
_GIVE: Final = "Give values with --config."
_MUTABLE: Final = (list, dict, set, bytearray)


def read_settings(cls: type, table: Any, name: str = _NAME) -> Any:
    """Read a table as livered reads ``[plugins.<name>]``.

    Parameters
    ----------
    cls
        The settings class.
    table
        What TOML gave.
    name
        Name of the table.

    Raises
    ------
    ConfigError
        With every problem.
    """
    layer = Layer("the checks' own table", {"instrument": "TST", "plugins": {name: table}}, Path.cwd())
    return structure(merge([layer]), {name: cls}, {}).plugins[name]


def _settings_class(subject: Subject) -> type:
    cls = subject.settings_class
    if cls is None:
        raise CannotTell(not_applicable("it has no settings."))
    if not attrs.has(cls):
        raise CannotTell(not_applicable("its settings_class is no attrs class; see the check before."))
    return cls


def settings_class(subject: Subject) -> Found:
    """See that the settings are an attrs class whose instances cannot be changed."""
    cls = subject.settings_class
    if cls is None:
        return not_applicable("it has no settings.")
    if not attrs.has(cls):
        said = getattr(cls, "__name__", repr(cls))
        return wrong(f"settings_class is {said}, which is no attrs class.", "Write it with @attrs.frozen.")
    tables = [("", cls), *_tables(cls)]
    open_ = [found.__name__ for _, found in tables if not _is_frozen(found)]
    if open_:
        return wrong(
            f"settings can be changed while livered runs: {', '.join(open_)} is not frozen.",
            "Write @attrs.frozen above it.",
        )
    if OWN_NAME in attrs.fields_dict(cls):
        return wrong(
            f"a setting is called {OWN_NAME}, a word that livered needs itself in the table of each plugin.",
            "Call it something else.",
        )
    shared = [path for path, field in _fields(cls) if isinstance(field.default, _MUTABLE)]
    if shared:
        return wrong(
            f"{', '.join(shared)} has a default that all instances share and anybody can change.",
            "Make it a tuple, or give factory=... in place of default=...",
        )
    n = sum(1 for _ in _fields(cls))
    return ok(f"{cls.__name__} is frozen and has {n} setting{'' if n == 1 else 's'}.")


def documented(subject: Subject) -> Found:
    """See that each setting says what it is for, and numbers in what unit."""
    cls = _settings_class(subject)
    found = []
    for path, field in _fields(cls):
        if not str(field.metadata.get("help", "")).strip():
            found.append(f"{path} does not say what it is for.")
        if _is_numeric(field.type) and "unit" not in field.metadata:
            found.append(f"{path} is a number and does not say its unit.")
    return first_wrong(
        found,
        'Give metadata={"help": "...", "unit": "..."} to attrs.field; a unit of "" says that there is none.',
        "each setting says what it is for, and numbers say their units.",
    )


def default_values(subject: Subject) -> Found:
    """See that all defaults are values that people could write."""
    cls, name = _settings_class(subject), subject.name
    needed = [path for path, field in _fields(cls) if field.default is attrs.NOTHING and "." not in path]
    if needed:
        many = len(needed) > 1
        sentence = f"{', '.join(needed)} {'have' if many else 'has'} no default: people have to give {'them' if many else 'it'}."
        return ok(sentence) if subject.settings is not None else not_tried(sentence, _GIVE)
    try:
        made = read_settings(cls, {}, name)
    except ConfigError as error:
        own = [
            said for path, field in _fields(cls) if "." not in path for said in _refusals(cls, name, field)
        ]
        if not own:
            # Each by itself is well: there is something that people have to give.
            sentence = f"without any value: {' '.join(error.problems)}"
            return ok(sentence) if subject.settings is not None else not_tried(sentence, _GIVE)
        return wrong(" ".join(own), "Give defaults that their own validators take.")
    try:
        again = read_settings(cls, _table_of(made), name)
    except ConfigError as error:
        return wrong(
            f"a default is no value that people could write: {' '.join(error.problems)}",
            "Let default and type agree; | None where there may be nothing.",
        )
    if plain(again) != plain(made):
        return wrong(
            "defaults that are written into a file are read as something else.",
            "Leave values as they are given.",
        )
    return ok("the defaults are values that people could write.")


def strict(subject: Subject) -> Found:
    """See that unknown keys and values of a wrong type are refused, with the path of the key."""
    cls = _settings_class(subject)
    paths = [path for path, _ in _fields(cls)]
    table: dict[str, Any] = {_UNKNOWN_KEY: 1}
    for path in paths:
        _put(table, path.split("."), _OF_NO_TYPE)
    try:
        read_settings(cls, table, subject.name)
        said: tuple[str, ...] = ()
    except ConfigError as error:
        said = error.problems
    found = [] if _is_named(subject.name, _UNKNOWN_KEY, said) else ["an unknown key is taken."]
    loose = [path for path in paths if not _is_named(subject.name, path, said)]
    found += [f"{path} takes a date, so its type says nothing." for path in loose]
    return first_wrong(
        found,
        "Say the type of each setting: a number, str, bool, Path, Literal[...], tuples of these, or | None.",
        "unknown keys and values of a wrong type are refused, with their path.",
    )


def own_check(subject: Subject) -> Found:
    """See that its own method `check`, if it has one, has nothing to say: livered asks it before it starts."""
    plugin = subject.loaded()
    if not hasattr(plugin.instance, "check"):
        return not_applicable("it has no method check.")
    try:
        said = plugin.instance.check()
    except (Exception, SystemExit) as error:  # noqa: BLE001  (a plugin's code)
        return wrong(
            f"its method check fails: {type(error).__name__}: {error}.",
            "Let it return a sentence for each problem.",
        )
    if isinstance(said, str) or not all(isinstance(each, str) for each in said):
        return wrong(
            f"its method check returns {said!r:.80}.",
            "Let it return a list of sentences, empty when all is well.",
        )
    return first_wrong(
        list(said), "Give settings with which it says nothing.", "its method check has nothing to say."
    )


def _refusals(cls: type, name: str, field: attrs.Attribute[Any]) -> list[str]:
    """Give what is said of a default that somebody writes down."""
    if field.default is None or isinstance(field.default, attrs.Factory):  # type: ignore[arg-type]
        return []
    try:
        read_settings(cls, {field.name: plain(field.default)}, name)
    except ConfigError as error:
        return [said for said in error.problems if said.startswith(f"plugins.{name}.{field.name} ")]
    return []


def _put(table: dict[str, Any], keys: list[str], value: Any) -> None:
    """Put a value into a table of tables."""
    for key in keys[:-1]:
        table = table.setdefault(key, {})
    table[keys[-1]] = value


def _is_named(name: str, path: str, problems: tuple[str, ...]) -> bool:
    """Tell whether a problem is of a key."""
    dotted = f"plugins.{name}.{path}"
    return any(problem.startswith((f"{dotted} ", f"{dotted}.", f"{dotted}[")) for problem in problems)


def _table_of(settings: Any) -> dict[str, Any]:
    """Write settings as a table: None is what is not there."""
    table = {}
    for field in attrs.fields(type(settings)):
        value = getattr(settings, field.name)
        if value is not None:
            table[field.name] = _table_of(value) if attrs.has(type(value)) else plain(value)
    return table


def _is_frozen(cls: type) -> bool:
    """Tell whether attrs has taken the setting of attributes away."""
    return "frozen" in getattr(cls.__setattr__, "__name__", "")


def _fields(cls: type, above: str = "") -> Iterator[tuple[str, attrs.Attribute[Any]]]:
    """Give the settings with their paths; those in a table in place of the table."""
    for field in _resolved(cls):
        if isinstance(field.type, type) and attrs.has(field.type):
            yield from _fields(field.type, f"{above}{field.name}.")
        else:
            yield f"{above}{field.name}", field


def _tables(cls: type, above: str = "") -> Iterator[tuple[str, type]]:
    for field in _resolved(cls):
        if isinstance(field.type, type) and attrs.has(field.type):
            yield f"{above}{field.name}", field.type
            yield from _tables(field.type, f"{above}{field.name}.")


def _resolved(cls: type) -> list[attrs.Attribute[Any]]:
    """Return the fields with their types, which may be written as texts."""
    try:
        hints = typing.get_type_hints(cls)
    except Exception:  # noqa: BLE001  (names that are there for type checkers alone)
        hints = {}
    return [field.evolve(type=hints.get(field.name, field.type)) for field in attrs.fields(cls)]


def _is_numeric(kind: Any) -> bool:
    if kind in (int, float):
        return True
    arguments = [each for each in typing.get_args(kind) if each not in (types.NoneType, Ellipsis)]
    if typing.get_origin(kind) is typing.Literal or not arguments:
        return False
    return all(_is_numeric(each) for each in arguments)
