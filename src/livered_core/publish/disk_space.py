"""How much room a disk has."""

from __future__ import annotations

import os
from pathlib import Path


def free_bytes(folder: Path) -> int:
    """Return what an ordinary user may still write to the disk of a folder, bytes. It may wait for the disk.

    Parameters
    ----------
    folder
        Need not exist: then the nearest folder above it counts.

    Raises
    ------
    OSError
        When that cannot be said.
    """
    folder = folder.absolute()
    while True:
        try:
            found = os.statvfs(folder)
        except (FileNotFoundError, NotADirectoryError):
            if folder == folder.parent:
                raise
            folder = folder.parent
        else:
            return found.f_bavail * found.f_frsize
