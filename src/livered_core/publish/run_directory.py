"""The run directory: the folder in which other programs may read of a running engine, and who owns it.

Its files and their layout are in ``docs/run-directory.md``. Files are replaced atomically: a reader sees the old
one or the new one, whole. They are the user's alone (0600, folders 0700).
"""

from __future__ import annotations

import contextlib
import errno
import json
import logging
import os
import stat
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from types import TracebackType
from typing import Any, Final, TypeVar

from livered_core.atomic import atomic_path
from livered_core.errors import LiveredError
from livered_core.opening import open_unwaiting
from livered_core.publish.lock_file import LockHeld, is_at, sign, take

_log = logging.getLogger(__name__)
_T = TypeVar("_T")

RUNS: Final = "runs"
"""Folder in it of the results of earlier runs."""
LARGEST_FILE: Final = 256 * 1024 * 1024
"""Bytes of a file of the session before that is read again."""


class AlreadyRunning(LiveredError):  # noqa: N818
    """Another engine owns the run directory (exit code 1: a service tries again, and takes over when that one ends)."""


class RunDirectory:
    """A folder that one engine owns for its life. A context manager: the lock is held inside.

    Each file in it has one thread that writes it.

    Parameters
    ----------
    path
        An existing private folder (see `livered_core.config.runtime.run_directory`).
    make
        Gives the place of that folder, and makes it where it is told to; called when somebody has removed it, see
        `stay`. None where it is not to be made again.
    """

    def __init__(self, path: Path, make: Callable[[bool], Path] | None = None) -> None:
        self.path = path
        self._make = make
        self._lock: int | None = None
        self._lost = False

    def __enter__(self) -> RunDirectory:
        """Take the lock, and clear away half-written files of an engine that was killed.

        Raises
        ------
        AlreadyRunning
            When another process on this machine holds it.
        LiveredError
            When the folder cannot be used: it is missing, not writable, or something else has the name of its parts.
        """
        try:
            self._lock = _take_lock(self.path / "lock")
            (self.path / RUNS).mkdir(mode=0o700, exist_ok=True)
            for folder in (self.path, self.path / RUNS):
                for left in folder.glob(".*.partial"):
                    left.unlink()
        except OSError as error:
            self._release()
            message = (
                f"The run directory {self.path} cannot be used ({error.strerror or error}): "
                "remove what is in it, or mend its permissions."
            )
            raise LiveredError(message) from error
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let the lock go; the files stay for whoever wants to know how it ended."""
        self._release()

    def _release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def stay(self) -> bool:
        """See that the folder is there and is this engine's; make it again where somebody has removed it.

        What cleans up old files removes a lock that nobody touches for days, and the end of a login the whole folder,
        while the engine goes on.

        Returns
        -------
        bool
            Whether it had to be taken again, and files may be missing.

        Raises
        ------
        OSError, LiveredError
            When that is not possible; `AlreadyRunning` when another engine has it meanwhile. Nothing is written then.
        """
        if self._lock is not None and is_at(self.path / "lock", self._lock):
            for folder in (self.path, self.path / RUNS):
                for path in folder.iterdir():
                    # It may be gone, or somebody else's.
                    with contextlib.suppress(OSError):
                        _say_that_it_is_in_use(path)
            return False
        self._lost = True
        self._release()
        # With all folders of a login gone, the place would be another one.
        if self._make is None or self._make(False) != self.path:
            raise FileNotFoundError(errno.ENOENT, "somebody removed it", str(self.path))
        self._make(True)
        self.__enter__()
        self._lost = False
        _log.warning(
            "Somebody removed the run directory %s or its lock: it is made again, and what it held of earlier runs "
            "may be gone.",
            self.path,
        )
        return True

    def replace(self, name: str, parts: Iterable[str]) -> None:
        """Replace a file.

        Parameters
        ----------
        name
            ``status.json``, for example.
        parts
            Its content, in ASCII; made while it is written.

        Raises
        ------
        OSError
            When the folder cannot be written.
        """
        with self._atomic(name) as temporary:
            temporary.chmod(0o600)
            with temporary.open("w", encoding="ascii") as file:
                file.writelines(parts)

    def keep(self, name: str, as_name: str) -> None:
        """Give the content that a file has now a second name, whatever replaces the file later.

        Raises
        ------
        OSError
            When it is not there, or the folder cannot be written.
        """
        with self._atomic(as_name) as temporary:
            temporary.unlink()
            os.link(self.path / name, temporary)
        # Renamed onto another name of the same file, it would stay.
        temporary.unlink(missing_ok=True)

    def _atomic(self, name: str) -> contextlib.AbstractContextManager[Path]:
        if self._lost:
            raise FileNotFoundError(errno.ENOENT, "it is not this engine's any more", str(self.path))
        # Not durable: of no use after a restart of the machine, and syncing would wait for a busy disk. A folder that is
        # gone is not made here: it would not be private.
        return atomic_path(self.path / name, durable=False, make_folder=False)

    def kept_runs(self) -> set[int]:
        """Return the numbers of the runs with a file of their own."""
        stems = {path.stem for path in (self.path / RUNS).glob("*.json")}
        return {int(stem) for stem in stems if stem.isascii() and stem.isdigit()}

    def remove_run(self, number: int) -> None:
        """Remove the file of a run.

        Raises
        ------
        OSError
            When that is not possible; not when there is none.
        """
        (self.path / run_file(number)).unlink(missing_ok=True)

    def read(self, name: str, understand: Callable[[Any], _T]) -> _T | None:
        """Read a file that the session before left.

        Parameters
        ----------
        name
            ``runs.json``, for example.
        understand
            Makes of the JSON document what it holds; raises whatever it does for what it does not know.

        Returns
        -------
        object or None
            None where there is no such file. What cannot be read or understood is set aside as ``NAME.damaged``, and
            a warning says so.
        """
        path = self.path / name
        try:
            return understand(json.loads(_read_bounded(path)))
        except FileNotFoundError:
            return None
        except Exception as error:  # noqa: BLE001  (whatever is wrong in there, livered starts)
            with contextlib.suppress(OSError):
                path.replace(path.with_name(f"{path.name}.damaged"))
            _log.warning(
                "%s is not as this livered writes it (%s: %s): set aside as %s.damaged, and begun anew.",
                path,
                type(error).__name__,
                " ".join(str(error).split())[:200],
                path.name,
            )
            return None


def run_file(number: int) -> str:
    """Name the file of a run."""
    return f"{RUNS}/{number}.json"


def _say_that_it_is_in_use(path: Path) -> None:
    # The time of reading only: by the other one readers see whether a file has changed.
    found = path.lstat()
    os.utime(path, ns=(time.time_ns(), found.st_mtime_ns), follow_symlinks=False)


def _read_bounded(path: Path) -> bytes:
    # What has the name may be anything: no waiting for a pipe, and no reading without end.
    with open_unwaiting(path) as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            message = "it is no file"
            raise ValueError(message)
        data = file.read(LARGEST_FILE + 1)
    if len(data) > LARGEST_FILE:
        message = f"it has more than {LARGEST_FILE} bytes"
        raise ValueError(message)
    return data


def _take_lock(path: Path) -> int:
    """Open and lock a file, and write into it who holds it; return its descriptor."""
    lock = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        take(lock)
        sign(lock)
    except LockHeld as held:
        os.close(lock)
        message = (
            f"livered runs already for this instrument ({held.owner} holds {path}): stop that one first."
        )
        raise AlreadyRunning(message) from None
    except OSError:
        os.close(lock)
        raise
    return lock
