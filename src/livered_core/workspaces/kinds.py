"""What kind of workspace something is, told by what it can do: no import of mantid is needed for it."""

from __future__ import annotations

from typing import Any, Literal

import numpy as np

Kind = Literal["events", "histogram", "group", "table", "other"]


def kind_of(workspace: Any) -> Kind:
    """Say what kind of workspace something is.

    Parameters
    ----------
    workspace
        Any object.

    Returns
    -------
    Kind
        ``"events"`` for an EventWorkspace, ``"histogram"`` for every other MatrixWorkspace, ``"group"`` for a
        WorkspaceGroup, ``"table"`` for a TableWorkspace, ``"other"`` for all else: multi-dimensional workspaces,
        and what is none.
    """
    if hasattr(workspace, "getNumberOfEntries") and hasattr(workspace, "getItem"):
        return "group"
    if hasattr(workspace, "rowCount") and hasattr(workspace, "getColumnNames"):
        return "table"
    if hasattr(workspace, "readY") and hasattr(workspace, "getNumberHistograms"):
        return "events" if hasattr(workspace, "getNumberEvents") else "histogram"
    return "other"


def members_of(group: Any) -> list[Any]:
    """Return the members of a WorkspaceGroup, in their order."""
    return [group.getItem(index) for index in range(group.getNumberOfEntries())]


def n_events_of(workspace: Any) -> int:
    """Count the events of a workspace: of a histogram its counts, of a group those of its members, of all else none."""
    kind = kind_of(workspace)
    if kind == "events":
        return int(workspace.getNumberEvents())
    if kind == "histogram":
        # One by one: spectra of a ragged workspace have different lengths.
        n_spectra = workspace.getNumberHistograms()
        return round(sum(float(np.nansum(workspace.readY(index))) for index in range(n_spectra)))
    if kind == "group":
        return sum(n_events_of(member) for member in members_of(workspace))
    return 0
