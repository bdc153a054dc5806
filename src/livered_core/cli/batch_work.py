"""How far many files have got: arithmetic only, on the thread that reduces them."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import attrs

from livered_core.cli.numbers import in_si
from livered_core.clocks import Clock

_FROM_S: Final = 2.0
"""Nothing is said of the time that is left before so many seconds."""


def size_of(path: Path) -> int | None:
    """Return the bytes of a file, or of all files of a folder; None where that cannot be said."""
    try:
        if path.is_dir():
            return sum(each.stat().st_size for each in path.iterdir() if each.is_file())
        return path.stat().st_size
    except OSError:
        return None


@attrs.frozen
class BatchState:
    """How far a batch has got: a snapshot.

    Attributes
    ----------
    n_files
        All files.
    n_reduced, n_failed
        Files that are behind it, reduced as a whole or not.
    n_left
        Files that were not begun.
    n_bytes
        Bytes that were read, by what the files say of how far they have been read; None where a size is unknown.
    all_bytes
        Bytes of all files; None where one is unknown.
    n_events
        Events that were reduced.
    seconds
        Since the first file was begun.
    fraction
        Share of the batch that is behind it, 0 to 1.
    left_s
        How long the rest will take, if it goes on as before, seconds; None while nobody can say.
    """

    n_files: int
    n_reduced: int
    n_failed: int
    n_left: int
    n_bytes: int | None
    all_bytes: int | None
    n_events: int
    seconds: float
    fraction: float
    left_s: float | None

    @property
    def rate(self) -> float:
        """Events a second, on average."""
        return self.n_events / self.seconds if self.seconds > 0.0 else 0.0


class BatchWork:
    """Keeps account of the files of a batch. For one thread.

    Files count by their bytes. One of unknown size counts as the others do on average; where nothing is known, all
    count the same. What fails before it is read is no work: it does not make the rest seem faster.

    Parameters
    ----------
    sizes
        Bytes of each file, in order; None where unknown.
    clock
        For the time that is left.
    """

    def __init__(self, sizes: Sequence[int | None], clock: Clock) -> None:
        self._clock = clock
        known = [size for size in sizes if size is not None]
        self._all_bytes = sum(known) if len(known) == len(sizes) else None
        mean = sum(known) / len(known) if known else 0.0
        weights = [mean if size is None else float(size) for size in sizes]
        if not any(weights):
            weights = [1.0] * len(weights)
        self._weights = weights
        self._began_s: float | None = None
        self._index = -1
        self._in_hand = False
        self._fraction = 0.0
        self._worked = 0.0
        self._n_events = 0
        self._events_before = 0
        self._n_failed = 0

    def begin(self) -> None:
        """Begin the next file."""
        if self._began_s is None:
            self._began_s = self._clock.monotonic()
        self._index += 1
        self._in_hand = True
        self._fraction = 0.0

    def note(self, fraction: float, n_events: int) -> None:
        """Note how far the file in hand has got.

        Parameters
        ----------
        fraction
            Share of it, 0 to 1; less than before does not count.
        n_events
            Events of it that have been reduced.
        """
        self._fraction = min(1.0, max(self._fraction, fraction))
        self._n_events = self._events_before + n_events

    def end(self, *, failed: bool) -> None:
        """End the file in hand.

        Parameters
        ----------
        failed
            Whether it was not reduced as a whole; then what was read of it is as far as was noted.
        """
        self._worked += self._weights[self._index] * (self._fraction if failed else 1.0)
        self._events_before = self._n_events
        self._in_hand = False
        self._n_failed += failed

    def state(self) -> BatchState:
        """Return how far it has got."""
        weights, index = self._weights, self._index
        n_ended = index + 1 - self._in_hand
        in_hand = weights[index] if self._in_hand else 0.0
        behind = sum(weights[:n_ended]) + in_hand * self._fraction
        worked = self._worked + in_hand * self._fraction
        whole = sum(weights)
        seconds = 0.0 if self._began_s is None else self._clock.monotonic() - self._began_s
        left_s = None
        if seconds >= _FROM_S and worked > 0.0:
            left_s = (whole - behind) / worked * seconds
        return BatchState(
            n_files=len(weights),
            n_reduced=n_ended - self._n_failed,
            n_failed=self._n_failed,
            n_left=len(weights) - index - 1,
            # Where all sizes are known and not all are nothing, weights are bytes.
            n_bytes=round(worked) if self._all_bytes else self._all_bytes,
            all_bytes=self._all_bytes,
            n_events=self._n_events,
            seconds=seconds,
            fraction=min(1.0, behind / whole) if n_ended < len(weights) else 1.0,
            left_s=left_s,
        )


def progress_words(state: BatchState) -> str:
    """Say how far a batch has got: ``18 of 100 files, 1 failed, 3.4 GB of 12.1 GB, 20.1 M events/s, 2 min left``."""
    parts = [f"{state.n_reduced + state.n_failed} of {state.n_files} files"]
    if state.n_failed:
        parts.append(f"{state.n_failed} failed")
    if state.n_bytes is not None and state.all_bytes:
        parts.append(f"{in_si(state.n_bytes)}B of {in_si(state.all_bytes)}B")
    if state.n_events:
        parts.append(f"{in_si(state.rate)} events/s")
    if state.left_s is not None:
        parts.append(f"{time_words(state.left_s)} left")
    return ", ".join(parts)


def end_words(state: BatchState) -> str:
    """Say what came of a batch: ``98 of 100 files reduced, 2 failed: 1,234 events of 12.1 MB in 5 s, 246 events/s``."""
    parts = [f"{state.n_reduced} of {state.n_files} files reduced"]
    if state.n_failed:
        parts.append(f"{state.n_failed} failed")
    if state.n_left:
        parts.append(f"{state.n_left} not begun")
    read = f" of {in_si(state.n_bytes)}B" if state.n_bytes else ""
    return (
        f"{', '.join(parts)}: {state.n_events:,} events{read} in {time_words(state.seconds)}, "
        f"{in_si(state.rate)} events/s."
    )


def time_words(seconds: float) -> str:
    """Write a time as people say it: ``8 s``, ``2 min 5 s``, ``1 h 20 min``."""
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    minutes, rest = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, rest = divmod(minutes, 60)
    return f"{hours} h {rest} min" if rest else f"{hours} h"
