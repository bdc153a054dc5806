"""How much memory this process has, and how much it may have: from ``/proc`` and from its control groups."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import attrs

_UNLIMITED: Final = 1 << 60
"""What version 1 of control groups writes for no limit is a number, larger than any memory."""
_OWN: Final = ("RssAnon:", "RssShmem:", "VmSwap:")
_LARGEST: Final = 1 << 20


@attrs.frozen
class MemoryGroup:
    """The control group that limits the memory of this process most.

    Attributes
    ----------
    limit
        Most memory of all processes in it, bytes.
    current, cache
        Files with what they use now, and with how much of that is cache of files.
    """

    limit: int
    current: Path
    cache: Path

    def used(self) -> int:
        """Return what all processes in it use, bytes, without the cache that the kernel gives back; 0 where not known."""
        cached = 0
        for line in _text(self.cache).splitlines():
            name, _, number = line.partition(" ")
            if name in ("inactive_file", "total_inactive_file") and number.isdigit():
                cached = int(number)
        return max(0, _number(_text(self.current)) - cached)


@attrs.frozen
class MemoryRoom:
    """What this process may have.

    Attributes
    ----------
    available
        The smallest of the machine's memory and the limits of all its control groups, bytes; 0 where not known.
    group
        The control group that gives this number; None where it is the machine.
    """

    available: int
    group: MemoryGroup | None = None


@attrs.frozen
class MemoryUse:
    """What is used at a moment.

    Attributes
    ----------
    own
        By this process, in bytes: what is its own and cannot be read from a file again, in memory or swapped out.
    group
        By all processes of the control group that limits most, in bytes; 0 without one.
    """

    own: int
    group: int = 0


def memory_room(root: Path = Path("/")) -> MemoryRoom:
    """Find out how much memory this process may have.

    Parameters
    ----------
    root
        Where ``proc`` and ``sys`` are.
    """
    physical = 0
    for line in _text(root / "proc/meminfo").splitlines():
        if line.startswith("MemTotal:"):
            physical = _kilobytes(line)
    room = MemoryRoom(physical)
    for group in _groups(root):
        if not room.available or group.limit < room.available:
            room = MemoryRoom(group.limit, group)
    return room


def memory_use(room: MemoryRoom, root: Path = Path("/")) -> MemoryUse:
    """Look how much memory is used. It takes some tens of microseconds.

    Parameters
    ----------
    room
        Of this process.
    root
        Where ``proc`` is.
    """
    lines = _text(root / "proc/self/status").splitlines()
    parts = [_kilobytes(line) for line in lines if line.startswith(_OWN)]
    if parts:
        own = sum(parts)
    else:
        # Kernels before 4.5 do not tell the kinds apart in there: resident without what is shared.
        pages = _text(root / "proc/self/statm").split()
        own = (int(pages[1]) - int(pages[2])) * os.sysconf("SC_PAGE_SIZE") if len(pages) > 2 else 0
    return MemoryUse(own, 0 if room.group is None else room.group.used())


def _groups(root: Path) -> Iterator[MemoryGroup]:
    """List the control groups of this process that limit its memory, from its own up to the root."""
    for line in _text(root / "proc/self/cgroup").splitlines():
        _, _, rest = line.partition(":")
        controllers, _, path = rest.partition(":")
        parts = [part for part in path.split("/") if part and part != ".."]
        # Seen from inside a container the path may be that of the host: what is there counts.
        for depth in range(len(parts), -1, -1):
            below = Path(*parts[:depth])
            if not controllers:
                folder = root / "sys/fs/cgroup" / below
                for name in ("memory.max", "memory.high"):
                    yield from _group(folder, name, "memory.current")
            elif "memory" in controllers.split(","):
                folder = root / "sys/fs/cgroup/memory" / below
                yield from _group(folder, "memory.limit_in_bytes", "memory.usage_in_bytes")


def _group(folder: Path, limit: str, current: str) -> Iterator[MemoryGroup]:
    number = _number(_text(folder / limit))
    if 0 < number < _UNLIMITED:
        yield MemoryGroup(number, folder / current, folder / "memory.stat")


def _text(path: Path) -> str:
    try:
        with path.open("rb") as file:
            return file.read(_LARGEST).decode("ascii", "replace")
    except OSError:
        # It is not there on every machine.
        return ""


def _number(text: str) -> int:
    text = text.strip()
    return int(text) if text.isdigit() else 0


def _kilobytes(line: str) -> int:
    words = line.split()
    return int(words[1]) << 10 if len(words) > 1 and words[1].isdigit() else 0
