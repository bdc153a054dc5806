"""mantid.api.WorkspaceGroup."""

from __future__ import annotations

from collections.abc import Iterator

from mantid.api._data import GroupData, WorkspaceData
from mantid.api._handles import Workspace, handle, handles


@handles("WorkspaceGroup")
class WorkspaceGroup(Workspace):
    """Workspaces in an order; it holds its members."""

    def __init__(self) -> None:
        self._point_to(GroupData(), weak=False)

    @property
    def _members(self) -> list[WorkspaceData]:
        return self._data.members

    def getNumberOfEntries(self) -> int:
        return len(self._members)

    size = getNumberOfEntries

    def __len__(self) -> int:
        return len(self._members)

    def addWorkspace(self, workspace: Workspace) -> None:
        if workspace._data not in self._members:
            self._members.append(workspace._data)

    def add(self, workspace_name: str) -> None:
        from mantid.api._ads import AnalysisDataService

        self._members.append(AnalysisDataService._retrieve(workspace_name))

    def remove(self, workspace_name: str) -> None:
        self._data.members = [each for each in self._members if each.name != workspace_name]

    def getItem(self, index: int | str) -> Workspace:
        if isinstance(index, str):
            found = next((each for each in self._members if each.name == index), None)
            if found is None:
                message = f"Workspace {index} not contained in the group"
                raise ValueError(message)
            return handle(found, weak=True)
        if not 0 <= index < len(self._members):
            message = f"WorkspaceGroup - index out of range. Requested={index}, current size={len(self)}"
            raise IndexError(message)
        return handle(self._members[index], weak=True)

    __getitem__ = getItem

    def __iter__(self) -> Iterator[Workspace]:
        return iter([handle(each, weak=True) for each in self._members])

    def getNames(self) -> list[str]:
        return [each.name for each in self._members]

    def __contains__(self, name: str) -> bool:
        return name in self.getNames()

    def isMultiperiod(self) -> bool:
        return False
