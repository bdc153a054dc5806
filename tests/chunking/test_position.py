"""A stream that is left at any place and taken up there by another process: each pulse is taken once, none is lost."""

from __future__ import annotations

import attrs
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from adara_support import SECOND, START, banked, beam_monitors, end_run, new_run, pulse_time, state
from livered_core.adara import PulseFlag
from livered_core.chunking.builder import ChunkBuilder
from livered_core.chunking.items import (
    DataMissing,
    MonitorPulse,
    Pulse,
    PulseLeftOut,
    Resumed,
    RunBegan,
    RunStopped,
)
from livered_core.chunking.position import Follower
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.chunking.taken_pulses import TakenPulses
from livered_core.model import RunEndReason

TWIN = int(PulseFlag.DUPLICATE_PULSE)
VETO = int(PulseFlag.PULSE_VETO)
SELECTION = PulseSelection(leave_out_vetoed=True)


def feed(stream, packets):
    return [item for packet in packets for item in stream.feed(packet)]


def taken(items):
    """The pulses that were taken, each known by its only pixel, and the monitors', by their count."""
    pulses = [int(item.pixel_id[0]) for item in items if isinstance(item, Pulse)]
    monitors = [len(item.tof) for item in items if isinstance(item, MonitorPulse)]
    return pulses, monitors


def left_at(items):
    """The position behind the last pulse of some items, as the native source follows it."""
    follower, builder = Follower(), ChunkBuilder()
    (run,) = [item.run for item in items if isinstance(item, RunBegan)]
    for item in items:
        if isinstance(item, Pulse):
            builder.add(item)
            follower.pulse(item)
        elif isinstance(item, PulseLeftOut):
            follower.pulse(item)
        elif isinstance(item, MonitorPulse):
            follower.monitor(item)
    return follower.after(builder.close(), run)


def resumed(position, packets, *, over=()):
    stream = StreamState("TST", SELECTION, over)
    stream.resume(position)
    stream.connection_opened()
    return feed(stream, packets)


@st.composite
def streams(draw):
    """Packets of a run: pulses in any near order, twins, repetitions that are not marked, vetoed ones, monitors."""
    order = draw(st.permutations(range(12))) if draw(st.booleans()) else range(12)
    packets = []
    for name, place in enumerate(order):
        kind = draw(st.sampled_from(["plain", "plain", "plain", "twin", "again", "vetoed", "leap"]))
        index = place + 10**7 if kind == "leap" else place
        packets.append(banked(index, pixels=[100 + name], flags=VETO if kind == "vetoed" else 0))
        if draw(st.booleans()):
            packets.append(beam_monitors(index, {1: name + 1}))
        if kind == "twin":
            vetoed = VETO if draw(st.booleans()) else 0
            packets.append(banked(index, pixels=[200 + name], flags=TWIN | vetoed))
        elif kind == "again":
            packets.append(banked(index, pixels=[100 + name]))
    return packets


@given(streams(), st.data())
def test_what_is_taken_before_and_after_is_what_an_undisturbed_reader_takes(packets, data):
    whole = [new_run(5), *packets, end_run(5)]
    calm = StreamState("TST", SELECTION)
    calm.connection_opened()
    expected = feed(calm, whole)

    first = StreamState("TST", SELECTION)
    first.connection_opened()
    before = feed(first, whole[:-1])
    n_pulses = len(taken(before)[0])
    if not n_pulses:
        return
    # What was reduced ends anywhere among what had been received.
    ends = [place for place, item in enumerate(before) if isinstance(item, Pulse)]
    cut = data.draw(st.sampled_from(ends)) + 1
    while cut < len(before) and isinstance(before[cut], MonitorPulse) and data.draw(st.booleans()):
        cut += 1
    reduced = before[:cut]
    after = resumed(left_at(reduced), whole)
    pulses, monitors = taken(reduced)
    more_pulses, more_monitors = taken(after)
    assert (pulses + more_pulses, monitors + more_monitors) == taken(expected)
    assert not [item for item in after if isinstance(item, (RunBegan, DataMissing))]
    assert [item.reason for item in after if isinstance(item, RunStopped)] == [RunEndReason.ENDED]
    assert sum(isinstance(item, Resumed) for item in after) == 1


@given(streams(), st.integers(1, 40))
def test_a_connection_that_is_lost_anywhere_costs_nothing_either(packets, cut):
    whole = [new_run(5), *packets, end_run(5)]
    calm = StreamState("TST", SELECTION)
    calm.connection_opened()
    expected = feed(calm, whole)
    stream = StreamState("TST", SELECTION)
    stream.connection_opened()
    items = feed(stream, whole[: min(cut, len(whole) - 1)])
    stream.connection_opened()
    items += feed(stream, whole)
    assert taken(items) == taken(expected)


def left_after_pulse_3():
    stream = StreamState("TST", SELECTION)
    stream.connection_opened()
    return left_at(feed(stream, [new_run(5), *(banked(index, pixels=[index]) for index in range(4))]))


def said(items):
    return [item.sentence for item in items if isinstance(item, DataMissing)]


def reasons(items):
    return [item.reason for item in items if isinstance(item, RunStopped)]


def test_a_run_that_ended_meanwhile_ends_and_what_is_missing_is_said():
    items = resumed(left_after_pulse_3(), [state(0), banked(9)])
    assert reasons(items) == [RunEndReason.ENDED]
    (sentence,) = said(items)
    assert sentence.startswith("The end of the run was not seen: it came while there was no connection")
    assert "2026-09-21T" in sentence


def test_another_run_meanwhile_replaces_it_and_is_begun_from_its_start():
    items = resumed(left_after_pulse_3(), [new_run(6), banked(9, pixels=[9])])
    assert reasons(items) == [RunEndReason.REPLACED]
    assert len(said(items)) == 1
    (began,) = [item for item in items if isinstance(item, RunBegan)]
    assert (began.run.number, began.missing) == (6, "")
    assert taken(items)[0] == [9]


def test_another_run_with_the_same_number_is_another_run():
    again = attrs.evolve(new_run(5), run_start_ns=START + 100 * SECOND)
    items = resumed(left_after_pulse_3(), [again, banked(9000, pixels=[9])])
    assert reasons(items) == [RunEndReason.REPLACED]
    (began,) = [item for item in items if isinstance(item, RunBegan)]
    assert began.run.start_ns == START + 100 * SECOND


def test_a_server_that_has_not_kept_what_was_missed_leaves_no_silent_gap():
    items = resumed(left_after_pulse_3(), [state(5), banked(9, pixels=[9])])
    assert taken(items)[0] == [9]
    assert "could not replay" in said(items)[0]


def test_a_run_that_is_over_is_left_out_when_it_is_replayed_to_another_process():
    stream = StreamState("TST", SELECTION, [(5, START)])
    stream.connection_opened()
    items = feed(stream, [new_run(5), banked(0), end_run(5), new_run(6), banked(1, pixels=[7])])
    assert taken(items)[0] == [7]
    assert stream.counts.replayed_pulses == 1


def test_a_run_that_comes_again_from_its_start_begins_again():
    stream = StreamState("TST", SELECTION)
    stream.connection_opened()
    packets = [new_run(5), banked(0, pixels=[0]), banked(1, pixels=[1])]
    feed(stream, packets)
    stream.begin_again()
    stream.connection_opened()
    items = feed(stream, [*packets, banked(2, pixels=[2]), end_run(5)])
    assert taken(items)[0] == [0, 1, 2]
    assert [item.run.number for item in items if isinstance(item, RunBegan)] == [5]
    assert not said(items)


@pytest.mark.parametrize(
    ("packets", "reason"),
    [
        ([state(0), banked(9)], RunEndReason.ENDED),
        ([end_run(5), banked(9)], RunEndReason.ENDED),
        ([new_run(6), banked(9)], RunEndReason.REPLACED),
    ],
    ids=["no run", "its end", "another run"],
)
def test_a_run_that_should_come_again_and_does_not_ends(packets, reason):
    stream = StreamState("TST", SELECTION)
    stream.connection_opened()
    feed(stream, [new_run(5), banked(0)])
    stream.begin_again()
    stream.connection_opened()
    items = feed(stream, packets)
    assert reasons(items) == [reason]
    assert said(items) == ["The run was asked for again from its start, and the server has it no more."]
    # Neither is it begun when the server remembers it later.
    assert not taken(feed(stream, [new_run(5), banked(3)]))[0]


@given(st.lists(st.integers(0, 2000), max_size=900), st.lists(st.integers(0, 2000), max_size=900))
def test_pulses_noted_together_are_as_pulses_noted_one_by_one(first, second):
    times = [np.array([pulse_time(index) for index in indices], np.int64) for indices in (first, second)]
    together, apart = TakenPulses(), TakenPulses()
    for some in times:
        together.add_all(some)
        for time_ns in some.tolist():
            apart.add(time_ns)
    for ours, theirs in zip(
        attrs.astuple(together.times, recurse=False), attrs.astuple(apart.times, recurse=False), strict=True
    ):
        np.testing.assert_array_equal(ours, theirs)
    kept = TakenPulses.of(together.times)
    assert kept.times.newest_ns == apart.newest_ns
    assert all(time_ns in kept for time_ns in apart.times.recent_ns.tolist())
