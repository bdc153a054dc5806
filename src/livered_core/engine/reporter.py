"""The thread that tells other programs how the engine is doing: ``status.json`` and the small files beside it."""

from __future__ import annotations

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Any, Final

import attrs

from livered_core.clocks import Clock
from livered_core.engine.event_rate import EventRate
from livered_core.engine.health import Health, health_as_dict
from livered_core.engine.plugin_story import PluginStory
from livered_core.engine.story import Story, beginning
from livered_core.engine.watching import LOOK_AFTER_S, REDUCTION, SinkTroubles, Standstill, log_file, place_of
from livered_core.errors import LiveredError
from livered_core.model import SessionInfo
from livered_core.publish.as_json import FORMAT, lines_of
from livered_core.publish.books import Books
from livered_core.publish.history import EVERY_S
from livered_core.publish.run_directory import RunDirectory

_log = logging.getLogger(__name__)

STATUS_EVERY_S: Final = 1.0
"""Seconds between two heartbeats."""
_PATIENCE_S: Final = 5.0


class Reporter:
    """Writes the small files of the run directory once a second, on a thread of its own (``livered-status``).

    So they tell the truth, too, while plugins begin, while sinks are waited for at the end, and while a terminal
    hangs.

    Parameters
    ----------
    folder
        The run directory.
    books
        Runs, failures and history.
    health
        Gives a snapshot of the engine.
    session
        Gives the session, whose plugins may change.
    session_id
        Its random text.
    update_every_s
        How often a result is due.
    clock
        The clocks.
    """

    def __init__(
        self,
        folder: RunDirectory,
        books: Books,
        health: Callable[[], Health | None],
        session: Callable[[], SessionInfo],
        session_id: str,
        *,
        update_every_s: float,
        clock: Clock,
    ) -> None:
        self._folder = folder
        self._books = books
        self._health = health
        self._clock = clock
        self._rate = EventRate()
        self._mean_rate = EventRate(EVERY_S)
        self._standstill = Standstill()
        self._sinks = SinkTroubles()
        self._story = Story()
        self._plugins = PluginStory()
        self._session = session
        self._session_id = session_id
        self._said: set[type[BaseException]] = set()
        self._ends = threading.Event()
        self._head = {
            "format": FORMAT,
            "pid": os.getpid(),
            "host": socket.gethostname(),
            "status_every_s": STATUS_EVERY_S,
            "update_every_s": update_every_s,
        }
        self._thread = threading.Thread(target=self._run, name="livered-status", daemon=True)

    def start(self) -> None:
        """Write for the first time, and start the thread."""
        _log.info("%s", beginning(self._session()))
        self._report()
        self._thread.start()

    def close(self) -> None:
        """End the thread and write for the last time; a folder that hangs is left behind."""
        self._ends.set()
        if self._thread.ident is not None:
            self._thread.join(_PATIENCE_S)
        if not self._thread.is_alive():
            self._report()
        _say_of_plugins(self._plugins.endings())

    def _run(self) -> None:
        while not self._clock.wait(self._ends, STATUS_EVERY_S):
            self._report()

    def _report(self) -> None:
        """Write; what goes wrong is said once, and the next turn tries again."""
        try:
            self._write()
        except Exception as error:  # noqa: BLE001  (the reduction goes on without)
            if type(error) in self._said:
                return
            self._said.add(type(error))
            if isinstance(error, OSError):
                _log.warning(
                    "The state cannot be written to %s (%s): make room or mend its permissions. This is said once.",
                    self._folder.path,
                    error.strerror or error,
                )
            elif isinstance(error, LiveredError):
                _log.error("The state cannot be written to %s: %s", self._folder.path, error)
            else:
                _log.error("The state cannot be written to %s: report it.", self._folder.path, exc_info=error)

    def _write(self) -> None:
        health = self._health()
        if health is None:
            return
        now_s, source = self._clock.monotonic(), health.source
        _say_of_plugins(self._plugins.update(health.plugins))
        for number, sentence in self._story.update(health, now_s):
            if number:
                _log.info("Run %d: %s", number, sentence)
            else:
                _log.info("%s", sentence[:1].upper() + sentence[1:])
        events = source.counts.get("events", 0)
        rate = self._rate.update(now_s, events, source.chunk_s)
        mean = self._mean_rate.update(now_s, events, source.chunk_s)
        if health.run is not None:
            self._books.runs.run_known(health.run)
        if self._folder.stay():
            self._books.folder_is_new()
        try:
            self._books.write()
            self._books.add(mean, health.lag_s, health.phase.value)
        finally:
            # Whatever is wrong with a book, the engine is seen to live.
            self._write_status(health, rate)

    def _write_status(self, health: Health, rate: float) -> None:
        runs_version, failures_version = self._books.versions_written
        plain = health_as_dict(health)
        since = self._sinks.update(health.sinks, health.now_ns)
        standing_s = self._standstill.update(health.source.turns, self._clock.monotonic())
        status = {
            **self._head,
            "session": session_as_dict(self._session(), self._session_id),
            **plain,
            "sinks": [{**sink, **since[sink["name"]]} for sink in plain["sinks"]],
            "event_rate": rate,
            "standing_s": standing_s,
            "standing_at": place_of(REDUCTION) if standing_s > LOOK_AFTER_S else "",
            "log_file": log_file(),
            "runs_version": runs_version,
            "failures_version": failures_version,
        }
        self._folder.replace("status.json", lines_of(status))


def _say_of_plugins(said: list[tuple[str, str]]) -> None:
    for plugin, sentence in said:
        _log.info("%s", sentence, extra={"plugin": plugin})


def session_as_dict(session: SessionInfo, session_id: str) -> dict[str, Any]:
    """Return what ``status.json`` says of a session."""
    names = ("started_ns", "backend", "source", "output_dir", "livered_version", "instrument")
    plain = attrs.asdict(session, filter=lambda attribute, _: attribute.name in names)
    return {"id": session_id, **plain, "plugins": dict(session.plugins)}
