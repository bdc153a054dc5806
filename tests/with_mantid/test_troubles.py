"""Each trouble with Mantid has a sentence of its own, and is followed by a new beginning.

A connection that is closed or reset, and a server that falls silent, are in `test_source.py`.
"""

from __future__ import annotations

import logging
import re
import threading
from typing import Any

import pytest

import livered_core.sources.mantid
from live_mantid import (
    PULSE,
    UPDATE_EVERY,
    Consumer,
    beat,
    live_monitors,
    make_source,
    now_ns,
    prologue,
    pulses,
    running,
    why_begun_again,
)
from livered_core import SourceError
from sms_support import scripted_server
from waiting import until


@pytest.fixture(autouse=True)
def _listening(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.WARNING)


@pytest.mark.slow
def test_a_server_that_sends_no_pulse_is_not_silent_and_no_pulse_is_said(double, caplog):
    double.receive_timeout = 0.3

    def script(client: Any) -> None:
        start_ns = now_ns()
        client.send(*prologue(7, start_ns), *pulses(start_ns, 0, 40))
        beat(client)

    with scripted_server(script, beat) as server, running(make_source(server.address, silence=1.0)) as work:
        said = why_begun_again(work, caplog)
    assert re.match(r"No new pulse has come for \d+ s: the connection may be no more\.", said)


def test_a_server_that_does_not_say_what_the_instrument_is_is_said(double, caplog):
    with (
        scripted_server(beat, beat) as server,
        running(make_source(server.address, silence=0.3, update_every=0.1)) as work,
    ):
        said = why_begun_again(work, caplog)
    assert re.match(r"StartLiveData has waited \d+ s for the server to say what the instrument is\.", said)


@pytest.mark.parametrize(
    "ends",
    [pytest.param(True, id="and ends", marks=pytest.mark.slow), pytest.param(False, id="and does not end")],
)
def test_a_mantid_that_hangs_is_said(double, caplog, monkeypatch, ends):
    from mantid._live._scripted import Give, Hang, events

    monkeypatch.setattr(livered_core.sources.mantid, "_HANGS_S", 0.5)
    monkeypatch.setattr(livered_core.sources.mantid, "_HANGS_CHUNKS", 0.5 / UPDATE_EVERY)
    goes_on = threading.Event()
    double.script = lambda: iter([Give(events([1], [1000.0], [now_ns()])), Hang(until=goes_on)])
    source = make_source("127.0.0.1:1", listener="ScriptedListener", stop_timeout=45.0 if ends else 0.5)
    with running(source, fails=not ends) as work:
        try:
            work.consumer.wait_for("chunk")
            if ends:
                # It hangs until it is being cancelled.
                until(lambda: not source._door._open)
                goes_on.set()
                assert why_begun_again(work, caplog).startswith("Mantid has given no chunk for ")
            else:
                work.join()
                (error,) = work.errors
                assert isinstance(error, SourceError)
                assert str(error).startswith("Mantid has given no chunk for ")
                assert "it hangs. Mantid did not end within 0.5 s" in str(error)
                assert source.status().stuck
        finally:
            goes_on.set()
    until(lambda: not live_monitors())


def hanging(double: Any, n_chunks: int) -> tuple[Any, Consumer, threading.Event]:
    """Make a source whose first hook does not come back before it is told to, and whose chunks have an event each."""
    from mantid._live._scripted import Give, events

    start_ns, goes_on, consumer = now_ns(), threading.Event(), Consumer()
    chunks = [Give(events([1], [1000.0], [start_ns + index * PULSE])) for index in range(n_chunks)]
    double.script = lambda: iter(chunks)
    consumer.on_chunk = lambda _: goes_on.wait(30)
    return (
        make_source("127.0.0.1:1", listener="ScriptedListener", update_every=0.05),
        consumer,
        goes_on,
    )


def test_the_loop_does_not_turn_while_a_hook_hangs_whatever_mantid_does(double):
    """The signs of life that systemd gets are made of the turns."""
    source, consumer, goes_on = hanging(double, 4)
    with running(source, consumer):
        try:
            until(lambda: consumer.threads)
            stands_at = source.status().turns
            until(lambda: source.status().waiting_events >= 3)
            assert source.status().turns == stands_at
        finally:
            goes_on.set()
        until(lambda: source.status().turns > stands_at)


def test_near_the_memory_limit_less_waits_and_less_is_put_together(double):
    source, consumer, goes_on = hanging(double, 8)
    source.resize(2, 1)
    with running(source, consumer):
        try:
            until(lambda: source.mantid_waits)
            # As many as are put together may wait, whatever the queue.
            assert source.status().waiting_events == 2
            source.resize(2, 1_000_000)
            until(lambda: source.status().waiting_events >= 6)
        finally:
            goes_on.set()
        until(lambda: consumer.n_events == 8)
    sizes = [n_events for n_events, _, _ in consumer.chunks]
    assert max(sizes) == 2
    assert sizes.count(2) >= 3
