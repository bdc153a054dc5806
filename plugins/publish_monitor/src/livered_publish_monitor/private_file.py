"""Files that nobody else may read: of a login, of a key."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from livered_core import SinkUnavailable

_LARGEST = 65536


def read_private(path: Path, what: str, *, from_systemd: bool = False) -> bytes:
    """Read a file after seeing that it is private; the rights are those of the file that is read.

    Parameters
    ----------
    path
        A file of the user that runs livered, with no right for anyone else.
    what
        What to call it: ``credentials file``.
    from_systemd
        The file is one that systemd made for this service: it may be root's, with a right to read in its access
        list, which shows in the place of the group's.

    Raises
    ------
    SinkUnavailable
        When the file is missing, open to others or somebody else's. Nothing of its content is in the message.
    """
    content, problem = _read(path, what, from_systemd=from_systemd)
    if problem:
        raise SinkUnavailable(problem)
    return content


def _read(path: Path, what: str, *, from_systemd: bool) -> tuple[bytes, str]:
    name = f"The {what} {path}"
    try:
        # O_NONBLOCK: a named pipe must not hang the publish thread.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        return b"", f"{name} cannot be read ({error.strerror}): create it or name another one."
    try:
        status = os.fstat(descriptor)
        owners = {os.geteuid(), 0} if from_systemd else {os.geteuid()}
        others = 0o037 if from_systemd else 0o077
        if not stat.S_ISREG(status.st_mode):
            return b"", f"{name} is not a file: name another one."
        if status.st_uid not in owners:
            return b"", f"{name} belongs to another user: make a copy of your own."
        if status.st_mode & others:
            return (
                b"",
                f"{name} is open to others (mode {stat.S_IMODE(status.st_mode):04o}): chmod 600 {path}",
            )
        content = b""
        while len(content) <= _LARGEST and (part := os.read(descriptor, _LARGEST)):
            content += part
    except OSError as error:
        return b"", f"{name} cannot be read ({error.strerror}): create it or name another one."
    finally:
        os.close(descriptor)
    return (content, "") if len(content) <= _LARGEST else (b"", f"{name} is too large: name another one.")
