"""Leaving events out before they are focused: prompt pulses and flagged pulses."""

from __future__ import annotations

import math

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.errors import DataModelError
from livered_core.model import EventBatch

FRAME_US = 1e6 / 60.0
"""Time between two pulses of a 60 Hz source, microseconds."""


@attrs.frozen
class EventFilter:
    """Which events are left out.

    Attributes
    ----------
    prompt_pulse_width_us
        Events with ``k frame_us <= tof < k frame_us + prompt_pulse_width_us``, k = 0, 1, 2, ..., are left out: they
        come with the flash of the proton pulse. 0 leaves out none. Mantid's RemovePromptPulse does the same.
    frame_us
        Time between two proton pulses, microseconds.
    pulse_flags
        Pulses that have one of these bits in `EventBatch.flags` are left out, with their proton charge; see
        `livered_core.adara.PulseFlag`.

    Raises
    ------
    DataModelError
        When the width is negative or not below the frame, or the frame is not above 0.
    """

    prompt_pulse_width_us: float = 0.0
    frame_us: float = FRAME_US
    pulse_flags: int = 0

    def __attrs_post_init__(self) -> None:
        if not (0 < self.frame_us < math.inf and 0 <= self.prompt_pulse_width_us < self.frame_us):
            message = (
                f"Prompt pulses {self.prompt_pulse_width_us} us wide every {self.frame_us} us cannot be left out: "
                "give 0 <= width < frame."
            )
            raise DataModelError(message)


@attrs.frozen(eq=False)
class FilteredEvents:
    """What a filter left, and what it took away.

    Attributes
    ----------
    events
        The events and pulses that are left; the batch that went in where nothing was left out.
    n_filtered
        Events left out.
    n_pulses_filtered
        Pulses left out.
    proton_charge_filtered_pc
        Proton charge of these pulses, picocoulomb.
    """

    events: EventBatch
    n_filtered: int = 0
    n_pulses_filtered: int = 0
    proton_charge_filtered_pc: float = 0.0


def filter_events(events: EventBatch, by: EventFilter) -> FilteredEvents:
    """Leave out what a filter names.

    Parameters
    ----------
    events
        Not modified.
    by
        The filter.

    Returns
    -------
    FilteredEvents
        ``n_filtered`` and the events left add up to those that came.
    """
    keep_pulse = (events.flags & np.uint32(by.pulse_flags)) == 0
    per_pulse = np.diff(events.event_offset)
    keep = np.repeat(keep_pulse, per_pulse)
    if by.prompt_pulse_width_us > 0:
        keep &= ~_is_prompt(events.tof, by)
    n_filtered = events.n_events - int(np.count_nonzero(keep))
    if n_filtered == 0 and bool(keep_pulse.all()):
        return FilteredEvents(events)
    kept_before = np.concatenate(([0], np.cumsum(keep)))
    per_pulse = np.diff(kept_before[events.event_offset])[keep_pulse]
    left = EventBatch(
        pixel_id=events.pixel_id[keep],
        tof=events.tof[keep],
        pulse_time_ns=events.pulse_time_ns[keep_pulse],
        proton_charge_pc=events.proton_charge_pc[keep_pulse],
        event_offset=np.concatenate(([0], np.cumsum(per_pulse))).astype(np.int64),
        flags=events.flags[keep_pulse],
    )
    return FilteredEvents(
        events=left,
        n_filtered=n_filtered,
        n_pulses_filtered=int(np.count_nonzero(~keep_pulse)),
        proton_charge_filtered_pc=float(events.proton_charge_pc[~keep_pulse].sum()),
    )


def _is_prompt(tof: npt.NDArray[np.uint32], by: EventFilter) -> npt.NDArray[np.bool_]:
    tof_us = tof / 10.0
    prompt: npt.NDArray[np.bool_] = (
        tof_us - np.floor(tof_us / by.frame_us) * by.frame_us < by.prompt_pulse_width_us
    )
    return prompt
