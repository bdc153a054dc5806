"""Writing a recording: exactly the bytes that came, in files that end between packets, with an index beside them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Final

import attrs

from livered_core.adara import PacketType, RunStatusCode, type_name
from livered_core.clocks import Clock
from livered_core.errors import ConfigError
from livered_core.recording.files import continuation
from livered_core.recording.index import IndexEntry, Mark, format_entry, index_path
from livered_core.recording.walk import PacketWalk, Passed

ROLL_BYTES: Final = 200_000_000
"""Size at which the server begins a new file, too."""
INDEX_EVERY_NS: Final = 300_000_000_000
"""Stream time between two index entries, as in the server's own index."""

_FILE_EDGES: Final = (RunStatusCode.RUN_EOF, RunStatusCode.END_RUN)
_EVENTS: Final = (PacketType.BANKED_EVENT, PacketType.BANKED_EVENT_STATE)


@attrs.frozen
class Written:
    """What a recording holds so far.

    Attributes
    ----------
    n_bytes, n_files, n_connections
        Of the recording.
    n_packets, n_pulses
        Packets that came as a whole, and those with events among them, repeated ones included.
    run
        Number of the run in hand, 0 between runs.
    ended_run
        Number of the last run whose end came.
    last_pulse_ns
        Latest pulse; 0 before the first.
    problem
        Why packets cannot be told apart any more on this connection; empty when they can.
    """

    n_bytes: int = 0
    n_files: int = 0
    n_connections: int = 0
    n_packets: int = 0
    n_pulses: int = 0
    run: int = 0
    ended_run: int = 0
    last_pulse_ns: int = 0
    problem: str = ""


class RecordingWriter:
    """Appends to a recording; used from one thread, but for `written`.

    Every byte is handed to the system before `write` returns: nothing of it is lost when the process is killed.
    A file ends where the server ended one of its own or a run, if it has half of the size by then, else at the
    end of the packet with which it reaches the size. Where packets cannot be told apart it ends anywhere beyond
    twice the size; reading does not mind.

    Parameters
    ----------
    path
        First file; the others and the index are named after it. Nobody else may read any of them.
    clock
        For the wall time in the index.
    roll_bytes
        Size of a file.
    wait_for_room
        Called with the error when the disk takes no more; true to try again. By default the error is raised.

    Raises
    ------
    ConfigError
        When there is a recording of that name already, or it cannot be written.
    """

    def __init__(
        self,
        path: Path,
        clock: Clock,
        roll_bytes: int = ROLL_BYTES,
        wait_for_room: Callable[[OSError], bool] = lambda error: False,
    ) -> None:
        self._path = path
        self._clock = clock
        self._roll_bytes = roll_bytes
        self._wait_for_room = wait_for_room
        self._walk = PacketWalk()
        self._base = 0
        self._file_bytes = 0
        self._time_indexed_ns = 0
        self._written = Written(n_files=1)
        existing = [each for each in (path, continuation(path, 2), index_path(path)) if os.path.lexists(each)]
        if existing:
            message = (
                f"{existing[0]} is there already, and no recording is ever written over: choose another name."
            )
            raise ConfigError(message)
        try:
            self._fd = _create(path)
            self._index_fd = _create(index_path(path))
        except OSError as error:
            message = f"{path} cannot be written ({error.strerror or error}): choose another place."
            raise ConfigError(message) from error
        self._index([IndexEntry(Mark.FILE, 0, clock.now_ns(), path.name)])

    @property
    def written(self) -> Written:
        """A snapshot; safe from any thread."""
        return self._written

    def connection_opened(self, where: str) -> None:
        """Note that what comes next is from a new connection.

        Parameters
        ----------
        where
            Address, for people.
        """
        self._walk = PacketWalk()
        self._base = self._written.n_bytes
        self._written = attrs.evolve(self._written, n_connections=self._written.n_connections + 1, problem="")
        self._index([IndexEntry(Mark.CONNECTION, self._base, self._clock.now_ns(), where)])

    def write(self, data: memoryview) -> None:
        """Append bytes as they came.

        Raises
        ------
        OSError
            When they cannot be written; what was written stays.
        """
        position = 0
        entries: list[IndexEntry] = []
        had_problem = self._walk.problem
        for passed in self._walk.walk(data):
            entries += self._note(passed)
            if self._ends_file(passed, self._file_bytes + passed.end - position):
                self._append(data[position : passed.end])
                position = passed.end
                self._begin_file()
        self._append(data[position:])
        if self._walk.problem and not had_problem:
            self._written = attrs.evolve(self._written, problem=self._walk.problem)
            where = self._base + self._walk.offset
            entries.append(IndexEntry(Mark.DAMAGE, where, self._clock.now_ns(), self._walk.problem))
        self._index(entries)
        if self._walk.problem and self._file_bytes > 2 * self._roll_bytes:
            self._begin_file()

    def close(self) -> None:
        """Close the files; calling it again is harmless."""
        for fd in (self._fd, self._index_fd):
            if fd >= 0:
                os.close(fd)
        self._fd = self._index_fd = -1

    def _note(self, passed: Passed) -> list[IndexEntry]:
        """Count a packet, and say what goes into the index for it."""
        now, entries, offset = self._written, [], self._base + passed.offset
        is_pulse = passed.type in _EVENTS
        run, ended = now.run, now.ended_run
        if passed.run_status is not None:
            status = passed.run_status
            ends = status.status is RunStatusCode.END_RUN
            run, ended = (0, status.run_number) if ends else (status.run_number, ended)
            said = f"{status.run_number} {status.status.name}"
            entries.append(IndexEntry(Mark.RUN, offset, passed.time_ns, said))
        if is_pulse and passed.time_ns - self._time_indexed_ns >= INDEX_EVERY_NS:
            self._time_indexed_ns = passed.time_ns
            entries.append(IndexEntry(Mark.TIME, offset, passed.time_ns, type_name(passed.type)))
        self._written = attrs.evolve(
            now,
            n_packets=now.n_packets + 1,
            n_pulses=now.n_pulses + is_pulse,
            run=run,
            ended_run=ended,
            last_pulse_ns=max(now.last_pulse_ns, passed.time_ns) if is_pulse else now.last_pulse_ns,
        )
        return entries

    def _ends_file(self, passed: Passed, size: int) -> bool:
        status = passed.run_status
        if status is not None and status.status in _FILE_EDGES:
            return 2 * size >= self._roll_bytes
        return size >= self._roll_bytes

    def _append(self, data: memoryview) -> None:
        while data:
            try:
                n = os.write(self._fd, data)
            except OSError as error:
                if not self._wait_for_room(error):
                    raise
                continue
            data = data[n:]
            self._file_bytes += n
            self._written = attrs.evolve(self._written, n_bytes=self._written.n_bytes + n)

    def _begin_file(self) -> None:
        path = continuation(self._path, self._written.n_files + 1)
        while True:
            try:
                fd = _create(path)
                break
            except OSError as error:
                if not self._wait_for_room(error):
                    raise
        os.close(self._fd)
        self._fd, self._file_bytes = fd, 0
        self._written = attrs.evolve(self._written, n_files=self._written.n_files + 1)
        self._index([IndexEntry(Mark.FILE, self._written.n_bytes, self._clock.now_ns(), path.name)])

    def _index(self, entries: list[IndexEntry]) -> None:
        if entries:
            lines = memoryview(b"".join(map(format_entry, entries)))
            while lines:
                try:
                    lines = lines[os.write(self._index_fd, lines) :]
                except OSError as error:
                    if not self._wait_for_room(error):
                        raise


def _create(path: Path) -> int:
    return os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
