"""Recordings that are files of packets, in the order in which they were written.

Such a recording is one ``.adara`` file with those that it was continued in (``run.adara``, ``run.0002.adara``, and so
on, as `livered_core.recording.writer` names them), or a folder of the server's own files. The server keeps a folder
for each run and each time between runs, named by its beginning, in a folder for each day. In it files are numbered by
mode (counted up when a run is paused or goes on), file, pause and addendum, as in ``m00000001-f00000002-run-42.adara``;
files of its sources (``ds...``) and of prologues alone lie beside them and are not part of the stream. Source:
``sms/StorageFile.cc`` and ``sms/StorageContainer.cc`` of the ADARA repository.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator
from itertools import accumulate
from pathlib import Path
from typing import Final

import attrs

from livered_core.errors import ConfigError
from livered_core.recording.base import BLOCK_SIZE, Block
from livered_core.recording.index import IndexEntry, Mark, index_path, read_index

SUFFIX: Final = ".adara"
_CONTINUATION: Final = re.compile(r"(.+)\.(?!0001)\d{4,}" + re.escape(SUFFIX))
_MOST_GIVEN_UP: Final = 16 * 1024 * 1024
"""Bytes that a recorder has received at most when it makes a new connection for a damaged place."""
_SERVER_FILE: Final = re.compile(r"(?:m(\d+)-)?f(\d+)(?:-p(\d+))?(?:-add(\d+))?(?:-run-\d+)?\.adara")
_NOT_STREAM: Final = re.compile(r"(?:ds\d+-s\d+|prologue-.*)\.adara")


@attrs.frozen
class FileRecording:
    """A recording as the files that it is made of.

    Attributes
    ----------
    name
        For people.
    paths
        Its files, in the order in which they were written.
    connections
        Bytes of the whole at which a new connection begins, ascending; the first byte need not be among them.
    given_up
        Where the recorder could not tell packets apart any more, up to the connection that it made for that: first
        byte and the one after the last, ascending.
    """

    name: str
    paths: tuple[Path, ...]
    connections: tuple[int, ...] = ()
    given_up: tuple[tuple[int, int], ...] = ()
    _ends: tuple[int, ...] = attrs.field(init=False, repr=False)

    def __attrs_post_init__(self) -> None:
        sizes = [path.stat().st_size for path in self.paths]
        object.__setattr__(self, "_ends", tuple(accumulate(sizes)))

    @property
    def size(self) -> int:
        """Bytes of all files, as they were when the recording was opened."""
        return self._ends[-1]

    def blocks(self, block_size: int = BLOCK_SIZE) -> Iterator[Block]:
        """Read all of it in order; holds one block in memory.

        Parameters
        ----------
        block_size
            Most bytes of a block.

        Yields
        ------
        Block
            Blocks do not reach from one file or connection into the next.

        Raises
        ------
        ConfigError
            When a file cannot be read (any more).
        """
        position = 0
        for path in self.paths:
            try:
                with path.open("rb", buffering=0) as file:
                    while data := file.read(self._bytes_to_read(position, block_size)):
                        yield Block(
                            data, position + len(data), self._opens(position), self._is_given_up(position)
                        )
                        position += len(data)
            except OSError as error:
                message = f"{path} cannot be read ({error.strerror or error})."
                raise ConfigError(message) from error

    def ranges(self, offset: int, length: int) -> Iterator[tuple[int, int, int]]:
        """Find bytes of the whole in the files.

        Parameters
        ----------
        offset, length
            Which bytes.

        Yields
        ------
        tuple of int
            Which of `paths`, where in it, and how many bytes there.
        """
        index = bisect_right(self._ends, offset)
        while length > 0:
            begin = self._ends[index - 1] if index else 0
            size = min(length, self._ends[index] - offset)
            yield index, offset - begin, size
            offset, length, index = offset + size, length - size, index + 1

    def _bytes_to_read(self, position: int, block_size: int) -> int:
        for edges in (self.connections, [begin for begin, _ in self.given_up]):
            following = bisect_right(edges, position)
            if following < len(edges):
                block_size = min(block_size, edges[following] - position)
        return block_size

    def _is_given_up(self, position: int) -> bool:
        return any(begin <= position < end for begin, end in self.given_up)

    def _opens(self, position: int) -> bool:
        if position == 0:
            return True
        before = bisect_right(self.connections, position) - 1
        return before >= 0 and self.connections[before] == position


def continuation(first: Path, number: int) -> Path:
    """Return the file in which a recording is continued.

    Parameters
    ----------
    first
        Its first file.
    number
        From 1, which is the first file itself.
    """
    if number == 1:
        return first
    stem = first.name.removesuffix(SUFFIX)
    return first.with_name(f"{stem}.{number:04d}{SUFFIX}")


def first_of(path: Path) -> Path | None:
    """Return the first file of the recording that a file continues, by their names; None where it is no such file."""
    match = _CONTINUATION.fullmatch(path.name)
    return path.with_name(f"{match[1]}{SUFFIX}") if match is not None else None


def find_files(path: Path) -> FileRecording:
    """Find the files of a recording.

    Parameters
    ----------
    path
        A file of any name, with those it was continued in; or a folder of the server's files, at any depth.

    Raises
    ------
    ConfigError
        When there is nothing to read there.
    """
    try:
        paths = _server_files(path) if path.is_dir() else _continued(path)
        entries = [] if path.is_dir() else [*read_index(index_path(path))]
        connections = sorted({entry.offset for entry in entries if entry.mark is Mark.CONNECTION})
        recording = None
        if paths:
            recording = FileRecording(str(path), tuple(paths), tuple(connections), _given_up(entries))
    except OSError as error:
        message = (
            f"{path} cannot be read ({error.strerror or error}): give an {SUFFIX} file, or a folder of them."
        )
        raise ConfigError(message) from error
    if recording is None:
        message = f"{path} holds no {SUFFIX} files of a stream: give an {SUFFIX} file, or a folder of them."
        raise ConfigError(message)
    if not recording.size:
        message = f"{path} is empty: nothing was recorded."
        raise ConfigError(message)
    return recording


def _given_up(entries: Iterable[IndexEntry]) -> tuple[tuple[int, int], ...]:
    """Find what was received between damage and the connection that was made for it.

    A recorder that met the same damage again went on for long: there may be much that is good behind it.
    """
    ranges: list[tuple[int, int]] = []
    damage: int | None = None
    for entry in entries:
        if entry.mark is Mark.DAMAGE:
            damage = entry.offset
        elif entry.mark is Mark.CONNECTION:
            if damage is not None and damage < entry.offset <= damage + _MOST_GIVEN_UP:
                ranges.append((damage, entry.offset))
            damage = None
    return tuple(ranges)


def _continued(first: Path) -> list[Path]:
    paths = [first]
    while (following := continuation(first, len(paths) + 1)).exists():
        paths.append(following)
    return paths


def _server_files(folder: Path) -> list[Path]:
    found = [path for path in folder.rglob(f"*{SUFFIX}") if not _NOT_STREAM.fullmatch(path.name)]
    return sorted((path for path in found if path.is_file()), key=_order)


def _order(path: Path) -> tuple[str, tuple[int, ...], str]:
    """Folders by their names, which are times; files by their numbers; other files by their names."""
    match = _SERVER_FILE.fullmatch(path.name)
    numbers = tuple(int(number or 0) for number in match.groups()) if match else ()
    return str(path.parent), numbers, path.name
