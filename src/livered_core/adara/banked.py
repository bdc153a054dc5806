"""Banked events between wire and columns, without Python work for an event.

Layout (sections "Banked Event Data", "Source Section" and "Banked Event Section" of the protocol), in rows of
two little-endian 32-bit words::

    charge, energy | cycle, veto and flags                                      once
      source id, intra-pulse time | COR and TOF offset, number of banks         for each source
        bank id, number of events                                               for each of its banks
          time of flight, pixel id                                              for each of its events

Everything is a whole number of rows, so that the rows that are not events can be masked out in one go.
"""

from __future__ import annotations

import array

import numpy as np
import numpy.typing as npt

from livered_core.adara.pulse_head import pulse_words, read_head
from livered_core.adara.pulses import I64, BankedEvents
from livered_core.adara.wire import RawPacket, damaged, unfit

Rows = npt.NDArray[np.uint64]

_PULSE_ROWS = 2
_SOURCE_ROWS = 2
_CORRECTED_BIT = 1 << 31


def decode_banked_events(raw: RawPacket) -> BankedEvents:
    """Read the events of a pulse.

    Parameters
    ----------
    raw
        A packet of type 0x4000, version 0 or 1.

    Returns
    -------
    BankedEvents
        With arrays of its own.

    Raises
    ------
    ProtocolError
        When the numbers of banks and events do not fit the payload. Nothing is allocated on their word.
    """
    head = read_head(raw)
    if len(raw.payload) % 8:
        raise damaged(raw, f"has a payload of {len(raw.payload)} bytes, which is not a multiple of 8")
    words = np.frombuffer(raw.payload, "<u4").astype(np.uint32, copy=False)
    n_banks, bank_offset = _walk(raw, words.data)
    source_row, bank_row = _header_rows(n_banks, bank_offset)
    word_pairs = words.reshape(-1, 2)
    first, second = word_pairs[source_row], word_pairs[source_row + 1]
    is_event = _event_rows(len(word_pairs), source_row, bank_row)
    # Eight bytes at a time: half the work of masking two columns.
    events = np.frombuffer(raw.payload, "<u8")[is_event].view("<u4")
    return BankedEvents(
        source_id=first[:, 0].copy(),
        intrapulse_time=first[:, 1].copy(),
        tof_offset=second[:, 0] & np.uint32(_CORRECTED_BIT - 1),
        tof_corrected=second[:, 0] >= np.uint32(_CORRECTED_BIT),
        n_banks=n_banks,
        bank_id=word_pairs[bank_row, 0],
        bank_offset=bank_offset,
        pixel_id=events[1::2].astype(np.uint32),
        tof=events[0::2].astype(np.uint32),
        **head,
    )


def _walk(raw: RawPacket, words: memoryview) -> tuple[I64, I64]:
    """Follow the counts through the payload: banks of each source, and events up to each bank.

    Each count says where the next one stands, so this is a loop, over banks.
    """
    end = len(words)
    position = 4
    n_events = 0
    n_banks = array.array("q")
    bank_offset = array.array("q", [0])
    while position < end:
        if end - position < 4:
            raise damaged(raw, f"has {(end - position) * 4} bytes left over after {len(n_banks)} sources")
        banks = words[position + 3]
        position += 4
        if banks > (end - position) // 2:
            raise damaged(
                raw,
                f"says that source {len(n_banks) + 1} has {banks} banks, and holds {(end - position) * 4} bytes more",
            )
        n_banks.append(banks)
        for bank in range(banks):
            if end - position < 2:
                raise damaged(raw, f"ends before bank {bank + 1} of {banks} of source {len(n_banks)}")
            events = words[position + 1]
            position += 2
            if events > (end - position) // 2:
                raise damaged(
                    raw,
                    f"says that bank {bank + 1} of source {len(n_banks)} has {events} events, "
                    f"and holds {(end - position) * 4} bytes more",
                )
            position += 2 * events
            n_events += events
            bank_offset.append(n_events)
    return np.array(n_banks, np.int64), np.array(bank_offset, np.int64)


def _header_rows(n_banks: I64, bank_offset: I64) -> tuple[I64, I64]:
    """Say in which row each source and each bank begins."""
    banks_before = np.cumsum(n_banks) - n_banks
    source = np.arange(len(n_banks))
    source_row = _PULSE_ROWS + _SOURCE_ROWS * source + banks_before + bank_offset[banks_before]
    sources_up_to = np.repeat(source + 1, n_banks)
    bank = np.arange(len(bank_offset) - 1)
    bank_row = _PULSE_ROWS + _SOURCE_ROWS * sources_up_to + bank + bank_offset[:-1]
    return source_row, bank_row


def _event_rows(n_rows: int, source_row: I64, bank_row: I64) -> npt.NDArray[np.bool_]:
    is_event = np.ones(n_rows, np.bool_)
    is_event[:_PULSE_ROWS] = False
    is_event[source_row] = False
    is_event[source_row + 1] = False
    is_event[bank_row] = False
    return is_event


def encode_banked_events(packet: BankedEvents) -> bytes:
    """Write the events of a pulse.

    Parameters
    ----------
    packet
        Version 0 or 1.

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
    n_sources, n_banks, n_events = len(packet.source_id), len(packet.bank_id), packet.n_events
    if bool((packet.tof_offset >= _CORRECTED_BIT).any()):
        raise unfit(packet, "a tof_offset has more than 31 bits")
    n_rows = _PULSE_ROWS + _SOURCE_ROWS * n_sources + n_banks + n_events
    rows = np.empty(n_rows, "<u8")
    source_row, bank_row = _header_rows(packet.n_banks, packet.bank_offset)
    corrected = packet.tof_corrected.astype(np.uint32) << np.uint32(31)
    rows[:_PULSE_ROWS] = np.frombuffer(head, "<u8")
    rows[source_row] = _pairs(packet.source_id, packet.intrapulse_time)
    rows[source_row + 1] = _pairs(packet.tof_offset | corrected, packet.n_banks.astype(np.uint32))
    rows[bank_row] = _pairs(packet.bank_id, np.diff(packet.bank_offset).astype(np.uint32))
    rows[_event_rows(n_rows, source_row, bank_row)] = _pairs(packet.tof, packet.pixel_id)
    return rows.tobytes()


def _pairs(first: npt.NDArray[np.uint32], second: npt.NDArray[np.uint32]) -> Rows:
    """Interleave two columns into rows of eight bytes."""
    words = np.empty((len(first), 2), "<u4")
    words[:, 0] = first
    words[:, 1] = second
    return words.view("<u8")[:, 0]
