"""mantid.api.PythonAlgorithm, and what its properties are declared with."""

# ruff: noqa: N803  (names that are Mantid's)
from __future__ import annotations

from typing import Any

from mantid.api._algorithm import Algorithm
from mantid.api._data import WorkspaceData
from mantid.api._declared import Declared, value
from mantid.api._handles import Workspace
from mantid.kernel._properties import Direction


class PropertyMode:
    Mandatory = 0
    Optional = 1


class WorkspaceProperty:
    kind = "workspace"

    def __init__(self, name: str, defaultValue: str, direction: int, *modes: Any, **named: Any) -> None:
        modes = (*modes, *named.values())
        self.declared = Declared(name, self.kind, defaultValue, direction, PropertyMode.Optional in modes[:1])


class MatrixWorkspaceProperty(WorkspaceProperty):
    kind = "matrix"


class ITableWorkspaceProperty(WorkspaceProperty):
    kind = "table"


class WorkspaceGroupProperty(WorkspaceProperty):
    kind = "group"


class PythonAlgorithm(Algorithm):
    """Base of algorithms that are written in Python: PyInit and PyExec."""

    def PyInit(self) -> None:
        """Declare properties."""

    def PyExec(self) -> None:
        raise NotImplementedError

    def initialize(self) -> None:
        if not self._initialized:
            self._initialized = True
            self.PyInit()

    def exec(self) -> None:
        self.PyExec()

    def validateInputs(self) -> dict[str, str]:
        return {}

    def log(self) -> Any:
        return self.log_

    def declareProperty(self, first: Any, *rest: Any, **named: Any) -> None:
        if isinstance(first, WorkspaceProperty):
            self.declare(first.declared)
            return
        default = named.get("defaultValue", rest[0] if rest else "")
        direction = named.get("direction", next((r for r in rest[1:] if r in (0, 1, 2) and r is not True), 0))
        self.declare(value(first, default, direction=direction))

    def setProperty(self, name: str, value: Any) -> Algorithm:
        if isinstance(value, Workspace | WorkspaceData):
            self._setting(name).set(value)
            return self
        return super().setProperty(name, value)

    def createChildAlgorithm(
        self,
        name: str,
        startProgress: float = -1.0,
        endProgress: float = -1.0,
        enableLogging: bool = True,
        version: int = -1,
    ) -> Algorithm:
        from mantid.api._manager import make

        made = make(name, version)
        made.initialize()
        made.setChild(True)
        made.setLogging(enableLogging)
        made.setRethrows(True)
        for setting in made._outputs():
            if not setting.declared.optional and setting.declared.direction == Direction.Output:
                setting.ws_name = f"__{name}_temporary"
        return made
