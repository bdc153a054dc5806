"""Accounting: every pulse and event that comes in is in exactly one place."""

from __future__ import annotations

import attrs


@attrs.define
class StreamCounts:
    """What came in, and where it went. Written by the reader's thread, read by any.

    ``pulses`` is the sum of the five pulse counts below it, and so for events.

    Attributes
    ----------
    packets, unknown_packets, unreadable_packets
        All packets, those of types that this client does not know, and descriptions that cannot be read.
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
    error_pixel_events, unmapped_events
        In pulses that were handed on, but not events of a detector pixel.
    """

    packets: int = 0
    unknown_packets: int = 0
    unreadable_packets: int = 0
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
    error_pixel_events: int = 0
    unmapped_events: int = 0

    def pulse(self, place: str, n_events: int) -> None:
        """Count a pulse that came in, and where it went: ``reduced``, ``between_runs``, ``paused``, ...

        Parameters
        ----------
        place
            First part of the names of the two counts.
        n_events
            Events in it.
        """
        self.pulses += 1
        self.events += n_events
        setattr(self, f"{place}_pulses", getattr(self, f"{place}_pulses") + 1)
        setattr(self, f"{place}_events", getattr(self, f"{place}_events") + n_events)
