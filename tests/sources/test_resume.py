"""The native source goes on where another one was left, and has a run come again."""

from __future__ import annotations

import contextlib
import threading

import attrs
import pytest

from adara_support import SECOND, START, banked, end_run, geometry, new_run, run_info, state
from livered_core.adara import (
    Annotation,
    AnnotationMarker,
    Device,
    DeviceDescriptor,
    ProcessVariable,
    StartRequest,
    VariableDouble,
    device_descriptor_xml,
)
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.native import NativeSettings, NativeSource
from sms_support import WAIT, scripted_server
from waiting import until

N = 30
DEVICE = Device(name="furnace", variables={3: ProcessVariable("temperature", "double", "K")})
DESCRIPTOR = DeviceDescriptor(time_ns=START, device_id=7, xml=device_descriptor_xml(DEVICE))


def temperature(index: int) -> VariableDouble:
    return VariableDouble(time_ns=START + index, device_id=7, variable_id=3, value=300.0 + index)


PROLOGUE = (geometry(), DESCRIPTOR, new_run(5), run_info(5))
PULSES = tuple(packet for index in range(N) for packet in (temperature(index), banked(index, pixels=[index])))


class Consumer:
    """Writes down what a source says."""

    def __init__(self, wants: str = "") -> None:
        self.story: list[str] = []
        self.pixels: list[int] = []
        self.chunks: list = []
        self.missing: list[str] = []
        self.wants = wants

    def run_began(self, run, missing=""):
        self.story.append(f"began {run.number}")

    def run_changed(self, run):
        self.story.append(f"changed {run.title}")

    def run_restarted(self, sentence):
        self.pixels.clear()
        self.story.append(f"again: {sentence}")

    def data_missing(self, sentence):
        self.missing.append(sentence)

    def take_chunk(self, chunk):
        self.chunks.append(chunk)
        self.pixels += chunk.events.pixel_id.tolist()

    def replay_wanted(self):
        why, self.wants = (self.wants, "") if len(self.pixels) >= 10 else ("", self.wants)
        return why

    def update_due(self):
        pass

    def run_ended(self, reason):
        self.story.append(reason.value)


@attrs.define(eq=False)
class Life:
    """One life of a source."""

    consumer: Consumer
    marks: list
    source: NativeSource


@contextlib.contextmanager
def life(address, position=None, consumer=None, most=4):
    settings = NativeSettings("TST", update_every=3600.0, max_chunk_events=most, queue_events=1 << 20)
    marks: list = []

    def reader(stream, put):
        return AdaraReader(
            AdaraAddress.parse(address), StartRequest.start_of_run(), stream, put, clock, Backoff(0.01, 0.05)
        )

    clock = SystemClock()
    source = NativeSource(settings, reader, clock, marks.append)
    if position is not None:
        source.resume(position)
    it = Life(consumer or Consumer(), marks, source)
    stop, failure = threading.Event(), []

    def run() -> None:
        try:
            source.run(it.consumer, stop)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield it
    finally:
        stop.set()
        thread.join(WAIT)
        assert not thread.is_alive()
    assert not failure, failure


def whole_run(client):
    client.send(*PROLOGUE, *PULSES, end_run(5))
    client.hold()


def most_of_it(client):
    client.send(*PROLOGUE, *PULSES[:40])
    client.hold()


@pytest.mark.parametrize("chunks", range(1, 5))
def test_after_any_chunk_another_process_goes_on_and_the_run_is_whole(chunks):
    with scripted_server(most_of_it, whole_run) as server:
        with life(server.address) as first:
            until(lambda: len(first.marks) >= 4)
        position = first.marks[chunks - 1]
        before = [
            pixel for chunk in first.consumer.chunks[:chunks] for pixel in chunk.events.pixel_id.tolist()
        ]
        with life(server.address, position) as second:
            until(lambda: "ended" in second.consumer.story)
    assert before + second.consumer.pixels == list(range(N))
    # Neither the begin of the run nor a gap is told again, and chunks go on counting.
    assert second.consumer.story == ["ended"]
    assert not second.consumer.missing
    assert second.consumer.chunks[0].sequence == chunks + 1
    assert server.hellos[1].start == StartRequest.at(position.last_ns)
    assert second.source.status().counts["replayed_pulses"] == len(before)


def test_logs_that_were_replayed_are_in_force_and_not_values_of_the_chunk():
    with scripted_server(most_of_it, whole_run) as server:
        with life(server.address) as first:
            until(lambda: len(first.marks) >= 2)
        with life(server.address, first.marks[1]) as second:
            until(lambda: "ended" in second.consumer.story)
    log = second.consumer.chunks[0].logs["temperature"]
    # The value of the last pulse before, and those that came since.
    assert log.value.tolist() == [307.0, 308.0, 309.0, 310.0, 311.0]
    assert second.consumer.chunks[0].instrument.xml == "<instrument/>"


def test_a_run_that_ended_meanwhile_ends_incomplete():
    def over(client):
        client.send(geometry(), state(0), banked(N + 5))
        client.hold()

    with scripted_server(most_of_it, over) as server:
        with life(server.address) as first:
            until(lambda: len(first.marks) >= 2)
        with life(server.address, first.marks[1]) as second:
            until(lambda: "ended" in second.consumer.story)
    assert second.consumer.story == ["ended"]
    (sentence,) = second.consumer.missing
    assert "it came while there was no connection" in sentence


def test_a_position_of_another_start_of_the_same_number_is_of_another_run():
    later = attrs.evolve(new_run(5), run_start_ns=START + 1000 * SECOND)

    def other(client):
        client.send(geometry(), later, *(banked(10_000 + index, pixels=[index]) for index in range(8)))
        client.hold()

    with scripted_server(most_of_it, other) as server:
        with life(server.address) as first:
            until(lambda: len(first.marks) >= 2)
        with life(server.address, first.marks[1]) as second:
            until(lambda: len(second.consumer.chunks) >= 1)
    assert second.consumer.story[:2] == ["replaced", "began 5"]


def test_a_pause_before_the_first_pulse_of_a_run_that_began_meanwhile_counts():
    def other(client):
        pause, go_on = (
            Annotation(time_ns=START, marker=marker)
            for marker in (AnnotationMarker.PAUSE, AnnotationMarker.RESUME)
        )
        client.send(geometry(), new_run(6), pause, banked(1000, pixels=[50]), go_on)
        client.send(banked(1001, pixels=[51]), end_run(6))
        client.hold()

    with scripted_server(most_of_it, other) as server:
        with life(server.address) as first:
            until(lambda: len(first.marks) >= 2)
        with life(server.address, first.marks[1]) as second:
            until(lambda: second.consumer.story[-1:] == ["ended"])
    assert second.consumer.story == ["replaced", "began 6", "ended"]
    assert second.consumer.pixels == [51]


def test_a_run_that_is_wanted_again_comes_again_from_its_start():
    with (
        scripted_server(most_of_it, whole_run) as server,
        life(server.address, consumer=Consumer("The code has changed.")) as it,
    ):
        until(lambda: "ended" in it.consumer.story)
        status = it.source.status()
    assert it.consumer.story[0] == "began 5"
    assert it.consumer.story[-2:] != ["began 5", "ended"]
    assert "again: The code has changed." in it.consumer.story
    assert it.consumer.pixels == list(range(N))
    assert server.hellos[1].start == StartRequest.start_of_run()
    # What was reduced and thrown away is counted, so that the counts add up.
    counts = status.counts
    assert counts["reduced_events"] == N + counts["begun_again_events"]


def test_a_run_that_should_come_again_and_is_over_ends():
    def over(client):
        client.send(geometry(), new_run(6), banked(N + 5, pixels=[99]))
        client.hold()

    with (
        scripted_server(most_of_it, over) as server,
        life(server.address, consumer=Consumer("The code has changed."), most=1) as it,
    ):
        until(lambda: "began 6" in it.consumer.story)
    assert it.consumer.story[-3:] == ["replaced", "began 6", "session stopped"]
    assert "the server has it no more" in it.consumer.missing[0]


def test_what_was_asked_for_again_while_its_end_waits_is_ended_first():
    """The next run has begun for the reader when the reduction asks: that one comes again."""

    def two(client):
        client.send(*PROLOGUE, *PULSES[:40], end_run(5), new_run(6), banked(100, pixels=[100]))
        client.hold()

    def again(client):
        client.send(geometry(), new_run(6), banked(100, pixels=[100]), banked(101, pixels=[101]), end_run(6))
        client.hold()

    class Slow(Consumer):
        def take_chunk(self, chunk):
            if not self.chunks:
                until(lambda: it.source.status().run is not None and it.source.status().run.number == 6)
            super().take_chunk(chunk)

    with scripted_server(two, again) as server, life(server.address, consumer=Slow("Again.")) as it:
        until(lambda: it.consumer.story.count("ended") == 2)
    assert it.consumer.story[0] == "began 5"
    assert it.consumer.story.index("ended") < it.consumer.story.index("began 6")
    assert it.consumer.pixels[-2:] == [100, 101]


@pytest.mark.parametrize("restarted", [True, False], ids=["another process", "the same"])
@pytest.mark.parametrize("kept", [True, False], ids=["replayed", "not kept by the server"])
def test_a_clock_that_is_set_back_after_a_replay_loses_nothing(restarted, kept):
    """What comes behind the replay is new, whatever times it has."""
    many = [banked(index, pixels=[index]) for index in range(700)]
    back = [banked(index - 7_200_000, pixels=[1000 + index]) for index in range(20)]

    def first_part(client):
        client.send(*PROLOGUE, *many)
        if restarted:
            client.hold()
        else:
            client.reset()

    def goes_on(client):
        old = many if kept else []
        client.send(*PROLOGUE, *old, banked(700, pixels=[700]), *back, end_run(5))
        client.hold()

    with scripted_server(first_part, goes_on) as server:
        with life(server.address, most=100) as first:
            until(lambda: len(first.marks) >= 7)
            if not restarted:
                until(lambda: "ended" in first.consumer.story)
        last = first
        if restarted:
            with life(server.address, first.marks[6], most=100) as last:
                until(lambda: "ended" in last.consumer.story)
    assert last.consumer.pixels[-21:] == [700, *range(1000, 1020)]
    assert bool(last.consumer.missing) != kept


def test_a_run_whose_end_waits_cannot_come_again():
    class Asks(Consumer):
        can: list[bool]

        def take_chunk(self, chunk):
            if not self.chunks:
                self.can = [it.source.can_replay]
                gate.set()
                until(lambda: it.source.status().run is None)
                self.can.append(it.source.can_replay)
            super().take_chunk(chunk)

    gate = threading.Event()

    def held(client):
        client.send(*PROLOGUE, *PULSES[:40])
        gate.wait(WAIT)
        client.send(end_run(5))
        client.hold()

    with scripted_server(held) as server, life(server.address, consumer=Asks()) as it:
        until(lambda: "ended" in it.consumer.story)
    assert it.consumer.can == [True, False]
