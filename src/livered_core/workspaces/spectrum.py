"""The whole detector as one spectrum: what is shown of events of which nothing else is known."""

from __future__ import annotations

from typing import Any, Final

from livered_core.errors import DataModelError
from livered_core.workspaces.algorithms import run_algorithm
from livered_core.workspaces.kinds import kind_of

_BINS: Final = "0,50,100000"
"""First edge, step and last edge: microseconds, those of the native backend's default."""


def whole_detector(workspace: Any) -> Any:
    """Sum all spectra of an EventWorkspace in time of flight onto 2000 bins of 50 us.

    Parameters
    ----------
    workspace
        It is not changed.

    Raises
    ------
    DataModelError
        When it is no EventWorkspace in time of flight.
    """
    if kind_of(workspace) != "events" or workspace.getAxis(0).getUnit().unitID() != "TOF":
        message = "Only events in time of flight can be summed over the whole detector: implement post_process in the plugin."
        raise DataModelError(message)
    # Summed first: of each pixel's spectrum there are too many to be binned.
    total = run_algorithm("SumSpectra", InputWorkspace=workspace)
    return run_algorithm("Rebin", InputWorkspace=total, Params=_BINS, PreserveEvents=False)
