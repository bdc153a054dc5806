"""What ``livered status`` sees of an instrument: its run directory, its process, its service. Nothing is changed."""

from __future__ import annotations

import os
import re
import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import attrs

from livered_core.cli.status_unit import Unit, unit_of
from livered_core.config import run_directory
from livered_core.dashboard.directories import Folder, Listing, look
from livered_core.dashboard.foreign import number_of, table_of, time_of
from livered_core.dashboard.processes import process_of
from livered_core.dashboard.state import Process, Seen, State, state_of
from livered_core.errors import ConfigError
from livered_core.opening import open_unwaiting
from livered_core.service.manager import Manager

_LOCK: Final = re.compile(rb"process (\d{1,10}) on (\S{1,255})")
_LEAST_ROOM: Final = 65_536
"""Bytes that the engine needs to write its status."""
_ONE_WORD: Final[Mapping[str, str]] = {"connecting": "not connected"}
"""Each attempt to connect goes through both phases: they are one here."""


@attrs.frozen(eq=False)
class Sight:
    """What was seen of an instrument.

    Attributes
    ----------
    name
        Of its run directory.
    path
        Its run directory, which need not be there.
    now_ns
        When it was looked at, nanoseconds UTC.
    host
        Name of this machine.
    state
        What the dashboard would say of it.
    process
        The process of the engine that wrote the status.
    files
        What is in the files that can be read, by their names.
    problems
        Why others cannot be read, by their names; of the folder as a whole under the empty name.
    phase_since_ns
        Since when the engine is in its phase, nanoseconds UTC; 0 where that is not known.
    starting_ns
        When an engine that has not said anything yet was started, nanoseconds UTC; 0 without such.
    unit
        Its service; None without.
    no_room
        Whether nothing can be written to the run directory: its disk is full, or may only be read.
    """

    name: str
    path: Path
    now_ns: int
    host: str
    state: State
    process: Process = Process.UNKNOWN
    files: Mapping[str, Mapping[str, Any]] = attrs.field(factory=dict)
    problems: Mapping[str, str] = attrs.field(factory=dict)
    phase_since_ns: int = 0
    starting_ns: int = 0
    unit: Unit | None = None
    no_room: bool = False

    @property
    def status(self) -> Mapping[str, Any]:
        """What is in ``status.json``; empty where there is nothing that can be read."""
        return self.files.get("status.json", {})


class Lookout:
    """Looks at the run directories of this user again and again; belongs to one thread.

    Parameters
    ----------
    environ
        Environment variables.
    now_ns
        Gives the wall time, nanoseconds UTC.

    Raises
    ------
    ConfigError
        When the folder of all run directories is not this user's alone.
    """

    def __init__(self, environ: Mapping[str, str], now_ns: Callable[[], int]) -> None:
        self._environ = environ
        self._now_ns = now_ns
        self._host = socket.gethostname()
        self._roots = _roots(environ)
        self._listings = {root: Listing() for root in self._roots}

    def names(self) -> list[str]:
        """Give the names of all run directories that are there."""
        self._look(())
        return sorted({name for listing in self._listings.values() for name in listing.folders})

    def sights(self, names: list[str]) -> list[Sight]:
        """Look at some instruments; one that has no run directory is seen as that."""
        self._look(tuple(names))
        return [self._sight(name) for name in names]

    def problems(self) -> list[str]:
        """Say why folders cannot be read."""
        return [listing.problem for listing in self._listings.values() if listing.problem]

    def _look(self, names: tuple[str, ...]) -> None:
        for root in self._roots:
            self._listings[root] = look(root, names, self._listings[root])

    def _sight(self, name: str) -> Sight:
        root, folder = self._place(name)
        now_ns = self._now_ns()
        files = {file: stored.head for file, stored in folder.files.items() if not stored.problem}
        problems = {file: stored.problem for file, stored in folder.files.items() if stored.problem}
        whole = folder.problem or self._refusal(root, name)
        if whole:
            problems[""] = whole
        status = files.get("status.json")
        process = Process.UNKNOWN
        if status is not None:
            written_ns = time_of(status, "now_ns")
            process = process_of(status.get("pid"), status.get("host"), written_ns, self._host)
        since_ns = phase_since_ns(files.get("history.json", {}), status or {})
        update = table_of(files.get("latest.json", {}), "update")
        seen = Seen(
            status=status,
            problem=whole or problems.get("status.json", ""),
            process=process,
            newest_pulse_ns=time_of(update, "last_pulse_ns"),
            phase_since_ns=since_ns,
        )
        return Sight(
            name=name,
            path=root / name,
            now_ns=now_ns,
            host=self._host,
            state=state_of(seen, now_ns),
            process=process,
            files=files,
            problems=problems,
            phase_since_ns=since_ns,
            starting_ns=0 if whole else self._starting_ns(root / name, status, process),
            unit=unit_of(name, self._environ),
            no_room=_no_room(root / name),
        )

    def _place(self, name: str) -> tuple[Path, Folder]:
        """Find the run directory of an instrument; of two, the one that was written last."""
        found = [
            (root, listing.folders[name])
            for root, listing in self._listings.items()
            if name in listing.folders
        ]
        if not found:
            return self._roots[0], Folder()
        return max(found, key=lambda place: _written_ns(place[1]))

    def _refusal(self, root: Path, name: str) -> str:
        """Say why a run directory that cannot be ours is not looked into."""
        path = root / name
        if path.is_symlink():
            return f"{path} is a symbolic link, and livered does not follow it there: remove it."
        if os.path.lexists(path) and not path.is_dir():
            return f"{path} is not a folder: livered did not make it; remove it."
        return ""

    def _starting_ns(self, path: Path, status: Mapping[str, Any] | None, process: Process) -> int:
        """Tell since when an engine has the folder that has not written its status."""
        ended = status is None or status.get("phase") in ("stopped", "failed") or process is Process.GONE
        if not ended:
            return 0
        try:
            with open_unwaiting(path / "lock") as lock:
                signed_ns = os.fstat(lock.fileno()).st_mtime_ns
                match = _LOCK.match(lock.read(400) or b"")
        except OSError:
            return 0
        if match is None:
            return 0
        pid, host = int(match[1]), match[2].decode(errors="replace")
        if status is not None and (pid, host) == (status.get("pid"), status.get("host")):
            return 0
        alive = process_of(pid, host, signed_ns, self._host) is Process.ALIVE
        return signed_ns if alive else 0


def phase_since_ns(history: Mapping[str, Any], status: Mapping[str, Any]) -> int:
    """Find since when an engine is in its phase, over restarts.

    Parameters
    ----------
    history, status
        ``history.json`` and ``status.json``.

    Returns
    -------
    int
        Nanoseconds UTC; 0 where that is not known. It may be up to ten seconds too early.
    """
    times, phases = history.get("time_ns"), history.get("phase")
    if not isinstance(times, list) or not isinstance(phases, list):
        return 0
    phase = _word(status.get("phase"))
    beat_ns = time_of(status, "now_ns")
    gap_ns = round(30e9 * max(1.0, min(3600.0, number_of(history, "every_s") or 10.0) / 10.0))
    since_ns, later_ns = 0, beat_ns
    for time_ns, row in zip(reversed(times), reversed(phases), strict=False):
        if not isinstance(time_ns, int) or not 0 < time_ns <= later_ns:
            return since_ns
        # Without livered nobody knows what went on; a restart is short.
        if later_ns - time_ns > gap_ns:
            return since_ns
        if _word(row) != phase:
            return time_ns
        since_ns = later_ns = time_ns
    return since_ns


def _no_room(path: Path) -> bool:
    try:
        disk = os.statvfs(path)
    except OSError:
        return False
    return bool(disk.f_flag & os.ST_RDONLY) or disk.f_bavail * disk.f_frsize < _LEAST_ROOM


def _word(phase: object) -> str:
    return _ONE_WORD.get(str(phase), str(phase))


def _written_ns(folder: Folder) -> int:
    stored = folder.files.get("status.json")
    return 0 if stored is None else time_of(stored.head, "now_ns")


def _roots(environ: Mapping[str, str]) -> list[Path]:
    """Give the folders in which run directories may be.

    A job of cron has no ``XDG_RUNTIME_DIR``, and looks at what a login or a service has written all the same.
    """
    given = run_directory("any", environ, create=False).parent
    if environ.get("XDG_RUNTIME_DIR"):
        return [given]
    login = Manager.of(environ).environ
    try:
        return [given] if login == environ else [run_directory("any", login, create=False).parent, given]
    except ConfigError:
        return [given]
