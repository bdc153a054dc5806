"""Properties of algorithms: what is declared, and what is set."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import attrs
import numpy as np

from mantid.api._data import GroupData, MatrixData, TableData, WorkspaceData
from mantid.api._events import EventData
from mantid.api._handles import Workspace, handle
from mantid.kernel._properties import Direction, text_of

_ACCEPTED: dict[str, type | tuple[type, ...]] = {
    "workspace": WorkspaceData,
    "matrix": MatrixData,
    "event": EventData,
    "group": GroupData,
    "table": TableData,
}


@attrs.frozen(eq=False)
class Declared:
    """A property.

    Attributes
    ----------
    kind
        ``workspace``, ``matrix``, ``event``, ``group``, ``table`` for workspaces; ``bool``, ``int``, ``float``,
        ``str``, ``floats``, ``ints``, ``strs`` for values; ``algorithm`` for a handle of an algorithm.
    default
        None for a mandatory one.
    group
        Of properties that come and go, such as those of a listener.
    """

    name: str
    kind: str
    default: Any = None
    direction: int = Direction.Input
    optional: bool = False
    allowed: Callable[[], Sequence[str]] | Sequence[str] = ()
    group: str = ""

    @property
    def is_workspace(self) -> bool:
        return self.kind in _ACCEPTED

    def allowed_values(self) -> list[str]:
        return list(self.allowed() if callable(self.allowed) else self.allowed)


def workspace(name: str, kind: str = "matrix", *, optional: bool = False, default: str = "") -> Declared:
    """Declare an input workspace."""
    return Declared(name, kind, default, Direction.Input, optional)


def output(name: str = "OutputWorkspace", kind: str = "workspace", *, optional: bool = False) -> Declared:
    """Declare an output workspace."""
    return Declared(name, kind, "", Direction.Output, optional)


def inout(name: str, kind: str = "workspace") -> Declared:
    """Declare a workspace that is changed in place."""
    return Declared(name, kind, "", Direction.InOut)


_KINDS = {bool: "bool", int: "int", float: "float", str: "str"}


def value(name: str, default: Any = None, kind: str = "", **more: Any) -> Declared:
    """Declare a value; the kind is that of the default where none is given, and no default makes it mandatory."""
    return Declared(name, kind or _KINDS[type(default)], default, **more)


@attrs.define(eq=False)
class Setting:
    """What is set for a property."""

    declared: Declared
    value: Any = None
    """A value, or the data of a workspace."""
    ws_name: str = ""
    is_default: bool = True

    def __attrs_post_init__(self) -> None:
        if self.declared.is_workspace:
            self.ws_name = self.declared.default or ""
        else:
            self.value = self.declared.default

    def set_text(self, text: str) -> None:
        """Set from a text, as setPropertyValue does; raises ValueError."""
        if self.declared.is_workspace:
            self._set_name(text)
        else:
            self._set_checked(_parsed(self.declared.kind, text))
        self.is_default = False

    def set(self, given: Any) -> None:
        """Set from any Python value; raises ValueError."""
        if isinstance(given, str):
            self.set_text(given)
        elif self.declared.is_workspace:
            data = given._data if isinstance(given, Workspace) else given
            if data is None:
                self.value, self.ws_name = None, self.ws_name
            else:
                self._check_kind(data)
                self.value = data
                # The name given for an output stays.
                self.ws_name = data.name or self.ws_name if self.declared.direction != 1 else self.ws_name
        else:
            self._set_checked(_converted(self.declared.kind, given))
        self.is_default = False

    def _set_name(self, name: str) -> None:
        from mantid.api._ads import AnalysisDataService

        self.ws_name = name
        self.value = None
        if self.declared.direction == Direction.Output or (self.declared.optional and not name):
            return
        data = AnalysisDataService._find(name)
        if data is None:
            message = f'The workspace "{name}" does not exist in the Analysis Data Service'
            raise ValueError(message)
        self._check_kind(data)
        self.value = data

    def _check_kind(self, data: WorkspaceData) -> None:
        if isinstance(data, GroupData) and self.declared.kind in ("matrix", "event"):
            return  # processed member by member
        if not isinstance(data, _ACCEPTED[self.declared.kind]):
            message = f"Workspace {data.name} is not of the correct type: {self.declared.kind} expected"
            raise ValueError(message)

    def _set_checked(self, new: Any) -> None:
        allowed = self.declared.allowed_values()
        if allowed and isinstance(new, str) and new not in allowed:
            message = (
                f'When setting value of property "{self.declared.name}": '
                f'The value "{new}" is not in the list of allowed values'
            )
            raise ValueError(message)
        self.value = new

    def text(self) -> str:
        if self.declared.is_workspace:
            return self.ws_name
        if self.declared.kind == "algorithm":
            return "" if self.value is None else self.value.name()
        return text_of(self.value)

    def problem(self) -> str:
        """Say why the algorithm cannot run with this; empty when it can."""
        declared = self.declared
        if not declared.is_workspace:
            if declared.direction == Direction.Output:
                return ""
            allowed = declared.allowed_values()
            if allowed and isinstance(self.value, str) and self.value not in allowed:
                return "Select a value"
            return "A value must be entered for this parameter" if self.value is None else ""
        if declared.optional:
            return ""
        if declared.direction == Direction.Output:
            return "" if self.ws_name else "Enter a name for the Output workspace"
        return "" if self.value is not None else "Enter a name for the Input/InOut workspace"


class PropertyHandle:
    """What getProperty of an algorithm gives."""

    def __init__(self, setting: Setting) -> None:
        self._setting = setting

    @property
    def name(self) -> str:
        return self._setting.declared.name

    @property
    def value(self) -> Any:
        value = self._setting.value
        return handle(value) if isinstance(value, WorkspaceData) else value

    @value.setter
    def value(self, given: Any) -> None:
        self._setting.set(given)

    @property
    def valueAsStr(self) -> str:
        return self._setting.text()

    @property
    def direction(self) -> int:
        return self._setting.declared.direction

    @property
    def isDefault(self) -> bool:
        return self._setting.is_default

    @property
    def isValid(self) -> str:
        return self._setting.problem()

    @property
    def allowedValues(self) -> list[str]:
        return self._setting.declared.allowed_values()

    @property
    def getGroup(self) -> str:
        return self._setting.declared.group

    @property
    def type(self) -> str:
        kinds = {"bool": "boolean", "int": "number", "float": "number", "str": "string"}
        return kinds.get(self._setting.declared.kind, self._setting.declared.kind)

    def isOptional(self) -> bool:
        return self._setting.declared.optional


def _parsed(kind: str, text: str) -> Any:
    text = text.strip() if kind != "str" else text
    if kind == "str":
        return text
    if kind == "bool":
        if text.lower() not in ("0", "1", "true", "false"):
            message = f"Could not set property. Can not convert {text!r} to boolean"
            raise ValueError(message)
        return text.lower() in ("1", "true")
    if kind in ("int", "float"):
        return (int if kind == "int" else float)(text)
    items = [item.strip() for item in text.split(",") if item.strip()]
    if kind == "strs":
        return items
    if kind == "ints":
        return np.array([number for item in items for number in _range(item)], np.int64)
    return np.array([float(item) for item in items])


def _range(item: str) -> list[int]:
    for separator in (":", "-"):
        first, found, last = item.partition(separator)
        if found and first:
            return list(range(int(first), int(last) + 1))
    return [int(item)]


def _converted(kind: str, given: Any) -> Any:
    if kind == "algorithm":
        return given
    if kind == "bool" and isinstance(given, bool | int | np.bool_):
        return bool(given)
    if kind == "int" and isinstance(given, int | np.integer):
        return int(given)
    if kind == "float" and isinstance(given, int | float | np.number):
        return float(given)
    if kind in ("floats", "ints"):
        return np.atleast_1d(np.asarray(given, np.float64 if kind == "floats" else np.int64))
    if kind == "strs" and not isinstance(given, bool | int | float):
        return [str(item) for item in given]
    message = f"cannot convert {given!r} ({type(given).__name__}) to {kind}"
    raise ValueError(message)
