"""One livered per instrument: a lock in the state folder that also holds where several hosts share the folder.

`flock` tells the processes of one machine apart, and on most network file systems those of several. Where it does not,
or only seems to, the record of the owner does, by Fischer's algorithm: whoever finds the folder free writes itself
down, waits for longer than anybody takes between looking and writing, and has it if it still stands there.
"""

from __future__ import annotations

import contextlib
import logging
import os
import secrets
import socket
import threading
from collections.abc import Callable
from pathlib import Path
from types import TracebackType
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.engine.lease import (
    BEAT_EVERY_S,
    RECORD_BYTES,
    Owner,
    Standing,
    Verdict,
    from_record,
    judge,
    to_record,
)
from livered_core.errors import EXIT_DIED, LiveredError
from livered_core.publish.lock_file import LockHeld, is_at, take
from livered_core.publish.run_directory import AlreadyRunning
from livered_core.simulator.process import StartCancelled

_log = logging.getLogger(__name__)

INSTANCE_LOCK: Final = "instance.lock"
"""File in the state folder."""
SETTLE_S: Final = 2.0
"""Seconds after which who wrote itself down looks whether it still stands there."""
WATCH_S: Final = 3 * BEAT_EVERY_S
"""Seconds for which an owner that seems to be gone is watched before its place is taken."""
_AGAIN_S: Final = 0.2
_LOOKS: Final = 15
_JOIN_S: Final = 2.0


class RunningElsewhere(LiveredError):  # noqa: N818  (reads as what happened)
    """Another host keeps the instrument (exit code 1: started again, this one takes over when that one dies)."""

    exit_code = EXIT_DIED


class LostInstance(LiveredError):  # noqa: N818
    """Another livered has taken the state folder over, because it took this one to be dead (exit code 1)."""


@attrs.frozen
class Machine:
    """What tells this machine, and processes on it, from others.

    Attributes
    ----------
    host, boot, space
        As in `Owner`.
    root
        Where ``proc`` is.
    """

    host: str
    boot: str
    space: str
    root: Path = Path("/proc")

    @classmethod
    def this(cls) -> Machine:
        """Return the one that livered runs on."""
        boot = space = ""
        with contextlib.suppress(OSError):
            boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
        with contextlib.suppress(OSError):
            space = str(Path("/proc/self/ns/pid").readlink())
        return cls(socket.gethostname()[:100], boot, space)

    def started(self, pid: int) -> int | None:
        """Return when a process was started, in ticks since the machine was; None where it is gone."""
        try:
            text = (self.root / str(pid) / "stat").read_text(encoding="ascii", errors="replace")
        except OSError:
            return None
        # The name, in brackets, may hold anything.
        fields = text.rpartition(")")[2].split()
        if len(fields) < 20 or fields[0] in ("Z", "X"):
            return None
        return int(fields[19])

    def is_alive(self, owner: Owner) -> bool:
        """Say whether an owner on this machine lives, and is not another process with its number."""
        return self.started(owner.pid) == owner.started

    def owner(self, now_ns: int) -> Owner:
        """Return this process as an owner."""
        pid = os.getpid()
        token = secrets.token_hex(8)
        return Owner(self.host, self.boot, self.space, pid, self.started(pid) or 0, token, now_ns)


class InstanceLock:
    """Keeps the state folder of an instrument for one process. A context manager: it is kept inside.

    A thread of its own (``livered-instance``) writes the heartbeats.

    Parameters
    ----------
    state_folder
        Gives the folder. Where it cannot be made or written, this is said, and nothing is kept.
    clock
        The clocks.
    cancel
        Gives up waiting when it is set.
    machine
        This one.
    lock
        Locks a file, see `livered_core.publish.lock_file.take`.
    settle_s, watch_s
        See `SETTLE_S` and `WATCH_S`.
    """

    def __init__(
        self,
        state_folder: Callable[[], Path],
        clock: Clock,
        cancel: threading.Event,
        *,
        machine: Machine | None = None,
        lock: Callable[[int], None] = take,
        settle_s: float = SETTLE_S,
        watch_s: float = WATCH_S,
    ) -> None:
        self._state_folder = state_folder
        self._clock = clock
        self._cancel = cancel
        self._machine = Machine.this() if machine is None else machine
        self._lock = lock
        self._settle_s = settle_s
        self._watch_s = watch_s
        self._me = self._machine.owner(clock.now_ns())
        self._path: Path | None = None
        self._descriptor: int | None = None
        self._locked: bool | None = None
        self._lost = ""
        self._said = False
        self._ends = threading.Event()
        self._thread = threading.Thread(target=self._beat, name="livered-instance", daemon=True)

    @property
    def lost(self) -> str:
        """Why the session must end: another livered has the folder now. Empty while all is well. Any thread."""
        return self._lost

    def __enter__(self) -> InstanceLock:
        """Take the folder.

        Raises
        ------
        AlreadyRunning
            When another process of this machine has it.
        RunningElsewhere
            When a process of another machine has it.
        StartCancelled
            When it was cancelled while waiting.
        """
        try:
            self._path = self._state_folder() / INSTANCE_LOCK
            self._open()
            self._take()
        except (AlreadyRunning, RunningElsewhere, StartCancelled):
            self._close()
            raise
        except (OSError, LiveredError) as error:
            self._close()
            _log.warning(
                "The state folder cannot be locked (%s): livered goes on without, and does not notice another one for "
                "the same instrument on another host.",
                " ".join(str(error).split()).rstrip("."),
            )
            return self
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Let another process have the folder; a disk that hangs is left behind."""
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join(_JOIN_S)
            if self._thread.is_alive():
                return
        self._close()

    # Taking.

    def _open(self) -> None:
        assert self._path is not None
        self._close()
        flags = os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW
        self._descriptor = os.open(self._path, flags, 0o600)
        self._try_to_lock()

    def _try_to_lock(self) -> None:
        assert self._descriptor is not None
        try:
            self._lock(self._descriptor)
            self._locked = True
        except LockHeld:
            self._locked = False
        except OSError:
            # Some network file systems know no locks; the record does without.
            self._locked = None

    def _take(self) -> None:
        """Wait until it is clear whether the folder can be had, and take it."""
        verdict = Verdict(Standing.BEGINNING)
        for _ in range(_LOOKS):
            looked_s = self._clock.monotonic()
            record = self._read()
            verdict = self._judge(record)
            if verdict.standing in (Standing.KEPT_HERE, Standing.KEPT_ELSEWHERE):
                break
            if verdict.standing is Standing.SILENT:
                _log.warning(
                    "%s: it is watched for %g s before its place is taken.", verdict.why, self._watch_s
                )
                if not self._stays_silent(record):
                    if self._judge(self._read()).standing is Standing.SILENT:
                        # It beats, with a clock that is wrong.
                        verdict = Verdict(Standing.KEPT_ELSEWHERE, f"{verdict.why} by its clock, and lives")
                        break
                    continue
                looked_s = self._clock.monotonic()
                if self._read() != record:
                    continue
            elif verdict.standing is Standing.BEGINNING:
                self._wait(_AGAIN_S)
                if self._locked is False:
                    self._try_to_lock()
                continue
            if self._won(looked_s):
                if verdict.why:
                    _log.warning("%s: its place is taken (%s).", verdict.why, self._path)
                return
        raise self._refusal(verdict)

    def _judge(self, record: bytes) -> Verdict:
        try:
            found = from_record(record)
        except ValueError as error:
            # Being written by somebody, unless this process alone can write it.
            return Verdict(Standing.FREE if self._locked else Standing.SILENT, f"In {self._path} {error}")
        me = attrs.evolve(self._me, beat_ns=self._clock.now_ns())
        alive = found is not None and self._machine.is_alive(found)
        return judge(found, me, locked=self._locked, alive=alive)

    def _stays_silent(self, record: bytes) -> bool:
        began_s = self._clock.monotonic()
        while self._clock.monotonic() - began_s < self._watch_s:
            self._wait(min(1.0, self._watch_s / 10))
            if self._read() != record:
                return False
        return True

    def _won(self, looked_s: float) -> bool:
        """Write down this process, and see that it stays written; false where another was as fast."""
        if self._clock.monotonic() - looked_s > self._settle_s / 2:
            # Too long ago: another may have looked, written and settled meanwhile.
            return False
        self._write(attrs.evolve(self._me, beat_ns=self._clock.now_ns()))
        if self._locked:
            # No other process of this machine is here; one of another machine is found out by the first heartbeat.
            return True
        self._wait(self._settle_s)
        return self._is_mine()

    def _refusal(self, verdict: Verdict) -> LiveredError:
        assert self._path is not None
        if verdict.standing is Standing.KEPT_HERE:
            return AlreadyRunning(
                f"livered runs already for this instrument ({verdict.why} keeps {self._path.parent}): "
                "stop that one first."
            )
        who = verdict.why or "another process"
        return RunningElsewhere(
            f"livered runs already for this instrument ({who} keeps {self._path.parent}): stop that one, or set "
            "XDG_STATE_HOME to a folder of this machine's own. Started again, this one takes over when that one is gone."
        )

    def _wait(self, seconds: float) -> None:
        if self._clock.wait(self._cancel, seconds):
            raise StartCancelled

    # The file.

    def _read(self) -> bytes:
        """Read the record. The file is opened anew: only then a network file system asks the server for it."""
        assert self._path is not None
        descriptor = os.open(self._path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            return os.read(descriptor, RECORD_BYTES)
        finally:
            os.close(descriptor)

    def _write(self, owner: Owner | None) -> None:
        assert self._descriptor is not None
        os.pwrite(self._descriptor, to_record(owner), 0)
        os.fdatasync(self._descriptor)

    def _is_mine(self) -> bool:
        try:
            found = from_record(self._read())
        except ValueError:
            return False
        return found is not None and found.token == self._me.token

    def _is_same_file(self) -> bool:
        assert self._path is not None
        assert self._descriptor is not None
        return is_at(self._path, self._descriptor)

    def _close(self) -> None:
        if self._descriptor is None:
            return
        with contextlib.suppress(OSError):
            if self._is_same_file() and self._is_mine():
                self._write(None)
        os.close(self._descriptor)
        self._descriptor = None

    # Heartbeats.

    def _beat(self) -> None:
        pause_s = self._settle_s
        while not self._clock.wait(self._ends, pause_s):
            pause_s = BEAT_EVERY_S
            try:
                self._look_and_beat()
                self._said = False
            except (AlreadyRunning, RunningElsewhere) as error:
                self._lost = str(error)
            except StartCancelled:
                return
            except OSError as error:
                if not self._said:
                    self._said = True
                    _log.warning("The lock %s cannot be kept up (%s): mend the disk.", self._path, error)
            if self._lost:
                return

    def _look_and_beat(self) -> None:
        if not self._is_same_file():
            _log.warning("Somebody removed %s: it is made again.", self._path)
            self._open()
            self._take()
            return
        record = self._read()
        try:
            found = from_record(record)
        except ValueError:
            found = self._me
        if found is None or found.token != self._me.token:
            other = "another process" if found is None else str(found)
            self._lost = (
                f"{other[:1].upper()}{other[1:]} has taken over this instrument ({self._path}), because it took this one to be dead: "
                "livered ends, so that not both write into the same folder."
            )
            return
        self._write(attrs.evolve(self._me, beat_ns=self._clock.now_ns()))
