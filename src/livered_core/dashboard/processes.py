"""Whether the process of an engine is still there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

from livered_core.dashboard.state import Process

_LATER_NS: Final = 2_000_000_000
"""A process that began this much after it is said to have written something is another one."""
_PROC: Final = Path("/proc")


def process_of(pid: object, host: object, written_ns: int, this_host: str, proc: Path = _PROC) -> Process:
    """Look after the process that wrote something.

    Parameters
    ----------
    pid, host
        Its number and machine, as it wrote them.
    written_ns
        When it wrote them, nanoseconds UTC.
    this_host
        Name of this machine.
    proc
        Where the kernel tells of processes.

    Returns
    -------
    Process
        ``UNKNOWN`` for a process of another machine, and where the kernel does not tell.
    """
    if not isinstance(pid, int) or isinstance(pid, bool) or not 0 < pid < 2**31 or host != this_host:
        return Process.UNKNOWN
    if not (proc / "self" / "stat").exists():
        return Process.UNKNOWN
    try:
        # What follows the name, which may hold anything: state is the first field, the start the twentieth.
        fields = (proc / str(pid) / "stat").read_bytes().rpartition(b")")[2].split()
        owner = (proc / str(pid)).stat().st_uid
    except OSError:
        return Process.GONE
    if len(fields) < 20 or not fields[19].isdigit():
        return Process.UNKNOWN
    if fields[0] in (b"Z", b"X", b"x") or owner != os.getuid():
        return Process.GONE
    started_ns = _boot_ns(proc) + int(fields[19]) * 1_000_000_000 // os.sysconf("SC_CLK_TCK")
    return Process.GONE if started_ns > written_ns + _LATER_NS else Process.ALIVE


def _boot_ns(proc: Path) -> int:
    """Give when the machine was started, by the clock of now; 0 where that is not told."""
    for line in (proc / "stat").read_bytes().splitlines():
        if line.startswith(b"btime "):
            return int(line.split()[1]) * 1_000_000_000
    return 0
