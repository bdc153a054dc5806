"""What the server keeps of the stream: on disk, one unnamed file for each era.

An era is a run, or the time between two runs. Its file begins with a complete prologue, so that a client can
begin there. One writer appends; any number of readers follow at their own pace. Nothing but the current state
(one packet for each thing that has a state) is held in memory, however long the history is.
"""

from __future__ import annotations

import enum
import os
import tempfile
import threading
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import attrs

INDEX_INTERVAL_NS: Final = 300 * 1_000_000_000
"""Time between two index entries of an era, as the facility's server has it."""


@attrs.frozen
class Emission:
    """Something that the beamline sends at one moment.

    Attributes
    ----------
    time_ns
        When, in the stream's own time: nanoseconds UTC since the Unix epoch.
    data
        Whole packets.
    state
        Packets that describe the state from now on, by name: a client that joins later gets the newest of each
        name, in the order in which the names came up. They are sent to nobody by themselves.
    begins_era
        A new era begins with these data, which then hold its prologue; earlier state is forgotten.
    idle
        The last run is over: nothing is left to play, and playing faster would only fill the disk.
    """

    time_ns: int
    data: bytes = attrs.field(repr=lambda data: f"<{len(data)} bytes>")
    state: Mapping[str, bytes] = attrs.field(factory=dict, repr=lambda state: f"<{len(state)} packets>")
    begins_era: bool = False
    idle: bool = False


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


class _Era:
    """One file. It is closed, and with that deleted, when nobody refers to it any more."""

    def __init__(self, folder: Path | None) -> None:
        self.fd, path = tempfile.mkstemp(prefix="livered-simulator-", dir=folder)
        Path(path).unlink()
        self.size = 0
        self.marks: list[_Mark] = []
        self.following: _Era | None = None
        weakref.finalize(self, os.close, self.fd)

    def write(self, data: bytes) -> None:
        view = memoryview(data)
        offset = self.size
        while view:
            written = os.pwrite(self.fd, view, offset)
            view = view[written:]
            offset += written


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
        self._closed = False

    def write(self, emission: Emission) -> None:
        """Append what the beamline sends and wake the readers. Called from one thread only.

        Raises
        ------
        OSError
            When the disk does not take it; nothing of this emission is then visible to readers.
        """
        era = _Era(self._folder) if emission.begins_era else self._era
        era.write(emission.data)
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
            era.size += len(emission.data)
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
            if start is Start.NOW:
                return Reader(self, b"".join(self._state.values()), self._era, self._era.size)
            if isinstance(start, int):
                for mark in reversed(self._era.marks):
                    if mark.time_ns < start:
                        return Reader(self, b"".join(mark.state), self._era, mark.offset)
            return Reader(self, b"", self._era, 0)

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


class Reader:
    """One reader of the stream. Made by `Storage.read_from`; used from one thread."""

    def __init__(self, storage: Storage, head: bytes, era: _Era, offset: int) -> None:
        self._storage = storage
        self._head = head
        self._era = era
        self._offset = offset

    def read(self, limit: int = 1 << 20) -> bytes:
        """Return what comes next, waiting for it; nothing when the storage is closed and all has been read.

        Parameters
        ----------
        limit
            Longest answer, bytes.
        """
        if self._head:
            data, self._head = self._head[:limit], self._head[limit:]
            return data
        self._era, self._offset, available = self._storage._wait_for(self._era, self._offset)
        data = os.pread(self._era.fd, min(limit, available), self._offset)
        self._offset += len(data)
        return data
