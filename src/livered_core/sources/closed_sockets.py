"""Connections that the other side has closed and this process has not: Mantid's listener does not notice them.

Linux shows them in ``/proc`` (proc(5), ``/proc/net/tcp``): state 08 is CLOSE_WAIT.
"""

from __future__ import annotations

from pathlib import Path
from typing import Final

_CLOSE_WAIT: Final = "08"


def closed_by_peer(port: int, proc: Path = Path("/proc/self")) -> int:
    """Count this process's connections to a port which the other side has closed.

    Parameters
    ----------
    port
        Of the other side.
    proc
        The process, as the kernel shows it.

    Returns
    -------
    int
        0 as well where the kernel does not show it.
    """
    closed = set()
    for table in ("tcp", "tcp6"):
        try:
            lines = (proc / "net" / table).read_text(encoding="ascii").splitlines()[1:]
        except (OSError, UnicodeError):
            continue
        for line in lines:
            columns = line.split()
            if (
                len(columns) > 9
                and columns[3] == _CLOSE_WAIT
                and int(columns[2].rpartition(":")[2], 16) == port
            ):
                closed.add(f"socket:[{columns[9]}]")
    return len(closed & _own_sockets(proc)) if closed else 0


def _own_sockets(proc: Path) -> set[str]:
    own = set()
    try:
        for link in (proc / "fd").iterdir():
            try:
                own.add(str(link.readlink()))
            except OSError:
                continue  # closed meanwhile
    except OSError:
        return own
    return own
