"""What is done with the workspaces that scripts make: accumulated as Mantid would, and drawn."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from livered_core.errors import DataModelError
from livered_core.hooks.script_settings import Accumulation
from livered_core.model import Curve
from livered_core.workspaces import (
    add_workspaces,
    curves_of,
    kind_of,
    make_group,
    members_of,
    n_events_of,
    run_algorithm,
    whole_detector,
)
from livered_core.workspaces.curves import MOST_CURVES

_MATRIX: Final = ("events", "histogram")


def accumulated_with(method: Accumulation, accumulated: Any, processed: Any) -> Any:
    """Bring a processed chunk together with what is accumulated; neither is changed.

    Parameters
    ----------
    method
        As in `ScriptsSettings`.
    accumulated
        None for the first chunk.
    processed
        A workspace.

    Raises
    ------
    DataModelError
        When they cannot be brought together in that way.
    """
    if method == "replace":
        return processed
    kind = kind_of(processed)
    if kind not in (*_MATRIX, "group"):
        message = (
            f'A {type(processed).__name__} cannot be accumulated with accumulate = "{method}": set accumulate = '
            '"replace" in [plugins.scripts], or make such a workspace in the post_process script.'
        )
        raise DataModelError(message)
    if accumulated is None:
        return processed
    return _appended(accumulated, processed) if method == "append" else add_workspaces(accumulated, processed)


def _appended(accumulated: Any, processed: Any) -> Any:
    kinds = kind_of(accumulated), kind_of(processed)
    if "group" not in kinds:
        # As Mantid's LoadLiveData does it.
        return run_algorithm(
            "AppendSpectra",
            InputWorkspace1=accumulated,
            InputWorkspace2=processed,
            ValidateInputs=False,
            MergeLogs=True,
        )
    pairs = (
        list(zip(members_of(accumulated), members_of(processed), strict=False))
        if len(set(kinds)) == 1
        else []
    )
    if not pairs or {accumulated.getNumberOfEntries(), processed.getNumberOfEntries()} != {len(pairs)}:
        message = "Only WorkspaceGroups of as many members can be appended: the script must make the same for each chunk."
        raise DataModelError(message)
    return make_group(_appended(*pair) for pair in pairs)


def without_events(processed: Any, chunk: Any) -> Any:
    """Make a histogram of events, in the bins that they have.

    Parameters
    ----------
    processed
        What the script made of the chunk; other kinds than events, and groups' members that are none, are handed on.
    chunk
        The chunk as it came.

    Raises
    ------
    DataModelError
        When the events have no bins but Mantid's default one, in which counts are lost.
    """
    if kind_of(processed) == "group":
        return make_group(without_events(member, chunk) for member in members_of(processed))
    if kind_of(processed) != "events":
        return processed
    histogram = run_algorithm("ConvertToMatrixWorkspace", InputWorkspace=processed)
    n_events = n_events_of(processed)
    if n_events and (_has_bin_of(processed, chunk) or not n_events_of(histogram)):
        message = (
            f"The {n_events} events of the chunk have no bins, and their counts would be lost: let the process script "
            "rebin them (Rebin), or set preserve_events = true in [plugins.scripts]."
        )
        raise DataModelError(message)
    return histogram


def _has_bin_of(processed: Any, chunk: Any) -> bool:
    """Tell whether a workspace has the one bin with which its chunk came."""
    if kind_of(chunk) != "events":
        return False
    x = np.asarray(processed.readX(0))
    return len(x) == 2 and np.array_equal(x, np.asarray(chunk.readX(0)))


def copied(workspace: Any) -> Any:
    """Copy a workspace, of a group each member."""
    if kind_of(workspace) == "group":
        return make_group(copied(member) for member in members_of(workspace))
    return run_algorithm("CloneWorkspace", InputWorkspace=workspace)


def drawn(workspace: Any) -> tuple[list[Curve], str]:
    """Make curves of a script's output.

    Parameters
    ----------
    workspace
        Any workspace. Of more spectra than can be shown their sum is.

    Returns
    -------
    curves
        None of them where the workspace cannot be shown: an existing script is not at fault for that.
    remark
        One sentence where the curves are not just the workspace's spectra, else empty.
    """
    try:
        if kind_of(workspace) in _MATRIX and workspace.getNumberHistograms() > MOST_CURVES:
            return _sum_of_many(workspace)
        return curves_of(workspace), ""
    except DataModelError as error:
        return [], f"Nothing is shown. {error}"


def _sum_of_many(workspace: Any) -> tuple[list[Curve], str]:
    n_spectra = workspace.getNumberHistograms()
    is_unbinned = kind_of(workspace) == "events" and len(workspace.readX(0)) == 2
    if is_unbinned and workspace.getAxis(0).getUnit().unitID() == "TOF":
        total = whole_detector(workspace)
    else:
        total = run_algorithm("SumSpectra", InputWorkspace=workspace)
    remark = f"The output has {n_spectra} spectra, and no more than {MOST_CURVES} can be shown: the curve is their sum."
    return curves_of(total, f"sum of {n_spectra} spectra"), remark
