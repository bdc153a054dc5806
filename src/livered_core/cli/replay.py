"""``livered replay``: serve a recorded stream as the server did from which it was recorded."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Iterator
from itertools import count
from pathlib import Path
from typing import Any, Final

import click

from livered_core.cli.echo import say
from livered_core.cli.logs import ScreenFormatter
from livered_core.cli.signals import StopSignals
from livered_core.clocks import Clock, SystemClock
from livered_core.errors import ConfigError
from livered_core.recording import open_recording
from livered_core.simulator.emission import Emission
from livered_core.simulator.play import Pace, serve_stream
from livered_core.simulator.replay import first_and_last_ns, replayed
from livered_core.simulator.server import Address

_NS_PER_S: Final = 1_000_000_000

_EPILOG = """\b
Examples:
  livered replay run.adara
  livered replay run.adara --speed 10 --shift-to-now
  livered replay /data/sms/20261124 --speed max --port 31416
  livered replay NOM_1234.nxs.h5 --loop
"""


def _speed(given: str) -> float:
    """Read a speed; ``max`` is 0, which waits for nothing."""
    if given == "max":
        return 0.0
    try:
        speed = float(given)
    except ValueError:
        speed = math.nan
    if not 0.0 < speed < math.inf:
        message = f"{given!r} is not a speed: give seconds of the stream per second, or max."
        raise click.BadParameter(message)
    return speed


@click.command(epilog=_EPILOG)
@click.argument("recording", type=click.Path(path_type=Path))
@click.option(
    "--speed",
    type=_speed,
    metavar="FACTOR",
    default="1",
    show_default=True,
    help="Seconds of the stream per second, or max: as fast as clients and disk can.",
)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port", default=31415, show_default=True, type=click.IntRange(0, 65535), help="0 takes a free one."
)
@click.option(
    "--keep-times/--shift-to-now",
    default=True,
    show_default=True,
    help="Send the times of the recording, or move them so that its data seem to come now.",
)
@click.option("--loop", is_flag=True, help="Begin again at the end, with times moved on each time.")
@click.option("--at-once", is_flag=True, help="Begin at once, and not when the first client has connected.")
def replay(recording: Path, **options: Any) -> None:
    """Serve RECORDING as a stream management service would: an .adara file, a folder of them, or a NeXus file."""
    screen = logging.StreamHandler()
    screen.setFormatter(ScreenFormatter())
    logging.basicConfig(level=logging.INFO, handlers=[screen])
    opened, clock, speed = open_recording(recording), SystemClock(), options["speed"]
    if options["loop"] and not speed:
        message = "--loop without a pace fills the disk: give a --speed."
        raise ConfigError(message)
    # Looked through before anybody connects: it takes a while, and there may be nothing to replay.
    first_ns, last_ns = first_and_last_ns(opened)
    stop = threading.Event()
    StopSignals(lambda name: stop.set(), lambda: None).install()

    def stream() -> Iterator[Emission]:
        shift_ns = 0 if options["keep_times"] else _shift_ns(first_ns, last_ns, speed, clock)
        length_ns = _whole_seconds(last_ns - first_ns) + _NS_PER_S
        for turn in count() if options["loop"] else range(1):
            for emission in replayed(opened, shift_ns + turn * length_ns):
                if emission.idle and options["loop"]:
                    break
                yield emission

    def announce(address: Address) -> None:
        say(
            f"{recording} replayed at {address}; Ctrl-C ends it. Reduce it with: "
            f"livered run --instrument NAME --address {address}"
        )

    pace = Pace(speed, hold_for_client=not options["at_once"])
    serve_stream(stream, pace, Address(options["host"], options["port"]), stop, clock, announce)


def _shift_ns(first_ns: int, last_ns: int, speed: float, clock: Clock) -> int:
    """Return how far times are moved, whole seconds: no pulse may come before its time."""
    gained = (last_ns - first_ns) * (1.0 - 1.0 / speed) if speed > 1.0 else 0.0
    begins_ns = clock.now_ns() - round(gained if speed else last_ns - first_ns)
    return _whole_seconds(begins_ns - first_ns)


def _whole_seconds(ns: int) -> int:
    return ns // _NS_PER_S * _NS_PER_S
