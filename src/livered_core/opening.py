"""Opening a file that may be anything: nothing is waited for, no link is followed, and no descriptor stays behind."""

from __future__ import annotations

import os
from io import BufferedReader
from pathlib import Path

_FLAGS = os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC


def open_unwaiting(path: Path | str, *, folder: int | None = None, follow: bool = False) -> BufferedReader:
    """Open a file for reading.

    Whether it is an ordinary one is for the caller to see with ``fstat``: from a pipe in which nothing is, None is read.

    Parameters
    ----------
    path
        The file.
    folder
        Descriptor of the folder to which `path` is relative.
    follow
        Whether it may be a symbolic link.

    Raises
    ------
    OSError
        When it cannot be opened, is a folder, or is a link that is not to be followed.
    """

    def opener(name: str, _flags: int) -> int:
        return os.open(name, _FLAGS if follow else _FLAGS | os.O_NOFOLLOW, dir_fd=folder)

    # Not os.fdopen: it leaves the descriptor of a folder open.
    return open(path, "rb", opener=opener)
