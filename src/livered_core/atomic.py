"""Files that are either whole or not there: a temporary file in the same folder, synced, then renamed."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True) -> Iterator[Path]:
    """Lend an empty temporary file that replaces `path` when the block ends well.

    The temporary file lies in the folder of `path` under a hidden random name ending in ``.partial``, so that
    the final rename stays on one file system. When the block raises, or the file cannot be synced or renamed,
    it is removed and `path` is as it was. A folder that does not exist is created with its parents. Modes are
    those of the process's umask. A `path` that is a symbolic link is replaced itself, not what it points to.

    Parameters
    ----------
    path
        The file to create or replace.
    durable
        Wait until the file and its name are on the disk. False suffices for files that are of no use after
        a restart of the machine.

    Yields
    ------
    Path
        The temporary file, to be opened, written and closed within the block.

    Raises
    ------
    OSError
        When the folder cannot be created or written, the disk is full, or `path` is a folder.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{secrets.token_hex(8)}.partial"
    # O_EXCL refuses a planted link; 0o666 leaves the mode to the umask, which tempfile.mkstemp does not.
    os.close(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666))
    try:
        yield temporary
        if durable:
            _sync(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        _sync(path.parent)


def write_atomically(path: Path, data: bytes, *, durable: bool = True) -> None:
    """Write a whole file, or leave what was there.

    Parameters
    ----------
    path
        The file to create or replace; see `atomic_path`.
    data
        Its new content.
    durable
        Wait until it is on the disk.

    Raises
    ------
    OSError
        As `atomic_path`.
    """
    with atomic_path(path, durable=durable) as temporary, temporary.open("wb") as file:
        file.write(data)


def _sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
