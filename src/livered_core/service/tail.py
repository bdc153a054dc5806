"""The end of a log, and what is written to it from then on, across rotations."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import BinaryIO, Final

_BLOCK: Final = 1 << 16


def last_lines(path: Path, number: int) -> list[str]:
    """Give the last lines of a log, of its rotated files too where the newest does not hold so many.

    Parameters
    ----------
    path
        The log; ``path.1`` is the file before it, and so on.
    number
        How many lines at most.

    Raises
    ------
    OSError
        When the newest file is there and cannot be read.
    """
    try:
        with path.open("rb") as file:
            lines = _last_of(file, number)
    except FileNotFoundError:
        lines = []
    return _decoded(_older(path, number - len(lines)) + lines)


def size_of(path: Path) -> int:
    """Give the size of a log, bytes; 0 where there is none."""
    try:
        return path.stat().st_size
    except OSError:
        return 0


def written_since(path: Path, size: int) -> list[str]:
    """Give the lines that were written to a log since it had a size; none where it cannot be read.

    Parameters
    ----------
    path
        The log.
    size
        What `size_of` gave. A log that is smaller was rotated, and is given whole.
    """
    try:
        with path.open("rb") as file:
            file.seek(size if size <= size_of(path) else 0)
            return file.read().decode("utf-8", "replace").splitlines()
    except OSError:
        return []


def follow(path: Path, number: int, wait: Callable[[], bool]) -> Iterator[str]:
    """Give the last lines of a log, and then each that is written; a file that is rotated away is read to its end first.

    Parameters
    ----------
    path
        The log; it need not be there yet.
    number
        How many of the last lines.
    wait
        Called when there is nothing new; waits a little, and says whether to go on.
    """
    file = _open(path)
    part = b""
    try:
        last = [] if file is None else _last_of(file, number)
        yield from _decoded(_older(path, number - len(last)) + last)
        while True:
            read = file.read(_BLOCK) if file is not None else b""
            *lines, part = (part + read).split(b"\n")
            yield from _decoded(lines)
            if read:
                continue
            if file is not None and os.fstat(file.fileno()).st_size < file.tell():
                file.seek(0)  # somebody emptied it
                continue
            another = _open(path)
            if another is not None and (file is None or not _same(file, another)):
                if file is not None:
                    # What came between the last look and the rotation.
                    *lines, part = (part + file.read()).split(b"\n")
                    yield from _decoded(lines)
                    file.close()
                file = another
                continue
            if another is not None:
                another.close()
            if not wait():
                return
    finally:
        if file is not None:
            file.close()


def _open(path: Path) -> BinaryIO | None:
    try:
        return path.open("rb")
    except OSError:
        return None


def _same(one: BinaryIO, other: BinaryIO) -> bool:
    return os.path.samestat(os.fstat(one.fileno()), os.fstat(other.fileno()))


def _older(path: Path, number: int) -> list[bytes]:
    """Give the last lines of the files that were rotated away."""
    lines: list[bytes] = []
    index = 1
    while len(lines) < number:
        try:
            with path.with_name(f"{path.name}.{index}").open("rb") as file:
                lines = _last_of(file, number - len(lines)) + lines
        except OSError:
            break
        index += 1
    return lines


def _last_of(file: BinaryIO, number: int) -> list[bytes]:
    """Give the last whole lines of a file, and leave it where the next one begins."""
    position = file.seek(0, os.SEEK_END)
    text = b""
    while position and text.count(b"\n") <= number:
        step = min(_BLOCK, position)
        position -= step
        file.seek(position)
        text = file.read(step) + text
    whole = text.rfind(b"\n") + 1
    file.seek(position + whole)
    return text[:whole].split(b"\n")[:-1][-number:] if number else []


def _decoded(lines: list[bytes]) -> list[str]:
    return [line.decode("utf-8", "replace") for line in lines]
