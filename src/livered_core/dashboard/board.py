"""What the dashboard knows: one task looks at the run directories for all clients, and tells them what is new."""

from __future__ import annotations

import asyncio
import logging
import socket
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final

import attrs

from livered_core.clocks import Clock
from livered_core.dashboard.directories import Folder, Listing, Stored
from livered_core.dashboard.events import Stream, encode
from livered_core.dashboard.foreign import table_of, time_of
from livered_core.dashboard.processes import process_of
from livered_core.dashboard.state import Process, Seen, State, state_of

LOOK_EVERY_S: Final = 0.1
"""Seconds between two looks at the folders."""
STATUS_EVERY_S: Final = 1.0
"""Seconds between two status events at most: the ages in them grow."""
MOST_STREAMS: Final = 256
"""Streams of events at a time."""

_log = logging.getLogger(__name__)
_PULSE_NS: Final = 2_000_000_000
"""An engine that has written this shortly before is not looked after."""
_ANNOUNCED: Final = ("latest", "runs", "history", "failures")
"""Files whose changes are told, without ``.json``."""


@attrs.frozen(eq=False)
class View:
    """What is known of one instrument.

    Attributes
    ----------
    name
        Of its run directory.
    folder
        Its files.
    state
        What it makes of them.
    phase, phase_since_ns
        What livered is doing by its own account, in which session, and since when that has been seen; 0 since the
        first look.
    """

    name: str
    folder: Folder
    state: State
    phase: tuple[object, object]
    phase_since_ns: int

    @property
    def status(self) -> Mapping[str, Any] | None:
        """What is in ``status.json``; None when there is none that can be read."""
        stored = self.folder.files.get("status.json")
        return stored.head if stored is not None and not stored.problem else None

    @property
    def started_ns(self) -> int:
        """When the newest session began, nanoseconds UTC; 0 where that is not known."""
        return time_of(table_of(self.status or {}, "session"), "started_ns")

    @property
    def problems(self) -> Mapping[str, str]:
        """Why files cannot be read, by their names."""
        problems = {name: file.problem for name, file in self.folder.files.items() if file.problem}
        return {**problems, "": self.folder.problem} if self.folder.problem else problems

    def status_message(self) -> dict[str, Any]:
        """Return what the page is told of it."""
        return {
            "name": self.name,
            "state": attrs.asdict(self.state),
            "status": self.status,
            "problems": dict(self.problems),
        }


@attrs.define(eq=False)
class _Feed:
    """The open streams of one instrument, and what they were told last."""

    streams: set[Stream] = attrs.field(factory=set)
    status: Stored | None = None
    word: str = ""
    due_s: float = 0.0


class Board:
    """The newest views of all instruments, and the streams of events that are fed from them.

    Used on one event loop only.

    Parameters
    ----------
    look
        Reads the run directories, given what was read before; called in a thread.
    instruments
        Names that are shown even where there is no folder yet.
    clock
        For ages.
    """

    def __init__(
        self, look: Callable[[Listing], Listing], instruments: tuple[str, ...], clock: Clock
    ) -> None:
        self._look = look
        self._instruments = instruments
        self._clock = clock
        self._host = socket.gethostname()
        self._listing = Listing()
        self._feeds: dict[str, _Feed] = {}
        self._closed = asyncio.Event()
        # A thread of its own: those of requests may wait for a disk.
        self._thread = ThreadPoolExecutor(1, "livered-look")
        self.views: Mapping[str, View] = {}

    @property
    def problem(self) -> str:
        """Why the folders cannot be read, one sentence; else empty."""
        return self._listing.problem

    @property
    def n_streams(self) -> int:
        """Number of streams of events that are open."""
        return sum(len(feed.streams) for feed in self._feeds.values())

    def view(self, name: str) -> View:
        """Give what is known of an instrument; of one without a folder, that it was never started."""
        return self.views.get(name) or self._view(name, Folder(), Process.UNKNOWN)

    def listed(self) -> list[dict[str, Any]]:
        """Return the names and states of all instruments, and when their newest session began."""
        return [
            {"name": name, "state": attrs.asdict(view.state), "started_ns": view.started_ns}
            for name, view in self.views.items()
        ]

    def subscribe(self, name: str) -> Stream | None:
        """Open a stream of what happens to an instrument; it begins with what is there. None when there are too many."""
        if self.n_streams >= MOST_STREAMS or self._closed.is_set():
            return None
        stream = Stream()
        view = self.view(name)
        stream.offer("status", encode("status", view.status_message()))
        stream.offer("instruments", encode("instruments", self.listed()))
        for file in _ANNOUNCED:
            stored = view.folder.files.get(f"{file}.json")
            if stored is not None and not stored.problem:
                stream.offer(file, encode(file, _change(file, stored)))
        self._feeds.setdefault(name, _Feed()).streams.add(stream)
        return stream

    def unsubscribe(self, name: str, stream: Stream) -> None:
        """Close a stream; calling it again is harmless."""
        stream.close()
        feed = self._feeds.get(name)
        if feed is not None:
            feed.streams.discard(stream)
            if not feed.streams:
                del self._feeds[name]

    def close(self) -> None:
        """End all streams, and the looking."""
        self._closed.set()
        for stream in self._all_streams():
            stream.close()
        self._thread.shutdown(wait=False)

    async def run(self) -> None:
        """Look at the folders until closed."""
        while not self._closed.is_set():
            try:
                await self.look_once()
            except Exception:  # noqa: BLE001  (the next look may find the folder mended)
                _log.exception("The run directories cannot be looked at.")
            try:
                await asyncio.wait_for(self._closed.wait(), LOOK_EVERY_S)
            except asyncio.TimeoutError:
                continue

    async def look_once(self) -> None:
        """Look at the folders, and tell the streams what has changed."""
        listing, processes = await asyncio.get_running_loop().run_in_executor(self._thread, self._observe)
        before, self._listing = self.views, listing
        names = sorted({*listing.folders, *self._instruments})
        self.views = {
            name: self._view(name, listing.folders.get(name, Folder()), processes.get(name, Process.UNKNOWN))
            for name in names
        }
        self._tell_of_instruments(before)
        for name, feed in self._feeds.items():
            self._tell_of_one(feed, self.view(name), before.get(name))

    def _all_streams(self) -> list[Stream]:
        return [stream for feed in self._feeds.values() for stream in feed.streams]

    def _observe(self) -> tuple[Listing, dict[str, Process]]:
        listing = self._look(self._listing)
        processes = {}
        for name, folder in listing.folders.items():
            stored = folder.files.get("status.json")
            status = stored.head if stored is not None else {}
            written_ns = time_of(status, "now_ns")
            if 0 <= self._clock.now_ns() - written_ns < _PULSE_NS:
                continue  # it lives
            processes[name] = process_of(status.get("pid"), status.get("host"), written_ns, self._host)
        return listing, processes

    def _view(self, name: str, folder: Folder, process: Process) -> View:
        now_ns = self._clock.now_ns()
        status = folder.files.get("status.json")
        latest = folder.files.get("latest.json")
        readable = status is not None and not status.problem
        head = status.head if status is not None else {}
        session = head.get("session")
        phase = (session.get("id") if isinstance(session, Mapping) else None, head.get("phase"))
        before = self.views.get(name)
        since_ns = 0
        if before is not None:
            since_ns = before.phase_since_ns if before.phase == phase else now_ns
        update = latest.head.get("update") if latest is not None else None
        seen = Seen(
            status=head if readable else None,
            problem=folder.problem or (status.problem if status is not None else ""),
            process=process,
            newest_pulse_ns=time_of(update, "last_pulse_ns") if isinstance(update, Mapping) else 0,
            phase_since_ns=since_ns,
        )
        return View(name, folder, state_of(seen, now_ns), phase, since_ns)

    def _tell_of_instruments(self, before: Mapping[str, View]) -> None:
        if [(name, view.state.word, view.state.kind) for name, view in before.items()] == [
            (name, view.state.word, view.state.kind) for name, view in self.views.items()
        ]:
            return
        event = encode("instruments", self.listed())
        for stream in self._all_streams():
            stream.offer("instruments", event)

    def _tell_of_one(self, feed: _Feed, view: View, before: View | None) -> None:
        events = {}
        now_s = self._clock.monotonic()
        files = view.folder.files
        files_before = before.folder.files if before is not None else {}
        status, word = files.get("status.json"), view.state.word
        if status is not feed.status or word != feed.word or now_s >= feed.due_s:
            feed.status, feed.word, feed.due_s = status, word, now_s + STATUS_EVERY_S
            events["status"] = encode("status", view.status_message())
        for file in _ANNOUNCED:
            stored = files.get(f"{file}.json")
            if stored is not None and stored is not files_before.get(f"{file}.json") and not stored.problem:
                events[file] = encode(file, _change(file, stored))
        for stream in feed.streams:
            for kind, event in events.items():
                stream.offer(kind, event)


def _change(file: str, stored: Stored) -> dict[str, Any]:
    """Say which version of a file is there."""
    head = stored.head
    if file == "latest":
        update = head.get("update")
        final = update.get("final") if isinstance(update, Mapping) else None
        return {
            "session": head.get("session"),
            "version": head.get("version"),
            "run": head.get("run"),
            "final": bool(final),
            "published_ns": head.get("published_ns"),
        }
    if file == "history":
        times = head.get("time_ns")
        return {"time_ns": times[-1] if isinstance(times, list) and times else 0}
    return {"version": head.get("version")}
