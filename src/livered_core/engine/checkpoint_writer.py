"""The thread that writes checkpoints: the reduction never waits for the disk.

A checkpoint is offered between two chunks and written on the thread ``livered-checkpoint``; one that waits is replaced
by the next. Hooks must not change what is accumulated in place, so that it stays as it is meanwhile; where it is the
same object after more chunks, so that it may be changed all the same, it is copied on the reduction thread. So is that
of the first chunk, of which nobody knows yet.
"""

from __future__ import annotations

import logging
import threading
import weakref
from collections.abc import Callable
from typing import Any, Final, Protocol

import attrs

from livered_core.clocks import Clock
from livered_core.errors import LiveredError
from livered_core.reduction.checkpoint import Checkpoint
from livered_core.reduction.checkpoint_codec import NotStorable, decode, encode
from livered_core.reduction.checkpoint_store import CheckpointTooLarge
from livered_core.reduction.run_state import RunState

_log = logging.getLogger(__name__)

SHARE: Final = 0.05
"""Largest part of the time that is spent on writing."""


class Store(Protocol):
    """Where checkpoints go; see `livered_core.reduction.checkpoint_store.CheckpointStore`."""

    def save(self, checkpoint: Checkpoint) -> int:
        """Write one, and return its size in bytes."""
        ...

    def clear(self) -> None:
        """Remove all."""
        ...


@attrs.frozen
class CheckpointStatus:
    """What is known of the newest checkpoint on the disk.

    Attributes
    ----------
    made_ns
        When it was made, nanoseconds UTC since the Unix epoch; 0 when this session has written none.
    bytes
        Its size.
    seconds
        How long it took to write.
    written
        Checkpoints that this session has written.
    problem
        One sentence when the last attempt failed; else empty.
    """

    made_ns: int = 0
    bytes: int = 0
    seconds: float = 0.0
    written: int = 0
    problem: str = ""


class CheckpointWriter:
    """Writes the newest checkpoint that was offered.

    All methods but `status` and `abandon` are called on one thread at a time.

    Parameters
    ----------
    store
        Where they go.
    clock
        For the times.
    every_s
        Shortest time from one to the next, seconds.
    share
        Largest part of the time that is spent on writing.
    """

    def __init__(self, store: Store, clock: Clock, every_s: float, share: float = SHARE) -> None:
        self._store = store
        self._clock = clock
        self._every_s = every_s
        self._share = share
        self._changed = threading.Condition()
        self._pending: Checkpoint | None = None
        self._clear = False
        self._busy = False
        self._closing = False
        self._not_before: float | None = None
        self._refused: tuple[object, ...] | None = None
        self._said: tuple[object, ...] | None = None
        # Weak: what was accumulated long ago need not be kept in memory.
        self._written: weakref.ref[Checkpoint] | None = None
        self._is_offered: Callable[[Any], bool] = lambda _: False
        self._offered_chunks = 0
        self._is_seen: Callable[[Any], bool] = lambda _: False
        self._seen_chunks = 0
        self._stays = True
        self._status = CheckpointStatus()
        self._idle = threading.Event()
        self._idle.set()
        self._thread: threading.Thread | None = None

    def status(self) -> CheckpointStatus:
        """Return a snapshot. Safe from any thread."""
        with self._changed:
            return self._status

    def due(self, now: float) -> bool:
        """Tell whether a checkpoint is wanted.

        Parameters
        ----------
        now
            Time of the monotonic clock, seconds.
        """
        with self._changed:
            if self._busy or self._pending is not None or self._closing:
                return False
            return self._not_before is None or now >= self._not_before

    def saw(self, state: RunState) -> None:
        """Note what is accumulated after each chunk, whether it is offered or not: it may be the same object."""
        accumulated, n_chunks = state.accumulated, state.n_chunks
        if n_chunks != self._seen_chunks:
            one_more = n_chunks == self._seen_chunks + 1 and n_chunks > 1
            self._stays = one_more and not self._is_seen(accumulated)
            self._is_seen, self._seen_chunks = _recogniser(accumulated), n_chunks

    def offer(self, checkpoint: Checkpoint) -> None:
        """Take a checkpoint in place of one that still waits; returns at once."""
        state = checkpoint.state
        in_place = self._is_offered(state.accumulated) and state.n_chunks != self._offered_chunks
        in_place = in_place or (state.n_chunks == self._seen_chunks and not self._stays)
        self._is_offered, self._offered_chunks = _recogniser(state.accumulated), state.n_chunks
        if in_place:
            checkpoint = _with_own_data(checkpoint)
        with self._changed:
            self._not_before = self._clock.monotonic() + self._every_s
            if self._closing or _kinds(checkpoint) == self._refused:
                return
            self._put(checkpoint)

    def clear(self) -> None:
        """Have all checkpoints removed, with the one that waits: the run is over. Returns at once."""
        with self._changed:
            if self._closing:
                return
            self._pending, self._clear = None, True
            self._wake()

    def abandon(self) -> None:
        """Write nothing more, nor what waits: somebody else has the folder. Returns at once; safe from any thread."""
        with self._changed:
            self._pending, self._clear, self._closing = None, False, True
            self._changed.notify_all()

    def close(self, last: Checkpoint | None, timeout_s: float) -> bool:
        """Write a last checkpoint and end the thread.

        Parameters
        ----------
        last
            None when there is none to be written beside what waits; one that is on the disk is not written again.
        timeout_s
            Longest wait for the disk, seconds; the thread is left behind after it.

        Returns
        -------
        bool
            Whether everything is on the disk.
        """
        with self._changed:
            refused = last is not None and _kinds(last) == self._refused
            written = None if self._written is None else self._written()
            if last is not None and not refused and last is not written and not self._closing:
                self._put(last)
            self._closing = True
            self._changed.notify_all()
            thread = self._thread
        if thread is None:
            return not refused
        if not self._clock.wait(self._idle, timeout_s):
            _log.error(
                "The disk has not taken the last checkpoint within %g s: the run goes on from an older one, or is "
                "replayed from its start.",
                timeout_s,
            )
            return False
        thread.join(timeout_s)
        return not refused and not self.status().problem

    def _put(self, checkpoint: Checkpoint) -> None:
        self._pending = checkpoint
        self._wake()

    def _wake(self) -> None:
        self._idle.clear()
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="livered-checkpoint", daemon=True)
            self._thread.start()
        self._changed.notify_all()

    def _run(self) -> None:
        while self._step():
            pass

    def _step(self) -> bool:
        """Wait for something to do, and do it; false when there will be nothing more."""
        with self._changed:
            while self._pending is None and not self._clear:
                self._busy = False
                self._idle.set()
                if self._closing:
                    return False
                self._changed.wait()
            checkpoint, self._pending = self._pending, None
            clear, self._clear = self._clear, False
            self._busy = True
        if clear:
            self._remove()
        if checkpoint is not None:
            self._write(checkpoint)
        return True

    def _write(self, checkpoint: Checkpoint) -> None:
        begun = self._clock.monotonic()
        failure: Exception | None = None
        size = 0
        try:
            size = self._store.save(checkpoint)
        except Exception as error:  # noqa: BLE001  (the thread must not end, and it is said)
            failure = error
        took = self._clock.monotonic() - begun
        with self._changed:
            self._refused = _kinds(checkpoint) if isinstance(failure, NotStorable) else None
            written = self._status.written + (failure is None)
            if failure is None:
                self._status = CheckpointStatus(checkpoint.made_ns, size, took, written)
                self._written = weakref.ref(checkpoint)
            else:
                self._status = attrs.evolve(self._status, problem=_sentence(failure))
            rest = begun + took / self._share
            self._not_before = rest if self._not_before is None else max(self._not_before, rest)
        self._say(failure)

    def _say(self, failure: Exception | None) -> None:
        """Log a problem once, and its end."""
        problem: tuple[object, ...] | None = None
        if isinstance(failure, CheckpointTooLarge):
            problem = (type(failure),)  # its text says another size each time
        elif failure is not None:
            problem = (type(failure), getattr(failure, "errno", str(failure)))
        if failure is not None and problem != self._said:
            unexpected = not isinstance(failure, OSError | LiveredError)
            _log.warning("%s", _sentence(failure), exc_info=failure if unexpected else None)
        elif self._said is not None and failure is None:
            _log.info("Checkpoints are kept again.")
        self._said = problem

    def _remove(self) -> None:
        try:
            self._store.clear()
        except (OSError, LiveredError) as error:
            _log.warning("Checkpoints of a run that is over cannot be removed: %s.", _words(error))


def _kinds(checkpoint: Checkpoint) -> tuple[object, ...]:
    """Give the run, and the types of what plugins have given: as long as they are the same, so is what can be kept."""
    state = checkpoint.state
    return (state.run.number, type(state.accumulated), *(type(kept) for kept in checkpoint.plugins.values()))


def _recogniser(value: Any) -> Callable[[Any], bool]:
    """Make what tells whether something is the same object, without keeping it in memory."""
    try:
        reference = weakref.ref(value)
    except TypeError:
        # Of a list or a dictionary the address must do: at worst another one is copied.
        address = id(value)
        return lambda other: id(other) == address
    return lambda other: reference() is other


def _with_own_data(checkpoint: Checkpoint) -> Checkpoint:
    """Copy what is accumulated, here and now: it may be changed in place."""
    try:
        accumulated = decode(b"".join(encode(checkpoint.state.accumulated)), lambda _: True)
    except LiveredError:
        return checkpoint  # writing it says what is wrong
    return attrs.evolve(checkpoint, state=attrs.evolve(checkpoint.state, accumulated=accumulated))


def _sentence(failure: Exception) -> str:
    if isinstance(failure, NotStorable):
        return f"{failure} Until then a run is replayed from its start after a crash."
    if isinstance(failure, CheckpointTooLarge):
        return str(failure)
    return f"Checkpoints cannot be kept, so a run may be replayed from its start after a crash: {_words(failure)}."


def _words(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return error.strerror
    text = str(error).rstrip(".")
    return text if isinstance(error, LiveredError) else f"{type(error).__name__}: {text}"
