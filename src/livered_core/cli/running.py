"""What ``livered run`` does: a session, its screen and log, and how it ends."""

from __future__ import annotations

import logging
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from livered_core.cli import options
from livered_core.cli.beginning import say_beginning
from livered_core.cli.farewell import farewell, said_at_end
from livered_core.cli.handover import hand_over
from livered_core.cli.log_json import screen_json
from livered_core.cli.logs import log_file, start_logging
from livered_core.cli.refusal import refusal_logged
from livered_core.cli.screen import Screen, end_now
from livered_core.cli.signals import StopSignals
from livered_core.cli.view import LineTimes, render, status_line
from livered_core.clocks import SystemClock
from livered_core.dashboard.launch import DashboardProcess
from livered_core.engine.assembly import folder_name
from livered_core.engine.event_rate import EventRate
from livered_core.engine.health import Health, Phase
from livered_core.engine.reload_setup import LoadAgain
from livered_core.engine.rights import rights_warnings
from livered_core.engine.session import Session
from livered_core.engine.setup import recorded_defaults, simulated_defaults
from livered_core.errors import EXIT_DIED, ConfigError, LiveredError
from livered_core.model.text import one_line
from livered_core.recording import Recording, open_recording
from livered_core.service.crash_report import stacks_kept, stacks_now
from livered_core.service.notify import Notifier

_log = logging.getLogger(__name__)
_ENDING: Final = (Phase.STOPPING, Phase.STOPPED, Phase.FAILED)
_ENDED_AT_ONCE: Final = "livered: asked to stop again, ended at once; what was not published is lost."


def run_live(arguments: Mapping[str, Any]) -> NoReturn:
    """Reduce an instrument's data live, and end the process.

    Parameters
    ----------
    arguments
        Options of ``livered run``, by name.
    """
    flags = {
        "address": arguments["address"],
        "backend": arguments["backend"],
        "update_every": arguments["update_every"],
        "start_time": arguments["start_time"],
        "from_start_of_run": False if arguments["from_now"] else None,
        "output_dir": options.absolute(arguments["output_dir"]),
        "run_transition": "stop" if arguments["stop_after_run"] else None,
        "simulate": {"idf": options.absolute(arguments["idf"])},
        "log": {"format": arguments["log_format"]},
    }
    with refusal_logged(arguments["instrument"], arguments["config_file"], flags):
        again, recording = _chosen(arguments, flags)
        loaded = again()
    as_json = loaded.config.log.format == "json"
    screen = Screen(sys.stdout, plain=arguments["plain"], wrap=screen_json if as_json else None)
    session = Session(loaded, SystemClock(), simulate=arguments["simulate"], recording=recording, again=again)
    name = folder_name(
        loaded.config.instrument, simulate=arguments["simulate"], recorded=recording is not None
    )
    dashboard = DashboardProcess(loaded.config.dashboard, os.environ, shown=name)
    StopSignals(
        lambda name: _stop(session, screen, name), lambda: _last_words(dashboard, screen), session.reload
    ).install()
    watch = _Watch(session, screen, dashboard)
    refused: list[str] = []
    try:
        packages = [cls.__module__.partition(".")[0] for _, cls in loaded.plugins]
        level = logging.WARNING if screen.live else logging.INFO
        start_logging(
            loaded.config.log,
            packages,
            screen.written if as_json and not screen.live else screen.line,
            level,
            lambda line: (screen.live or not as_json) and one_line(line) in (*said_at_end(session), *refused),
            screen_as_json=as_json and not screen.live,
        )
        say_beginning(loaded)
        for sentence in rights_warnings(loaded):
            _log.warning("%s", sentence)
        if arguments["dashboard"]:
            dashboard.start()
        with stacks_kept(log_file(), watch.notifier.watchdog_s), screen.takes_prints():
            code = session.run(watch)
        if session.stuck:
            _log.error("It hangs. What the threads are doing:\n%s", stacks_now())
        _log.info("livered ends with exit code %d.", code)
        last = farewell(session.health(), watch.last_run, session.unsent, session.failure, code)
        if as_json and not screen.live:
            last = []  # the log says it all
        dashboard.stop()
    except BaseException as error:
        dashboard.stop()
        if isinstance(error, LiveredError):
            # The screen gets it from the command line.
            refused += [one_line(sentence) for sentence in str(error).split("\n")]
            for sentence in refused if log_file() is not None else ():
                _log.error("%s", sentence)
            _log.info("livered ends with exit code %d.", error.exit_code)
        if not screen.close():
            _log.critical("%s", error, exc_info=error)
            end_now(getattr(error, "exit_code", EXIT_DIED))
        raise
    if not screen.close(tuple(last)) or session.stuck:
        end_now(code)
    sys.exit(code)


def _chosen(arguments: Mapping[str, Any], flags: Mapping[str, Any]) -> tuple[LoadAgain, Recording | None]:
    """Go over to the environment that is asked for; else say how the configuration is read, and open a recording."""
    if arguments["env"] is not None or arguments["source"] is None:
        hand_over(arguments["env"], arguments["instrument"], arguments["config_file"], flags)
    recording, defaults = None, None
    if arguments["source"] is not None:
        recording, defaults = _recording(arguments), recorded_defaults()
    elif arguments["simulate"]:
        defaults = simulated_defaults()
    return LoadAgain(arguments["instrument"], arguments["config_file"], flags, defaults), recording


def _recording(arguments: Mapping[str, Any]) -> Recording:
    """Open the recording that is given in place of a stream."""
    others = [name for name in ("simulate", "address", "from_now") if arguments[name]]
    if others:
        option = f"--{others[0].replace('_', '-')}"
        message = (
            f"--source takes data from a recording, and {option} is about a stream: leave one of them out."
        )
        raise ConfigError(message)
    return open_recording(Path(arguments["source"]))


def _stop(session: Session, screen: Screen, name: str) -> None:
    _log.info("Asked to stop by %s; asked again later, livered ends at once.", name)
    if screen.live:
        screen.line("Stopping; asked again, livered ends at once.")
    session.stop()


def _last_words(dashboard: DashboardProcess, screen: Screen) -> None:
    dashboard.terminate()
    screen.last_words(_ENDED_AT_ONCE)


class _Watch:
    """Shows the session's health and tells the service manager of it; called by the session a few times a second."""

    def __init__(self, session: Session, screen: Screen, dashboard: DashboardProcess) -> None:
        self._session = session
        self._screen = screen
        self._dashboard = dashboard
        self._clock = SystemClock()
        self._rate = EventRate()
        self._times = LineTimes()
        self.notifier = Notifier.of(os.environ)
        """The service manager, where one started this process."""
        self._failed = False
        self.last_run: Health | None = None
        """The last snapshot that had a run."""

    def __call__(self) -> None:
        try:
            health = self._session.health()
            if health is not None:
                try:
                    self._show(health)
                finally:
                    # Last: who waits for the start is told what is being done as well.
                    self.notifier.alive(self._clock.monotonic(), health.source.turns)
        except Exception as error:  # noqa: BLE001  (the reduction goes on without a screen)
            if not self._failed:
                self._failed = True
                _log.exception("The state cannot be shown: %s: %s.", type(error).__name__, error)

    def _show(self, health: Health) -> None:
        if health.run is not None:
            self.last_run = health
        now_s = self._clock.monotonic()
        events = health.source.counts.get("events", 0)
        rate = self._rate.update(now_s, events, health.source.chunk_s)
        if self.notifier.address:
            self._tell_manager(now_s, health, rate)
        elif self._screen.live:
            self._screen.show(lambda: render(health, rate, self._dashboard.address))
        elif self._times.due(now_s, health):
            self._screen.line(status_line(health, rate))

    def _tell_manager(self, now_s: float, health: Health, rate: float) -> None:
        """Say it to systemd, which shows the newest line only; lines of every few seconds would drown the journal."""
        ends = health.phase in _ENDING
        if ends:
            self.notifier.stopping()
        if health.failure:
            self.notifier.last_words(health.failure)
        else:
            self.notifier.status(now_s, status_line(health, rate), at_once=ends)
