"""Where Mantid leaves its chunks: how many may wait, and what never reaches Mantid."""

from __future__ import annotations

import threading

from livered_core.clocks import SystemClock
from livered_core.sources.door import Door
from livered_core.sources.startlivedata import SCRIPT, chunk_from_mantid
from waiting import until


class Events:
    """As much of a workspace as the door looks at."""

    def __init__(self, n_events: int) -> None:
        self.n_events = n_events

    def readY(self, index):
        raise NotImplementedError

    def getNumberHistograms(self):
        return 1

    def getNumberEvents(self):
        return self.n_events


def fill(door: Door, n_events: int, n_chunks: int) -> threading.Thread:
    def enter() -> None:
        for _ in range(n_chunks):
            door.enter(Events(n_events))

    thread = threading.Thread(target=enter, daemon=True)
    thread.start()
    return thread


def taken(door: Door) -> int:
    n_chunks = 0
    while door.take(0.0) is not None:
        n_chunks += 1
    return n_chunks


def test_chunks_are_taken_in_their_order():
    door = Door(SystemClock(), lambda: 1000)
    for n_events in (3, 1, 2):
        door.enter(Events(n_events))
    assert [door.take(0.0).n_events for _ in range(3)] == [3, 1, 2]
    assert door.take(0.0) is None


def test_mantid_waits_when_too_many_events_do():
    door = Door(SystemClock(), lambda: 100)
    thread = fill(door, 60, 3)
    until(lambda: door.holds_mantid)
    assert door.n_events == 120
    door.take(0.0)
    thread.join(10.0)
    assert not thread.is_alive()


def test_mantid_waits_when_too_many_empty_chunks_do():
    """An empty chunk has a list of events for each pixel, too."""
    door = Door(SystemClock(), lambda: 100)
    thread = fill(door, 0, 1000)
    until(lambda: door.holds_mantid)
    assert taken(door) <= 20
    door.close()
    thread.join(10.0)
    assert not thread.is_alive()


def test_room_that_is_made_for_more_lets_mantid_go_on():
    most = [100]
    door = Door(SystemClock(), lambda: most[0])
    thread = fill(door, 60, 3)
    until(lambda: door.holds_mantid)
    most[0] = 200
    door.look_again()
    thread.join(10.0)
    assert not thread.is_alive()
    assert door.n_events == 180


def test_a_chunk_larger_than_what_may_wait_is_taken():
    door = Door(SystemClock(), lambda: 100)
    door.enter(Events(1_000_000))
    assert door.take(0.0).n_events == 1_000_000


def test_closed_it_lets_mantid_go_on_and_takes_nothing_more():
    door = Door(SystemClock(), lambda: 100)
    door.enter(Events(200))
    thread = fill(door, 1, 5)
    until(lambda: door.holds_mantid)
    door.close()
    thread.join(10.0)
    assert not thread.is_alive()
    assert taken(door) == 1, "what came before can still be taken"


def test_nothing_is_raised_into_mantid(caplog):
    class Broken:
        def __getattr__(self, name):
            raise SystemExit(name)

    door = Door(SystemClock(), lambda: 100)
    assert chunk_from_mantid("no such door", Broken(), "out") is not None
    chunk_from_mantid(door.token, Broken(), "out")
    assert "could not be taken" in caplog.text


def test_the_script_is_two_lines_of_ascii():
    script = SCRIPT.format(token="livered-1")
    assert script.isascii()
    assert len(script.splitlines()) == 2
