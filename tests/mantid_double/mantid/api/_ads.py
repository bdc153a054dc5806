"""mantid.api.AnalysisDataService: workspaces by name. It holds them; what it gives out are weak handles."""

# ruff: noqa: N803  (names that are Mantid's)
from __future__ import annotations

import threading
import uuid
from collections.abc import Iterator
from typing import Any

from mantid.api._data import GroupData, WorkspaceData
from mantid.api._handles import Workspace, data_of, handle
from mantid.kernel import ConfigService


class AnalysisDataServiceImpl:
    def __init__(self) -> None:
        self._items: dict[str, WorkspaceData] = {}
        self._lock = threading.RLock()

    def Instance(self) -> AnalysisDataServiceImpl:
        return self

    def _put(self, name: str, data: WorkspaceData, *, replace: bool = True) -> None:
        if not name:
            message = "Add Data Object with empty name"
            raise RuntimeError(message)
        if data is None:
            message = "Add empty data object"
            raise RuntimeError(message)
        with self._lock:
            if not replace and name in self._items:
                message = f"Unable to insert Data Object : '{name}' as it already exists."
                raise RuntimeError(message)
            data.name = name
            self._items[name] = data
            if isinstance(data, GroupData):
                for number, member in enumerate(data.members, 1):
                    if not member.name:
                        self._put(f"{name}_{number}", member)
                    elif member.name not in self._items:
                        self._put(member.name, member)

    def _retrieve(self, name: str) -> WorkspaceData:
        with self._lock:
            if name not in self._items:
                message = f"Unable to find Data Object type with name '{name}': data service "
                raise _missing(message)
            return self._items[name]

    def _find(self, name: str) -> WorkspaceData | None:
        return self._items.get(name)

    def add(self, name: str, item: Workspace) -> None:
        self._put(name, _of(item), replace=False)

    def addOrReplace(self, name: str, item: Workspace) -> None:
        self._put(name, _of(item))

    def retrieve(self, name: str) -> Workspace:
        return handle(self._retrieve(name), weak=True)

    __getitem__ = retrieve

    def __setitem__(self, name: str, item: Workspace) -> None:
        self.addOrReplace(name, item)

    def remove(self, name: str) -> None:
        with self._lock:
            gone = self._items.pop(name, None)
            if gone is None:
                return
            gone.name = ""
            for group in [each for each in self._items.values() if isinstance(each, GroupData)]:
                group.members = [member for member in group.members if member is not gone]

    __delitem__ = remove

    def rename(self, old: str, new: str) -> None:
        """The double's own: Python has RenameWorkspace for it."""
        with self._lock:
            data = self._retrieve(old)
            if old == new:
                return
            replaced = self._items.get(new)
            del self._items[old]
            data.name = new
            self._items[new] = data
            if replaced is not None:
                for group in [each for each in self._items.values() if isinstance(each, GroupData)]:
                    group.members = [m for m in group.members if m is not replaced]

    def doesExist(self, name: str) -> bool:
        return name in self._items

    __contains__ = doesExist

    def getObjectNames(self, contain: str = "") -> list[str]:
        """Names of what is shown: hidden ones (``__``) are left out, unless the configuration shows them."""
        hidden = ConfigService["MantidOptions.InvisibleWorkspaces"] == "1"
        with self._lock:
            return sorted(
                name for name in self._items if contain in name and (hidden or not name.startswith("__"))
            )

    def size(self) -> int:
        return len(self.getObjectNames())

    __len__ = size

    def __iter__(self) -> Iterator[Any]:
        return iter(self.getObjectNames())

    def clear(self, silent: bool = False) -> None:
        with self._lock:
            self._items.clear()

    def unique_name(self, n: int = 5, prefix: str = "", suffix: str = "") -> str:
        return f"{prefix}{uuid.uuid4().hex[:n]}{suffix}"

    def unique_hidden_name(self) -> str:
        return self.unique_name(prefix="__")

    def importAll(self) -> None:
        import __main__

        for name in self.getObjectNames():
            setattr(__main__, name, self.retrieve(name))

    def addToGroup(self, groupName: str, wsName: str) -> None:
        self._retrieve(groupName).members.append(self._retrieve(wsName))


class _MissingError(KeyError):
    """A KeyError that prints as its message."""

    def __str__(self) -> str:
        return str(self.args[0])


def _missing(message: str) -> KeyError:
    return _MissingError(message)


def _of(item: Any) -> WorkspaceData:
    if not isinstance(item, Workspace):
        message = f"Cannot extract workspace from {item!r}: not a workspace"
        raise ValueError(message)
    return data_of(item)


AnalysisDataService = mtd = AnalysisDataServiceImpl()
