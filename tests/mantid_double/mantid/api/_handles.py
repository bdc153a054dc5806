"""Workspaces as Python sees them: strong or weak handles to data.

A handle out of the ADS is weak: when the workspace is deleted or replaced and nobody else holds it, every call
raises. Handles out of algorithms' properties, and `input` of scripts, are strong.
"""

# ruff: noqa: N803, N815  (names that are Mantid's)
from __future__ import annotations

import weakref
from collections.abc import Callable
from typing import Any

from mantid.api._data import WorkspaceData
from mantid.kernel._properties import DataItem

_CLASSES: dict[str, type[Workspace]] = {}


class Workspace(DataItem):
    """Base of all workspaces."""

    _keep: WorkspaceData | None
    _get: Callable[[], WorkspaceData | None]

    def __init__(self) -> None:
        message = "This class cannot be instantiated from Python"
        raise RuntimeError(message)

    @property
    def _data(self) -> Any:
        data = self._get()
        if data is None:
            message = "Variable invalidated, data has been deleted."
            raise RuntimeError(message)
        return data

    def _point_to(self, data: WorkspaceData, *, weak: bool) -> None:
        self._keep = None if weak else data
        self._get = weakref.ref(data)

    def name(self) -> str:
        return self._data.name

    getName = name

    def __str__(self) -> str:
        return self._data.name

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self._data.name!r})"

    def id(self) -> str:
        return self._data.id

    def getTitle(self) -> str:
        return self._data.title

    def setTitle(self, title: str) -> None:
        self._data.title = title

    def getComment(self) -> str:
        return self._data.comment

    def setComment(self, comment: str) -> None:
        self._data.comment = comment

    def isGroup(self) -> bool:
        return self._data.id == "WorkspaceGroup"

    def getMemorySize(self) -> int:
        return self._data.memory()

    def threadSafe(self) -> bool:
        return True

    def isDirty(self, n: int = 1) -> bool:
        return False

    def clone(self, StoreInADS: bool = True, OutputWorkspace: str = "") -> Workspace:
        from mantid.api._ads import AnalysisDataService

        copied = self._data.clone()
        if OutputWorkspace and StoreInADS:
            AnalysisDataService._put(OutputWorkspace, copied)
        return handle(copied)

    def delete(self) -> None:
        from mantid.api._ads import AnalysisDataService

        AnalysisDataService.remove(self.name())

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Workspace) and self._get() is other._get()

    def __hash__(self) -> int:
        return id(self._get())


def handles(*ids: str) -> Callable[[type[Workspace]], type[Workspace]]:
    """Say which data a class of handles is for."""

    def register(kind: type[Workspace]) -> type[Workspace]:
        for each in ids:
            _CLASSES[each] = kind
        return kind

    return register


def handle(data: WorkspaceData, *, weak: bool = False) -> Workspace:
    """Make a handle."""
    kind = _CLASSES[data.id]
    made = kind.__new__(kind)
    made._point_to(data, weak=weak)
    return made


def data_of(workspace: Any) -> Any:
    """Return the data behind a handle."""
    return workspace._data if isinstance(workspace, Workspace) else workspace
