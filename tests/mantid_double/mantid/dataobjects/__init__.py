"""mantid.dataobjects."""

from __future__ import annotations

from mantid.api._event_workspace import EventWorkspace
from mantid.api._matrix import Workspace2D, WorkspaceSingleValue
from mantid.api._table import TableWorkspace

__all__ = ["EventWorkspace", "TableWorkspace", "Workspace2D", "WorkspaceSingleValue"]
