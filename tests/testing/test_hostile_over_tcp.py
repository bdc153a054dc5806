"""Each case of the corpus from a server on a real socket: the pulses that are reduced are the good ones, each once."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections import Counter
from collections.abc import Callable, Iterator

import pytest

from hostile_support import AFTER, BEFORE, END, HOSTILE_TIME, PROLOGUE, TIMES_AFTER, TIMES_BEFORE
from livered_core.adara import Heartbeat, StartRequest, encode
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.native import NativeSettings, NativeSource
from livered_core.testing import Containment, HostileCase, hostile_cases
from sms_support import WAIT, Client, scripted_server

# The heavy ones take long over a socket, and go through the same code as in `test_hostile`.
CASES = {case.name: case for case in hostile_cases() if not case.heavy}
GOOD = {*TIMES_BEFORE, *TIMES_AFTER}


class Consumer:
    """Notes the pulses that are to be reduced."""

    def __init__(self) -> None:
        self.pulses: Counter[int] = Counter()
        self.missing: list[str] = []
        self._changed = threading.Condition()

    def wait_for_all_that_is_good(self) -> bool:
        with self._changed:
            return self._changed.wait_for(lambda: self.pulses.keys() >= GOOD, WAIT)

    def run_began(self, run, missing=""):
        pass

    def run_changed(self, run):
        pass

    def data_missing(self, sentence):
        self.missing.append(sentence)

    def take_chunk(self, chunk):
        with self._changed:
            self.pulses.update(chunk.events.pulse_time_ns.tolist())
            self._changed.notify_all()

    def replay_wanted(self):
        return ""

    def update_due(self):
        pass

    def run_ended(self, reason):
        pass


@contextlib.contextmanager
def reading(address: str, silence_timeout: float) -> Iterator[tuple[NativeSource, Consumer]]:
    clock, consumer, stop = SystemClock(), Consumer(), threading.Event()
    where = AdaraAddress.parse(address, 5.0, silence_timeout)
    source = NativeSource(
        NativeSettings("TST", update_every=0.02, max_chunk_events=1 << 30, queue_events=1 << 22),
        lambda state, put: AdaraReader(
            where, StartRequest.start_of_run(), state, put, clock, Backoff(0.01, 0.02)
        ),
        clock,
    )
    failures: list[BaseException] = []

    def run() -> None:
        try:
            source.run(consumer, stop)
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield source, consumer
    finally:
        stop.set()
        thread.join(WAIT)
        assert not thread.is_alive()
    assert failures == []


def goes_on(client: Client) -> None:
    """Send heartbeats until the client has had enough, as a live server does."""
    pause = threading.Event()
    heartbeat = encode(Heartbeat(time_ns=TIMES_AFTER[-1] + 1))
    while True:
        client.send_bytes(heartbeat)
        pause.wait(0.02)


def hostile_server(case: HostileCase) -> Callable[[Client], None]:
    def script(client: Client) -> None:
        client.send_bytes(PROLOGUE + b"".join(BEFORE))
        for piece in case.pieces(HOSTILE_TIME):
            client.send_bytes(piece)
        client.send_bytes(b"".join(AFTER) + END)
        goes_on(client)

    return script


def good_server(client: Client) -> None:
    client.send_bytes(PROLOGUE + b"".join(BEFORE) + b"".join(AFTER) + END)
    goes_on(client)


def silence_of(case: HostileCase) -> float:
    # What swallows all that follows is noticed only because nothing whole comes.
    return 0.3 if case.name == "length-swallows" else 30.0


@pytest.mark.parametrize("case", CASES.values(), ids=list(CASES))
def test_after_hostile_bytes_the_good_pulses_are_there_each_once(case, caplog):
    with (
        caplog.at_level(logging.WARNING),
        scripted_server(hostile_server(case), good_server) as server,
        reading(server.address, silence_of(case)) as (source, consumer),
    ):
        assert consumer.wait_for_all_that_is_good(), (consumer.pulses, source.status().problem)
        counts = source.status().counts

    assert {moment: consumer.pulses[moment] for moment in GOOD} == dict.fromkeys(GOOD, 1)
    assert counts["skipped_bytes"] + counts["unreadable_packets"] + counts["unknown_packets"] >= (
        case.containment is Containment.LEFT_OUT and server.connections == 1
    )
    if case.containment in (Containment.LEFT_OUT, Containment.CONNECTION):
        assert [record for record in caplog.records if record.levelno == logging.WARNING]
    else:
        assert server.connections == 1
    if case.containment is Containment.CONNECTION:
        assert server.connections == 2


STUBBORN = [
    "length-negative",
    "length-swallows",
    "length-too-long",
    "half-a-packet",
    "noise",
    "http",
    "zeros",
    "pulse-many-events",
    "pulse-over-the-next-packets",
    "pixel-map-bomb",
    "string-length-lies",
]


@pytest.mark.parametrize("name", STUBBORN)
def test_a_server_that_sends_the_same_again_and_again_is_put_up_with(name):
    case = CASES[name]
    with (
        scripted_server(hostile_server(case)) as server,
        reading(server.address, silence_of(case)) as (source, consumer),
    ):
        assert consumer.wait_for_all_that_is_good(), (consumer.pulses, source.status().problem)
        counts = source.status().counts

    assert {moment: consumer.pulses[moment] for moment in GOOD} == dict.fromkeys(GOOD, 1)
    assert counts["skipped_bytes"] + counts["unreadable_packets"] > 0
    assert consumer.missing
