"""The packets of a pulse that comes from a NeXus file."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import (
    CHARGE_UNIT_PC,
    PULSE_HEAD_SIZE,
    BankedEvents,
    BankedStateEvents,
    BeamMonitorEvents,
    PulseFlag,
    Rtdl,
    encode,
    renewed_head,
)
from livered_core.recording.nexus_events import Window
from livered_core.recording.nexus_run import NexusRun

I64 = npt.NDArray[np.int64]
U32 = npt.NDArray[np.uint32]

MOST_MONITORS: Final = 1024
"""Numbers of monitors are below."""

_SOURCE_ID: Final = 1
_INTRAPULSE_TICKS: Final = 166_667
_CYCLES: Final = 600
_MOST_RTDL_PC: Final = CHARGE_UNIT_PC * ((1 << 24) - 1)
"""What the accelerator's packet can say; eight times the charge of a pulse of the SNS."""
_NOTHING: Final = np.zeros(0, np.uint32)


@attrs.frozen(eq=False)
class EventsOfPulse:
    """What banks, or monitors, brought in a pulse.

    Attributes
    ----------
    counts
        int64[b], events of each bank.
    pixel, tof
        uint32[n], ordered by bank; tof in ticks of 100 ns.
    """

    counts: I64
    pixel: U32
    tof: U32


def each_pulse(pieces: Iterator[Window]) -> Iterator[tuple[int, EventsOfPulse]]:
    """Cut windows into pulses, each with its place in the list of pulses."""
    for window in pieces:
        begins = np.concatenate([[0], np.cumsum(window.counts.sum(axis=1))]).tolist()
        for row in range(window.end - window.begin):
            events = slice(begins[row], begins[row + 1])
            yield (
                window.begin + row,
                EventsOfPulse(window.counts[row], window.pixel[events], window.tof[events]),
            )


@attrs.frozen
class _Head:
    """What all packets of a pulse say."""

    time_ns: int
    charge_pc: int
    cycle: int
    flags: int


class PulseWriter:
    """Writes the packets of one pulse after the other.

    Parameters
    ----------
    run
        From `livered_core.recording.nexus_run.read_run`.
    """

    def __init__(self, run: NexusRun) -> None:
        self._run = run
        self._bank_id = np.array([bank.number for bank in run.banks], np.uint32)
        self._bank_state = np.array([bank.state for bank in run.banks], np.uint32)
        self._monitor_id = np.array([monitor.number for monitor in run.monitors], np.uint32)
        self._has_states = bool(self._bank_state.any())
        self._charge_before_pc = 0
        none = EventsOfPulse(np.zeros(len(run.banks), np.int64), _NOTHING, _NOTHING)
        self._empty = self._banked(_Head(int(run.pulses.time_ns[0]), 0, 0, 0), none)

    def write(self, pulse: int, events: EventsOfPulse, monitors: EventsOfPulse) -> bytes:
        """Write RTDL, banked events and, where the file has any, monitor events.

        Raises
        ------
        DataModelError
            When something does not fit into a packet.
        """
        run = self._run
        head = _Head(
            int(run.pulses.time_ns[pulse]), int(run.charge_pc[pulse]), pulse % _CYCLES, int(run.flags[pulse])
        )
        timing = Rtdl(
            time_ns=head.time_ns,
            proton_charge_pc=min(self._charge_before_pc, _MOST_RTDL_PC),
            cycle=head.cycle,
            intrapulse_time=_INTRAPULSE_TICKS,
        )
        self._charge_before_pc = head.charge_pc
        packets = [encode(timing), self._banked(head, events) if len(events.tof) else self._without(head)]
        if len(self._monitor_id):
            packets.append(self._monitors(head, monitors))
        return b"".join(packets)

    def _without(self, head: _Head) -> bytes:
        flags = head.flags | (PulseFlag.HAS_STATES if self._has_states else 0)
        begin = renewed_head(self._empty, head.time_ns, head.charge_pc, head.cycle, 0, flags)
        return begin + self._empty[PULSE_HEAD_SIZE:]

    def _banked(self, head: _Head, events: EventsOfPulse) -> bytes:
        filled = np.flatnonzero(events.counts)
        packet = BankedEvents(
            time_ns=head.time_ns,
            proton_charge_pc=head.charge_pc,
            cycle=head.cycle,
            flags=head.flags,
            source_id=np.full(1, _SOURCE_ID, np.uint32),
            intrapulse_time=np.full(1, _INTRAPULSE_TICKS, np.uint32),
            tof_offset=np.zeros(1, np.uint32),
            tof_corrected=np.ones(1, np.bool_),
            n_banks=np.array([len(filled)], np.int64),
            bank_id=self._bank_id[filled],
            bank_offset=_offsets(events.counts[filled]),
            pixel_id=events.pixel,
            tof=events.tof,
        )
        if not self._has_states:
            return encode(packet)
        fields = {name: getattr(packet, name) for name in _FIELDS}
        fields["flags"] |= PulseFlag.HAS_STATES
        return encode(BankedStateEvents(bank_state=self._bank_state[filled], **fields))

    def _monitors(self, head: _Head, events: EventsOfPulse) -> bytes:
        n_monitors, n_events = len(self._monitor_id), len(events.tof)
        return encode(
            BeamMonitorEvents(
                time_ns=head.time_ns,
                proton_charge_pc=head.charge_pc,
                cycle=head.cycle,
                flags=head.flags,
                monitor_id=self._monitor_id,
                source_id=np.full(n_monitors, _SOURCE_ID, np.uint32),
                tof_offset=np.zeros(n_monitors, np.uint32),
                tof_corrected=np.ones(n_monitors, np.bool_),
                event_offset=_offsets(events.counts),
                tof=events.tof,
                event_cycle=np.full(n_events, head.cycle, np.uint32),
                rising=np.ones(n_events, np.bool_),
            )
        )


_FIELDS: Final = tuple(each.name for each in attrs.fields(BankedEvents) if each.name != "version")


def _offsets(counts: I64) -> I64:
    return np.concatenate([np.zeros(1, np.int64), np.cumsum(counts)])
