"""Focusing with Mantid's algorithms: events in time of flight to events in d-spacing, bank by bank.

The steps are those of which AlignAndFocusPowder consists, in its order: leave out pixels, crop in time of flight, apply
the calibration, convert to d-spacing, DiffractionFocussing. The algorithm itself is not called: its output is in time
of flight again, converted with the mean L2 and angle of each group, the d-spacings that it gives out
(``UnfocussedWorkspace``) are those of single pixels, and it merges events, which moves some of them to other bins.

Nothing of it is stored in the analysis data service, and no input is changed.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core import DataModelError
from livered_core.diffraction import MASKED, UNKNOWN, EventFilter, FocusTable
from livered_core.workspaces import kind_of, run_algorithm
from livered_nom.counts import Tables
from livered_nom.mantid_conversion import calibration_table, converts_wholly, to_d_spacing
from livered_nom.mantid_geometry import NO_DETECTOR

log = logging.getLogger(__name__)

DSpacings = Mapping[int, npt.NDArray[np.float64]]
"""d-spacing of the events of each group, Angstrom."""


@attrs.frozen(eq=False)
class Focusing:
    """What focusing with Mantid needs, for workspaces of the same spectra.

    Attributes
    ----------
    group
        By name of the table (``"d"``, ``"view"``): int64[spectra], group of each spectrum, or what
        `livered_core.diffraction.FocusTable` has in place of one.
    used
        Indices of the spectra that are in any group.
    pixel_id
        int64[used], ids of their pixels.
    calibration
        Mantid's table of these pixels.
    grouping
        By name of the table: Mantid's GroupingWorkspace, where a group is its number and one.
    """

    group: Mapping[str, npt.NDArray[np.int64]] = attrs.field(repr=False)
    used: list[int] = attrs.field(repr=False)
    pixel_id: npt.NDArray[np.int64] = attrs.field(repr=False)
    calibration: Any
    grouping: Mapping[str, Any]


def prepare_focusing(workspace: Any, detector_id: npt.NDArray[np.int64], tables: Tables) -> Focusing:
    """Prepare focusing workspaces of the same spectra; takes about a second for 100,000 pixels.

    Parameters
    ----------
    workspace
        One of them; not modified, and not kept.
    detector_id
        int64[spectra], see `livered_nom.mantid_geometry.MantidGeometry`.
    tables
        Bins, groups and calibration of the pixels.

    Raises
    ------
    DataModelError
        When one of Mantid's algorithms fails.
    """
    by_name = {"d": tables.d, "view": tables.view}
    group = {name: groups_of(table, detector_id) for name, table in by_name.items()}
    used = np.flatnonzero((group["d"] >= 0) | (group["view"] >= 0))
    whole = converts_wholly(tables.d, detector_id[used])
    if not whole.all():
        log.warning(
            "%d pixels have no d-spacing for some of the times of flight from %g to %g us, and Mantid cannot convert "
            "them: they are masked.",
            np.count_nonzero(~whole),
            tables.d.tof_min_us,
            tables.d.tof_max_us,
        )
        for groups in group.values():
            groups[used[~whole]] = MASKED
        used = used[whole]
    return Focusing(
        group=group,
        used=used.tolist(),
        pixel_id=detector_id[used],
        calibration=calibration_table(tables.d, detector_id[used]),
        grouping={
            name: _grouping_workspace(workspace, table) for name, table in by_name.items() if len(used)
        },
    )


def groups_of(table: FocusTable, detector_id: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    """Return the group of each spectrum by its pixel: an index, or what the table has in place of one."""
    known = (detector_id != NO_DETECTOR) & (detector_id < len(table.group))
    group: npt.NDArray[np.int64] = np.full(len(detector_id), UNKNOWN, np.int64)
    group[known] = table.group[detector_id[known]]
    return group


def without_prompt_pulses(workspace: Any, leave_out: EventFilter) -> Any:
    """Leave events out that come with the flash of a proton pulse; the workspace itself where none is left out.

    RemovePromptPulse is not used for it: it begins with the first proton pulse after the first event, so that the flash
    at 0 would be left out of some chunks only.

    Parameters
    ----------
    workspace
        Events in time of flight; not modified.
    leave_out
        How long the flash is.
    """
    width = leave_out.prompt_pulse_width_us
    if width <= 0 or workspace.getNumberEvents() == 0:
        return workspace
    latest = float(workspace.getTofMax())
    for k in range(int(latest // leave_out.frame_us) + 1):
        # Mantid's upper limit belongs to what is left out.
        first, last = k * leave_out.frame_us, np.nextafter(k * leave_out.frame_us + width, 0.0)
        workspace = run_algorithm("MaskBins", InputWorkspace=workspace, XMin=first, XMax=float(last))
    return workspace


def spectrum_counts(workspace: Any) -> npt.NDArray[np.int64]:
    """Count the events of each spectrum, int64[spectra], whatever their time of flight.

    Raises
    ------
    DataModelError
        When events have weights: these are not counts.
    """
    n_events = int(workspace.getNumberEvents())
    if n_events == 0:
        return np.zeros(workspace.getNumberHistograms(), np.int64)
    first, last = np.floor(workspace.getTofMin()) - 1.0, np.ceil(workspace.getTofMax()) + 1.0
    one_bin = run_algorithm(
        "Rebin",
        InputWorkspace=workspace,
        Params=[float(first), float(last - first), float(last)],
        PreserveEvents=False,
    )
    counts: npt.NDArray[np.int64] = np.rint(one_bin.extractY()[:, 0]).astype(np.int64)
    if int(counts.sum()) != n_events:
        message = (
            f"Mantid's workspace has {n_events} events that count as {int(counts.sum())}: its events have weights, "
            "and raw ones are needed."
        )
        raise DataModelError(message)
    return counts


def focus_with_mantid(workspace: Any, focusing: Focusing, table: FocusTable) -> dict[str, DSpacings]:
    """Convert events to d-spacing and bring them together by group.

    Parameters
    ----------
    workspace
        Events in time of flight, microseconds; not modified.
    focusing
        For its spectra.
    table
        Range of times of flight, and the calibration of each pixel.

    Returns
    -------
    dict
        For each of ``focusing.grouping``: the d-spacings of the events in the range, by group.

    Raises
    ------
    DataModelError
        When one of Mantid's algorithms fails, or converts by another calibration.
    """
    first, last = float(table.tof_min_us), float(table.tof_max_us)
    events = run_algorithm("ExtractSpectra", InputWorkspace=workspace, WorkspaceIndexList=focusing.used)
    # A live workspace has no bins that mean anything, and cropping and focussing look at them.
    events = run_algorithm(
        "Rebin", InputWorkspace=events, Params=[first, last - first, last], PreserveEvents=True
    )
    # Mantid keeps events at the upper limit.
    events = run_algorithm(
        "CropWorkspace", InputWorkspace=events, XMin=first, XMax=float(np.nextafter(last, 0.0))
    )
    n_cropped = int(events.getNumberEvents())
    if n_cropped == 0:
        return {name: {} for name in focusing.grouping}
    events = to_d_spacing(events, focusing.calibration, table, focusing.pixel_id)
    if (n_lost := n_cropped - int(events.getNumberEvents())) > 0:
        log.warning(
            "Mantid could not convert %d events to d-spacing: they are counted as out of range.", n_lost
        )
    # Focussing looks at the bins again, and what became of them depends on the version.
    low, high = float(table.edges.min()), float(table.edges.max())
    events = run_algorithm(
        "Rebin", InputWorkspace=events, Params=[low, high - low, high], PreserveEvents=True
    )
    return {name: _focus(events, grouping) for name, grouping in focusing.grouping.items()}


def _focus(events: Any, grouping: Any) -> DSpacings:
    focused = run_algorithm(
        "DiffractionFocussing", InputWorkspace=events, GroupingWorkspace=grouping, PreserveEvents=True
    )
    if kind_of(focused) != "events":
        message = 'This Mantid\'s DiffractionFocussing does not keep events: use backend = "native".'
        raise DataModelError(message)
    groups: dict[int, npt.NDArray[np.float64]] = {}
    for index in range(focused.getNumberHistograms()):
        spectrum = focused.getSpectrum(index)
        groups[int(spectrum.getSpectrumNo()) - 1] = np.asarray(spectrum.getTofs(), np.float64)
    return groups


def _grouping_workspace(workspace: Any, table: FocusTable) -> Any:
    """Make a GroupingWorkspace of a table's groups; Mantid leaves out what is in group 0."""
    # By default Mantid would look for banks by 300 names first.
    made = run_algorithm("CreateGroupingWorkspace", InputWorkspace=workspace, GroupDetectorsBy="All")
    size = len(table.group)
    for index in range(made.getNumberHistograms()):
        group = 0
        for detector in made.getSpectrum(index).getDetectorIDs():
            if 0 <= int(detector) < size:
                group = max(0, int(table.group[int(detector)]) + 1)
        made.dataY(index)[0] = float(group)
    return made
