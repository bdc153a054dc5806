"""Packets of events that come with every pulse: columns, no Python object for an event or a bank."""

from __future__ import annotations

import attrs
import numpy as np

from livered_core.adara.columns import (
    I64,
    U32,
    Bools,
    by_value,
    is_bool,
    is_i64,
    is_u32,
    require_offsets,
    require_same_length,
    shape,
)
from livered_core.adara.types import ERROR_PIXELS_BANK, UNMAPPED_BANK


@attrs.frozen(kw_only=True)
class BankedEvents:
    """Type 0x4000, versions 0 and 1: the detector events of one pulse. `time_ns` is the pulse.

    Events stand in the order of the wire, bank after bank; banks stand in the order of their sources. The
    arrays belong to the packet: do not write to them.

    Attributes
    ----------
    proton_charge_pc
        Picocoulomb, a multiple of 10 (the unit on the wire).
    energy_ev
        Energy of the protons, electronvolt.
    cycle
        Accelerator cycle; all ones when not known.
    veto
        12 bits of veto flags; 0 in version 0, which has none.
    flags
        Bits of `PulseFlag`: 20 of them, 32 in version 0.
    source_id, intrapulse_time, tof_offset
        uint32[s], for each source: its id, the time between pulses and the offset of frame skew, both in
        ticks of 100 ns. The offset is never applied here.
    tof_corrected
        bool[s]: whether the times of flight are corrected for frame skew.
    n_banks
        int64[s]: number of banks of each source.
    bank_id
        uint32[b], over all sources.
    bank_offset
        int64[b + 1]: the events of bank j are ``bank_offset[j]:bank_offset[j + 1]``.
    pixel_id
        uint32[n].
    tof
        uint32[n], ticks of 100 ns.
    """

    time_ns: int
    proton_charge_pc: int
    energy_ev: int = 0
    cycle: int = 0
    veto: int = 0
    flags: int = 0
    source_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    intrapulse_time: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    tof_offset: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    tof_corrected: Bools = attrs.field(validator=is_bool, eq=by_value, repr=shape)
    n_banks: I64 = attrs.field(validator=is_i64, eq=by_value, repr=shape)
    bank_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    bank_offset: I64 = attrs.field(validator=is_i64, eq=by_value, repr=shape)
    pixel_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    tof: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "source_id", "intrapulse_time", "tof_offset", "tof_corrected", "n_banks")
        require_same_length(self, "pixel_id", "tof")
        require_offsets(self, "bank_offset", len(self.bank_id), len(self.tof))
        if bool((self.n_banks < 0).any()) or int(self.n_banks.sum()) != len(self.bank_id):
            message = (
                f"BankedEvents.n_banks must sum to {len(self.bank_id)}, the number of banks, none negative."
            )
            raise ValueError(message)

    @property
    def n_events(self) -> int:
        """Number of events, those of error and unmapped pixels included."""
        return len(self.tof)

    @property
    def n_uncorrected_sources(self) -> int:
        """Number of sources whose events lack a correction of frame skew that they ought to have."""
        return int(np.count_nonzero(~self.tof_corrected & (self.tof_offset > 0)))


@attrs.frozen(kw_only=True)
class BankedStateEvents(BankedEvents):
    """Type 0x4100, version 0: as `BankedEvents`, with the state of the instrument for each bank.

    A bank comes once for each state in which it has events. Described by the facility's server and translator
    only (``sms/SMSControl.cc``, ``stc/StreamParser.cpp`` of the ADARA repository): the state stands between the
    bank's id and its number of events.

    Attributes
    ----------
    bank_state
        uint32[b].
    """

    bank_state: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    version: int = 0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        require_same_length(self, "bank_id", "bank_state")


@attrs.frozen(eq=False, kw_only=True)
class PulseEvents:
    """What a reduction needs of a pulse: its events that belong to detector pixels, and how many others there were.

    Attributes
    ----------
    time_ns
        The pulse, nanoseconds UTC since the Unix epoch.
    proton_charge_pc
        Picocoulomb.
    flags, veto
        As in `BankedEvents`.
    pixel_id
        uint32[n].
    tof
        uint32[n], ticks of 100 ns.
    n_error_pixel
        Events left out because the detector set the pixel's error bit.
    n_unmapped
        Events left out because their pixel is not in the pixel map.
    n_uncorrected_sources
        Number of sources whose events lack a correction of frame skew that they ought to have.
    """

    time_ns: int
    proton_charge_pc: int
    flags: int
    veto: int
    pixel_id: U32
    tof: U32
    n_error_pixel: int
    n_unmapped: int
    n_uncorrected_sources: int

    @property
    def n_events(self) -> int:
        """Number of events, those left out included."""
        return len(self.tof) + self.n_error_pixel + self.n_unmapped


def detector_events(packet: BankedEvents) -> PulseEvents:
    """Leave out the events of error pixels and of unmapped pixels, and count them.

    Parameters
    ----------
    packet
        Events of a pulse.

    Returns
    -------
    PulseEvents
        The packet's own arrays where nothing is left out, else copies.
    """
    pixel_id, tof = packet.pixel_id, packet.tof
    counts = np.diff(packet.bank_offset)
    # These are the two largest numbers there are, so one comparison finds both.
    is_other = packet.bank_id >= ERROR_PIXELS_BANK
    if is_other.any():
        keep = np.repeat(~is_other, counts)
        pixel_id, tof = pixel_id[keep], tof[keep]
    return PulseEvents(
        time_ns=packet.time_ns,
        proton_charge_pc=packet.proton_charge_pc,
        flags=packet.flags,
        veto=packet.veto,
        pixel_id=pixel_id,
        tof=tof,
        n_error_pixel=int(counts[packet.bank_id == ERROR_PIXELS_BANK].sum()),
        n_unmapped=int(counts[packet.bank_id == UNMAPPED_BANK].sum()),
        n_uncorrected_sources=packet.n_uncorrected_sources,
    )


@attrs.frozen(kw_only=True)
class BeamMonitorEvents:
    """Type 0x4001, versions 0 and 1: the monitor events of one pulse. `time_ns` is the pulse.

    The arrays belong to the packet: do not write to them.

    Attributes
    ----------
    proton_charge_pc, energy_ev, cycle, veto, flags
        As in `BankedEvents`.
    monitor_id
        uint32[m], below 1024, for each section of a monitor.
    source_id, tof_offset
        uint32[m]: source, and offset of frame skew in ticks of 100 ns (never applied here).
    tof_corrected
        bool[m]: whether the times of flight are corrected for frame skew.
    event_offset
        int64[m + 1]: the events of section i are ``event_offset[i]:event_offset[i + 1]``.
    tof
        uint32[n], ticks of 100 ns, below 2**21.
    event_cycle
        uint32[n], below 1024: accelerator cycle of each event.
    rising
        bool[n]: whether the event is of the discriminator's rising edge.
    """

    time_ns: int
    proton_charge_pc: int
    energy_ev: int = 0
    cycle: int = 0
    veto: int = 0
    flags: int = 0
    monitor_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    source_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    tof_offset: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    tof_corrected: Bools = attrs.field(validator=is_bool, eq=by_value, repr=shape)
    event_offset: I64 = attrs.field(validator=is_i64, eq=by_value, repr=shape)
    tof: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    event_cycle: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    rising: Bools = attrs.field(validator=is_bool, eq=by_value, repr=shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "monitor_id", "source_id", "tof_offset", "tof_corrected")
        require_same_length(self, "tof", "event_cycle", "rising")
        require_offsets(self, "event_offset", len(self.monitor_id), len(self.tof))
