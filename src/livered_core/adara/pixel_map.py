"""The pixel map: which pixel of the electronics is which pixel of the instrument, and in which bank.

Layouts: sections "Pixel Mapping Table Packet" and "Pixel Mapping Table Alternate Packet" of the protocol. A map is
a row of sections, each for one bank. The old packet counts the instrument's (logical) pixels up and lists those of
the electronics (physical); the alternate one has it the other way round and begins with the number of banks. From
version 1 on a section may say a sequence by its start, stop and step.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from itertools import pairwise
from typing import Final

import attrs
import numpy as np

from livered_core.adara.columns import U32, Bools, by_value, is_u32, require_same_length, shape
from livered_core.adara.wire import RawPacket, bits, damaged, require_at_least, unfit

MOST_PIXELS: Final = 1 << 24
"""Pixels of the largest map that is read: those of the facility's largest camera. A packet of 10 kB can say as many."""

MOST_SECTIONS: Final = 1 << 20
"""Sections of the largest map that is read; a section may have no pixels."""

_SECTION = struct.Struct("<II")
# The step of the counted pixels is the upper half of its word.
_SHORTHAND = struct.Struct("<IIhhI")
_SHORTHAND_BIT = 1 << 15
_LONGEST_SECTION = 0xFFFF
_LONGEST_SECTION_V1 = 0x7FFF
_LARGEST_STEP = 0x7FFF
_WORTH_SHORTHAND = 5
"""Pixels from which on a sequence is shorter than a list."""


@attrs.frozen(kw_only=True)
class PixelMapping:
    """Type 0x4002: the pixel map, one pixel of the electronics for each of the instrument.

    The arrays belong to the packet: do not write to them.

    Attributes
    ----------
    physical_id, logical_id, bank_id
        uint32[n] each, in the order of the packet; banks have 16 bits.
    """

    time_ns: int
    physical_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    logical_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    bank_id: U32 = attrs.field(validator=is_u32, eq=by_value, repr=shape)
    version: int = 0

    def __attrs_post_init__(self) -> None:
        require_same_length(self, "physical_id", "logical_id", "bank_id")


@attrs.frozen(kw_only=True)
class PixelMappingAlt(PixelMapping):
    """Type 0x4102, versions 0 and 1: a pixel map of any kind.

    Attributes
    ----------
    n_banks
        Number of banks of the instrument. The facility's server writes the largest number of a bank here, which is
        the same where banks are numbered from 1 without gaps (``sms/PixelMap.cc`` of the ADARA repository).
    """

    n_banks: int
    version: int = 1


def decode_pixel_mapping(raw: RawPacket) -> PixelMapping:
    """Read a pixel map of type 0x4002.

    Raises
    ------
    ProtocolError
        When the counts do not fit the payload, or the map is larger than `MOST_PIXELS` or `MOST_SECTIONS`.
    """
    logical_id, physical_id, bank_id = _read_sections(raw, 0, shorthand=False)
    return PixelMapping(
        time_ns=raw.time_ns,
        physical_id=physical_id,
        logical_id=logical_id,
        bank_id=bank_id,
        version=raw.version,
    )


def decode_pixel_mapping_alt(raw: RawPacket) -> PixelMappingAlt:
    """Read a pixel map of type 0x4102; raises as `decode_pixel_mapping` does."""
    require_at_least(raw, 4)
    n_banks = int.from_bytes(raw.payload[:4], "little")
    physical_id, logical_id, bank_id = _read_sections(raw, 4, shorthand=raw.version > 0)
    return PixelMappingAlt(
        time_ns=raw.time_ns,
        physical_id=physical_id,
        logical_id=logical_id,
        bank_id=bank_id,
        n_banks=n_banks,
        version=raw.version,
    )


def _read_sections(raw: RawPacket, position: int, *, shorthand: bool) -> tuple[U32, U32, U32]:
    """Read the sections: the pixels that are counted, those that are listed, and the banks."""
    sections = list(_walk(raw, position, shorthand=shorthand))
    total = sum(count for _, _, _, count, _ in sections)
    counted, listed, bank_id = (np.empty(total, np.uint32) for _ in range(3))
    n = 0
    for number, (at, base, bank, count, is_sequence) in enumerate(sections, 1):
        part = slice(n, n + count)
        n += count
        steps = np.arange(count, dtype=np.int64)
        bank_id[part] = bank
        if not is_sequence:
            if base + count > 1 << 32:
                raise damaged(raw, f"counts pixels beyond 32 bits in section {number} of the map")
            counted[part] = base + steps
            listed[part] = np.frombuffer(raw.payload, "<u4", count, at)
            continue
        stop, start_listed, step_listed, step, stop_listed = _SHORTHAND.unpack_from(raw.payload, at)
        last, last_listed = base + step * (count - 1), start_listed + step_listed * (count - 1)
        if count == 0 or (last, last_listed) != (stop, stop_listed):
            raise damaged(
                raw,
                f"has a sequence in section {number} of the map whose {count} steps do not lead to its end",
            )
        counted[part] = base + step * steps
        listed[part] = start_listed + step_listed * steps
    return counted, listed, bank_id


def _walk(raw: RawPacket, position: int, *, shorthand: bool) -> Iterator[tuple[int, int, int, int, bool]]:
    """Follow the sections: for each where its pixels are, its first pixel, bank, number of pixels, and kind."""
    total, number, end = 0, 0, len(raw.payload)
    while position < end:
        number += 1
        where = f"section {number} of the map"
        if end - position < _SECTION.size:
            raise damaged(raw, f"ends within the head of {where}")
        base, word = _SECTION.unpack_from(raw.payload, position)
        position += _SECTION.size
        is_sequence = shorthand and bool(word & _SHORTHAND_BIT)
        count = word & (_LONGEST_SECTION_V1 if shorthand else _LONGEST_SECTION)
        total += count
        if total > MOST_PIXELS:
            raise damaged(raw, f"maps more than {MOST_PIXELS} pixels")
        if number > MOST_SECTIONS:
            raise damaged(raw, f"has more than {MOST_SECTIONS} sections")
        length = _SHORTHAND.size if is_sequence else 4 * count
        if length > end - position:
            raise damaged(
                raw, f"says that {where} takes {length} bytes, and holds {end - position} bytes more"
            )
        yield position, base, word >> 16, count, is_sequence
        position += length


def encode_pixel_mapping(packet: PixelMapping) -> bytes:
    """Write the payload of a pixel map of either type.

    Raises
    ------
    DataModelError
        When a bank has more than 16 bits.
    """
    if bool((packet.bank_id >= 1 << 16).any()):
        raise unfit(packet, "a bank_id has more than 16 bits")
    if not isinstance(packet, PixelMappingAlt):
        return b"".join(_lists(packet.logical_id, packet.physical_id, packet.bank_id, _LONGEST_SECTION))
    head = struct.pack("<I", bits(packet, "n_banks", packet.n_banks, 32))
    if packet.version == 0:
        sections = _lists(packet.physical_id, packet.logical_id, packet.bank_id, _LONGEST_SECTION)
    else:
        sections = _sequences_and_lists(packet.physical_id, packet.logical_id, packet.bank_id)
    return head + b"".join(sections)


def _lists(counted: U32, listed: U32, bank_id: U32, longest: int) -> Iterator[bytes]:
    """Write sections of pixels that count up by one within a bank."""
    goes_on = (np.diff(counted.astype(np.int64)) == 1) & (np.diff(bank_id) == 0)
    for begin, end in _pieces(len(counted), goes_on, longest):
        head = _SECTION.pack(int(counted[begin]), int(bank_id[begin]) << 16 | end - begin)
        yield head + bytes(listed[begin:end].astype("<u4").tobytes())


def _sequences_and_lists(counted: U32, listed: U32, bank_id: U32) -> Iterator[bytes]:
    """Write sections of even steps as sequences where that is shorter, and what is between them as lists."""
    step, step_listed = np.diff(counted.astype(np.int64)), np.diff(listed.astype(np.int64))
    small = (np.abs(step) <= _LARGEST_STEP) & (np.abs(step_listed) <= _LARGEST_STEP) & (np.diff(bank_id) == 0)
    even = np.zeros(len(step), np.bool_)
    # The facility's translator takes no sequence that stands still.
    small &= (step != 0) & (step_listed != 0)
    # A step goes on with a sequence when it is as the one before it.
    even[1:] = (step[1:] == step[:-1]) & (step_listed[1:] == step_listed[:-1]) & small[1:] & small[:-1]
    done = 0
    position = 0
    while position + 1 < len(counted):
        end = position + 2
        while end < len(counted) and even[end - 1] and end - position < _LONGEST_SECTION_V1:
            end += 1
        if end - position >= _WORTH_SHORTHAND:
            yield from _lists(
                counted[done:position], listed[done:position], bank_id[done:position], _LONGEST_SECTION_V1
            )
            word = int(bank_id[position]) << 16 | _SHORTHAND_BIT | end - position
            yield _SECTION.pack(int(counted[position]), word) + _SHORTHAND.pack(
                int(counted[end - 1]),
                int(listed[position]),
                int(step_listed[position]),
                int(step[position]),
                int(listed[end - 1]),
            )
            done = position = end
        else:
            position = end - 1
    yield from _lists(counted[done:], listed[done:], bank_id[done:], _LONGEST_SECTION_V1)


def _pieces(n: int, goes_on: Bools, longest: int) -> Iterator[tuple[int, int]]:
    """Cut `n` pixels where something does not go on from one to the next, and where a piece would get too long."""
    edges = [0, *(np.flatnonzero(~goes_on) + 1).tolist(), n]
    for begin, end in pairwise(edges):
        for start in range(begin, end, longest):
            yield start, min(start + longest, end)
