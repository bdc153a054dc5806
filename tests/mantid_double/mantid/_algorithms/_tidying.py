"""Algorithms on names: deleting and renaming."""

from __future__ import annotations

from mantid.api._algorithm import Algorithm
from mantid.api._data import GroupData
from mantid.api._declared import output, value, workspace
from mantid.api._manager import register


@register
class DeleteWorkspace(Algorithm):
    """Remove from the ADS; of a group its members too."""

    declared = (workspace("Workspace", "workspace"),)

    def exec(self) -> None:
        from mantid.api._ads import AnalysisDataService

        data = self["Workspace"]
        if isinstance(data, GroupData):
            for member in list(data.members):
                AnalysisDataService.remove(member.name)
        AnalysisDataService.remove(data.name)


@register
class DeleteWorkspaces(Algorithm):
    """Remove several from the ADS."""

    declared = (value("WorkspaceList", kind="strs"),)

    def exec(self) -> None:
        from mantid.api._ads import AnalysisDataService

        for name in self["WorkspaceList"]:
            AnalysisDataService.remove(name)


@register
class RenameWorkspace(Algorithm):
    """Give another name; members of a group that are named after it follow."""

    declared = (
        workspace("InputWorkspace", "workspace"),
        output(),
        value("RenameMonitors", False),
        value("OverwriteExisting", True),
    )

    def exec(self) -> None:
        from mantid.api._ads import AnalysisDataService

        data, new = self["InputWorkspace"], self.getPropertyValue("OutputWorkspace")
        old = data.name
        if new == old:
            message = f"The input and output names are the same: {new}"
            raise ValueError(message)
        if AnalysisDataService.doesExist(new) and not self["OverwriteExisting"]:
            message = f"The workspace {new} already exists"
            raise RuntimeError(message)
        if AnalysisDataService.doesExist(old):
            AnalysisDataService.rename(old, new)
        if isinstance(data, GroupData):
            for number, member in enumerate(data.members, 1):
                if member.name == f"{old}_{number}":
                    AnalysisDataService.rename(member.name, f"{new}_{number}")
        self["OutputWorkspace"] = data
