"""Files that are either whole or not there: a temporary file in the same folder, synced, then renamed."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

_TEMPORARY = re.compile(r"\.[0-9a-f]{16}\.partial")


@contextlib.contextmanager
def atomic_path(path: Path, *, durable: bool = True, make_folder: bool = True) -> Iterator[Path]:
    """Lend an empty temporary file that replaces `path` when the block ends well.

    The temporary file lies in the folder of `path` under a hidden random name ending in ``.partial``, so that
    the final rename stays on one file system. When the block raises, or the file cannot be synced or renamed,
    it is removed and `path` is as it was. Modes are
    those of the process's umask. A `path` that is a symbolic link is replaced itself, not what it points to.

    For folders that are one's own: where others may write, `write_atomically` and `atomic_set` do not open the
    temporary file a second time.

    Parameters
    ----------
    path
        The file to create or replace.
    durable
        Wait until the file and its name are on the disk. False suffices for files that are of no use after
        a restart of the machine.
    make_folder
        Create a folder that does not exist, with its parents.

    Yields
    ------
    Path
        The temporary file, to be opened, written and closed within the block.

    Raises
    ------
    OSError
        When the folder cannot be created or written, the disk is full, or `path` is a folder.
    """
    temporary, descriptor = _make_temporary(path, make_folder=make_folder)
    os.close(descriptor)
    try:
        yield temporary
        if durable:
            sync(temporary)
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    if durable:
        sync(path.parent)


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
    with atomic_set(durable=durable) as write:
        write(path, data)


@contextlib.contextmanager
def atomic_set(*, durable: bool = True) -> Iterator[Callable[[Path, bytes], None]]:
    """Lend a function that writes files beside their places; all of them take these when the block ends well.

    A disk that fills up on the way leaves every file as it was. The renames at the end need no room on the disk,
    but they are one after the other: where one of them fails, the files before it are the new ones.

    Parameters
    ----------
    durable
        As in `atomic_path`.

    Yields
    ------
    callable
        Takes the path of a file and its new content, and raises `OSError` as `write_atomically` does.
    """
    waiting: list[tuple[Path, Path]] = []

    def write(path: Path, data: bytes) -> None:
        temporary, descriptor = _make_temporary(path)
        waiting.append((temporary, path))
        # Not opened by its name: who may write to the folder could have put a link in its place.
        with os.fdopen(descriptor, "wb") as file:
            file.write(data)
            if durable:
                file.flush()
                os.fsync(descriptor)

    try:
        yield write
        folders = {path.parent for _, path in waiting}
        while waiting:
            temporary, path = waiting[0]
            temporary.replace(path)
            del waiting[0]
    except BaseException:
        for temporary, _ in waiting:
            with contextlib.suppress(OSError):
                temporary.unlink()
        raise
    if durable:
        for folder in folders:
            sync(folder)


def remove_leftovers(folder: Path, before_ns: int) -> int:
    """Remove temporary files of this module that a process left when it was killed.

    Parameters
    ----------
    folder
        Where to look; not in the folders below it. It need not exist.
    before_ns
        Files that were changed later than this may be in use and stay, nanoseconds since the Unix epoch.

    Returns
    -------
    int
        Files removed. Those of other people stay.

    Raises
    ------
    OSError
        When the folder cannot be read or written.
    """
    removed = 0
    for path in folder.iterdir() if folder.is_dir() else ():
        if not _TEMPORARY.fullmatch(path.name):
            continue
        # Somebody else may be removing it, too.
        with contextlib.suppress(FileNotFoundError):
            found = path.lstat()
            mine = stat.S_ISREG(found.st_mode) and found.st_uid == os.geteuid()
            if mine and found.st_mtime_ns < before_ns:
                path.unlink()
                removed += 1
    return removed


def _make_temporary(path: Path, *, make_folder: bool = True) -> tuple[Path, int]:
    """Make an empty file beside `path`; return it and its descriptor, open for writing."""
    if make_folder:
        path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.parent / f".{secrets.token_hex(8)}.partial"
    # O_EXCL refuses a planted link; 0o666 leaves the mode to the umask, which tempfile.mkstemp does not.
    return temporary, os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)


def sync(path: Path) -> None:
    """Wait until a file, or the names in a folder, are on the disk."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
