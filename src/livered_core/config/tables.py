"""How a table becomes an object of an attrs class."""

from __future__ import annotations

import typing
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import attrs
import cattrs
from cattrs.gen import make_dict_structure_fn, override

from livered_core.config.problems import (
    DEFAULT_ORIGIN,
    Given,
    Place,
    Problem,
    Problems,
    mismatch,
    problem,
    refuse,
)
from livered_core.config.toml import dotted
from livered_core.config.validators import suggestion
from livered_core.config.wording import shown, wanted

Reader = Callable[[Given, Any], Any]
"""A structure hook: what is given, and the type that is wanted."""


class TableReader:
    """A reader of tables into one attrs class; see `Given` for what travels with the values."""

    def __init__(self, place: Place, converter: cattrs.Converter, kind: Any) -> None:
        self.place = place
        self.fault = ""
        try:
            hints = typing.get_type_hints(kind)
            self.attributes = {
                attribute.name: attribute.evolve(type=hints.get(attribute.name, Any))
                for attribute in attrs.fields(kind)
                if attribute.init
            }
            fields: dict[str, Any] = {
                name: override(struct_hook=_field_reader(place, converter, kind, attribute))
                for name, attribute in self.attributes.items()
            }
            self.build: Any = make_dict_structure_fn(
                kind, converter, _cattrs_forbid_extra_keys=True, _cattrs_detailed_validation=True, **fields
            )
        except Exception as error:  # noqa: BLE001  (annotations are the plugin's code: anything can be wrong)
            self.fault = f"{type(error).__name__}: {error}"

    def __call__(self, given: Given, kind: Any) -> Any:
        """Make the object, or raise `Problems` with everything that is wrong in the table."""
        if self.fault:
            raise refuse(
                given, f"cannot be read: {kind.__name__} has annotations that do not work ({self.fault})"
            )
        if not isinstance(given.value, Mapping):
            raise mismatch(given, kind)
        children = {
            str(key): self.place.given((*given.path, str(key)), value) for key, value in given.value.items()
        }
        for name, attribute in self.attributes.items():
            if name not in children and (default := _default(attribute)) is not None:
                children[name] = Given((*given.path, name), default, self.place.defaults)
        try:
            return self.build(children, kind)
        except cattrs.BaseValidationError as group:
            problems = [item for error in group.exceptions for item in self._explain(given, children, error)]
            raise Problems(problems) from None

    def _explain(self, given: Given, children: Mapping[str, Given], error: BaseException) -> list[Problem]:
        if isinstance(error, Problems):
            return list(error.problems)
        if isinstance(error, cattrs.ForbiddenExtraKeysError):
            return [
                problem(children[key], self._unknown(given.path, key))
                for key in children
                if key in error.extra_fields
            ]
        missing = [
            str(note.name)
            for note in getattr(error, "__notes__", ())
            if isinstance(error, KeyError) and hasattr(note, "name")
        ]
        if missing:
            path = (*given.path, missing[0])
            kind = self.attributes[missing[0]].type
            if given.source.origin == DEFAULT_ORIGIN and given.path:
                # The table is in no file: nothing there is to be corrected.
                place = f" in the table [{dotted(given.path)}] of the configuration"
                return [Problem(path, f"{dotted(path)} is missing: give {wanted(kind)}{place}.")]
            where = f"{dotted(path)} ({given.source.origin})" if given.path else missing[0]
            return [Problem(path, f"{where} is missing: give {wanted(kind)}.")]
        return [problem(given, message(error))]

    def _unknown(self, path: tuple[str | int, ...], key: str) -> str:
        near = suggestion(key, self.attributes)
        if near:
            near = dotted((*path, near))
        elif not path or path[0] != "plugins":
            # The right key in the wrong table: TOML takes everything after a [header] into that table.
            near = next((known for known in self.place.known_keys if known.split(".")[-1] == key), "")
        return f"is not a key; did you mean {near}?" if near else "is not a key: take it out or correct it"


def _default(attribute: attrs.Attribute[Any]) -> Any:
    """Give the default as a value to be read where reading changes it: paths, and tables that hold paths."""
    if isinstance(attribute.default, Path):
        return str(attribute.default)
    is_table = isinstance(attribute.type, type) and attrs.has(attribute.type)
    factory = getattr(attribute.default, "factory", None)
    return {} if is_table and factory is attribute.type else None


def _field_reader(
    place: Place, converter: cattrs.Converter, cls: Any, attribute: attrs.Attribute[Any]
) -> Reader:
    kind: Any = attribute.type

    def read(given: Given, _kind: Any) -> Any:
        if attribute.metadata.get("template"):
            given = _fill_in(place, given)
        value = converter.structure(given, kind)
        _validate(cls, attribute, value, given)
        return value

    return read


def _fill_in(place: Place, given: Given) -> Given:
    if not isinstance(given.value, str | Path):
        return given
    text = str(given.value).replace("{instrument}", place.instrument)
    if "{" in text.replace("${", ""):
        raise refuse(given, f"must have no other field in braces than {{instrument}}: {shown(given.value)}")
    return attrs.evolve(given, value=type(given.value)(text))


def _validate(cls: Any, attribute: attrs.Attribute[Any], value: Any, given: Given) -> None:
    """Run the validator of one field by itself, so that one wrong field does not hide the next.

    A validator that looks at other fields cannot run here; it runs when the object is made.
    """
    convert: Any = attribute.converter
    if attribute.validator is None or getattr(convert, "takes_self", False):
        return
    try:
        if convert is not None:
            value = convert(value)
        attribute.validator(cls.__new__(cls), attribute, value)
    except AttributeError:
        return
    except Exception as error:  # noqa: BLE001  (a plugin's validator may raise anything)
        raise refuse(given, message(error, attribute.name)) from None


def message(error: BaseException, name: str = "") -> str:
    """Give an exception's message so that it goes on after the name of the key.

    Parameters
    ----------
    error
        From a validator. attrs' own start with the name of the field, some have more arguments than the message.
    name
        Name of the field that may stand at the start of the message.
    """
    text = str(error.args[0]).strip().rstrip(".") if error.args else ""
    for start in (f"'{name}' ", f"{name} "):
        if name and text.startswith(start):
            return text[len(start) :]
    if not isinstance(error, ValueError | TypeError) or not text:
        text = f"{type(error).__name__}: {text}".rstrip(": ")
    return text if text.startswith("must ") else f"is not right: {text}"
