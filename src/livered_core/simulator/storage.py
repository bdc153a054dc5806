"""What the server keeps of the stream: on disk, one unnamed file for each era.

An era is a run, or the time between two runs. One writer appends; any number of readers follow at their own pace.
Bytes that are somewhere already, in memory or in a recorded file, are referred to and not copied: an era is a list
of spans, some in its file, some elsewhere. In memory are the spans (a few words each) and the current state (one
packet for each thing that has a state), however long the history is.
"""

from __future__ import annotations

import enum
import threading
from pathlib import Path
from typing import Final

from livered_core.config.faults import Fault
from livered_core.simulator.emission import Emission
from livered_core.simulator.era import Era, Mark, PlacedFault

INDEX_INTERVAL_NS: Final = 300 * 1_000_000_000
"""Time between two index entries of an era, as the facility's server has it."""


class Start(enum.Enum):
    """Where a reader begins, other than at a time."""

    NOW = "now"
    """The current state, then what comes."""
    ERA = "era"
    """Everything since the current run began or, between runs, since the last one ended."""


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
        self._era = Era(folder)
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
        era = Era(self._folder, emission.prologue) if emission.begins_era else self._era
        era.keep(emission.parts)
        with self._changed:
            if emission.begins_era:
                self._state = dict(emission.state)
                self._indexed_ns = emission.time_ns
                self._era.following = era
                self._era = era
            else:
                if emission.begins_file or emission.time_ns - self._indexed_ns >= self._index_interval_ns:
                    before = () if emission.begins_file else tuple(self._state.values())
                    era.marks.append(Mark(emission.time_ns, era.size, before))
                    self._indexed_ns = emission.time_ns
                self._state.update(emission.state)
            if emission.paused:
                era.pauses.add(era.size, emission.n_bytes)
            if emission.fault is not None:
                era.faults.append(PlacedFault(era.size, emission.fault))
            era.extend(emission.parts)
            self._changed.notify_all()

    def read_from(self, start: Start | int, *, leave_out_paused: bool = False) -> Reader:
        """Begin to read.

        Parameters
        ----------
        start
            Where; an integer is a time in nanoseconds UTC since the Unix epoch: the newest index entry of the
            current era that is older, else the era's beginning. It is for the client to leave out what it has.
        leave_out_paused
            Whether data of pauses are passed over.
        """
        with self._changed:
            self._n_readers += 1
            head, offset = self._place(start)
            return Reader(self, self._n_readers, head, self._era, offset, leave_out_paused=leave_out_paused)

    def _place(self, start: Start | int) -> tuple[bytes, int]:
        """Find where in the current era to begin, and what a reader must be told first."""
        if start is Start.NOW:
            return b"".join(self._state.values()), self._era.size
        if isinstance(start, int):
            for mark in reversed(self._era.marks):
                if mark.time_ns < start:
                    return b"".join(mark.state), mark.offset
        return self._era.prologue, 0

    def close(self) -> None:
        """Let no more data come: readers end when they have read what there is. Calling it again is harmless."""
        with self._changed:
            self._closed = True
            self._changed.notify_all()

    def _wait_for(self, era: Era, offset: int) -> tuple[Era, int, int]:
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

    def _first_happens(self, placed: PlacedFault) -> int:
        """Return how many readers there had been when a fault happened first, which is now unless it has."""
        with self._changed:
            if placed.spares_from is None:
                placed.spares_from = self._n_readers
            return placed.spares_from


class Reader:
    """One reader of the stream. Made by `Storage.read_from`; used from one thread."""

    def __init__(
        self, storage: Storage, number: int, head: bytes, era: Era, offset: int, *, leave_out_paused: bool
    ) -> None:
        self._leave_out_paused = leave_out_paused
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
        while self._until_fault() != 0:
            era, offset, available = self._storage._wait_for(self._era, self._offset)
            if era is not self._era:
                self._faults_seen = 0
            self._era, self._offset = era, offset
            if not available:
                self.at_end = True
                return []
            size = min(limit, available, self._skip_pause(available))
            if size > 0:
                buffers = era.buffers(self._offset, size)
                self._offset += sum(map(len, buffers))
                return buffers
        return []

    def _skip_pause(self, available: int) -> int:
        """Go to the end of a pause that is to be left out, or say how far it is to the next one, or to a fault."""
        until_fault = self._until_fault()
        room = available if until_fault is None else until_fault
        pause = self._era.pauses.next_after(self._offset) if self._leave_out_paused else None
        if pause is None:
            return room
        begin, end = pause
        if begin <= self._offset:
            self._offset += min(end - self._offset, room)
            return 0
        return min(begin - self._offset, room)

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
