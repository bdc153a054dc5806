"""Who listens on a port already: a dashboard of ours, or somebody else."""

from __future__ import annotations

import hashlib
import http.client
import ipaddress
import os
import socket
from pathlib import Path
from typing import Final

from livered_core.config import format_address

PATIENCE_S: Final = 60.0
"""A client that takes nothing of what waits for it for this long is given up, seconds."""
_TIMEOUT_S: Final = 2.0
_TABLES: Final = ("tcp", "tcp6")
_LISTENS: Final = "0A"
HEADER: Final = "X-Livered-Dashboard"
"""Header of each answer of a dashboard."""


def identity(root: Path) -> str:
    """Give a text that two dashboards have in common when they show the same folder of the same person."""
    return hashlib.sha256(f"{os.getuid()} {root}".encode()).hexdigest()[:16]


def is_ours(host: str, port: int, wanted: str, net: Path = Path("/proc/net")) -> bool:
    """Say whether a dashboard of the same person and folder listens at an address.

    The kernel is asked first whose the listener is: anybody can answer like a dashboard.

    Parameters
    ----------
    host, port
        The address.
    wanted
        Its `identity`.
    net
        Where the kernel tells of sockets.
    """
    return _answer(host, port, wanted, net) != 0


def lacks_token(host: str, port: int, wanted: str, net: Path = Path("/proc/net")) -> bool:
    """Say whether a dashboard of the same person and folder listens at an address and asks nobody for a token.

    Parameters
    ----------
    host, port, wanted, net
        As of `is_ours`.
    """
    return _answer(host, port, wanted, net) not in (0, http.client.UNAUTHORIZED)


def _answer(host: str, port: int, wanted: str, net: Path) -> int:
    """Give the HTTP status with which a dashboard of ours answers who has no token; 0 where there is none."""
    if owners(port, net) != {os.getuid()}:
        return 0
    connection = http.client.HTTPConnection(reachable(host), port, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", "/health", headers={"Host": format_address(reachable(host), port)})
        answer = connection.getresponse()
        return answer.status if answer.getheader(HEADER) == wanted else 0
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()


def owners(port: int, net: Path) -> set[int]:
    """Give the numbers of the users who listen on a TCP port of this machine."""
    found = set()
    for table in _TABLES:
        try:
            lines = (net / table).read_text().splitlines()[1:]
        except OSError:
            continue
        for fields in map(str.split, lines):
            if len(fields) > 7 and fields[3] == _LISTENS and int(fields[1].rpartition(":")[2], 16) == port:
                found.add(int(fields[7]))
    return found


def reachable(host: str) -> str:
    """Give an address at which a listener can be reached from this machine."""
    try:
        number = ipaddress.ip_address(host)
    except ValueError:
        return host
    if not number.is_unspecified:
        return host
    return "127.0.0.1" if number.version == 4 else "::1"


def listen(host: str, port: int, patience_s: float = PATIENCE_S) -> socket.socket:
    """Open a listening socket.

    Parameters
    ----------
    host, port
        Where; port 0 is any free one.
    patience_s
        See `PATIENCE_S`.

    Raises
    ------
    OSError
        When that cannot be; ``EADDRINUSE`` when somebody listens there.
    """
    found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, kind, protocol, _, address = sorted(found, key=lambda item: item[0] != socket.AF_INET)[0]
    sock = socket.socket(family, kind, protocol)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        # Sockets that are accepted inherit both: a client whose machine has gone, or who hangs, is noticed.
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, round(1000 * patience_s))
        sock.bind(address)
        sock.listen(128)
    except BaseException:
        sock.close()
        raise
    return sock
