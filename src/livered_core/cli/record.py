"""``livered record``: write a live stream to disk."""

from __future__ import annotations

import logging
import re
import sys
import threading
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import click
from rich.table import Table

from livered_core.adara import StartRequest
from livered_core.backoff import Backoff
from livered_core.cli.logs import ScreenFormatter
from livered_core.cli.numbers import in_si
from livered_core.cli.screen import Screen, text
from livered_core.cli.signals import StopSignals
from livered_core.clocks import SystemClock
from livered_core.errors import EXIT_DIED, EXIT_OK, ConfigError
from livered_core.model import format_utc
from livered_core.model.utc import parse_utc
from livered_core.recording.files import SUFFIX
from livered_core.recording.writer import RecordingWriter
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.recorder import Recorder, RecorderSettings, RecorderStatus

_log = logging.getLogger(__name__)
_WATCH_EVERY_S: Final = 0.25
_LINE_EVERY_S: Final = 10.0
_RETRY_S: Final = (1.0, 60.0)
_SMALLEST_ROLL: Final = 1_000_000
_FACTORS: Final = {"": 1, "k": 1_000, "M": 1_000_000, "G": 1_000_000_000}

_EPILOG = """\b
Examples:
  livered record --from bl1b-daq1:31415 night.adara
  livered record --from localhost:31415 run.adara --stop-after-run
  livered record --from localhost:31415 now.adara --from-now --stop-after 60

Exit codes: 0 asked to stop, 1 it could not go on, 2 wrong options.
"""


def _size(given: str) -> int:
    """Read bytes, with a letter for thousands."""
    match = re.fullmatch(r"(\d+)([kMG]?)B?", given)
    if match is None:
        message = f"{given!r} is not a size: give a number of bytes, such as 200M."
        raise click.BadParameter(message)
    size = int(match[1]) * _FACTORS[match[2]]
    if size < _SMALLEST_ROLL:
        message = f"{given} is too small: files of less than {_SMALLEST_ROLL} bytes are too many."
        raise click.BadParameter(message)
    return size


@click.command(epilog=_EPILOG)
@click.argument("recording", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--from", "address", required=True, metavar="HOST:PORT", help="Where the data stream is.")
@click.option("--from-now", is_flag=True, help="Begin with the data of now, not with the start of the run.")
@click.option("--start-time", metavar="UTC", help="Begin at this time, for example 2026-11-22T10:00:00Z.")
@click.option(
    "--roll",
    type=_size,
    metavar="SIZE",
    default="200M",
    show_default=True,
    help="Size of a file, for example 1G.",
)
@click.option(
    "--stop-after",
    type=click.FloatRange(min=0, min_open=True),
    metavar="SECONDS",
    help="End after this time.",
)
@click.option("--stop-after-run", is_flag=True, help="End with the first run whose end comes.")
@click.option("--plain", is_flag=True, help="Write lines instead of redrawing the screen.")
def record(recording: Path, **options: Any) -> None:
    """Write a live stream to RECORDING, byte by byte, until it is stopped.

    RECORDING is continued in RECORDING.0002.adara and so on, with an index beside it; it is never written over.
    """
    clock = SystemClock()
    if recording.suffix != SUFFIX:
        message = f"{recording} must end in {SUFFIX}: the files in which it is continued are named after it."
        raise ConfigError(message)
    settings = RecorderSettings(
        address=_address(options["address"]),
        start=_start(options["start_time"], from_now=options["from_now"]),
        backoff=Backoff(*_RETRY_S),
        stop_after_run=options["stop_after_run"],
    )
    recorder = Recorder(settings, clock)
    with closing(RecordingWriter(recording, clock, options["roll"], recorder.wait_for_room)) as writer:
        screen = Screen(sys.stdout, plain=options["plain"])
        code = _Session(recorder, writer, screen, options["stop_after"]).run()
    status = recorder.status
    screen.close((text(f"{recording}: {_summary(status)}"),))
    sys.exit(code)


class _Session:
    """Runs a recorder on a thread of its own, and shows how it is doing."""

    def __init__(
        self, recorder: Recorder, writer: RecordingWriter, screen: Screen, stop_after: float | None
    ) -> None:
        self._recorder = recorder
        self._writer = writer
        self._screen = screen
        self._stop_after = stop_after
        self._clock = SystemClock()
        self._stop, self._done = threading.Event(), threading.Event()
        self._failure: BaseException | None = None

    def run(self) -> int:
        """Return the exit code."""
        handler = _Lines(self._screen)
        handler.setFormatter(ScreenFormatter())
        logging.basicConfig(level=logging.INFO, handlers=[handler], force=True)
        StopSignals(
            lambda name: self._stop.set(), lambda: self._screen.last_words("livered: ended at once.")
        ).install()
        thread = threading.Thread(target=self._record, name="livered-recorder", daemon=True)
        thread.start()
        self._watch()
        thread.join()
        if self._failure is not None:
            _log.error("%s", self._failure)
            return EXIT_DIED
        return EXIT_OK

    def _record(self) -> None:
        try:
            self._recorder.record_until(self._stop, self._writer)
        except BaseException as error:  # noqa: BLE001  (handed to the main thread, which reports it)
            self._failure = error
        finally:
            self._done.set()

    def _watch(self) -> None:
        began = line_at = before_s = self._clock.monotonic()
        before, rate = 0, 0.0
        while not self._clock.wait(self._done, _WATCH_EVERY_S):
            now = self._clock.monotonic()
            if self._stop_after is not None and now - began >= self._stop_after:
                self._stop.set()
            status = self._recorder.status
            if now - before_s >= 1.0:
                rate = (status.written.n_bytes - before) / (now - before_s)
                before, before_s = status.written.n_bytes, now
            if self._screen.live:
                self._screen.show(lambda status=status, rate=rate: _table(status, rate))  # type: ignore[misc]
            elif now >= line_at:
                line_at = now + _LINE_EVERY_S
                self._screen.line(f"{status.connection.value}: {_summary(status)}, {in_si(rate)}B/s")


class _Lines(logging.Handler):
    """Writes what is logged to the screen."""

    def __init__(self, screen: Screen) -> None:
        super().__init__()
        self._screen = screen

    def emit(self, record: logging.LogRecord) -> None:
        """Write a record as a line."""
        self._screen.line(self.format(record))


def _address(given: str) -> AdaraAddress:
    try:
        return AdaraAddress.parse(given)
    except ValueError as error:
        message = f"--from {given}: {error}"
        raise ConfigError(message) from error


def _start(start_time: str | None, *, from_now: bool) -> StartRequest:
    if start_time is None:
        return StartRequest.now() if from_now else StartRequest.start_of_run()
    if from_now:
        message = "--from-now and --start-time contradict each other: leave one of them out."
        raise ConfigError(message)
    try:
        return StartRequest.at(parse_utc(start_time))
    except ValueError as error:
        message = f"--start-time: {error}"
        raise ConfigError(message) from error


def _summary(status: RecorderStatus) -> str:
    written = status.written
    return (
        f"{written.n_bytes:,} bytes in {_some(written.n_files, 'file')}, {_some(written.n_packets, 'packet')}, "
        f"{_some(written.n_pulses, 'pulse')}, {_some(written.n_connections, 'connection')}"
    )


def _some(number: int, what: str) -> str:
    return f"{number:,} {what}{'' if number == 1 else 's'}"


def _table(status: RecorderStatus, rate: float) -> Table:
    written = status.written
    table = Table.grid(padding=(0, 2))
    table.add_column(style="dim")
    table.add_column()
    newest = format_utc(written.last_pulse_ns) if written.last_pulse_ns else "none yet"
    for name, value in (
        ("state", status.connection.value),
        ("run", str(written.run) if written.run else "between runs"),
        ("newest pulse", newest),
        ("written", _summary(status)),
        ("rate", f"{in_si(rate)}B/s"),
    ):
        table.add_row(name, text(value))
    if status.problem:
        table.add_row("problem", text(status.problem, "red"))
    return table
