"""Steps for the scripts of a stream server: what goes wrong between a beamline and its client."""

from __future__ import annotations

import random
import socket
import threading
import time
from collections.abc import Iterable

from livered_core.adara import Heartbeat, Packet, encode
from livered_core.testing.stream_connection import StreamConnection, StreamStep


def hold(connection: StreamConnection) -> None:
    """Stay silent until the client closes the connection, or the server ends.

    Parameters
    ----------
    connection
        Where it is done; the server says it.
    """
    connection.hold()


def hang_up(connection: StreamConnection) -> None:
    """Close the connection, as a server does that ends.

    Parameters
    ----------
    connection
        Where it is done; the server says it.
    """
    connection.close()


def half_close(connection: StreamConnection) -> None:
    """Say that nothing more comes, and keep the connection until the client closes it.

    Parameters
    ----------
    connection
        Where it is done; the server says it.
    """
    connection.half_close()
    connection.hold()


def reset(connection: StreamConnection) -> None:
    """Close the connection with a TCP reset, as a machine does that was switched off and on.

    Parameters
    ----------
    connection
        Where it is done; the server says it.
    """
    connection.reset()


def reset_within(packet: Packet, n_bytes: int | None = None) -> StreamStep:
    """Send the beginning of a packet, and close with a TCP reset.

    Parameters
    ----------
    packet
        Of which a part is sent.
    n_bytes
        How much of it; half of it when None. A packet has 16 bytes of header.

    Returns
    -------
    StreamStep
        For a script. The client may get less than was sent: a reset throws away what is under way.
    """
    return _cut(packet, n_bytes, StreamConnection.reset)


def close_within(packet: Packet, n_bytes: int | None = None) -> StreamStep:
    """Send the beginning of a packet, and close the connection; the client gets all that was sent.

    Parameters
    ----------
    packet, n_bytes
        As in `reset_within`.
    """
    return _cut(packet, n_bytes, StreamConnection.close)


def _cut(packet: Packet, n_bytes: int | None, leave: StreamStep) -> StreamStep:
    data = encode(packet)
    part = data[: len(data) // 2 if n_bytes is None else n_bytes]

    def cut(connection: StreamConnection) -> None:
        connection.send_bytes(part)
        leave(connection)

    return cut


def silence(seconds: float) -> StreamStep:
    """Send nothing for some seconds, not even heartbeats.

    Parameters
    ----------
    seconds
        How long; the end of the server ends it.
    """
    return lambda connection: connection.pause(seconds)


def wait_for(event: threading.Event) -> StreamStep:
    """Go on when a test sets an event; it is an error when it does not within `StreamServer`'s patience of 20 s.

    Parameters
    ----------
    event
        What the test sets.
    """
    return lambda connection: connection.wait_for(event)


def garbage(n_bytes: int, seed: int = 0) -> bytes:
    """Make bytes that are no packets: random ones, the same for each seed.

    Parameters
    ----------
    n_bytes
        How many.
    seed
        Of the random numbers.

    Returns
    -------
    bytes
        For a script, among its packets. `livered_core.testing.hostile_cases` has worse.
    """
    return random.Random(seed).randbytes(n_bytes)  # noqa: S311  (the same bytes each time)


def drip(parts: Iterable[Packet | bytes], n_bytes: int = 7, every_s: float = 0.001) -> StreamStep:
    """Send so slowly that packets come in pieces.

    Parameters
    ----------
    parts
        Packets and bytes.
    n_bytes
        Size of a piece.
    every_s
        Pause after a piece, seconds.

    Returns
    -------
    StreamStep
        For a script.

    Raises
    ------
    ValueError
        When a piece has no bytes.
    """
    if n_bytes < 1:
        message = f"A piece of {n_bytes} bytes never brings the rest: n_bytes must be at least 1."
        raise ValueError(message)
    data = b"".join(part if isinstance(part, bytes) else encode(part) for part in parts)

    def send(connection: StreamConnection) -> None:
        # Else the system puts small pieces together.
        connection.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(data), n_bytes):
            connection.send_bytes(data[begin : begin + n_bytes])
            connection.pause(every_s)

    return send


def heartbeats(seconds: float, every_s: float = 0.05) -> StreamStep:
    """Send heartbeats of the machine's time and nothing else; some clients look at what has come only when more comes.

    Parameters
    ----------
    seconds
        How long.
    every_s
        Pause between two of them, seconds.
    """

    def beat(connection: StreamConnection) -> None:
        limit = time.monotonic() + seconds
        while not connection.ending and time.monotonic() < limit:
            connection.send(Heartbeat(time_ns=time.time_ns()))
            connection.pause(every_s)

    return beat
