"""Taking up changed plugins and settings while a session runs, without losing an event.

What is asked for, or what the contents of the files show, is loaded and tried at the next boundary of a chunk, on a
thread of its own while the reduction waits: data queue up meanwhile, and no hook runs beside the trial. Then the new
plugins take the place of the old ones at once, or nothing changes and everyone sees why.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any, Final

import attrs

from livered_core.clocks import Clock
from livered_core.config import Config, ReloadConfig
from livered_core.engine.reload_attempt import Attempt, Ready, Surroundings, Unsettled, end_plugins
from livered_core.engine.reload_farewell import Farewells
from livered_core.engine.reload_refusal import Refused, UntilTheRunEnds
from livered_core.engine.reload_status import ReloadStatus
from livered_core.engine.reload_trial import Notes
from livered_core.engine.reload_watch import FileWatch
from livered_core.engine.setup import LoadedConfiguration
from livered_core.engine.watched_files import Snapshot, WatchedFiles
from livered_core.hooks.boundary import Boundary, Swapped
from livered_core.hooks.dispatch import Dispatcher
from livered_core.model import RunInfo, SessionInfo

_log = logging.getLogger(__name__)

_BY_FILES: Final = "the files"
_JOIN_S: Final = 2.0
_HANGS: Final = (
    "an earlier attempt to load plugins still hangs: livered service restart is what takes up the change."
)


@attrs.frozen(eq=False)
class _Asked:
    """What is to be taken up: as asked for, or as the files hold it."""

    by: str
    tokens: tuple[str, ...] = ()
    expected: Snapshot | None = None


class Reloader:
    """Takes up changes at the boundary of a chunk.

    `at_boundary` is for the reduction thread, `start` and `close` for the main thread, all others for any.

    Parameters
    ----------
    hooks
        The session's; its table is replaced.
    loaded
        The configuration that the session was started with.
    load_again
        Loads it again as at the start. Called on a thread of its own.
    files
        Says where the files of a configuration are. Asked when it has just been loaded: what is installed may be another
        version later.
    info
        The session.
    clock
        The clocks.
    take_request
        Takes a request away that somebody left; None without one. See `livered_core.engine.reload_request`.
    """

    def __init__(
        self,
        hooks: Dispatcher,
        loaded: LoadedConfiguration,
        load_again: Callable[[], LoadedConfiguration],
        files: Callable[[LoadedConfiguration], WatchedFiles],
        info: SessionInfo,
        clock: Clock,
        *,
        take_request: Callable[[], str | None] = lambda: None,
    ) -> None:
        self._hooks = hooks
        self._loaded = loaded
        self._started_with: Config = loaded.config
        self._load_again = load_again
        self._files = files
        self._info = info
        self._clock = clock
        self._take_request = take_request
        self._lock = threading.Lock()
        self._asked: _Asked | None = None
        self._later: _Asked | None = None
        self._busy = False
        self._status = ReloadStatus()
        self._attempt: Attempt | None = None
        self._ends = threading.Event()
        self._watch = FileWatch(
            files(loaded), lambda: self.settings, clock, self._files_changed, self._files_mended
        )
        self._problems_said: set[str] = set()
        self._threads = [
            threading.Thread(target=self._watch.run, args=(self._ends,), name="livered-watch", daemon=True),
            threading.Thread(target=self._wait_for_requests, name="livered-reload-request", daemon=True),
        ]
        self._farewells = Farewells(hooks, clock)

    @property
    def settings(self) -> ReloadConfig:
        """As of the configuration in force."""
        return self._loaded.config.reload

    @property
    def loaded(self) -> LoadedConfiguration:
        """The configuration in force for plugins and hooks."""
        return self._loaded

    @property
    def info(self) -> SessionInfo:
        """The session with the plugins that run."""
        return self._info

    @property
    def wanted(self) -> bool:
        """Whether something is to be taken up at the next boundary."""
        return self._asked is not None or self._later is not None

    def status(self) -> dict[str, Any]:
        """Return what ``status.json`` says of it."""
        with self._lock:
            status, waiting = self._status, self._asked is not None
        looked_ns, problem = self._watch.seen
        return {
            **status.as_dict(),
            "waiting": waiting,
            "looked_ns": looked_ns,
            "problem": problem,
            "limit_s": self.settings.time_limit,
        }

    def start(self) -> None:
        """Begin to look at the files, and for requests."""
        for thread in self._threads:
            thread.start()

    def close(self) -> None:
        """Take up nothing any more; a thread that hangs is left behind."""
        self._ends.set()
        for thread in self._threads:
            if thread.ident is not None:
                thread.join(_JOIN_S)
        self._farewells.join(_JOIN_S)

    def ask(self, by: str, token: str = "") -> None:
        """Have everything loaded anew at the next boundary.

        Parameters
        ----------
        by
            Who asks, for the log.
        token
            By which the one who asks knows the answer.
        """
        if self._ends.is_set():
            return
        with self._lock:
            tokens = self._asked.tokens if self._asked is not None else ()
            self._asked = _Asked(by, (*tokens, token) if token else tokens)
        _log.info("Asked by %s to load plugins and settings anew: at the next boundary of a chunk.", by)

    def at_boundary(self, boundary: Boundary) -> Swapped | None:
        """Take up what is asked for; None when the plugins stay. Raises nothing.

        Parameters
        ----------
        boundary
            Where the reduction stands, which waits meanwhile for `ReloadConfig.time_limit` at most.
        """
        with self._lock:
            asked, self._asked = self._asked, None
            if asked is None and boundary.run is None:
                asked, self._later = self._later, None
            # Seen before the attempt before had come to its end.
            if asked is not None and asked.by == _BY_FILES and asked.expected == self._watch.tried:
                return None
            self._busy = asked is not None and not self._ends.is_set()
        if asked is None or not self._busy:
            return None
        try:
            return self._answered(asked, boundary)
        finally:
            self._busy = False

    def _answered(self, asked: _Asked, boundary: Boundary) -> Swapped | None:
        """Take it up, or refuse it."""
        began_s = self._clock.monotonic()
        try:
            swapped = self._taken_up(asked, boundary)
        except Unsettled:
            return None
        except Exception as error:  # noqa: BLE001  (whatever it is, what runs goes on)
            self._refuse(Refused.because_of(error), asked, boundary.run)
            return None
        _log.info(
            "%s It took %.1f s.", self.status()["sentence"] or "Reloaded.", self._clock.monotonic() - began_s
        )
        return swapped

    def _taken_up(self, asked: _Asked, boundary: Boundary) -> Swapped | None:
        if self._attempt is not None and self._attempt.is_alive:
            raise Refused(_HANGS)
        around = Surroundings(
            hooks=self._hooks,
            loaded=self._loaded,
            started_with=self._started_with,
            load_again=self._load_again,
            files=self._files,
            watched=self._watch.watched,
            known=self._watch.known,
            info=self._info,
            clock=self._clock,
        )
        attempt = self._attempt = Attempt(around, boundary, asked.expected)
        try:
            ready = attempt.made(self.settings.time_limit)
            swapped = self._swapped(ready, boundary)
        except BaseException as error:
            attempt.give_up()
            if isinstance(error, Refused) and attempt.seen is not None:
                self._watch.refused(attempt.seen)
                if isinstance(error, UntilTheRunEnds):
                    self._later = _Asked("the end of the run", (), attempt.seen)
            raise
        attempt.keep()
        self._watch.loaded(ready.watched, ready.snapshot)
        plan = ready.plan
        sentence = plan.sentence(swapped=swapped is not None, replay=bool(swapped and swapped.replay))
        with self._lock:
            self._status = self._status.with_success(
                sentence,
                self._clock.now_ns(),
                asked.tokens,
                swapped=swapped is not None,
                next_start=plan.next_start,
            )
        return swapped

    def _swapped(self, ready: Ready, boundary: Boundary) -> Swapped | None:
        """Put the new plugins in place; None where all stay."""
        plan, settings = ready.plan, ready.plan.loaded.config.reload
        replay = ""
        if plan.changes_data and (boundary.accumulated is not None or ready.misfit):
            replay = self._replay(
                ready, boundary, wanted=settings.accumulated == "replay" and ready.differs is not False
            )
        if plan.changes_nothing:
            self._loaded, self._info = plan.loaded, ready.info
            return None
        table = self._hooks.replace(plan.plugins, plan.owners)
        self._loaded, self._info = plan.loaded, ready.info
        self._farewells.say(plan.old, table, self._info, boundary)
        return Swapped(
            accumulated=None if replay else ready.accumulated,
            replay=replay,
            note="" if replay else _note(ready, boundary),
            max_consecutive_failures=plan.loaded.config.hooks.max_consecutive_failures,
        )

    def _replay(self, ready: Ready, boundary: Boundary, *, wanted: bool) -> str:
        """Say why the run must come again; empty when it goes on with what is accumulated."""
        if not wanted and not ready.misfit:
            return ""
        if boundary.can_replay:
            why = ready.misfit or 'accumulated = "replay" in [reload].'
            return f"Code or settings of plugins changed: {why}"
        if ready.misfit:
            end_plugins(ready.plan.new, ready.info, boundary, self._clock, Notes())
            what = ready.misfit.rstrip(".")
            if boundary.run is None:
                raise Refused(
                    f"{what}, and it is kept for the next run: livered service restart begins anew."
                )
            raise UntilTheRunEnds(
                f"{what}, and the run cannot be replayed from its start: the change is taken up when the run is over."
            )
        _log.warning("The run cannot be replayed from its start here: what is accumulated is kept.")
        return ""

    def _refuse(self, refused: Refused, asked: _Asked, run: RunInfo | None) -> None:
        failure = refused.failure()
        with self._lock:
            self._status = self._status.with_refusal(failure.sentence, self._clock.now_ns(), asked.tokens)
        self._hooks.report(failure, run)

    # Called by the thread that looks at the files.

    def _files_changed(self, now: Snapshot, changed: tuple[str, ...]) -> None:
        with self._lock:
            self._later = None
            if self._asked is not None or self._busy:
                return
            self._asked = _Asked(_BY_FILES, (), now)
        more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
        _log.info("%s%s changed: tried at the next boundary of a chunk.", changed[0], more)

    def _files_mended(self) -> None:
        with self._lock:
            self._later = None
            self._status = self._status.mended(self._clock.now_ns())
        _log.info("The files of plugins and configuration are again as they were loaded.")

    # The thread that looks for requests.

    def _wait_for_requests(self) -> None:
        while not self._clock.wait(self._ends, 0.25):
            try:
                token = self._take_request()
            except Exception as error:  # noqa: BLE001  (the next look may do better)
                self._say_once(f"A request to reload cannot be taken up: {error}.")
                continue
            if token is not None:
                self.ask("livered reload", token)

    def _say_once(self, sentence: str) -> None:
        if sentence not in self._problems_said:
            self._problems_said.add(sentence)
            _log.warning("%s", sentence)


def _note(ready: Ready, boundary: Boundary) -> str:
    """Say of a run that goes on that its data are reduced in two ways, where they may be."""
    goes_on = boundary.run is not None and boundary.accumulated is not None and ready.plan.changes_data
    if not goes_on or boundary.update is None or ready.differs is False:
        return ""
    what = "changed" if ready.differs else "were loaded anew"
    return f"Code or settings of plugins {what} at {boundary.update.n_events} events."
