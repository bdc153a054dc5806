"""Banked events between wire and columns, without Python work for an event or a bank.

Layout (sections "Banked Event Data", "Source Section" and "Banked Event Section" of the protocol), in
little-endian 32-bit words::

    charge, energy, cycle, veto and flags                                      once
      source id, intra-pulse time, COR and TOF offset, number of banks         for each source
        bank id, [state,] number of events                                     for each of its banks
          time of flight, pixel id                                             for each of its events

The state is there in packets of type 0x4100 only.
"""

from __future__ import annotations

from functools import cache
from types import ModuleType

import numpy as np
import numpy.typing as npt

from livered_core.adara.columns import I64, U32
from livered_core.adara.pulse_head import pulse_words, read_head
from livered_core.adara.pulses import BankedEvents, BankedStateEvents, PulseEvents
from livered_core.adara.types import PacketType
from livered_core.adara.wire import RawPacket, damaged, unfit
from livered_core.errors import BackendUnavailable, ProtocolError

_HEAD_WORDS = 4
_SOURCE_WORDS = 4
_BYTES_OF_EVENT = 8
_CORRECTED_BIT = 1 << 31
_NOTHING = np.empty(0, np.uint32)


@cache
def compiled() -> ModuleType:
    """Import the compiled walks, which takes a second.

    Raises
    ------
    BackendUnavailable
        When numba is not installed.
    """
    try:
        from livered_core.adara import kernel
    except ImportError as error:
        message = "Reading events needs numba, which is not installed: pip install 'livered-core[native]'."
        raise BackendUnavailable(message) from error
    return kernel


def words_of(raw: RawPacket) -> U32:
    """View a payload as uint32[n]; what is left over after the last whole word is damage.

    Raises
    ------
    ProtocolError
        When the payload is not a whole number of words.
    """
    if len(raw.payload) % 4:
        raise damaged(raw, f"has a payload of {len(raw.payload)} bytes, which is not a multiple of 4")
    # Read-only and aligned whatever the payload is, so that the walks are compiled once.
    words = np.frombuffer(memoryview(raw.payload).toreadonly(), "<u4").astype(np.uint32, copy=False)
    if not words.flags.aligned:
        words = words.copy()
        words.flags.writeable = False
    return words


def most_events(raw: RawPacket) -> int:
    """Return how many events a packet of banked events can hold at most."""
    return len(raw.payload) // _BYTES_OF_EVENT


def read_pulse(raw: RawPacket, pixel_id: U32, tof: U32, *, add_tof_offset: bool = False) -> PulseEvents:
    """Read the events of a pulse into columns that are there already.

    Parameters
    ----------
    raw
        A packet of type 0x4000 (version 0 or 1) or 0x4100 (version 0).
    pixel_id, tof
        uint32[m], with room for `most_events`; written from the beginning on, also when the packet turns out
        to be damaged.
    add_tof_offset
        Whether the offset of frame skew is added to the events of sources that lack it.

    Returns
    -------
    PulseEvents
        Its columns are views of the beginning of `pixel_id` and `tof`.

    Raises
    ------
    ProtocolError
        When the numbers of banks and events do not fit the payload.
    BackendUnavailable
        When numba is not installed.
    """
    kernel = compiled()
    head = read_head(raw)
    result = np.empty(kernel.RESULT_SIZE, np.int64)
    kernel.walk_events(words_of(raw), _bank_words(raw), add_tof_offset, True, pixel_id, tof, result)
    # Numbers of Python's own: to take them out of the array one by one costs more than the walk of a small pulse.
    found: list[int] = result.tolist()
    if found[kernel.PROBLEM]:
        raise _explain(raw, result)
    n_error, n_unmapped = found[kernel.ERROR_EVENTS], found[kernel.UNMAPPED_EVENTS]
    n = found[kernel.EVENTS] - n_error - n_unmapped
    return PulseEvents(
        time_ns=raw.time_ns,
        proton_charge_pc=head["proton_charge_pc"],
        flags=head["flags"],
        veto=head["veto"],
        pixel_id=pixel_id[:n],
        tof=tof[:n],
        n_error_pixel=n_error,
        n_unmapped=n_unmapped,
        n_uncorrected_sources=found[kernel.UNCORRECTED],
    )


def count_events(raw: RawPacket) -> tuple[int, int, int]:
    """Count the events of a pulse without reading them.

    Parameters
    ----------
    raw
        As in `read_pulse`.

    Returns
    -------
    n_events, n_error_pixel, n_unmapped
        All events, and those of them in error pixels and in unmapped ones.

    Raises
    ------
    ProtocolError, BackendUnavailable
        As `read_pulse` does.
    """
    kernel = compiled()
    result = _measured(raw, words_of(raw))
    return (
        int(result[kernel.EVENTS]),
        int(result[kernel.ERROR_EVENTS]),
        int(result[kernel.UNMAPPED_EVENTS]),
    )


def decode_banked_events(raw: RawPacket) -> BankedEvents:
    """Read all that there is of the events of a pulse.

    Parameters
    ----------
    raw
        As in `read_pulse`.

    Returns
    -------
    BankedEvents
        With arrays of its own; `BankedStateEvents` for type 0x4100.

    Raises
    ------
    ProtocolError, BackendUnavailable
        As `read_pulse` does. Nothing is allocated on the word of a count.
    """
    kernel = compiled()
    head = read_head(raw)
    words = words_of(raw)
    result = _measured(raw, words)
    sources = np.empty((4, int(result[kernel.SOURCES])), np.uint32)
    banks = np.empty((3, int(result[kernel.BANKS])), np.uint32)
    pixel_id, tof = np.empty((2, int(result[kernel.EVENTS])), np.uint32)
    kernel.read_all(words, _bank_words(raw), sources, banks, pixel_id, tof)
    bank_offset = np.zeros(banks.shape[1] + 1, np.int64)
    np.cumsum(banks[2], out=bank_offset[1:])
    kind: type[BankedEvents] = BankedEvents
    if raw.type == PacketType.BANKED_EVENT_STATE:
        kind, head = BankedStateEvents, {**head, "bank_state": banks[1]}
    return kind(
        source_id=sources[0],
        intrapulse_time=sources[1],
        tof_offset=sources[2] & np.uint32(_CORRECTED_BIT - 1),
        tof_corrected=sources[2] >= np.uint32(_CORRECTED_BIT),
        n_banks=sources[3].astype(np.int64),
        bank_id=banks[0],
        bank_offset=bank_offset,
        pixel_id=pixel_id,
        tof=tof,
        **head,
    )


def _bank_words(raw: RawPacket) -> int:
    return 3 if raw.type == PacketType.BANKED_EVENT_STATE else 2


def _measured(raw: RawPacket, words: U32) -> I64:
    kernel = compiled()
    result = np.empty(kernel.RESULT_SIZE, np.int64)
    kernel.walk_events(words, _bank_words(raw), False, False, _NOTHING, _NOTHING, result)
    if result[kernel.PROBLEM]:
        raise _explain(raw, result)
    return result


def _explain(raw: RawPacket, result: I64) -> ProtocolError:
    """Say in words what the walk found."""
    kernel = compiled()
    problem, count = int(result[kernel.PROBLEM]), int(result[kernel.COUNT])
    source, bank = int(result[kernel.SOURCES]), int(result[kernel.BANK_OF_SOURCE])
    left = 4 * int(result[kernel.WORDS_LEFT])
    if problem == kernel.SOURCE_CUT:
        what = f"has {left} bytes left over after {source - 1} sources"
    elif problem == kernel.BANKS_LIE:
        what = f"says that source {source} has {count} banks, and holds {left} bytes more"
    elif problem == kernel.BANK_CUT:
        what = f"ends before the events of bank {bank} of source {source}"
    else:
        what = f"says that bank {bank} of source {source} has {count} events, and holds {left} bytes more"
    return damaged(raw, what)


def encode_banked_events(packet: BankedEvents) -> bytes:
    """Write the events of a pulse.

    Parameters
    ----------
    packet
        Version 0 or 1; `BankedStateEvents` of version 0.

    Returns
    -------
    bytes
        The payload.

    Raises
    ------
    DataModelError
        When a number does not fit its bits.
    """
    head = pulse_words(packet)
    if bool((packet.tof_offset >= _CORRECTED_BIT).any()):
        raise unfit(packet, "a tof_offset has more than 31 bits")
    bank_words = 3 if isinstance(packet, BankedStateEvents) else 2
    source_at, bank_at = _header_words(packet.n_banks, packet.bank_offset, bank_words)
    n_headers = _HEAD_WORDS + _SOURCE_WORDS * len(source_at) + bank_words * len(bank_at)
    words = np.empty(n_headers + 2 * packet.n_events, "<u4")
    is_event = np.ones(len(words), np.bool_)
    is_event[:_HEAD_WORDS] = False
    words[:_HEAD_WORDS] = np.frombuffer(head, "<u4")
    corrected = packet.tof_corrected.astype(np.uint32) << np.uint32(31)
    of_source = (packet.source_id, packet.intrapulse_time, packet.tof_offset | corrected, packet.n_banks)
    of_bank: list[npt.NDArray[np.generic]] = [packet.bank_id, np.diff(packet.bank_offset)]
    if isinstance(packet, BankedStateEvents):
        of_bank.insert(1, packet.bank_state)
    for at, columns in ((source_at, of_source), (bank_at, of_bank)):
        for place, column in enumerate(columns):
            words[at + place] = column
            is_event[at + place] = False
    events = np.empty((packet.n_events, 2), "<u4")
    events[:, 0] = packet.tof
    events[:, 1] = packet.pixel_id
    words[is_event] = events.ravel()
    return words.tobytes()


def _header_words(n_banks: I64, bank_offset: I64, bank_words: int) -> tuple[I64, I64]:
    """Say at which word each source and each bank begins."""
    banks_before = np.cumsum(n_banks) - n_banks
    source = np.arange(len(n_banks))
    source_at = (
        _HEAD_WORDS + _SOURCE_WORDS * source + bank_words * banks_before + 2 * bank_offset[banks_before]
    )
    sources_up_to = np.repeat(source + 1, n_banks)
    bank = np.arange(len(bank_offset) - 1)
    bank_at = _HEAD_WORDS + _SOURCE_WORDS * sources_up_to + bank_words * bank + 2 * bank_offset[:-1]
    return source_at, bank_at
