"""The folder of final results that a sink has not taken yet: ``unsent/SINK/`` below the state folder.

A file is written before its sink is first offered the result, and removed after the sink has taken it. Names sort in
the order of publication, whatever the clock does. One engine at a time keeps the folder; what a person removes from
it is not sent. Everything here may wait for the disk: it is called on a thread that nobody else waits for.
"""

from __future__ import annotations

import contextlib
import logging
import math
import os
import re
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.atomic import atomic_path, sync
from livered_core.errors import LiveredError
from livered_core.model import RunInfo
from livered_core.publish.latest import Published
from livered_core.publish.lock_file import LockHeld, sign, take
from livered_core.publish.published_runs import PublishedRuns, RunKey
from livered_core.publish.stored import StoredDamaged, from_bytes, to_bytes
from livered_core.publish.unsent_budget import WaitingFile, beyond_budget, waiting_files

_log = logging.getLogger(__name__)

UNSENT_FOLDER: Final = "unsent"
"""Below the state folder of an instrument; in it a folder for each sink."""
DAMAGED: Final = ".damaged"
"""Ending of a file that could not be read and was set aside."""
_NAME: Final = re.compile(r"(?P<order>\d{20})-run(?P<run>\d{1,18})-(?P<start>\d{1,20})\.unsent")
_PARTIAL: Final = re.compile(r"\.[0-9a-f]{16}\.partial")


class OutboxBusy(LiveredError):  # noqa: N818  (reads as what happened)
    """Another engine keeps the folder."""


class Removed(LiveredError):  # noqa: N818
    """A file is not there any more: somebody removed it, and wants it not to be sent."""


@attrs.frozen
class UnsentFile:
    """A final result that waits on disk for one sink.

    Attributes
    ----------
    sink
        Name of the plugin.
    name
        Name of its file; names sort in the order of publication.
    run, start_ns
        Number and start of the run; nanoseconds UTC since the Unix epoch, 0 when not known.
    since_ns
        When it was kept, nanoseconds UTC since the Unix epoch.
    """

    sink: str
    name: str
    run: int
    start_ns: int
    since_ns: int

    @property
    def key(self) -> RunKey:
        """What tells the run from any other."""
        return (self.run, self.start_ns)


@attrs.frozen
class Kept:
    """What was found when the folder was opened.

    Attributes
    ----------
    files
        All that waits, in the order of publication.
    published
        Runs whose final result has been published before.
    """

    files: Sequence[UnsentFile]
    published: frozenset[RunKey]


class Outbox:
    """Keeps final results on disk for the sinks that have not taken them.

    All methods may wait for the disk, raise OSError for what it refuses, and are called on one thread. The folder
    must have been opened.

    Parameters
    ----------
    state_folder
        Gives the state folder of the instrument, made where it is missing; its ConfigError says why it cannot be.
    budget
        Most disk that the folder should take, bytes; 0 for no limit.
    """

    def __init__(self, state_folder: Callable[[], Path], budget: int = 0) -> None:
        self._state_folder = state_folder
        self.budget = budget
        self._folder: Path | None = None
        self._lock: int | None = None
        # Bytes that wait, or fewer: the folder is looked through only when that could be too much.
        self._at_most: float = math.inf
        self._last = 0
        self._runs: PublishedRuns | None = None

    @property
    def is_open(self) -> bool:
        """Whether this process keeps the folder."""
        return self._folder is not None

    def open(self) -> Kept:
        """Make the folder where it is missing, take it for this process, and list what waits. Called once.

        Raises
        ------
        OSError, LiveredError
            When it cannot be used; `OutboxBusy` when another process keeps it.
        """
        state = self._state_folder()
        folder = state / UNSENT_FOLDER
        folder.mkdir(mode=0o700, exist_ok=True)
        lock = _take_lock(folder / ".lock")
        try:
            for path in files_below(folder):
                if _PARTIAL.fullmatch(path.name):
                    path.unlink()
            files = sorted(unsent_files(folder), key=lambda file: (file.name, file.sink))
            runs = PublishedRuns(state / "published.json")
            published = runs.load()
        except BaseException:
            os.close(lock)
            raise
        self._folder, self._lock, self._runs = folder, lock, runs
        self._last = max((int(file.name[:20]) for file in files), default=0)
        return Kept(files, published)

    def close(self) -> None:
        """Let another process keep the folder."""
        if self._lock is not None:
            os.close(self._lock)
            self._lock = self._folder = None

    def keep(self, item: Published, sinks: Sequence[str], now_ns: int) -> str:
        """Write a final result for each of some sinks, and wait until it is on the disk.

        Parameters
        ----------
        item
            The result.
        sinks
            Names of the plugins that have not taken it.
        now_ns
            Wall time, nanoseconds UTC since the Unix epoch.

        Returns
        -------
        str
            The name of the file, the same for each sink.
        """
        folder = self._opened()
        order = max(now_ns, self._last + 1)
        name = f"{order:020d}-run{item.run.number}-{max(0, item.run.start_ns)}.unsent"
        paths = [folder / sink / name for sink in sinks]
        try:
            for path in paths:
                path.parent.mkdir(mode=0o700, exist_ok=True)
                if path is paths[0] or not _linked(paths[0], path):
                    with atomic_path(path) as temporary:
                        temporary.chmod(0o600)
                        temporary.write_bytes(to_bytes(item))
        except BaseException:
            # Not for some only: what is not known to be here would be sent a second time by the next session.
            for path in paths:
                with contextlib.suppress(OSError):
                    path.unlink(missing_ok=True)
            raise
        sync(folder)
        self._last = order
        self._at_most += sum(path.stat().st_size for path in paths)
        return name

    def require(self, sink: str, name: str) -> None:
        """See that a file is still there.

        Raises
        ------
        Removed
            When it is not, although its folder is.
        OSError
            When that cannot be said.
        """
        path = self._path(sink, name)
        try:
            path.lstat()
        except FileNotFoundError:
            path.parent.lstat()
            message = f"{path} was removed."
            raise Removed(message) from None

    def load(self, sink: str, name: str) -> Published:
        """Read a final result.

        Raises
        ------
        Removed
            When it is not there any more.
        StoredDamaged
            When it cannot be read; it has been set aside then, under a name that ends in ``.damaged``.
        StoredTooNew
            When a newer livered wrote it; it stays.
        """
        self.require(sink, name)
        path = self._path(sink, name)
        try:
            return from_bytes(path.read_bytes())
        except StoredDamaged as error:
            aside = path.with_name(name + DAMAGED)
            path.replace(aside)
            message = f"{aside} was set aside: {error}"
            raise StoredDamaged(message) from error

    def remove(self, sink: str, name: str) -> None:
        """Remove a file, and wait until that is on the disk; one that is not there is no error."""
        path = self._path(sink, name)
        path.unlink(missing_ok=True)
        sync(path.parent)

    def beyond_budget(self) -> list[WaitingFile]:
        """List what must go so that the folder takes no more disk than it may, oldest first."""
        folder = self._opened()
        if not self.budget or self._at_most <= self.budget:
            return []
        files = waiting_files(files_below(folder))
        self._at_most = sum(file.size for file in files)
        return beyond_budget(files, self.budget)

    def note_published(self, run: RunInfo) -> None:
        """Remember for the next sessions that the final result of a run has been published."""
        if self._runs is not None:
            self._runs.add(run)

    def _path(self, sink: str, name: str) -> Path:
        return self._opened() / sink / name

    def _opened(self) -> Path:
        if self._folder is None:
            message = "The folder of unsent final results is not open."
            raise OSError(message)
        return self._folder


def unsent_files(folder: Path) -> list[UnsentFile]:
    """List what waits in a folder ``unsent``; names that are not livered's are passed over.

    Parameters
    ----------
    folder
        May be missing.

    Raises
    ------
    OSError
        When it, or a folder in it, cannot be read.
    """
    found = []
    for path in files_below(folder):
        match = _NAME.fullmatch(path.name)
        if match is not None:
            run, start_ns, since_ns = (int(match[group]) for group in ("run", "start", "order"))
            found.append(UnsentFile(path.parent.name, path.name, run, start_ns, since_ns))
    return found


def files_below(folder: Path) -> list[Path]:
    """List what is in the folders of a folder ``unsent``, which may be missing.

    Raises
    ------
    OSError
        When it, or a folder in it, cannot be read; `Path.glob` would pass it over.
    """
    try:
        sinks = sorted(folder.iterdir())
    except FileNotFoundError:
        return []
    return [path for sink in sinks if sink.is_dir() for path in sorted(sink.iterdir())]


def _linked(written: Path, path: Path) -> bool:
    """Give a file a second name; false where the file system cannot do that."""
    try:
        os.link(written, path)
    except OSError:
        return False
    sync(path.parent)
    return True


def _take_lock(path: Path) -> int:
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        take(lock)
    except LockHeld as held:
        os.close(lock)
        message = f"{held.owner} keeps {path.parent}"
        raise OutboxBusy(message) from None
    except OSError as error:
        # Some network file systems know no locks. The run directory's lock still keeps a second engine away here.
        _log.warning("%s cannot be locked: %s.", path, error)
    with contextlib.suppress(OSError):
        sign(lock)
    return lock
