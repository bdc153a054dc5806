"""One attempt to take up a change: on a thread of its own, while the reduction waits."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Final

import attrs

from livered_core.clocks import Clock
from livered_core.config import Config
from livered_core.engine.reload_carry import Carried, NotCarried
from livered_core.engine.reload_plan import Plan, make_plan
from livered_core.engine.reload_refusal import Refused
from livered_core.engine.reload_trial import Notes, Trial, begin_run
from livered_core.engine.setup import LoadedConfiguration
from livered_core.engine.watched_files import Snapshot, WatchedFiles, take_snapshot
from livered_core.errors import HookError
from livered_core.hooks.boundary import Boundary
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.plugin_state import save_states
from livered_core.hooks.registry import LoadedPlugin
from livered_core.hooks.reloading import FreshModules, installed_packages, plugin_packages
from livered_core.model import RunEndReason, SessionInfo

_SLICE_S: Final = 0.05
_CHANGED_MEANWHILE: Final = "the files changed while they were loaded: ask again when nobody writes to them."


@attrs.frozen(eq=False)
class Surroundings:
    """What an attempt needs of the session.

    Attributes
    ----------
    hooks
        The session's; only read.
    loaded
        The configuration in force.
    started_with
        What the session was started with.
    load_again
        Loads configuration and plugins as at the start.
    files
        Says where the files of a configuration are that has just been loaded.
    watched
        Where those of `loaded` are.
    known
        What the files held that are loaded; None when that was not seen yet.
    info
        The session.
    clock
        The clocks.
    """

    hooks: Dispatcher
    loaded: LoadedConfiguration
    started_with: Config
    load_again: Callable[[], LoadedConfiguration]
    files: Callable[[LoadedConfiguration], WatchedFiles]
    watched: WatchedFiles
    known: Snapshot | None
    info: SessionInfo
    clock: Clock


@attrs.frozen(eq=False)
class Ready:
    """A change that can be taken up.

    Attributes
    ----------
    plan
        Its plugins, which know of session and run.
    accumulated
        To go on with, if `misfit` is empty.
    misfit
        Why what is accumulated cannot be gone on with.
    watched, snapshot
        Where the files are that are loaded now, and what they hold.
    info
        The session with its new plugins.
    differs
        Whether the files differ from those that were loaded before; None when that is not known.
    """

    plan: Plan
    accumulated: object
    misfit: str
    watched: WatchedFiles
    snapshot: Snapshot
    info: SessionInfo
    differs: bool | None


class Unsettled(Exception):  # noqa: N818  (reads as what happened)
    """The files are being written: nothing is to be said, and the next look sees to it."""


class _GivenUp(Exception):  # noqa: N818
    """Nobody waits for the attempt any more."""


class Attempt:
    """Loads what has changed, tries it, and makes it ready.

    For the reduction thread, which waits meanwhile.

    Parameters
    ----------
    around
        What it needs of the session.
    boundary
        Where the reduction stands.
    expected
        What the files hold when they have settled; None to take them as they are, and to import all code anew.
    """

    def __init__(self, around: Surroundings, boundary: Boundary, expected: Snapshot | None) -> None:
        self._around = around
        self._boundary = boundary
        self._expected = expected
        self._lock = threading.Lock()
        self._given_up = False
        self._fresh: FreshModules | None = None
        self._done = threading.Event()
        self._outcome: Ready | Refused | Unsettled | None = None
        self._thread = threading.Thread(target=self._run, name="livered-reload", daemon=True)
        self._step = "while the files are read"
        self.seen: Snapshot | None = None
        """What the files held when it began; None before that is known."""

    @property
    def is_alive(self) -> bool:
        """Whether its thread still runs."""
        return self._thread.is_alive()

    def made(self, within_s: float) -> Ready:
        """Make the attempt, and wait for it.

        Parameters
        ----------
        within_s
            Seconds that it may take.

        Raises
        ------
        Refused
            When the change is not to be taken up, or not in time.
        Unsettled
            When the files are being written.
        """
        around = self._around
        until_s = around.clock.monotonic() + within_s
        self._thread.start()
        while not around.clock.wait(self._done, _SLICE_S):
            if around.info.stopping():
                raise Refused("livered was asked to stop meanwhile.")
            if around.clock.monotonic() > until_s:
                raise Refused(
                    f"loading and trying the change did not come to an end within {within_s:g} s (time_limit in [reload]): "
                    f"it hangs {self._step}."
                )
        if isinstance(self._outcome, Ready):
            return self._outcome
        raise self._outcome or Refused("the attempt ended without a word: report it.")

    def keep(self) -> None:
        """Let what was imported stay."""
        if self._fresh is not None:
            self._fresh.keep()

    def give_up(self) -> None:
        """Put back what was imported before; a thread that still runs ends by itself where it can."""
        with self._lock:
            self._given_up = True
            if self._fresh is not None:
                self._fresh.restore()

    def _run(self) -> None:
        """Make the outcome; the body of the thread."""
        try:
            self._outcome = self._prepared()
        except _GivenUp:
            return
        except Unsettled as error:
            self._outcome = error
        except BaseException as error:  # noqa: BLE001  (whatever a plugin does, what runs goes on)
            self._outcome = Refused.because_of(error)
        finally:
            self._done.set()

    def _go_on(self) -> None:
        with self._lock:
            if self._given_up:
                raise _GivenUp

    def _import_anew(self, packages: list[str]) -> None:
        with self._lock:
            if self._given_up:
                raise _GivenUp
            self._fresh = FreshModules(packages, installed_packages())
            self._fresh.begin()

    def _prepared(self) -> Ready:
        around, boundary = self._around, self._boundary
        now = self.seen = _read(around.watched)
        if self._expected not in (None, now):
            raise Unsettled
        anew = self._expected is None or around.known is None or now.code != around.known.code
        packages = [
            package.name for package in plugin_packages(e.entry_point for e, _ in around.loaded.plugins)
        ]
        accumulated = Carried.of(boundary.accumulated, "accumulated", packages)
        states = _states(around.hooks, packages)
        self._step = "while it is imported"
        self._import_anew(packages if anew else [])
        plan = make_plan(
            around.loaded,
            around.load_again(),
            around.hooks.plugins,
            around.started_with,
            around.info.backend,
        )
        self._go_on()
        info = attrs.evolve(around.info, plugins={plugin.name: plugin.version for plugin in plan.plugins})
        misfit = ""
        self._step = "while it is tried on the newest data"
        if plan.changes_data:
            trial = Trial(boundary, accumulated, states, info, around.clock, self._go_on)
            misfit = trial.run(plan.for_trial(), plan.owners)
        self._step = "while its plugins are told of session and run"
        problem = self._begun(plan, info, states)
        try:
            goes_on = boundary.accumulated
            if anew and plan.changes_data and not misfit:
                goes_on = accumulated.carried()
            if _read(around.watched) != now:
                raise Unsettled if self._expected is not None else Refused(_CHANGED_MEANWHILE)
            watched = around.files(plan.loaded)
            snapshot = _read(watched)
            self._go_on()
        except NotCarried as error:
            misfit, goes_on = str(error), None
            watched, snapshot = around.watched, now
        except BaseException:
            self._ended(plan.new, info)
            raise
        differs = None if around.known is None else now != around.known
        return Ready(plan, goes_on, problem or misfit, watched, snapshot, info, differs)

    def _begun(self, plan: Plan, info: SessionInfo, states: Carried) -> str:
        """Tell the new plugins of session and run; return why they cannot go on with the run."""
        notes, run = Notes(), self._boundary.run
        hooks = Dispatcher(plan.new, {}, self._around.clock, notes)
        try:
            hooks.session_started(info)
            self._go_on()
            notes.see_that_there_is_none()
            problem = "" if run is None else begin_run(plan.new, hooks, run, states)
            self._go_on()
            notes.see_that_there_is_none()
        except BaseException:
            self._ended(plan.new, info)
            raise
        return problem

    def _ended(self, plugins: tuple[LoadedPlugin, ...], info: SessionInfo) -> None:
        """Tell new plugins that it was for nothing."""
        end_plugins(plugins, info, self._boundary, self._around.clock, Notes())


def end_plugins(
    plugins: tuple[LoadedPlugin, ...],
    info: SessionInfo,
    boundary: Boundary,
    clock: Clock,
    notes: Notes,
) -> None:
    """Tell plugins that run and session are over for them; what fails is contained, and logged."""
    hooks = Dispatcher(plugins, {}, clock, notes)
    if boundary.run is not None:
        hooks.run_ended(boundary.run, RunEndReason.SESSION_STOPPED)
    hooks.session_ended(info)


def _read(files: WatchedFiles) -> Snapshot:
    try:
        return take_snapshot(files)
    except OSError as error:
        message = (
            f"the files cannot be read ({error.strerror or error}): see whether their file system answers."
        )
        raise Refused(message) from error


def _states(hooks: Dispatcher, packages: list[str]) -> Carried:
    try:
        return Carried.of(save_states(hooks.plugins), "state", packages)
    except HookError as error:
        return Carried.lost(error.failure.sentence)
