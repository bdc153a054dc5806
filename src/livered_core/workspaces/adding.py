"""Adding workspaces: the default way to accumulate with Mantid."""

from __future__ import annotations

from typing import Any

from livered_core.errors import DataModelError
from livered_core.workspaces.algorithms import make_group, run_algorithm
from livered_core.workspaces.kinds import kind_of, members_of


def add_workspaces(accumulated: Any, processed: Any) -> Any:
    """Add two workspaces with Mantid's Plus into a new one; neither of them is changed.

    Parameters
    ----------
    accumulated, processed
        Two MatrixWorkspaces, or two WorkspaceGroups of as many, which are added member by member.

    Returns
    -------
    Any
        The sum, which the caller owns.

    Raises
    ------
    DataModelError
        When they are of different kinds, groups of different lengths, or of a kind that cannot be added.
    """
    kinds = kind_of(accumulated), kind_of(processed)
    if "group" in kinds:
        if kinds != ("group", "group"):
            message = (
                "A WorkspaceGroup and a single workspace cannot be added: process_chunk must return the same kind "
                "for each chunk."
            )
            raise DataModelError(message)
        first, second = members_of(accumulated), members_of(processed)
        if len(first) != len(second):
            message = (
                f"A WorkspaceGroup of {len(first)} and one of {len(second)} cannot be added: process_chunk must return "
                "as many members for each chunk."
            )
            raise DataModelError(message)
        return make_group(add_workspaces(*pair) for pair in zip(first, second, strict=True))
    refused = [
        type(item).__name__
        for item, kind in zip((accumulated, processed), kinds, strict=True)
        if kind not in ("events", "histogram")
    ]
    if refused:
        message = (
            f"A {refused[0]} cannot be added to what is accumulated: implement accumulate in the plugin, or make "
            "such a workspace in post_process."
        )
        raise DataModelError(message)
    return run_algorithm("Plus", LHSWorkspace=accumulated, RHSWorkspace=processed)
