"""Packets that come with every pulse: events as columns, no Python object for an event or a bank."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import attrs
import numpy as np
import numpy.typing as npt

from livered_core.adara.types import ERROR_PIXELS_BANK, UNMAPPED_BANK

U32 = npt.NDArray[np.uint32]
I64 = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]


def _has(dtype: type[np.generic]) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    def check(packet: Any, attribute: attrs.Attribute[Any], column: Any) -> None:
        name = f"{type(packet).__name__}.{attribute.name}"
        if not isinstance(column, np.ndarray):
            message = f"{name} must be a numpy array and is a {type(column).__name__}."
            raise TypeError(message)
        if column.dtype != dtype or column.ndim != 1:
            message = f"{name} must be {np.dtype(dtype)}[n] and is {column.dtype}{list(column.shape)}."
            raise TypeError(message)

    return check


_is_u32 = _has(np.uint32)
_is_i64 = _has(np.int64)
_is_bool = _has(np.bool_)
_by_value = attrs.cmp_using(eq=np.array_equal)


def _shape(column: npt.NDArray[Any]) -> str:
    return f"<{column.dtype}{list(column.shape)}>"


def _require_same_length(packet: Any, *names: str) -> None:
    lengths = {name: len(getattr(packet, name)) for name in names}
    if len(set(lengths.values())) > 1:
        said = ", ".join(f"{length} of {name}" for name, length in lengths.items())
        message = f"{type(packet).__name__} has {said}: they must be as many."
        raise ValueError(message)


def _require_offsets(packet: Any, name: str, groups: int, items: int) -> None:
    offset = getattr(packet, name)
    if (
        len(offset) != groups + 1
        or offset[0] != 0
        or offset[-1] != items
        or bool((offset[1:] < offset[:-1]).any())
    ):
        message = f"{type(packet).__name__}.{name} must ascend from 0 to {items} in {groups + 1} values."
        raise ValueError(message)


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
    source_id: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    intrapulse_time: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    tof_offset: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    tof_corrected: Bools = attrs.field(validator=_is_bool, eq=_by_value, repr=_shape)
    n_banks: I64 = attrs.field(validator=_is_i64, eq=_by_value, repr=_shape)
    bank_id: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    bank_offset: I64 = attrs.field(validator=_is_i64, eq=_by_value, repr=_shape)
    pixel_id: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    tof: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        _require_same_length(self, "source_id", "intrapulse_time", "tof_offset", "tof_corrected", "n_banks")
        _require_same_length(self, "pixel_id", "tof")
        _require_offsets(self, "bank_offset", len(self.bank_id), len(self.tof))
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

    bank_state: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    version: int = 0

    def __attrs_post_init__(self) -> None:
        super().__attrs_post_init__()
        _require_same_length(self, "bank_id", "bank_state")


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
    monitor_id: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    source_id: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    tof_offset: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    tof_corrected: Bools = attrs.field(validator=_is_bool, eq=_by_value, repr=_shape)
    event_offset: I64 = attrs.field(validator=_is_i64, eq=_by_value, repr=_shape)
    tof: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    event_cycle: U32 = attrs.field(validator=_is_u32, eq=_by_value, repr=_shape)
    rising: Bools = attrs.field(validator=_is_bool, eq=_by_value, repr=_shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        _require_same_length(self, "monitor_id", "source_id", "tof_offset", "tof_corrected")
        _require_same_length(self, "tof", "event_cycle", "rising")
        _require_offsets(self, "event_offset", len(self.monitor_id), len(self.tof))


RTDL_FRAMES = 25
"""Number of frames in an RTDL packet after that of the ring period."""


def _no_frames() -> U32:
    return np.zeros(RTDL_FRAMES, np.uint32)


@attrs.frozen(kw_only=True)
class Rtdl:
    """Type 0x0001, versions 0 and 1: what the accelerator says of a pulse. `time_ns` is the pulse.

    Attributes
    ----------
    proton_charge_pc
        Charge of the pulse before, picocoulomb, a multiple of 10 and below 2**24 * 10.
    flavor
        Kind of pulse: 3 bits, 8 in version 0. 1 is a normal pulse for target station 1.
    data_flags
        5 bits: 1 neutrons, 2 metadata; 0 in version 0, which has none.
    cycle, timing_status, veto
        10, 8 and 12 bits; the veto is that of the pulse before.
    bad_veto, bad_cycle
        Deprecated by the protocol.
    intrapulse_time, tof_offset
        Ticks of 100 ns.
    tof_corrected
        Whether times of flight are corrected for frame skew.
    ring_period_ps
        Picoseconds of one turn of the accumulator ring, 24 bits.
    frame_number, frame_data
        uint32[25]: number (8 bits; 0 for none) and contents (24 bits) of further frames.
    """

    time_ns: int
    proton_charge_pc: int
    flavor: int = 1
    data_flags: int = 0
    cycle: int = 0
    timing_status: int = 0
    veto: int = 0
    bad_veto: bool = False
    bad_cycle: bool = False
    intrapulse_time: int = 0
    tof_offset: int = 0
    tof_corrected: bool = True
    ring_period_ps: int = 0
    frame_number: U32 = attrs.field(factory=_no_frames, validator=_is_u32, eq=_by_value, repr=_shape)
    frame_data: U32 = attrs.field(factory=_no_frames, validator=_is_u32, eq=_by_value, repr=_shape)
    version: int = 1

    def __attrs_post_init__(self) -> None:
        if len(self.frame_number) != RTDL_FRAMES or len(self.frame_data) != RTDL_FRAMES:
            message = f"Rtdl must have {RTDL_FRAMES} frames and has {len(self.frame_number)} and {len(self.frame_data)}."
            raise ValueError(message)
