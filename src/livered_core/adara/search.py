"""Looking for packets in bytes of which nobody knows where one begins."""

from __future__ import annotations

import re
from bisect import bisect_right, insort
from collections.abc import Callable
from typing import Final

from livered_core.adara.types import PacketType
from livered_core.adara.wire import HEADER

LENGTH_BYTES: Final = 4
"""Bytes of the first word of a header, the length of the payload."""
FIRST_SERVER_TYPE: Final = 0x4000
"""Types below come from the detectors: as numbers they are small enough to be met by chance."""

_MOST_WAITING: Final = 1000
"""Places that are remembered until what follows them has come: damage may look like a header at every word."""
# The end of the format word of packets that a server sends: version, then the three bytes of the type. The third
# byte is looked for first, because the others are small numbers, of which payloads are full.
_FORMAT_WORD: Final = re.compile(
    rb"[\x40\x41\x80\x81]\x00(?<=[\x00-\x0f](?:[\x00-\x0e]\x40|[\x00\x02]\x41|[\x00-\x05]\x80|[\x01-\x05]\x81)\x00)"
)
_BEFORE_MATCH: Final = LENGTH_BYTES + 2
"""Bytes of a header before those that are looked for."""


_KNOWN_TYPES: Final = frozenset(int(kind) for kind in PacketType if kind >= FIRST_SERVER_TYPE)


def lies_across_a_packet(view: memoryview, problem: Callable[[memoryview], str]) -> bool:
    """Say whether what looks like a header lies across the header of a packet with another one behind it.

    Where a byte is missing or too many, the header of an empty packet still looks like one, of a type that nobody
    knows: without this a row of heartbeats would be read askew for as long as it is.

    Parameters
    ----------
    view
        The bytes from there on, a header or more.
    problem
        As for `PacketSearch`.
    """
    if _type_at(view, 0) in _KNOWN_TYPES or _type_at(view, 0) < FIRST_SERVER_TYPE:
        return False
    for place in range(1, min(HEADER.size, len(view) - 2 * HEADER.size + 1)):
        if _type_at(view, place) not in _KNOWN_TYPES or problem(view[place:]):
            continue
        following = place + HEADER.size + int.from_bytes(view[place : place + LENGTH_BYTES], "little")
        if len(view) - following < HEADER.size or problem(view[following:]):
            continue
        if _type_at(view, following) in _KNOWN_TYPES:
            return True
    return False


def _type_at(view: memoryview, place: int) -> int:
    return int.from_bytes(view[place + LENGTH_BYTES + 1 : place + LENGTH_BYTES + 4], "little")


class PacketSearch:
    """Finds a packet with another one behind it, of types that servers send.

    Each byte is looked at once, however often more bytes come, and memory does not grow with them. All places are
    counted from the beginning of the stream.

    Parameters
    ----------
    origin
        The first place at which a packet may begin.
    problem
        Says what speaks against a header; empty when nothing does.
    """

    def __init__(self, origin: int, problem: Callable[[memoryview], str]) -> None:
        self._problem = problem
        self._next = origin
        # Where the next packet should begin, and where this one does; sorted.
        self._waiting: list[tuple[int, int]] = []

    def look(self, view: memoryview, base: int, *, alone: bool) -> tuple[int, bool]:
        """Go on with the search.

        Parameters
        ----------
        view
            The bytes that are there, from the place given last time on or before it.
        base
            The place of the first of them.
        alone
            Whether nothing comes behind them: then a packet that ends with them counts.

        Returns
        -------
        place, sure
            Where a packet begins; when not sure, where it might begin once more bytes have come.
        """
        end = base + len(view)
        settled = self._settle(view, base, alone=alone)
        for match in _FORMAT_WORD.finditer(view, self._next - base + _BEFORE_MATCH):
            place = base + match.start() - _BEFORE_MATCH
            if end - place < HEADER.size or (settled is not None and settled < place):
                break
            head = view[place - base : place - base + HEADER.size]
            if self._problem(head):
                continue
            following = place + HEADER.size + int.from_bytes(head[:LENGTH_BYTES], "little")
            if end - following >= HEADER.size:
                if not self._problem(view[following - base : following - base + HEADER.size]):
                    return place, True
            elif alone:
                if following == end:
                    return place, True
            else:
                insort(self._waiting, (following, place))
                # The nearest are kept: a packet is short, and damage that looks like a header seldom is.
                del self._waiting[_MOST_WAITING:]
        if settled is not None:
            return settled, True
        self._next = max(self._next, end - HEADER.size + 1)
        if alone:
            return end, False
        return min((place for _, place in self._waiting), default=min(self._next, end)), False

    def _settle(self, view: memoryview, base: int, *, alone: bool) -> int | None:
        """Find the first of the places that waited, behind which a header stands now."""
        end = base + len(view)
        n = bisect_right(self._waiting, (end - HEADER.size, end))
        come, self._waiting = self._waiting[:n], self._waiting[n:]
        found = [
            place
            for following, place in come
            if not self._problem(view[following - base : following - base + HEADER.size])
        ]
        if alone:
            found += [place for following, place in self._waiting if following == end]
        return min(found, default=None)
