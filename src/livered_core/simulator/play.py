"""Playing the simulated beamline: the stream at its pace, into the storage, while the server serves it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Iterator

import attrs

from livered_core.clocks import Clock
from livered_core.config.simulate import SimulateConfig
from livered_core.errors import LiveredError
from livered_core.simulator.beamline import Beamline, build_beamline
from livered_core.simulator.emission import Emission
from livered_core.simulator.schedule import length_ns
from livered_core.simulator.server import Address, Server
from livered_core.simulator.storage import Storage
from livered_core.simulator.stream import emissions, make_templates

_HOLD_POLL = 0.02
"""Seconds between two looks at whether the first client has come."""


def serve(
    config: SimulateConfig,
    instrument: str,
    address: Address,
    stop: threading.Event,
    clock: Clock,
    announce: Callable[[Address], None],
) -> None:
    """Build a simulated beamline and serve it until `stop` is set.

    Runs in the calling thread; the server has its own. After the last run it stays up, idle.

    Parameters
    ----------
    config
        What to play.
    instrument
        Short name in the stream, as in ``--instrument``.
    address
        Where to listen.
    stop
        Set it, from any thread or signal handler, to end.
    clock
        Gives the stream its times and its pace.
    announce
        Called once, with the address, when clients can connect.

    Raises
    ------
    ConfigError
        When the instrument, the calibration or the address cannot be used.
    BackendUnavailable
        When a library that the simulation needs is not installed.
    LiveredError
        When the history cannot be written to the disk.
    """
    beamline = build_beamline(config, instrument)
    templates = make_templates(beamline)

    def stream() -> Iterator[Emission]:
        return emissions(beamline, start_time_ns(beamline, clock), templates)

    pace = Pace(config.speed, hold_for_client=config.hold_for_client)
    serve_stream(stream, pace, address, stop, clock, announce)


@attrs.frozen
class Pace:
    """How a stream is played.

    Attributes
    ----------
    speed
        Stream seconds per second; 0 waits for nothing.
    hold_for_client
        Whether it begins when the first client has connected, instead of at once.
    """

    speed: float = 1.0
    hold_for_client: bool = attrs.field(default=False, kw_only=True)


def serve_stream(
    make_stream: Callable[[], Iterable[Emission]],
    pace: Pace,
    address: Address,
    stop: threading.Event,
    clock: Clock,
    announce: Callable[[Address], None],
) -> None:
    """Serve a stream until `stop` is set.

    Parameters
    ----------
    make_stream
        Called once, when the stream begins.
    pace
        How it is played.
    address, stop, clock, announce
        As for `serve`.

    Raises
    ------
    ConfigError
        When the address cannot be used.
    LiveredError
        When the history cannot be written to the disk.
    """
    storage = Storage()
    server = Server(storage, clock)
    try:
        announce(server.start(address))
        if pace.hold_for_client and not _has_come(server.has_client, stop, clock):
            return
        play(make_stream(), pace.speed, storage, stop, clock)
    finally:
        storage.close()
        server.close()


def start_time_ns(beamline: Beamline, clock: Clock) -> int:
    """Choose the time at which the stream begins, so that no pulse lies in the future.

    At ordinary speed that is now. A stream that is played faster begins as much earlier as it gains: its last
    run then ends now.

    Parameters
    ----------
    beamline
        Knows how long its runs take.
    clock
        Says what now is.
    """
    now, length, speed = clock.now_ns(), length_ns(beamline.config), beamline.config.speed
    if length is None or 0.0 < speed <= 1.0:
        return now
    gained = length if speed == 0.0 else round(length * (1.0 - 1.0 / speed))
    return now - gained


def play(
    stream: Iterable[Emission], speed: float, storage: Storage, stop: threading.Event, clock: Clock
) -> None:
    """Write each emission when its time has come, until the stream ends or `stop` is set.

    Parameters
    ----------
    stream
        From `livered_core.simulator.stream.emissions`.
    speed
        Stream seconds per second; 0 waits for nothing. An idle stream always goes at ordinary speed.
    storage
        Where to.
    stop
        Ends it.
    clock
        Paces it.

    Raises
    ------
    LiveredError
        When the disk does not take the history.
    """
    for emission in _paced(stream, speed, stop, clock):
        try:
            storage.write(emission)
        except OSError as error:
            message = (
                f"The simulated beamline cannot keep its history on disk ({error.strerror or error}): "
                "make room in the folder for temporary files, or point TMPDIR to another one."
            )
            raise LiveredError(message) from error


def _paced(
    stream: Iterable[Emission], speed: float, stop: threading.Event, clock: Clock
) -> Iterator[Emission]:
    began = clock.monotonic()
    first_ns: int | None = None
    idle = False
    for emission in stream:
        if emission.idle and not idle:
            idle, speed = True, 1.0
            began, first_ns = clock.monotonic(), emission.time_ns - 1_000_000_000
        if first_ns is None:
            first_ns = emission.time_ns
        wait = 0.0
        if speed > 0.0:
            due = began + (emission.time_ns - first_ns) * 1e-9 / speed
            wait = due - clock.monotonic()
        stopped = clock.wait(stop, wait) if wait > 0.0 else stop.is_set()
        if stopped:
            return
        yield emission


def _has_come(client: threading.Event, stop: threading.Event, clock: Clock) -> bool:
    while not client.is_set():
        if clock.wait(stop, _HOLD_POLL):
            return False
    return True
