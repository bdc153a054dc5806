"""What the server keeps of the stream: on disk, one unnamed file for each era.

An era is a run, or the time between two runs. One writer appends; any number of readers follow at their own pace.
Bytes that are somewhere already, in memory or in a recorded file, are referred to and not copied: an era is a list
of spans, some in its file, some elsewhere. In memory are the spans (a few words each) and the current state (one
packet for each thing that has a state), however long the history is.
"""

from __future__ import annotations

import enum
import errno
import os
import tempfile
import threading
import weakref
from array import array
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.config.faults import Fault

INDEX_INTERVAL_NS: Final = 300 * 1_000_000_000
"""Time between two index entries of an era, as the facility's server has it."""

_MOST_BUFFERS: Final = 256


@attrs.frozen(eq=False)
class Shared:
    """Bytes in memory that never change, referred to by any number of emissions."""

    data: memoryview = attrs.field(converter=memoryview, repr=lambda data: f"<{len(data)} bytes>")

    def __len__(self) -> int:
        return len(self.data)

    def read(self, offset: int, size: int) -> memoryview:
        """Return bytes of it, without a copy."""
        return self.data[offset : offset + size]


@attrs.frozen(eq=False)
class OpenFile:
    """A file that never changes, of which emissions refer to ranges. It is closed when nobody refers to it."""

    path: Path
    fd: int = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        object.__setattr__(self, "fd", os.open(self.path, os.O_RDONLY | os.O_CLOEXEC))
        weakref.finalize(self, os.close, self.fd)

    def read(self, offset: int, size: int) -> bytes:
        """Return bytes of it; OSError when it does not hold them any more."""
        data = os.pread(self.fd, size, offset)
        if len(data) < size:
            raise OSError(errno.EIO, f"{self.path} has become shorter")
        return data


@attrs.frozen
class FileRange:
    """Bytes of an open file."""

    file: OpenFile
    offset: int
    length: int

    def __len__(self) -> int:
        return self.length


Part = bytes | Shared | FileRange
"""A piece of the stream: bytes to be kept, or where they are."""


def _parts(data: bytes | Sequence[Part]) -> tuple[Part, ...]:
    return (data,) if isinstance(data, bytes) else tuple(data)


@attrs.frozen
class Emission:
    """Something that the beamline sends at one moment.

    Attributes
    ----------
    time_ns
        When, in the stream's own time: nanoseconds UTC since the Unix epoch.
    parts
        Whole packets, in pieces.
    state
        Packets that describe the state from now on, by name: a client that joins later gets the newest of each
        name, in the order in which the names came up. They are sent to nobody by themselves.
    begins_era
        A new era begins with these data; earlier state is forgotten.
    prologue
        Sent before the data of the era that begins to those who begin there; nothing when the data hold it.
    idle
        The last run is over: nothing is left to play, and playing faster would only fill the disk.
    fault
        What happens to each connection when it has been sent all that comes before.
    """

    time_ns: int
    parts: tuple[Part, ...] = attrs.field(
        converter=_parts, repr=lambda parts: f"<{sum(map(len, parts))} bytes>"
    )
    state: Mapping[str, bytes] = attrs.field(factory=dict, repr=lambda state: f"<{len(state)} packets>")
    begins_era: bool = False
    prologue: bytes = b""
    idle: bool = False
    fault: Fault | None = None

    @property
    def data(self) -> bytes:
        """A copy of the bytes."""
        return b"".join(
            part if isinstance(part, bytes) else bytes(_source(part).read(_begin(part), len(part)))
            for part in self.parts
        )


class Start(enum.Enum):
    """Where a reader begins, other than at a time."""

    NOW = "now"
    """The current state, then what comes."""
    ERA = "era"
    """Everything since the current run began or, between runs, since the last one ended."""


@attrs.frozen
class _Mark:
    """An index entry: the state at an offset."""

    time_ns: int
    offset: int
    state: tuple[bytes, ...]


@attrs.define(eq=False)
class _PlacedFault:
    """A fault at an offset, and how many readers there had been when it first happened."""

    offset: int
    fault: Fault
    spares_from: int | None = None


class _Era:
    """Spans of an unnamed file and of what is elsewhere. The file is deleted when nobody refers to the era."""

    def __init__(self, folder: Path | None, prologue: bytes = b"") -> None:
        self.fd, path = tempfile.mkstemp(prefix="livered-simulator-", dir=folder)
        Path(path).unlink()
        weakref.finalize(self, os.close, self.fd)
        self.prologue = prologue
        self.marks: list[_Mark] = []
        self.faults: list[_PlacedFault] = []
        self.following: _Era | None = None
        self._file_size = 0
        # For each span: offset at which it ends, source (0 is the file), and where in the source it begins.
        self._ends = array("q")
        self._sources = array("i")
        self._begins = array("q")
        self._elsewhere: list[Shared | OpenFile] = []
        self._number_of: dict[int, int] = {}

    @property
    def size(self) -> int:
        return self._ends[-1] if self._ends else 0

    def keep(self, parts: Sequence[Part]) -> None:
        """Write what is to be kept behind the end of the file, where no reader looks yet."""
        kept = [memoryview(part) for part in parts if isinstance(part, bytes) and part]
        offset = self._file_size
        while kept:
            written = os.pwritev(self.fd, kept[:_MOST_BUFFERS], offset)
            offset += written
            while kept and written >= len(kept[0]):
                written -= len(kept.pop(0))
            if written:
                kept[0] = kept[0][written:]

    def extend(self, parts: Sequence[Part]) -> None:
        """Let readers see parts that have been kept."""
        for part in parts:
            if not len(part):
                continue
            end = self.size + len(part)
            if isinstance(part, bytes):
                source, begin = 0, self._file_size
                self._file_size += len(part)
            else:
                source, begin = self._number(_source(part)), _begin(part)
            if self._continues(source, begin):
                self._ends[-1] = end
            else:
                # The end comes last: it is what readers look at.
                self._sources.append(source)
                self._begins.append(begin)
                self._ends.append(end)

    def _continues(self, source: int, begin: int) -> bool:
        if not self._ends or self._sources[-1] != source:
            return False
        length = self._ends[-1] - (self._ends[-2] if len(self._ends) > 1 else 0)
        return self._begins[-1] + length == begin

    def _number(self, source: Shared | OpenFile) -> int:
        number = self._number_of.get(id(source))
        if number is None:
            self._elsewhere.append(source)
            number = self._number_of[id(source)] = len(self._elsewhere)
        return number

    def buffers(self, offset: int, size: int) -> list[bytes | memoryview]:
        """Return the bytes from `offset` on, at most `size` of them, as few as one; not all spans at once."""
        index = bisect_right(self._ends, offset)
        pieces: list[tuple[int, int, int]] = []
        while size > 0 and index < len(self._ends) and len(pieces) < _MOST_BUFFERS:
            span_begin = self._ends[index - 1] if index else 0
            length = min(size, self._ends[index] - offset)
            pieces.append((self._sources[index], self._begins[index] + offset - span_begin, length))
            size -= length
            offset += length
            index += 1
        return self._read(pieces)

    def _read(self, pieces: list[tuple[int, int, int]]) -> list[bytes | memoryview]:
        """Read pieces (source, begin, length); those in the file follow upon each other there."""
        in_file = [(begin, begin + length) for source, begin, length in pieces if source == 0]
        kept, first = memoryview(b""), 0
        if in_file:
            first = in_file[0][0]
            kept = memoryview(os.pread(self.fd, in_file[-1][1] - first, first))
        return [
            kept[begin - first : begin - first + length]
            if source == 0
            else self._elsewhere[source - 1].read(begin, length)
            for source, begin, length in pieces
        ]


class Storage:
    """The stream's history and its present state.

    Parameters
    ----------
    folder
        Where the files are made; None for the system's folder for temporary files.
    index_interval_ns
        Stream time between two index entries.
    """

    def __init__(self, folder: Path | None = None, index_interval_ns: int = INDEX_INTERVAL_NS) -> None:
        self._folder = folder
        self._index_interval_ns = index_interval_ns
        self._changed = threading.Condition()
        self._era = _Era(folder)
        self._state: dict[str, bytes] = {}
        self._indexed_ns = 0
        self._n_readers = 0
        self._closed = False

    def write(self, emission: Emission) -> None:
        """Append what the beamline sends and wake the readers. Called from one thread only.

        Raises
        ------
        OSError
            When the disk does not take it; nothing of this emission is then visible to readers.
        """
        era = _Era(self._folder, emission.prologue) if emission.begins_era else self._era
        era.keep(emission.parts)
        with self._changed:
            if emission.begins_era:
                self._state = dict(emission.state)
                self._indexed_ns = emission.time_ns
                self._era.following = era
                self._era = era
            else:
                if emission.time_ns - self._indexed_ns >= self._index_interval_ns:
                    era.marks.append(_Mark(emission.time_ns, era.size, tuple(self._state.values())))
                    self._indexed_ns = emission.time_ns
                self._state.update(emission.state)
            if emission.fault is not None:
                era.faults.append(_PlacedFault(era.size, emission.fault))
            era.extend(emission.parts)
            self._changed.notify_all()

    def read_from(self, start: Start | int) -> Reader:
        """Begin to read.

        Parameters
        ----------
        start
            Where; an integer is a time in nanoseconds UTC since the Unix epoch: the newest index entry of the
            current era that is older, else the era's beginning. It is for the client to leave out what it has.
        """
        with self._changed:
            self._n_readers += 1
            number = self._n_readers
            if start is Start.NOW:
                return Reader(self, number, b"".join(self._state.values()), self._era, self._era.size)
            if isinstance(start, int):
                for mark in reversed(self._era.marks):
                    if mark.time_ns < start:
                        return Reader(self, number, b"".join(mark.state), self._era, mark.offset)
            return Reader(self, number, self._era.prologue, self._era, 0)

    def close(self) -> None:
        """Let no more data come: readers end when they have read what there is. Calling it again is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait_for(self, era: _Era, offset: int) -> tuple[_Era, int, int]:
        """Wait until there is something to read: the era, the offset in it, and how much (0 at the end)."""
        with self._changed:
            while True:
                if offset < era.size:
                    return era, offset, era.size - offset
                if era.following is not None:
                    era, offset = era.following, 0
                elif self._closed:
                    return era, offset, 0
                else:
                    self._changed.wait()

    def _first_happens(self, placed: _PlacedFault) -> int:
        """Return how many readers there had been when a fault happened first, which is now unless it has."""
        with self._changed:
            if placed.spares_from is None:
                placed.spares_from = self._n_readers
            return placed.spares_from


class Reader:
    """One reader of the stream. Made by `Storage.read_from`; used from one thread."""

    def __init__(self, storage: Storage, number: int, head: bytes, era: _Era, offset: int) -> None:
        self._storage = storage
        self._number = number
        self._head = head
        self._era = era
        self._offset = offset
        self._faults_seen = sum(placed.offset < offset for placed in era.faults)
        self.at_end = False
        """Whether the storage is closed and all has been read."""

    def read(self, limit: int = 1 << 20) -> bytes:
        """Return what comes next as one copy, faults left aside; see `buffers`."""
        while True:
            data = b"".join(self.buffers(limit))
            if data or self.at_end:
                return data
            self.fault()

    def buffers(self, limit: int = 1 << 20) -> list[bytes | memoryview]:
        """Return what comes next, waiting for it.

        Parameters
        ----------
        limit
            Most bytes of the answer.

        Returns
        -------
        list of bytes or memoryview
            Good for as long as anyone keeps them. Nothing at the place of a fault, which `fault` then says, and
            nothing at the end.
        """
        if self._head:
            data, self._head = self._head[:limit], self._head[limit:]
            return [data]
        if self._until_fault() == 0:
            return []
        era, offset, available = self._storage._wait_for(self._era, self._offset)
        if era is not self._era:
            if self._until_fault() == 0:
                return []
            self._faults_seen = 0
        self._era, self._offset = era, offset
        until_fault = self._until_fault()
        if until_fault is not None:
            available = min(available, until_fault)
            if not until_fault:
                return []
        elif not available:
            self.at_end = True
        buffers = era.buffers(offset, min(limit, available))
        self._offset += sum(map(len, buffers))
        return buffers

    def _until_fault(self) -> int | None:
        """Return the bytes up to the next fault of the era in hand; None without one."""
        if self._faults_seen == len(self._era.faults):
            return None
        return self._era.faults[self._faults_seen].offset - self._offset

    def fault(self) -> Fault | None:
        """Return the fault that is due now, once; None when there is none.

        A fault happens to all readers that began before it happened to the first. Those that begin later, because
        they were cut off by it, are spared.
        """
        while not self._head and self._until_fault() == 0:
            placed = self._era.faults[self._faults_seen]
            self._faults_seen += 1
            if self._number <= self._storage._first_happens(placed):
                return placed.fault
        return None


def _source(part: Shared | FileRange) -> Shared | OpenFile:
    return part if isinstance(part, Shared) else part.file


def _begin(part: Shared | FileRange) -> int:
    return 0 if isinstance(part, Shared) else part.offset
