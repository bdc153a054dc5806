"""The packets of one pulse."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import BankedEvents, BeamMonitorEvents, Rtdl, encode

_ENERGY_EV: Final = 1_000_000_000
_RING_PERIOD_PS: Final = 945_000
_INTRAPULSE_TICKS: Final = 166_667
_CYCLES: Final = 600
_SOURCE_ID: Final = 1
_NO_EVENTS: Final = np.zeros(0, np.uint32)

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]


@attrs.frozen
class PulseHead:
    """What the accelerator and the server say of a pulse.

    Attributes
    ----------
    number
        Counting from the start of the stream.
    time_ns
        Nanoseconds UTC since the Unix epoch.
    charge_pc, charge_before_pc
        Proton charge of this pulse and of the one before, picocoulomb, multiples of 10.
    flags
        Bits of `PulseFlag`.
    veto, veto_before
        12 bits, of this pulse and of the one before.
    """

    number: int
    time_ns: int
    charge_pc: int
    charge_before_pc: int
    flags: int = 0
    veto: int = 0
    veto_before: int = 0

    @property
    def cycle(self) -> int:
        """Number of the pulse within ten seconds, as the accelerator counts."""
        return self.number % _CYCLES


@attrs.frozen(eq=False)
class PulseBody:
    """What is detected in a pulse.

    Attributes
    ----------
    bank_id, bank_counts
        uint32[b] and int64[b], banks and the events of each.
    pixel_id, tof
        uint32[n], events ordered by bank; ticks of 100 ns.
    monitor_id, monitor_counts
        uint32[m] and int64[m], monitors and the events of each.
    monitor_tof
        uint32[k], ordered by monitor, ticks of 100 ns.
    """

    bank_id: U32
    bank_counts: I64
    pixel_id: U32
    tof: U32
    monitor_id: U32
    monitor_counts: I64
    monitor_tof: U32

    def without_events(self) -> PulseBody:
        """Return the same banks and monitors of a pulse that brought nothing."""
        return attrs.evolve(
            self,
            bank_counts=np.zeros_like(self.bank_counts),
            pixel_id=_NO_EVENTS,
            tof=_NO_EVENTS,
            monitor_counts=np.zeros_like(self.monitor_counts),
            monitor_tof=_NO_EVENTS,
        )


def rtdl_packet(head: PulseHead) -> bytes:
    """Encode what the accelerator says with a pulse: charge and veto are those of the pulse before."""
    return encode(
        Rtdl(
            time_ns=head.time_ns,
            proton_charge_pc=head.charge_before_pc,
            cycle=head.cycle,
            veto=head.veto_before,
            intrapulse_time=_INTRAPULSE_TICKS,
            ring_period_ps=_RING_PERIOD_PS,
        )
    )


def banked_packet(head: PulseHead, body: PulseBody) -> bytes:
    """Encode the detectors' events; banks without events are left out."""
    filled = np.flatnonzero(body.bank_counts)
    one = np.ones(1, np.uint32)
    return encode(
        BankedEvents(
            time_ns=head.time_ns,
            proton_charge_pc=head.charge_pc,
            energy_ev=_ENERGY_EV,
            cycle=head.cycle,
            veto=head.veto,
            flags=head.flags,
            source_id=_SOURCE_ID * one,
            intrapulse_time=_INTRAPULSE_TICKS * one,
            tof_offset=0 * one,
            tof_corrected=np.ones(1, np.bool_),
            n_banks=np.array([len(filled)], np.int64),
            bank_id=body.bank_id[filled],
            bank_offset=_offsets(body.bank_counts[filled]),
            pixel_id=body.pixel_id,
            tof=body.tof,
        )
    )


def monitor_packet(head: PulseHead, body: PulseBody) -> bytes:
    """Encode the beam monitors' events."""
    n_monitors, n_events = len(body.monitor_id), len(body.monitor_tof)
    return encode(
        BeamMonitorEvents(
            time_ns=head.time_ns,
            proton_charge_pc=head.charge_pc,
            energy_ev=_ENERGY_EV,
            cycle=head.cycle,
            veto=head.veto,
            flags=head.flags,
            monitor_id=body.monitor_id,
            source_id=np.full(n_monitors, _SOURCE_ID, np.uint32),
            tof_offset=np.zeros(n_monitors, np.uint32),
            tof_corrected=np.ones(n_monitors, np.bool_),
            event_offset=_offsets(body.monitor_counts),
            tof=body.monitor_tof,
            event_cycle=np.full(n_events, head.cycle, np.uint32),
            rising=np.ones(n_events, np.bool_),
        )
    )


def _offsets(counts: I64) -> I64:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
