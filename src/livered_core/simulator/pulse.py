"""The packets of one pulse."""

from __future__ import annotations

from typing import Final

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara import RTDL_FRAMES, BankedEvents, BeamMonitorEvents, PulseFlag, Rtdl, encode

_ENERGY_EV: Final = 1_000_000_000
_RING_PERIOD_PS: Final = 945_000
_INTRAPULSE_TICKS: Final = 166_667
_CYCLES: Final = 600
_SOURCE_ID: Final = 1


@attrs.frozen(eq=False)
class Pulse:
    """What a pulse brings.

    Attributes
    ----------
    number
        Counting from the start of the stream.
    time_ns
        Nanoseconds UTC since the Unix epoch.
    charge_pc, charge_before_pc
        Proton charge of this pulse and of the one before, picocoulomb, multiples of 10.
    bank_counts
        int64[banks], events of each bank.
    pixel_id, tof
        uint32[n], events ordered by bank; ticks of 100 ns.
    monitor_id
        uint32[m].
    monitor_counts
        int64[m], events of each monitor.
    monitor_tof
        uint32[k], ordered by monitor, ticks of 100 ns.
    """

    number: int
    time_ns: int
    charge_pc: int
    charge_before_pc: int
    bank_counts: npt.NDArray[np.int64]
    pixel_id: npt.NDArray[np.uint32]
    tof: npt.NDArray[np.uint32]
    monitor_id: npt.NDArray[np.uint32]
    monitor_counts: npt.NDArray[np.int64]
    monitor_tof: npt.NDArray[np.uint32]


def pulse_packets(pulse: Pulse) -> bytes:
    """Encode a pulse: RTDL, banked events, monitor events.

    Banks have the ids 1, 2, ... in the order of the instrument's banks; those without events are left out.
    """
    flags = int(PulseFlag.GOT_METADATA)
    if pulse.charge_pc:
        flags |= int(PulseFlag.GOT_NEUTRONS)
    filled = np.flatnonzero(pulse.bank_counts)
    one = np.ones(1, np.uint32)
    cycle = pulse.number % _CYCLES
    rtdl = Rtdl(
        time_ns=pulse.time_ns,
        proton_charge_pc=pulse.charge_before_pc,
        cycle=cycle,
        intrapulse_time=_INTRAPULSE_TICKS,
        ring_period_ps=_RING_PERIOD_PS,
        frame_number=np.zeros(RTDL_FRAMES, np.uint32),
        frame_data=np.zeros(RTDL_FRAMES, np.uint32),
    )
    banked = BankedEvents(
        time_ns=pulse.time_ns,
        proton_charge_pc=pulse.charge_pc,
        energy_ev=_ENERGY_EV,
        cycle=cycle,
        flags=flags,
        source_id=_SOURCE_ID * one,
        intrapulse_time=_INTRAPULSE_TICKS * one,
        tof_offset=0 * one,
        tof_corrected=np.ones(1, np.bool_),
        n_banks=np.array([len(filled)], np.int64),
        bank_id=(filled + 1).astype(np.uint32),
        bank_offset=_offsets(pulse.bank_counts[filled]),
        pixel_id=pulse.pixel_id,
        tof=pulse.tof,
    )
    n_monitors, n_monitor_events = len(pulse.monitor_id), len(pulse.monitor_tof)
    monitors = BeamMonitorEvents(
        time_ns=pulse.time_ns,
        proton_charge_pc=pulse.charge_pc,
        energy_ev=_ENERGY_EV,
        cycle=cycle,
        flags=flags,
        monitor_id=pulse.monitor_id,
        source_id=np.full(n_monitors, _SOURCE_ID, np.uint32),
        tof_offset=np.zeros(n_monitors, np.uint32),
        tof_corrected=np.ones(n_monitors, np.bool_),
        event_offset=_offsets(pulse.monitor_counts),
        tof=pulse.monitor_tof,
        event_cycle=np.full(n_monitor_events, cycle, np.uint32),
        rising=np.ones(n_monitor_events, np.bool_),
    )
    return encode(rtdl) + encode(banked) + encode(monitors)


def _offsets(counts: npt.NDArray[np.int64]) -> npt.NDArray[np.int64]:
    offsets = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=offsets[1:])
    return offsets
