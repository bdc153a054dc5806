"""How single values, lists and tables become typed objects: the rules, as hooks of a cattrs converter.

Every value travels with its path and its source (`Given`), so that a problem can say where it is, and a relative
path can be taken relative to the file it stands in.
"""

from __future__ import annotations

import enum
import math
import types
from collections.abc import Callable, Mapping, MutableMapping, MutableSequence, Sequence
from collections.abc import Set as AbstractSet
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import attrs
import cattrs

from livered_core.config.layers import EnvironmentText
from livered_core.config.paths import expand_path
from livered_core.config.problems import Given, Place, Problem, Problems, mismatch, refuse
from livered_core.config.tables import Reader, TableReader
from livered_core.config.validators import suggestion
from livered_core.config.wording import found, is_union, shown, wanted

_LISTS = (list, tuple, set, frozenset, Sequence, MutableSequence, AbstractSet)
_TABLES = (dict, Mapping, MutableMapping)


def make_converter(place: Place) -> cattrs.Converter:
    """Make a converter whose hooks take a `Given` and raise nothing but `Problems`.

    Parameters
    ----------
    place
        Surroundings of the values.

    Returns
    -------
    cattrs.Converter
        ``structure(given, kind)`` for text, numbers, bools, paths, literals, enumerations, unions, lists, tuples,
        sets, mappings with text keys, and attrs classes of these.
    """
    converter = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)

    def reading(read: Reader) -> Reader:
        return lambda given, kind: _read_environment_text(read, given, kind)

    def attrs_factory(kind: Any) -> Reader:
        return reading(TableReader(place, converter, kind))

    by_kind: list[tuple[Callable[[Any], bool], Reader]] = [
        # The last one that fits counts.
        (lambda kind: True, _read_unsupported),
        (lambda kind: kind is Any or kind is object, lambda given, _kind: given.value),
        (_in(_LISTS), lambda given, kind: _read_list(converter, given, kind)),
        (_in(_TABLES), lambda given, kind: _read_mapping(place, converter, given, kind)),
        (lambda kind: get_origin(kind) is Literal, _read_literal),
        (is_union, lambda given, kind: _read_union(converter, given, kind)),
    ]
    for predicate, read in by_kind:
        converter.register_structure_hook_func(predicate, reading(read))
    by_class: dict[Any, Reader] = {
        enum.Enum: _read_enum,
        str: _read_text,
        bool: _read_bool,
        int: _read_int,
        float: _read_float,
        Path: lambda given, kind: _read_path(place, given, kind),
    }
    for cls, read in by_class.items():
        converter.register_structure_hook(cls, reading(read))
    converter.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and attrs.has(kind), attrs_factory
    )
    return converter


def _in(kinds: tuple[Any, ...]) -> Callable[[Any], bool]:
    return lambda kind: (get_origin(kind) or kind) in kinds


def _read_environment_text(read: Reader, given: Given, kind: Any) -> Any:
    """Try the text of an environment variable as a TOML value first, then as it is."""
    if not isinstance(given.value, EnvironmentText):
        return read(given, kind)
    as_text = attrs.evolve(given, value=str(given.value))
    document = given.value.as_toml()
    if not document:
        return read(as_text, kind)
    try:
        return read(attrs.evolve(given, value=document["value"]), kind)
    except Problems as error:
        try:
            return read(as_text, kind)
        except Problems:
            raise error from None


def _read_unsupported(given: Given, kind: Any) -> Any:
    raise refuse(
        given, f"cannot be read: its type {kind} is not one that a configuration can hold; report it"
    )


def _read_text(given: Given, kind: Any) -> str:
    if not isinstance(given.value, str):
        hint = "" if isinstance(given.value, Mapping | list | tuple) else "put it in quotes"
        raise mismatch(given, kind, hint)
    try:
        given.value.encode()
    except UnicodeEncodeError:
        raise refuse(given, "must be UTF-8 text, and has bytes that are not") from None
    return str(given.value)


def _read_bool(given: Given, kind: Any) -> bool:
    if not isinstance(given.value, bool):
        raise mismatch(given, kind)
    return given.value


def _read_int(given: Given, kind: Any) -> int:
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int):
        hint = ""
        if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
            hint = f"write {int(value)}"
        elif isinstance(value, str) and value.strip().lstrip("+-").isdecimal():
            hint = "take the quotes off"
        raise mismatch(given, kind, hint)
    return value


def _read_float(given: Given, kind: Any) -> float:
    value = given.value
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise mismatch(given, kind, "take the quotes off" if _is_number(value) else "")
    try:
        number = float(value)
    except OverflowError:
        number = math.inf
    if not math.isfinite(number):
        raise refuse(given, f"must be a finite number, not {shown(value)}")
    return number


def _is_number(value: Any) -> bool:
    try:
        return isinstance(value, str) and math.isfinite(float(value))
    except ValueError:
        return False


def _read_path(place: Place, given: Given, kind: Any) -> Path:
    if isinstance(given.value, Path):
        given = attrs.evolve(given, value=str(given.value))
    if not isinstance(given.value, str):
        raise mismatch(given, kind)
    try:
        return expand_path(_read_text(given, str), given.source.base_dir, place.environ)
    except ValueError as error:
        raise refuse(given, str(error)) from None


def _read_literal(given: Given, kind: Any) -> Any:
    for choice in get_args(kind):
        if type(choice) is type(given.value) and choice == given.value:
            return choice
    raise _refuse_choice(given, kind, get_args(kind))


def _read_enum(given: Given, kind: Any) -> Any:
    for member in kind:
        if type(member.value) is type(given.value) and member.value == given.value:
            return member
    raise _refuse_choice(given, kind, [member.value for member in kind])


def _refuse_choice(given: Given, kind: Any, choices: Sequence[Any]) -> Problems:
    near = ""
    if isinstance(given.value, str):
        near = suggestion(given.value, [choice for choice in choices if isinstance(choice, str)])
    hint = f"; did you mean {shown(near)}?" if near else ""
    return refuse(given, f"must be {wanted(kind)}, not {found(given.value)}{hint}")


def _read_union(converter: cattrs.Converter, given: Given, kind: Any) -> Any:
    members = [member for member in get_args(kind) if member is not types.NoneType]
    optional = len(members) < len(get_args(kind))
    # TOML has no "nothing": an empty text takes away what a weaker layer set.
    if optional and (given.value is None or given.value == ""):
        return None
    problems: list[Problem] = []
    for member in members:
        try:
            return converter.structure(given, member)
        except Problems as error:
            problems = list(error.problems)
    if len(members) == 1:
        raise Problems(problems)
    raise mismatch(given, kind)


def _read_list(converter: cattrs.Converter, given: Given, kind: Any) -> Any:
    if not isinstance(given.value, list | tuple):
        raise mismatch(given, kind)
    container, arguments = get_origin(kind) or kind, get_args(kind)
    kinds: list[Any] = [arguments[0] if arguments else Any] * len(given.value)
    if container is tuple and arguments and Ellipsis not in arguments:
        kinds = list(arguments)
        if len(kinds) != len(given.value):
            raise refuse(given, f"must be {wanted(kind)}; it has {len(given.value)}")
    items: list[Any] = []
    problems: list[Problem] = []
    for index, (value, item_kind) in enumerate(zip(given.value, kinds, strict=True)):
        try:
            items.append(converter.structure(Given((*given.path, index), value, given.source), item_kind))
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    makers: dict[Any, Callable[[list[Any]], Any]] = {
        list: list,
        MutableSequence: list,
        set: set,
        frozenset: frozenset,
        AbstractSet: frozenset,
    }
    try:
        return makers.get(container, tuple)(items)
    except TypeError:  # a table in a set
        raise mismatch(given, kind) from None


def _read_mapping(place: Place, converter: cattrs.Converter, given: Given, kind: Any) -> dict[str, Any]:
    if not isinstance(given.value, Mapping):
        raise mismatch(given, kind)
    arguments = get_args(kind)
    item_kind = arguments[1] if arguments else Any
    items: dict[str, Any] = {}
    problems: list[Problem] = []
    for key, value in given.value.items():
        child = place.given((*given.path, str(key)), value)
        try:
            if arguments:
                converter.structure(attrs.evolve(child, value=key), arguments[0])
            items[str(key)] = converter.structure(child, item_kind)
        except Problems as error:
            problems += error.problems
    if problems:
        raise Problems(problems)
    return items
