"""How the next session begins after one that ended because memory was short."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from livered_core.engine.memory_advice import (
    AGAIN_WITHIN_NS,
    FORGET_AFTER_NS,
    LEAST_EVENTS,
    MemoryEnd,
    StartAdvice,
    shed_events,
    size,
    start_advice,
)
from livered_core.engine.memory_size import memory_size

HOUR = 3600 * 10**9
NOW = 1_800_000_000 * 10**9
GB = 10**9
CHUNK = QUEUE = 20_000_000
END = MemoryEnd(NOW - HOUR // 60, 4 * GB, 4 * GB, 0, CHUNK, QUEUE, run=5)


def advice(*ends, limit=4 * GB, now_ns=NOW):
    return start_advice(ends, CHUNK, QUEUE, limit=limit, now_ns=now_ns)


AS_CONFIGURED = StartAdvice(CHUNK, QUEUE)


def test_after_one_end_chunks_and_queue_are_a_quarter():
    found = advice(END)
    assert (found.max_chunk_events, found.queue_events) == (CHUNK // 4, QUEUE // 4)
    assert (found.begin_from_now, found.missing) == (False, "")
    assert found.remark == (
        "The session before ended when memory had reached its limit (4.0 GB of 4.0 GB): "
        "this one begins with chunks of at most 5,000,000 events."
    )


def test_data_that_outgrew_the_limit_are_left_out_with_a_sentence():
    found = advice(attrs.evolve(END, accumulated=3 * GB))
    assert found.begin_from_now
    assert found.missing == (
        "Data before 2027-01-15T08:00:00Z are left out: what was accumulated of run 5 (3.0 GB) had outgrown the memory "
        "limit (4.0 GB)."
    )
    assert found.remark.endswith(", and with the data of now.")


def test_a_second_end_within_an_hour_begins_with_the_data_of_now():
    found = advice(attrs.evolve(END, when_ns=NOW - HOUR), END)
    assert found.begin_from_now
    assert "more than once within an hour" in found.missing
    assert not advice(attrs.evolve(END, when_ns=END.when_ns - HOUR - 1), END).begin_from_now


@pytest.mark.parametrize(
    "end",
    [
        pytest.param(attrs.evolve(END, when_ns=NOW - FORGET_AFTER_NS), id="long ago"),
        pytest.param(attrs.evolve(END, when_ns=NOW + 2 * HOUR), id="by a clock that was wrong"),
        pytest.param(attrs.evolve(END, limit=3 * GB), id="with a smaller limit"),
    ],
)
def test_what_says_nothing_of_now_is_passed_over(end):
    assert advice(end) == AS_CONFIGURED


def test_without_a_limit_nothing_is_done():
    assert advice(END, limit=0) == advice() == AS_CONFIGURED


def test_one_that_was_killed_near_the_limit_is_not_sure_to_have_had_too_many_data():
    found = advice(attrs.evolve(END, accumulated=3 * GB, certain=False))
    assert (found.max_chunk_events, found.begin_from_now) == (CHUNK // 4, False)
    assert "was near its limit" in found.remark


ends = st.builds(
    MemoryEnd,
    when_ns=st.integers(NOW - 2 * FORGET_AFTER_NS, NOW + FORGET_AFTER_NS),
    limit=st.integers(0, 8 * GB),
    used=st.integers(0, 8 * GB),
    accumulated=st.integers(0, 8 * GB),
    max_chunk_events=st.integers(0, 2 * CHUNK),
    queue_events=st.integers(0, 2 * CHUNK),
    run=st.integers(0, 9),
    certain=st.booleans(),
)


@given(
    st.lists(ends, max_size=12), st.integers(1, 2 * CHUNK), st.integers(1, 2 * CHUNK), st.integers(0, 8 * GB)
)
def test_no_advice_is_more_than_configured_or_next_to_nothing(found, chunk, queue, limit):
    said = start_advice(found, chunk, queue, limit=limit, now_ns=NOW)
    for given_, asked in ((said.max_chunk_events, chunk), (said.queue_events, queue)):
        assert min(asked, LEAST_EVENTS) <= given_ <= asked
    assert bool(said.missing) == said.begin_from_now
    if said.begin_from_now:
        assert said.remark
    if not limit:
        assert said == StartAdvice(chunk, queue)


@given(st.integers(1, 10 * CHUNK), st.integers(1, 10 * CHUNK))
def test_life_after_life_the_sizes_go_down_to_the_least_and_the_data_are_let_go(chunk, queue):
    """A session that always runs into the limit, as soon as it has begun, cannot do so with the same data twice."""
    past: list[MemoryEnd] = []
    before = None
    for life in range(12):
        now_ns = NOW + life * AGAIN_WITHIN_NS // 20
        said = start_advice(past, chunk, queue, limit=4 * GB, now_ns=now_ns)
        if before is not None:
            assert said.max_chunk_events < before.max_chunk_events or (
                said.max_chunk_events == min(chunk, LEAST_EVENTS)
            )
        if life >= 2:
            assert said.begin_from_now
        before = said
        past.append(MemoryEnd(now_ns, 4 * GB, 4 * GB, 0, said.max_chunk_events, said.queue_events))


@given(st.integers(1, 10 * CHUNK), st.floats(0.1, 1.0))
def test_shedding_never_goes_below_the_least_nor_above_what_there_is(events, share):
    assert min(events, LEAST_EVENTS) <= shed_events(events, share) <= events


def test_sizes_are_written_for_people():
    assert [size(n) for n in (0, 999, 1500, 3_140_000, 4 * GB)] == [
        "0 bytes",
        "999 bytes",
        "1.5 kB",
        "3.1 MB",
        "4.0 GB",
    ]


class Kept:
    def __init__(self, thing):
        self.thing = thing


class Slotted:
    __slots__ = ("thing",)

    def __init__(self, thing):
        self.thing = thing


class Workspace:
    def getMemorySize(self):
        return 12_000_000


class Hostile:
    def __sizeof__(self):
        raise RuntimeError

    def __getattr__(self, name):
        raise RuntimeError(name)


def test_what_is_accumulated_is_measured_wherever_it_is_kept():
    million = np.zeros(1_000_000, np.uint8)
    for thing in (
        million,
        million[5:10],
        [million, million, million[::2]],
        {"a": {"b": million}},
        Kept(Slotted((million,))),
        [b"x" * 1_000_000],
    ):
        assert 1_000_000 <= memory_size(thing) < 1_010_000
    assert memory_size([Workspace(), Workspace()]) == pytest.approx(24_000_000, rel=0.01)
    assert memory_size(np.array([million, None], object)) >= 1_000_000
    assert memory_size([Hostile(), million]) >= 1_000_000
    round_trip: list = [million]
    round_trip.append(round_trip)
    assert 1_000_000 <= memory_size(round_trip) < 1_010_000
