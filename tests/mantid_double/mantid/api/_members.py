"""Groups where an algorithm expects single workspaces: they are processed member by member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from mantid.api._data import GroupData, WorkspaceData
from mantid.kernel._properties import Direction

if TYPE_CHECKING:
    from mantid.api._algorithm import Algorithm
    from mantid.api._declared import Setting


def groups_of(algorithm: Algorithm) -> list[Setting]:
    """Return the inputs that are groups where single workspaces are expected."""
    return [
        setting
        for setting in algorithm._settings.values()
        if setting.declared.kind in ("matrix", "event")
        and isinstance(setting.value, GroupData)
        and setting.declared.direction != Direction.Output
    ]


def exec_members(algorithm: Algorithm) -> None:
    """Run the algorithm for each member, and make groups of what comes out."""
    groups = groups_of(algorithm)
    sizes = {len(setting.value.members) for setting in groups}
    if len(sizes) > 1:
        message = "Groups of different sizes cannot be processed together"
        raise RuntimeError(message)
    made: dict[str, list[WorkspaceData]] = {s.declared.name: [] for s in algorithm._outputs()}
    for i in range(sizes.pop()):
        single = _for_member(algorithm, groups, i)
        single.execute()
        for name, members in made.items():
            member = single[name]
            member.name = member.name or single.getPropertyValue(name)
            members.append(member)
    for name, members in made.items():
        wanted = algorithm._setting(name).ws_name
        in_place = [s.value for s in groups if s.value.name and s.value.name == wanted]
        group = in_place[0] if in_place else GroupData()
        group.members = members
        algorithm._setting(name).value = group


def _for_member(algorithm: Algorithm, groups: list[Setting], i: int) -> Algorithm:
    single = type(algorithm)()
    single.initialize()
    single.setChild(True)
    for key, setting in algorithm._settings.items():
        mine = single._settings[key]
        if setting in groups:
            mine.set(setting.value.members[i])
            continue
        mine.value = setting.value
        if setting.declared.is_workspace and setting.ws_name:
            mine.ws_name = _member_name(setting, groups, i)
    return single


def _member_name(setting: Setting, groups: list[Setting], i: int) -> str:
    """Name an output: as the input's member where the group is changed in place."""
    for group in groups:
        if group.ws_name == setting.ws_name and group.value.members[i].name:
            return group.value.members[i].name
    return f"{setting.ws_name}_{i + 1}"
