"""A file that one process locks, and in which it says who it is."""

from __future__ import annotations

import fcntl
import os
import socket
from pathlib import Path

from livered_core.errors import LiveredError


class LockHeld(LiveredError):  # noqa: N818  (reads as what happened)
    """Another process holds the lock.

    Attributes
    ----------
    owner
        What that process says of itself.
    """

    def __init__(self, owner: str) -> None:
        super().__init__(owner)
        self.owner = owner


def take(lock: int) -> None:
    """Lock a file without waiting; it stays locked until its descriptor is closed.

    Parameters
    ----------
    lock
        Descriptor, open for reading and writing; it stays the caller's, whatever happens.

    Raises
    ------
    LockHeld
        When another process has it.
    OSError
        When it cannot be locked.
    """
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise LockHeld(os.read(lock, 200).decode(errors="replace").strip() or "another process") from None


def is_at(path: Path, lock: int) -> bool:
    """Say whether a file that is open still has its name: somebody may have removed it, or put another one there.

    Parameters
    ----------
    path
        The name; a link there is not followed.
    lock
        Descriptor.

    Raises
    ------
    OSError
        When that cannot be said.
    """
    try:
        there = path.lstat()
    except FileNotFoundError:
        return False
    mine = os.fstat(lock)
    return (there.st_dev, there.st_ino) == (mine.st_dev, mine.st_ino)


def sign(lock: int) -> None:
    """Write into a locked file which process holds it."""
    os.ftruncate(lock, 0)
    os.write(lock, f"process {os.getpid()} on {socket.gethostname()}\n".encode())
