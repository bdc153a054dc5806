from __future__ import annotations

import threading

import attrs
import pytest

from hooks_support import run_info, session_info
from livered_core.engine.health import Health, Phase
from livered_core.engine.story import AWAY_S, GOES_ON_S, Story, beginning
from livered_core.engine.watching import SinkTroubles, Standstill, place_of
from livered_core.publish.sinks import SinkStatus
from livered_core.sources.base import Connection, SourceStatus

SECOND = 10**9
SOURCE = SourceStatus("there", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {"events": 0})
HEALTH = Health(
    Phase.LIVE, SOURCE, run_info(3), 100 * SECOND, 12, 7, 1234, 4, 5.0, 97 * SECOND, 0, 0, (), None, None, ()
)


def test_a_loop_that_does_not_turn_stands():
    standstill = Standstill()
    assert [standstill.update(turns, at) for turns, at in ((0, 5.0), (0, 7.0), (1, 8.0), (1, 70.0))] == [
        0,
        2,
        0,
        62,
    ]


def test_a_sink_fails_since_its_first_failure_in_a_row():
    troubles = SinkTroubles()
    good = SinkStatus("a", 0, 0, 0, None, "")
    bad, worse = attrs.evolve(good, last_error="503"), attrs.evolve(good, last_error="504")
    told = [
        troubles.update([status], at)["a"]["failing_since_ns"]
        for at, status in enumerate((good, bad, worse, good, bad), start=10)
    ]
    assert told == [0, 11, 11, 0, 14]


def test_finals_wait_since_the_first_after_the_last_that_was_taken():
    troubles = SinkTroubles()
    sinks = [
        SinkStatus("a", delivered, 0, finals, None, "")
        for delivered, finals in ((5, 0), (5, 1), (5, 2), (6, 1), (6, 0))
    ]
    told = [troubles.update([sink], at)["a"]["waiting_since_ns"] for at, sink in enumerate(sinks, start=10)]
    assert told == [0, 11, 11, 13, 0]


def test_where_a_thread_is():
    inside, leave = threading.Event(), threading.Event()

    def wait_for_ever():
        inside.set()
        leave.wait()

    thread = threading.Thread(target=wait_for_ever, name="one-that-waits")
    thread.start()
    inside.wait()
    try:
        assert "called by" in place_of("one-that-waits")
    finally:
        leave.set()
        thread.join()
    assert place_of("one-that-waits") == ""


def told(*steps):
    """What is said of phases at times, each as (seconds, phase)."""
    story = Story()
    return [line for at, phase in steps for line in story.update(attrs.evolve(HEALTH, phase=phase), at)]


@pytest.mark.parametrize(
    ("phase", "begins", "ends"),
    [
        (Phase.NO_BEAM, "there is no beam.", "beam again after 90 s."),
        (Phase.NO_PULSES, "no pulses arrive.", "pulses arrive again after 90 s."),
        (Phase.PAUSED, "the run is paused.", "the run goes on after a pause of 90 s."),
        (Phase.CATCHING_UP, "data that were taken before are read.", "caught up with the beam after 90 s."),
    ],
)
def test_what_begins_and_how_long_it_lasted(phase, begins, ends):
    assert told((0, Phase.LIVE), (10, phase), (50, phase), (100, Phase.LIVE)) == [(3, begins), (3, ends)]


def test_a_lost_connection_is_timed_over_all_attempts_when_it_is_back():
    steps = ((0, Phase.LIVE), (10, Phase.DISCONNECTED), (20, Phase.CONNECTING), (70, Phase.LIVE))
    assert told(*steps) == [(3, "the data stream is there after 60 s without.")]
    assert told((0, Phase.CONNECTING), (AWAY_S / 2, Phase.LIVE)) == []


def test_the_end_of_a_run_or_a_session_ends_nothing_else():
    assert told((0, Phase.CATCHING_UP), (9, Phase.BETWEEN_RUNS)) == [
        (3, "data that were taken before are read.")
    ]
    assert told((0, Phase.NO_BEAM), (9, Phase.DISCONNECTED)) == [(3, "there is no beam.")]
    assert told((0, Phase.PAUSED), (9, Phase.STOPPING), (10, Phase.STOPPED)) == [(3, "the run is paused.")]


def test_a_run_that_goes_on_says_so_now_and_then():
    story = Story()
    lines = [line for second in range(0, round(2.5 * GOES_ON_S), 10) for line in story.update(HEALTH, second)]
    sentence = "goes on, live, 3 s old: 1,234 events in 12 chunks, update 7, complete."
    assert lines == [(3, sentence)] * 2
    assert not [
        line for second in range(5000) for line in Story().update(attrs.evolve(HEALTH, run=None), second)
    ]


def test_a_sink_that_takes_results_again_says_after_how_long():
    story, lines = Story(), []
    for at, error, taken in (
        (0, "", 4),
        (10, "503", 4),
        (40, "504", 4),
        (70, "", 5),
        (80, "500", 5),
        (90, "", 5),
    ):
        sink = SinkStatus("monitor", taken, 0, 0, None, error)
        lines += story.update(attrs.evolve(HEALTH, sinks=(sink,)), at)
    assert lines == [(0, "the sink monitor takes results again after 60 s.")]


def test_the_beginning_names_what_runs():
    sentence = beginning(session_info())
    for plugin, version in session_info().plugins.items():
        assert f"{plugin} {version}" in sentence
