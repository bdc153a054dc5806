"""The mantid source: StartLiveData begun, watched, begun again, and ended.

All of it happens on the reduction thread, which takes the chunks that Mantid's threads leave (see
`livered_core.sources.startlivedata`). What goes wrong is told apart, because Mantid itself says nothing of it:

- StartLiveData raised: the server could not be reached, or the first chunk failed.
- The monitor is not running although nobody ended it: its connection was reset, or a packet could not be read.
- The server has closed the connection: Mantid goes on with empty chunks for ever.
- No new pulse for long, from a server that is connected: no beam, or a connection that is no more.
- StartLiveData does not return: the server does not say what the instrument is.
- The monitor runs and brings no chunk: Mantid hangs.
- A run is over and its end was not among the chunks: Mantid has lost it.
- A plugin has thrown away what it had, because it changed.

Each is followed by a new call of StartLiveData, which replays the run from its start, with growing pauses.
"""

from __future__ import annotations

import logging
import random
import threading
from typing import Final

import attrs

from livered_core.backoff import Backoff
from livered_core.clocks import Clock
from livered_core.config import parse_address
from livered_core.errors import SourceError
from livered_core.sources.base import ChunkConsumer, Connection, SourceStatus
from livered_core.sources.closed_sockets import closed_by_peer
from livered_core.sources.door import Door
from livered_core.sources.mantid_intake import Intake
from livered_core.sources.mantid_progress import Progress
from livered_core.sources.mantid_runs import Begin, RunFollower
from livered_core.sources.startlivedata import LiveData, LiveRequest, inside_an_algorithm
from livered_core.workspaces import named

_log = logging.getLogger(__name__)

_WATCH_S: Final = 0.1
_EMPTY_AFTER_CLOSE: Final = 2
"""Chunks without anything new after which a closed connection has nothing more to give."""
_HANGS_S: Final = 120.0
_HANGS_CHUNKS: Final = 10.0
"""A monitor that brings no chunk for this many seconds, and this many times the length of one, hangs."""
_UPDATE_CHUNKS: Final = 2.0
"""An update waits for what waits to be reduced, for at most this many times the length of a chunk."""
_SILENCE_CHUNKS: Final = 3.0
_LONGEST_SILENCE: Final = 32.0
"""Silence is waited for at most so many times longer than at first; as long while the run is paused."""
_PAUSED: Final = 10.0
_MORE_PATIENCE_S: Final = 5.0


@attrs.frozen
class MantidSettings:
    """What the mantid source is told.

    Attributes
    ----------
    instrument
        Short name for `RunInfo`.
    request
        What StartLiveData is asked for.
    where
        Instrument, listener and address, for people.
    server
        ``host:port`` of the stream, whoever said it; empty where that is not known.
    says_ends
        As in `Begin`.
    queue_events, max_chunk_events
        Events that may wait for the reduction, and that are at most put together of what waits; as many as are put
        together may always wait.
    silence, stop_timeout, restarts
        As in `MantidConfig`.
    backoff
        Between two calls of StartLiveData.
    """

    instrument: str
    request: LiveRequest
    where: str
    server: str
    says_ends: bool
    queue_events: int
    max_chunk_events: int
    silence: float
    stop_timeout: float
    restarts: int
    backoff: Backoff


@attrs.frozen
class _Trouble:
    """Why StartLiveData is begun again, and whether that is a failure of Mantid or of the connection."""

    sentence: str
    is_failure: bool = True


class MantidSource:
    """Chunks from Mantid's live listeners. `run` is for the reduction thread, `status` and `resize` for any.

    Parameters
    ----------
    settings
        How.
    clock
        For silence, back-off and ends.
    """

    def __init__(self, settings: MantidSettings, clock: Clock) -> None:
        self._settings = settings
        self._clock = clock
        start_ns = settings.request.start_ns
        self._begin = Begin(clock.now_ns(), start_ns, settings.says_ends)
        self._runs = RunFollower(self._begin)
        self._port = _port(settings.server)
        self._connection = Connection.CONNECTING
        self._problem = ""
        self._connects = 0
        self._failures = 0
        self._silences = 0
        self._stuck = False
        self._turns = 0
        self._progress = Progress(clock.monotonic())
        self._door: Door | None = None
        self._max_chunk_events, self._queue_events = settings.max_chunk_events, settings.queue_events
        self._updated_s = clock.monotonic()

    def status(self) -> SourceStatus:
        """Return a snapshot; safe from any thread."""
        door, progress = self._door, self._progress
        return SourceStatus(
            where=self._settings.where,
            connection=self._connection,
            problem=self._problem,
            run=self._runs.run,
            paused=progress.paused,
            last_pulse_ns=progress.last_pulse_ns,
            silent_s=progress.silent_s(self._clock.monotonic()),
            waiting_events=0 if door is None else door.n_events,
            connects=self._connects,
            counts={**attrs.asdict(self._runs.counts), "restarts": max(0, self._connects - 1)},
            beam_off_s=progress.beam_off_s(),
            chunk_s=self._settings.request.update_every,
            turns=self._turns,
            patience_s=self._settings.stop_timeout + _MORE_PATIENCE_S,
            stuck=self._stuck,
        )

    @property
    def mantid_waits(self) -> bool:
        """Whether Mantid waits, because the reduction is too far behind; what comes then may be lost at the end of a run."""
        return self._door is not None and self._door.holds_mantid

    def resize(self, max_chunk_events: int, queue_events: int) -> None:
        """Bound what is put together and what waits otherwise than the settings say; safe from any thread.

        A chunk of Mantid's is never cut, and what finds no room here waits in Mantid.
        """
        self._max_chunk_events, self._queue_events = max_chunk_events, queue_events
        door = self._door
        if door is not None:
            door.look_again()

    def run(self, consumer: ChunkConsumer, stop: threading.Event) -> None:
        """Feed `consumer` until `stop` is set; then end Mantid's part and the run in hand.

        Raises
        ------
        SourceError
            When Mantid failed too often in a row, or cannot be ended.
        """
        while not stop.is_set():
            trouble = self._live(consumer, stop)
            if trouble is None or stop.is_set():
                break
            self._connection, self._problem = Connection.WAITING, trouble.sentence
            pause_s = self._pause(trouble)
            _log.warning(
                "%s StartLiveData is begun again in %.0f s, from the %s.",
                trouble.sentence,
                pause_s,
                "start of the run" if self._begin.wants_current_run else "time asked for",
            )
            self._begin_again(trouble.sentence, consumer)
            self._wait(stop, pause_s)
        self._connection = Connection.CLOSED
        inside_an_algorithm(lambda: self._runs.stop(consumer))

    def _begin_again(self, sentence: str, consumer: ChunkConsumer) -> None:
        not_before_ns = self._request().start_ns or 0
        inside_an_algorithm(lambda: self._runs.begin_again(sentence, consumer, not_before_ns))

    def _wait(self, stop: threading.Event, pause_s: float) -> None:
        until_s = self._clock.monotonic() + pause_s
        while (left_s := until_s - self._clock.monotonic()) > 0.0 and not stop.is_set():
            self._turns += 1
            self._clock.wait(stop, min(left_s, 1.0))

    def _live(self, consumer: ChunkConsumer, stop: threading.Event) -> _Trouble | None:
        """Have one call of StartLiveData live until it is in trouble, or until asked to stop."""
        self._connection = Connection.CONNECTING
        self._progress.begin_call(self._clock.monotonic())
        # What waits is put together: less than a piece holds would make Mantid wait before one is full.
        door = self._door = Door(self._clock, lambda: max(self._queue_events, self._max_chunk_events))
        request, settings = self._request(), self._settings
        intake = Intake(door, settings.instrument, request.start_ns or 0, lambda: self._max_chunk_events)
        live = LiveData(request, door, self._clock)
        self._connects += 1
        live.begin()
        trouble = lost = None
        try:
            while trouble is None and lost is None and not stop.is_set():
                self._turns += 1
                lost = self._reduce_one(intake, consumer, _WATCH_S)
                trouble = self._look(live, door)
                if live.has_returned and self._connection is Connection.CONNECTING:
                    self._connection, self._problem = Connection.CONNECTED, ""
                    _log.info("StartLiveData has begun: %s.", self._settings.where)
        except BaseException:
            # What the reduction raised is what people must see, also where Mantid does not end.
            self._stuck = not live.end(self._settings.stop_timeout)
            raise
        self._end(live, lost or trouble)
        # What has come is reduced; it may be the end of a run.
        while lost is None and intake.more_waits:
            lost = self._reduce_one(intake, consumer, 0.0)
        return lost or trouble

    def _reduce_one(self, intake: Intake, consumer: ChunkConsumer, timeout: float) -> _Trouble | None:
        """Have the hooks reduce what waits, or wait for a chunk; say why its run must be asked for again, if it must."""
        piece = intake.take(timeout)
        if piece is None:
            return None
        self._turns += 1
        now_s = self._clock.monotonic()
        if self._progress.note(piece.said, now_s):
            self._failures = self._silences = 0
        quiet_s, more_waits = now_s - self._progress.new_s, intake.more_waits
        # What always has more behind it is shown now and then all the same.
        if now_s - self._updated_s > _UPDATE_CHUNKS * self._settings.request.update_every:
            more_waits = False
        if not more_waits:
            self._updated_s = now_s
        with named(piece.workspace, f"__livered_chunk_{self._settings.instrument}"):
            why = inside_an_algorithm(
                lambda: self._runs.take(
                    piece.said,
                    piece.workspace,
                    consumer,
                    piece.n_chunks,
                    more_waits=more_waits,
                    quiet_s=quiet_s,
                )
            )
        return _Trouble(why, False) if why else None

    def _request(self) -> LiveRequest:
        """Return what to ask for: after the first time, what a session that began with now began with."""
        request = self._settings.request
        if request.start_ns == 0 and self._connects > 0:
            return attrs.evolve(request, start_ns=self._begin.asked_ns)
        return request

    def _end(self, live: LiveData, trouble: _Trouble | None) -> None:
        if live.end(self._settings.stop_timeout):
            return
        self._stuck = True
        why = f"{trouble.sentence} " if trouble else ""
        message = (
            f"{why}Mantid did not end within {self._settings.stop_timeout:g} s (stop_timeout in [mantid]): "
            "this process must end without it, to be started anew."
        )
        raise SourceError(message)

    def _look(self, live: LiveData, door: Door) -> _Trouble | None:
        """Look whether the call must be begun again."""
        ended = live.trouble()
        if ended:
            return _Trouble(ended)
        now_s = self._clock.monotonic()
        chunk_s = self._settings.request.update_every
        silence_s = self._silence_s()
        waited_s = live.waits_s()
        if waited_s > silence_s:
            return _Trouble(
                f"StartLiveData has waited {waited_s:.0f} s for the server to say what the instrument is.",
                False,
            )
        if not live.has_returned:
            return None
        if self._progress.empty_in_a_row >= _EMPTY_AFTER_CLOSE and self._port and closed_by_peer(self._port):
            return _Trouble("The server has closed the connection, which Mantid does not notice.")
        since_s = now_s - door.last_s
        if since_s > max(_HANGS_S, _HANGS_CHUNKS * chunk_s):
            return _Trouble(f"Mantid has given no chunk for {since_s:.0f} s: it hangs.")
        quiet_s = now_s - self._progress.new_s if not door.n_events else 0.0
        if quiet_s > silence_s:
            state = ", the run is paused" if self._progress.paused else ""
            return _Trouble(
                f"No new pulse has come for {quiet_s:.0f} s{state}: the connection may be no more.", False
            )
        return None

    def _silence_s(self) -> float:
        longest = min(_LONGEST_SILENCE, 2.0**self._silences)
        patience = longest * (_PAUSED if self._progress.paused else 1.0)
        return patience * max(self._settings.silence, _SILENCE_CHUNKS * self._settings.request.update_every)

    def _pause(self, trouble: _Trouble) -> float:
        """Return how long to wait before the next call, seconds.

        Raises
        ------
        SourceError
            When it failed too often.
        """
        if not trouble.is_failure:
            self._silences += 1
            return self._settings.backoff.first
        self._failures += 1
        if self._failures > self._settings.restarts:
            message = (
                f"Mantid failed {self._failures} times in a row without new data, at last so: {trouble.sentence} "
                "This process ends, to be started anew."
            )
            raise SourceError(message)
        return self._settings.backoff.delay(self._failures, random.random())  # noqa: S311  (spread, not secret)


def _port(server: str) -> int:
    try:
        return parse_address(server)[1]
    except ValueError:
        return 0
