"""``livered run``: reduce an instrument's data live."""

from __future__ import annotations

import logging
import os
import signal
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType
from typing import Any

import click
from rich.console import Console
from rich.live import Live
from rich.text import Text

from livered_core.cli import options
from livered_core.cli.logs import start_logging
from livered_core.cli.view import EventRate, curves_table, one_line, render
from livered_core.clocks import SystemClock
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.errors import EXIT_DIED

_LINE_EVERY_S = 5.0


_EPILOG = """\b
Examples:
  livered run --instrument NOM --simulate --stop-after-run
  livered run --instrument NOM --config my.toml

Exit codes: 0 asked to stop, 1 died (restart it), 2 wrong configuration (do not).
"""


@click.command(epilog=_EPILOG)
@options.instrument
@options.config_file
@click.option("--simulate", is_flag=True, help="Start a simulated beamline and take data from it.")
@options.idf
@click.option("--address", metavar="HOST:PORT", help="Where the data stream is.")
@click.option("--backend", metavar="NAME", help="native, mantid, or auto.")
@click.option("--update-every", metavar="SECONDS", type=float, help="Seconds between two updates.")
@click.option("--from-now", is_flag=True, help="Begin with the data of now, not with the start of the run.")
@click.option("--start-time", metavar="UTC", help="Begin at this time, for example 2026-11-22T10:00:00Z.")
@click.option(
    "--output-dir",
    metavar="FOLDER",
    type=click.Path(path_type=Path, file_okay=False),
    help="Folder for reduced files.",
)
@click.option("--stop-after-run", is_flag=True, help="End when the run has ended.")
@click.option("--plain", is_flag=True, help="Write lines instead of redrawing the screen.")
def run(**arguments: Any) -> None:
    """Reduce an instrument's data live."""
    flags = {
        "address": arguments["address"],
        "backend": arguments["backend"],
        "update_every": arguments["update_every"],
        "start_time": arguments["start_time"],
        "from_start_of_run": False if arguments["from_now"] else None,
        "output_dir": _text(arguments["output_dir"]),
        "run_transition": "stop" if arguments["stop_after_run"] else None,
        "simulate": {"idf": _text(arguments["idf"])},
    }
    simulate = arguments["simulate"]
    loaded = load_configuration(arguments["instrument"], arguments["config_file"], flags, simulate=simulate)
    console = Console()
    live = console.is_terminal and not arguments["plain"]
    session = Session(loaded, SystemClock(), simulate=simulate)
    packages = [cls.__module__.partition(".")[0] for _, cls in loaded.plugins]
    start_logging(loaded.config.log, packages, _writer(console), logging.WARNING if live else logging.INFO)
    with _stopped_by_signals(session), _screen(session, console, live=live) as watch:
        code = session.run(watch)
    _farewell(session, console, code)
    sys.exit(code)


def _text(path: Path | None) -> str | None:
    return None if path is None else str(path.absolute())


def _writer(console: Console) -> Callable[[str], None]:
    return lambda line: console.print(Text(line), soft_wrap=True)


@contextmanager
def _stopped_by_signals(session: Session) -> Iterator[None]:
    """Ask the session to stop at the first signal; at the second, end the process at once."""
    asked = False

    def ask(_number: int, _frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            os._exit(EXIT_DIED)
        asked = True
        session.stop()

    before = {number: signal.signal(number, ask) for number in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextmanager
def _screen(session: Session, console: Console, *, live: bool) -> Iterator[Callable[[], None]]:
    """Show the session's health, redrawn or as lines."""
    clock = SystemClock()
    rate = EventRate()

    def rate_now(events: int) -> float:
        return rate.update(clock.monotonic(), events)

    if live:
        with Live(console=console, auto_refresh=False, transient=True) as screen:

            def redraw() -> None:
                health = session.health()
                if health is not None:
                    screen.update(
                        render(health, rate_now(health.source.counts.get("events", 0))), refresh=True
                    )

            yield redraw
        return
    next_line = 0.0

    def write_line() -> None:
        nonlocal next_line
        health = session.health()
        if health is None:
            return
        events_per_s = rate_now(health.source.counts.get("events", 0))
        if clock.monotonic() >= next_line and health.run is not None:
            next_line = clock.monotonic() + _LINE_EVERY_S
            console.print(Text(one_line(health, events_per_s)), soft_wrap=True)

    yield write_line


def _farewell(session: Session, console: Console, code: int) -> None:
    """Say what came of it."""
    health = session.health()
    if health is not None and health.result is not None and health.update is not None:
        update = health.update
        console.print(curves_table(health.result))
        state = "final" if update.final else "not final, the run was still going on"
        console.print(
            Text(
                f"Run {health.result.run_number}: {update.n_events:,} events in {update.n_pulses:,} pulses, "
                f"{'complete' if update.complete else 'INCOMPLETE: ' + ' '.join(update.missing)}; {state}."
            )
        )
        for sink in health.sinks:
            if sink.last_receipt is not None:
                console.print(Text(f"{sink.name}: {sink.last_receipt.where}"), soft_wrap=True)
    for sentence in session.unsent:
        console.print(Text(sentence, style="red"))
    if code != 0 and session.failure is not None:
        first_line = (str(session.failure) or type(session.failure).__name__).splitlines()[0]
        console.print(Text(f"livered: {first_line}", style="red"), soft_wrap=True)
