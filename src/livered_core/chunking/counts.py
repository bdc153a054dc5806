"""Accounting: every pulse and event that comes in is in exactly one place."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

import attrs

from livered_core.adara import PulseEvents, PulseFlag

PLACES: Final = ("reduced", "between_runs", "paused", "replayed", "early", "vetoed", "partial")
"""Where a pulse can go."""
_COUNTS_OF: Final = {place: (f"{place}_pulses", f"{place}_events") for place in PLACES}


@attrs.define
class StreamCounts:
    """What came in, and where it went. Written by the reader's thread, read by any.

    ``pulses`` is the sum of the pulse counts of `PLACES`, and so for events.

    Attributes
    ----------
    packets, unknown_packets, unreadable_packets
        All packets, those of types that this client does not know, and those that cannot be read.
    skipped_bytes
        Bytes of damaged places in which no packets could be found.
    rtdl_packets
        The accelerator's words, which come with each pulse and without beam as well.
    beam_pulses
        Pulses with proton charge.
    pulses, events
        Everything that came, events in error pixels and unmapped ones included.
    reduced_pulses, reduced_events
        Handed on to be reduced.
    between_runs_pulses, between_runs_events
        Came while no run was going on.
    paused_pulses, paused_events
        Came while the run was paused.
    replayed_pulses, replayed_events
        Had been taken before, or belong to a run that is over.
    early_pulses, early_events
        Lie before the time that was asked for.
    vetoed_pulses, vetoed_events
        Were vetoed, and are left out as asked.
    partial_pulses, partial_events
        Lack data as their flags say, and are left out as asked.
    error_pixel_events, unmapped_events
        In pulses that were handed on, but not events of a detector pixel.
    uncorrected_pulses
        Handed on with events that lack a correction of frame skew that they ought to have.
    monitor_events, left_out_monitor_events
        Events of beam monitors that were handed on, and that came with a pulse that was not.
    flagged
        Pulses by the name of the flag that they have, of all that came.
    """

    packets: int = 0
    unknown_packets: int = 0
    unreadable_packets: int = 0
    skipped_bytes: int = 0
    rtdl_packets: int = 0
    beam_pulses: int = 0
    pulses: int = 0
    events: int = 0
    reduced_pulses: int = 0
    reduced_events: int = 0
    between_runs_pulses: int = 0
    between_runs_events: int = 0
    paused_pulses: int = 0
    paused_events: int = 0
    replayed_pulses: int = 0
    replayed_events: int = 0
    early_pulses: int = 0
    early_events: int = 0
    vetoed_pulses: int = 0
    vetoed_events: int = 0
    partial_pulses: int = 0
    partial_events: int = 0
    error_pixel_events: int = 0
    unmapped_events: int = 0
    uncorrected_pulses: int = 0
    monitor_events: int = 0
    left_out_monitor_events: int = 0
    flagged: dict[str, int] = attrs.field(factory=dict)

    def pulse(self, place: str, pulse: PulseEvents) -> None:
        """Count a pulse that came in, and where it went.

        Parameters
        ----------
        place
            One of `PLACES`: the first part of the names of the two counts.
        pulse
            The pulse.
        """
        n_events = pulse.n_events
        self.pulses += 1
        self.events += n_events
        self.beam_pulses += pulse.proton_charge_pc > 0
        for name in _flag_names(pulse.flags):
            self.flagged[name] = self.flagged.get(name, 0) + 1
        of_pulses, of_events = _COUNTS_OF[place]
        setattr(self, of_pulses, getattr(self, of_pulses) + 1)
        setattr(self, of_events, getattr(self, of_events) + n_events)

    def by_name(self) -> dict[str, int]:
        """Return all counts by name; those of flags as ``flagged_pulse_veto`` and so on."""
        counts: dict[str, Any] = attrs.asdict(self, recurse=False)
        flagged = counts.pop("flagged")
        # A copy first: the reader's thread may add a flag at any time.
        return {**counts, **{f"flagged_{name}": n for name, n in dict(flagged).items()}}


@lru_cache(maxsize=1024)
def _flag_names(flags: int) -> tuple[str, ...]:
    """Name the bits that are set; those without a name by their value."""
    bits = [1 << place for place in range(flags.bit_length()) if flags >> place & 1]
    known = {int(flag): flag.name or "" for flag in PulseFlag}
    return tuple(known.get(bit, f"0x{bit:X}").lower() for bit in bits)
