"""The noun of the corpus: bytes that a client of ADARA must survive, and what surviving means."""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterator
from typing import Final

import attrs

from livered_core.adara.wire import HEADER, frame

HOSTILE_TIME_NS: Final = 1_790_000_000_000_000_000
"""The moment of hostile packets where none is asked for: in September 2026, nanoseconds since the Unix epoch."""
HOSTILE_RUN: Final = 666_666
"""Number of the run of which hostile packets speak: not that of the run in hand."""


class Containment(enum.Enum):
    """What a client is expected to do with hostile bytes. In all cases good data flow afterwards."""

    HARMLESS = "harmless"
    """Odd, and allowed: taken as it is, nothing is lost."""
    LEFT_OUT = "left out"
    """Whole packets that contradict themselves, are too much, or are not known: left out, counted and said."""
    CONNECTION = "connection"
    """No packets: what follows cannot be trusted, so connect again, or look for the next packets. It is said."""
    DEFINITION = "definition"
    """An instrument definition in a whole packet, which cannot be read: whoever reads it says so in one sentence."""


@attrs.frozen
class HostileCase:
    """Bytes that a client must survive.

    Attributes
    ----------
    name
        Short and unique, such as ``length-4-gib``.
    what
        What it is, in one sentence.
    containment
        What a client is expected to do.
    make
        Makes the bytes for packets of a given moment; see `pieces`.
    heavy
        Whether it is of many megabytes, or takes more than a second to make or read.
    """

    name: str
    what: str
    containment: Containment
    make: Callable[[int], Iterator[bytes]] = attrs.field(repr=False, eq=False)
    heavy: bool = False

    def pieces(self, time_ns: int = HOSTILE_TIME_NS) -> Iterator[bytes]:
        """Make the bytes piece by piece, so that the large ones need not be in memory at once.

        Parameters
        ----------
        time_ns
            Time of the packets that have no strange one, nanoseconds UTC since the Unix epoch. Give one between
            those of the good pulses before and after.

        Yields
        ------
        bytes
            The next piece. Packets do not end where pieces end.
        """
        yield from self.make(time_ns)

    def data(self, time_ns: int = HOSTILE_TIME_NS) -> bytes:
        """Make all bytes at once; parameters as those of `pieces`."""
        return b"".join(self.pieces(time_ns))


def packet(packet_type: int, version: int, payload: bytes, time_ns: int) -> bytes:
    """Put a header before a payload that need not make sense; it is filled up to a multiple of 4 bytes."""
    return frame(packet_type, version, time_ns, payload + bytes(-len(payload) % 4))


def header(length: int, packet_type: int, version: int, seconds: int, nanoseconds: int = 0) -> bytes:
    """Write a header of any four words; seconds since 1990."""
    return HEADER.pack(length, packet_type << 8 | version, seconds, nanoseconds)


def single(
    name: str,
    what: str,
    containment: Containment,
    make: Callable[[int], bytes],
    *,
    heavy: bool = False,
) -> HostileCase:
    """Make a case of one piece."""

    def pieces(time_ns: int) -> Iterator[bytes]:
        yield make(time_ns)

    return HostileCase(name, what, containment, pieces, heavy)
