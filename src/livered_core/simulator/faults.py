"""Doing to a connection what networks and servers do to it on bad days."""

from __future__ import annotations

import random
import socket
import struct
from collections.abc import Callable, Mapping
from typing import Final

from livered_core.adara import PacketType
from livered_core.adara.wire import HEADER
from livered_core.config.faults import Fault
from livered_core.simulator.line import Line

_TRICKLE_BYTES: Final = 7
_TRICKLE_WAIT_S: Final = 0.01
_LONGEST_PIECE: Final = 1500
_TOO_LONG: Final = 0xFFFF_FFF0


def cause(fault: Fault, line: Line) -> None:
    """Make a fault of a connection happen; called between two packets.

    Parameters
    ----------
    fault
        One of `CONNECTION_FAULTS`.
    line
        The connection. After a fault that ends it, it is not open any more.

    Raises
    ------
    OSError
        When the client goes meanwhile.
    """
    _CAUSES[fault.name](fault, line)


def _reset(_fault: Fault, line: Line) -> None:
    # Closed with nothing to linger for, a socket answers with a reset.
    line.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    line.connection.close()
    line.is_open = False


def _close(_fault: Fault, line: Line) -> None:
    line.is_open = False


def _half_close(_fault: Fault, line: Line) -> None:
    line.connection.shutdown(socket.SHUT_WR)
    line.wait_for_client(None)
    line.is_open = False


def _stall(fault: Fault, line: Line) -> None:
    line.wait_for_client(fault.value)


def _trickle(fault: Fault, line: Line) -> None:
    until = line.clock.monotonic() + fault.value
    while line.clock.monotonic() < until and (packet := line.next_packet()):
        for begin in range(0, len(packet), _TRICKLE_BYTES):
            line.send([packet[begin : begin + _TRICKLE_BYTES]])
            if line.clock.monotonic() < until:
                line.clock.wait(line.stopping, _TRICKLE_WAIT_S)


def _split(fault: Fault, line: Line) -> None:
    sizes = random.Random(1)  # noqa: S311  (odd sizes, the same each time)
    for _ in range(round(fault.value)):
        packet = line.next_packet()
        if packet is None:
            return
        begin = 0
        while begin < len(packet):
            end = begin + sizes.randint(1, _LONGEST_PIECE)
            line.send([packet[begin:end]])
            begin = end


def _truncate(_fault: Fault, line: Line) -> None:
    # Of a packet without a payload there would be nothing to cut off.
    while packet := line.next_packet():
        payload = len(packet) - HEADER.size
        if payload >= 2 * HEADER.size:
            line.send([packet[: HEADER.size + payload // 2]])
            return
        line.send([packet])


def _oversize(_fault: Fault, line: Line) -> None:
    line.send([HEADER.pack(_TOO_LONG, PacketType.BANKED_EVENT << 8 | 1, 1_000_000_000, 0)])


def _garbage(fault: Fault, line: Line) -> None:
    noise = random.Random(1)  # noqa: S311  (noise, the same each time)
    line.send([noise.randbytes(round(fault.value))])


_CAUSES: Final[Mapping[str, Callable[[Fault, Line], None]]] = {
    "reset": _reset,
    "close": _close,
    "half-close": _half_close,
    "stall": _stall,
    "trickle": _trickle,
    "split": _split,
    "truncate": _truncate,
    "oversize": _oversize,
    "garbage": _garbage,
}
