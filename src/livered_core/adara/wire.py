"""What all packets share on the wire: the header, words, text, and the sentences about what does not fit.

Layout after the ADARA network protocol, "Common Packet Header": four little-endian 32-bit words (payload
length in bytes, type << 8 | version, seconds and nanoseconds since the EPICS epoch), then the payload, whose
length is a multiple of 4.
"""

from __future__ import annotations

import operator
import struct
from typing import Any, Final

import attrs

from livered_core.adara.epoch import NS_PER_S, epics_time
from livered_core.adara.types import CHARGE_UNIT_PC, PacketType
from livered_core.errors import DataModelError, ProtocolError
from livered_core.model import format_utc

HEADER: Final = struct.Struct("<IIII")
"""Payload length, type << 8 | version, seconds, nanoseconds."""
LONGEST_TEXT: Final = 16 * 1024 * 1024
"""Bytes of the longest text that is read, ten times a large instrument definition: one character may take four."""


@attrs.frozen
class RawPacket:
    """A packet cut out of the stream, not yet read.

    Attributes
    ----------
    type
        Base type; one of `PacketType`, or a number that it does not name.
    version
        Version of the layout.
    time_ns
        Time in the header, nanoseconds UTC since the Unix epoch.
    payload
        The bytes after the header: a copy of their own, or a view of the framer's buffer, which is good until
        the framer takes more bytes. What is decoded of it owns what it holds.
    """

    type: int
    version: int
    time_ns: int
    payload: bytes | memoryview = attrs.field(repr=lambda payload: f"<{len(payload)} bytes>")


def type_name(packet_type: int) -> str:
    """Name a packet type for people, for example ``banked event (0x4000)``.

    Parameters
    ----------
    packet_type
        Base type.
    """
    try:
        name = PacketType(packet_type).name.lower().replace("_", " ")
    except ValueError:
        name = "unknown"
    return f"{name} (0x{packet_type:04X})"


def damaged(raw: RawPacket, what: str) -> ProtocolError:
    """Make the error for a packet that contradicts itself.

    Parameters
    ----------
    raw
        The packet.
    what
        What does not fit, in words that follow on "the packet".
    """
    moment = f"{format_utc(raw.time_ns)[:-1]}.{raw.time_ns % NS_PER_S:09d}Z"
    return ProtocolError(
        f"The ADARA packet {type_name(raw.type)} version {raw.version} of {moment} is damaged: it {what}."
    )


def require_length(raw: RawPacket, length: int) -> None:
    """Check a payload of fixed length.

    Raises
    ------
    ProtocolError
        When the payload has another length.
    """
    if len(raw.payload) != length:
        raise damaged(raw, f"has a payload of {len(raw.payload)} bytes and not of {length}")


def require_at_least(raw: RawPacket, length: int) -> None:
    """Check that the fixed part of a payload is there.

    Raises
    ------
    ProtocolError
        When the payload is shorter.
    """
    if len(raw.payload) < length:
        raise damaged(raw, f"has a payload of {len(raw.payload)} bytes and not of at least {length}")


def text_at(raw: RawPacket, start: int, length: int, what: str) -> str:
    """Read text of a given length; what follows it is padding.

    Parameters
    ----------
    raw
        The packet.
    start, length
        Where the text begins in the payload, and its bytes.
    what
        What the text is, for the error.

    Returns
    -------
    str
        From UTF-8, or from Latin-1 when the bytes are not UTF-8.

    Raises
    ------
    ProtocolError
        When the payload ends before the text, or the text is longer than `LONGEST_TEXT`.
    """
    if length > LONGEST_TEXT:
        raise damaged(raw, f"says that its {what} has {length} bytes, more than the {LONGEST_TEXT} allowed")
    if start + length > len(raw.payload):
        raise damaged(
            raw, f"says that its {what} has {length} bytes, and holds {max(len(raw.payload) - start, 0)}"
        )
    data = bytes(raw.payload[start : start + length])
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data.decode("latin-1")


def unfit(packet: Any, what: str) -> DataModelError:
    """Make the error for a packet that cannot be written.

    Parameters
    ----------
    packet
        One of the packet classes.
    what
        What does not fit, in words that follow on "it".
    """
    return DataModelError(f"A {type(packet).__name__} packet cannot be written as ADARA: {what}.")


def _whole(value: Any) -> int | None:
    """Turn Python's and numpy's whole numbers into an int; None for anything else."""
    try:
        return operator.index(value)
    except TypeError:
        return None


def bits(packet: Any, name: str, value: int, width: int) -> int:
    """Check that a number fits its bits, and give it back.

    Parameters
    ----------
    packet, name
        Whose number it is, for the error.
    value
        The number.
    width
        Bits that there are for it.

    Raises
    ------
    DataModelError
        When it is not a whole number from 0 to 2**width - 1.
    """
    number = _whole(value)
    if number is None or not 0 <= number < 1 << width:
        raise unfit(packet, f"{name} is {value!r} and must be a whole number from 0 to {(1 << width) - 1}")
    return number


def charge_units(packet: Any, width: int) -> int:
    """Turn a packet's `proton_charge_pc` into units of the wire, 10 pC.

    Parameters
    ----------
    packet
        A packet with a proton charge.
    width
        Bits that there are for it.

    Raises
    ------
    DataModelError
        When it is not a multiple of 10 or does not fit.
    """
    charge = _whole(packet.proton_charge_pc)
    if charge is None or charge % CHARGE_UNIT_PC:
        raise unfit(
            packet,
            f"proton_charge_pc is {packet.proton_charge_pc!r} and must be a multiple of {CHARGE_UNIT_PC}",
        )
    return bits(packet, f"proton_charge_pc / {CHARGE_UNIT_PC}", charge // CHARGE_UNIT_PC, width)


def text_bytes(packet: Any, name: str, text: str, width: int) -> bytes:
    """Write text as UTF-8, without padding.

    Parameters
    ----------
    packet, name
        Whose text it is, for the error.
    text
        The text.
    width
        Bits of the word that will hold its length.

    Raises
    ------
    DataModelError
        When it is too long or cannot be written in UTF-8.
    """
    try:
        data = text.encode("utf-8")
    except UnicodeEncodeError:
        raise unfit(packet, f"{name} has characters that UTF-8 cannot write") from None
    bits(packet, f"the length of {name} in bytes", len(data), width)
    return data


def padded(data: bytes) -> bytes:
    """Fill up with zeros to a multiple of 4 bytes."""
    return data + bytes(-len(data) % 4)


def redated(packet: bytes, time_ns: int) -> bytes:
    """Give an encoded packet another time, nanoseconds UTC since the Unix epoch."""
    length, format_word, _, _ = HEADER.unpack_from(packet)
    return HEADER.pack(length, format_word, *epics_time(time_ns)) + packet[HEADER.size :]


def frame(packet_type: int, version: int, time_ns: int, payload: bytes) -> bytes:
    """Put the header before a payload.

    Parameters
    ----------
    packet_type, version
        Below 2**24 and 2**8.
    time_ns
        Nanoseconds UTC since the Unix epoch.
    payload
        Its length is a multiple of 4.

    Raises
    ------
    DataModelError
        When the stream cannot say this time.
    """
    return HEADER.pack(len(payload), packet_type << 8 | version, *epics_time(time_ns)) + payload
