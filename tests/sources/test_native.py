from __future__ import annotations

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import attrs
import numpy as np
import pytest

from adara_support import annotation, banked, end_run, geometry, new_run, pulse_time, run_info, state
from livered_core.adara import (
    UNMAPPED_BANK,
    AnnotationMarker,
    Heartbeat,
    HelloFlag,
    Rtdl,
    StartRequest,
    encode,
)
from livered_core.backoff import Backoff
from livered_core.chunking.event_blocks import BLOCK_EVENTS, EventBlock
from livered_core.chunking.items import Pulse
from livered_core.chunking.selection import PulseSelection
from livered_core.clocks import SystemClock
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.base import Connection
from livered_core.sources.native import NativeSettings, NativeSource
from sms_support import WAIT, Client, scripted_server
from waiting import until

N = 40
PROLOGUE = (geometry(), new_run(5), run_info(5))
PULSES = tuple(banked(index, pixels=[index] * (index % 4)) for index in range(N))


class Consumer:
    """Writes down what a source says, and lets a test wait for it."""

    def __init__(self) -> None:
        self.story: list[str] = []
        self.chunks: list[Any] = []
        self.missing: list[str] = []
        self.wants = ""
        self.on_chunk: Callable[[Any], None] = lambda chunk: None
        self.on_end: Callable[[], None] = lambda: None
        self._changed = threading.Condition()

    def _say(self, text: str) -> None:
        with self._changed:
            self.story.append(text)
            self._changed.notify_all()

    def wait_until(self, condition: Callable[[], bool]) -> None:
        with self._changed:
            assert self._changed.wait_for(condition, WAIT), self.story

    def run_began(self, run, missing=""):
        self._say(f"began {run.number} {run.title}{' joined' if missing else ''}")

    def run_changed(self, run):
        self._say(f"changed {run.title}")

    def data_missing(self, sentence):
        self.missing.append(sentence)
        self._say("missing")

    def take_chunk(self, chunk):
        self.on_chunk(chunk)
        self.chunks.append(chunk)
        self._say(f"chunk {chunk.sequence}")

    def replay_wanted(self):
        why, self.wants = self.wants, ""
        return why

    def run_restarted(self, sentence):
        self.chunks.clear()
        self._say(f"restarted: {sentence}")

    def update_due(self):
        pass

    def run_ended(self, reason):
        self.on_end()
        self._say(reason.value)

    @property
    def pulse_times(self) -> list[int]:
        return [int(t) for chunk in self.chunks for t in chunk.events.pulse_time_ns]

    @property
    def pixels(self) -> list[int]:
        return [int(p) for chunk in self.chunks for p in chunk.events.pixel_id]


ALL_TIMES = [pulse_time(index) for index in range(N)]
ALL_PIXELS = [pixel for pulse in PULSES for pixel in pulse.pixel_id.tolist()]


@attrs.define(eq=False)
class Running:
    source: NativeSource
    consumer: Consumer
    stop: threading.Event
    thread: threading.Thread
    failure: list[BaseException]

    def end(self) -> None:
        self.stop.set()
        self.thread.join(WAIT)
        assert not self.thread.is_alive()


def native_source(settings, address, start, clock, backoff) -> NativeSource:
    return NativeSource(
        settings, lambda state, put: AdaraReader(address, start, state, put, clock, backoff), clock
    )


@contextlib.contextmanager
def running(address: str, start=StartRequest.start_of_run(), **changes: Any) -> Iterator[Running]:
    silence = changes.pop("silence_timeout", 30.0)
    settings = NativeSettings(
        instrument="TST",
        update_every=changes.pop("update_every", 3600.0),
        max_chunk_events=changes.pop("max_chunk_events", 1 << 30),
        queue_events=changes.pop("queue_events", 1 << 30),
        selection=changes.pop("selection", PulseSelection(not_before_ns=start.time_ns or 0)),
    )
    clock = changes.pop("clock", SystemClock())
    backoff = changes.pop("backoff", Backoff(0.01, 0.05))
    assert not changes
    source = native_source(settings, AdaraAddress.parse(address, 5.0, silence), start, clock, backoff)
    consumer, stop, failure = Consumer(), threading.Event(), []

    def run() -> None:
        try:
            source.run(consumer, stop)
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    handle = Running(source, consumer, stop, thread, failure)
    try:
        yield handle
    finally:
        handle.end()
    assert not [t for t in threading.enumerate() if t.name == "livered-reader"]


def whole_run(client: Client) -> None:
    client.send(*PROLOGUE, *PULSES, end_run(5))
    client.hold()


def test_a_run_comes_whole_and_in_order():
    with scripted_server(whole_run) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
        status = it.source.status()
    assert it.consumer.story == ["began 5 diamond", "chunk 1", "ended"]
    assert it.consumer.pulse_times == ALL_TIMES
    assert it.consumer.pixels == ALL_PIXELS
    assert it.consumer.chunks[0].instrument.xml == "<instrument/>"
    assert status.connection is Connection.CONNECTED
    assert status.counts["reduced_events"] == len(ALL_PIXELS)
    assert server.hellos[0].start == StartRequest.start_of_run()


@pytest.mark.parametrize("size", [1, 7, 1000])
def test_however_the_bytes_are_split_the_run_is_the_same(size):
    data = b"".join(encode(packet) for packet in (*PROLOGUE, *PULSES, end_run(5)))

    def in_pieces(client: Client) -> None:
        client.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for begin in range(0, len(data), size):
            client.send_bytes(data[begin : begin + size])
        client.hold()

    with scripted_server(in_pieces) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert it.consumer.pixels == ALL_PIXELS


def _break_off(how: str) -> Callable[[Client], None]:
    def script(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:15])
        half = encode(PULSES[15])
        client.send_bytes(half[: len(half) // 2])
        if how == "reset":
            client.reset()
        elif how == "close":
            client.close()
        elif how == "garbage":
            client.send_bytes(b"\xff" * 4096)
            client.hold()
        else:
            client.hold()

    return script


@pytest.mark.parametrize("how", ["reset", "close", "garbage", "silence"])
def test_a_lost_connection_in_mid_packet_leaves_exactly_the_undisturbed_counts(how):
    timeout = 0.3 if how == "silence" else 30.0
    with (
        scripted_server(_break_off(how), whole_run) as server,
        running(server.address, silence_timeout=timeout) as it,
    ):
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
        status = it.source.status()
    assert it.consumer.story == ["began 5 diamond", "chunk 1", "ended"]
    assert it.consumer.pulse_times == ALL_TIMES
    assert it.consumer.pixels == ALL_PIXELS
    assert status.connects == 2
    replayed = status.counts["replayed_pulses"]
    assert status.counts["pulses"] == N + replayed
    assert server.hellos[1].start.time_ns <= pulse_time(replayed - 1)
    assert replayed >= 14


def test_a_gap_that_the_server_cannot_fill_is_said():
    def rest_only(client: Client) -> None:
        client.send(geometry(), state(5), *PULSES[30:], end_run(5))
        client.hold()

    with scripted_server(_break_off("close"), rest_only) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert it.consumer.story == ["began 5 diamond", "missing", "chunk 1", "ended"]
    assert it.consumer.pulse_times == ALL_TIMES[:15] + ALL_TIMES[30:]


def test_between_runs_a_new_connection_asks_for_the_start_of_the_run():
    def nothing(client: Client) -> None:
        client.send(geometry(), state(0))
        client.close()

    with scripted_server(nothing, whole_run) as server, running(server.address, StartRequest.now()) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert [hello.start for hello in server.hellos] == [StartRequest.now(), StartRequest.start_of_run()]
    assert it.consumer.story[0] == "began 5 diamond"


def test_a_start_time_is_asked_for_and_what_comes_too_early_is_left_out():
    start = StartRequest.at(pulse_time(0) + 500_000_000)
    with scripted_server(whole_run) as server, running(server.address, start) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert server.hellos[0].start == start
    assert it.consumer.pulse_times == [t for t in ALL_TIMES if t >= start.time_ns]


@pytest.mark.parametrize(
    ("banner", "sentence"),
    [
        (b"HTTP/1.1 400 Bad Request\r\nServer: nginx\r\n\r\n", "ADARA"),
        (b"SSH-2.0-OpenSSH_9.6\r\n" * 3, "ADARA"),
        (b"\x00" * 13 + b"\xff" * 64, "ADARA"),
    ],
)
def test_garbage_is_said_in_one_sentence_and_tried_again(banner, sentence):
    def talk(client: Client) -> None:
        client.send_bytes(banner)
        client.hold()

    with scripted_server(talk) as server, running(server.address) as it:
        until(lambda: server.connections >= 3)
        until(lambda: it.source.status().problem != "")
        status = it.source.status()
    assert sentence in status.problem
    assert "\n" not in status.problem
    assert status.problem.startswith(server.address)
    assert status.connects == 0
    assert it.consumer.story == []


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        return int(listening.getsockname()[1])


class HastyClock(SystemClock):
    """Does not wait, and remembers for how long it should have."""

    def __init__(self) -> None:
        self.waits: list[float] = []

    def wait(self, event: threading.Event, timeout: float) -> bool:
        self.waits.append(timeout)
        return event.wait(0.001)


def test_the_pauses_grow_as_long_as_a_server_brings_nothing_new():
    def begins_well(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:5])
        client.reset()

    clock = HastyClock()
    with (
        scripted_server(begins_well) as server,
        running(server.address, clock=clock, backoff=Backoff(1.0, 60.0)),
    ):
        until(lambda: server.connections > 8)
    # The first connection brought five pulses, the others the same ones again.
    assert 0.5 <= clock.waits[0] <= 1.0 <= clock.waits[1] <= 2.0
    assert all(30.0 <= pause <= 60.0 for pause in clock.waits[7:9])


def test_damage_that_comes_again_is_left_out_said_and_data_flow_behind_it():
    damaged = b"".join(encode(packet) for packet in (*PROLOGUE, *PULSES[:20])) + b"\xff" * 64

    def always_damaged(client: Client) -> None:
        client.send_bytes(damaged)
        client.send(*PULSES[20:], end_run(5), banked(N + 1))
        client.hold()

    with scripted_server(always_damaged) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
        counts = it.source.status().counts
    # The damage ends one connection, ends a second one at the same place, and is put up with in the third.
    assert server.connections == 3
    assert it.consumer.pixels == ALL_PIXELS
    assert counts["skipped_bytes"] == 64
    (sentence,) = it.consumer.missing
    assert sentence.startswith("64 bytes of the stream, from byte ")


def test_the_pauses_begin_anew_when_something_new_came():
    def one_more(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[: server.connections])
        client.close()

    clock = HastyClock()
    with (
        scripted_server(one_more) as server,
        running(server.address, clock=clock, backoff=Backoff(1.0, 60.0)),
    ):
        until(lambda: server.connections > 8)
    assert all(pause <= 1.0 for pause in clock.waits[:8])


def test_nobody_listens():
    with running(f"127.0.0.1:{free_port()}") as it:
        until(lambda: it.source.status().connection is Connection.WAITING)
        status = it.source.status()
    assert status.problem.startswith("Cannot connect to 127.0.0.1:")
    assert "connection refused" in status.problem
    assert "--simulate" in status.problem
    assert it.source.status().connection is Connection.CLOSED
    assert it.failure == []


def test_a_server_that_comes_later_is_found():
    port = free_port()
    with running(f"127.0.0.1:{port}") as it:
        until(lambda: it.source.status().connection is Connection.WAITING)
        with socket.create_server(("127.0.0.1", port)) as listening:
            connection, _ = listening.accept()
            client = Client(connection)
            client.read_hello()
            client.send(*PROLOGUE, *PULSES, end_run(5))
            it.consumer.wait_until(lambda: "ended" in it.consumer.story)
            connection.close()
    assert it.consumer.pixels == ALL_PIXELS


def test_asked_to_stop_the_open_chunk_is_reduced_first():
    def half(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:20])
        client.hold()

    with scripted_server(half) as server, running(server.address) as it:
        until(lambda: it.source.status().counts["reduced_pulses"] == 20)
        it.end()
    assert it.consumer.story == ["began 5 diamond", "chunk 1", "session stopped"]
    assert it.consumer.pulse_times == ALL_TIMES[:20]


def test_a_chunk_closes_when_it_is_full():
    with scripted_server(whole_run) as server, running(server.address, max_chunk_events=10) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    sizes = [chunk.n_events for chunk in it.consumer.chunks]
    assert len(sizes) > 3
    assert all(10 <= size < 13 for size in sizes[:-1])
    assert [chunk.sequence for chunk in it.consumer.chunks] == list(range(1, len(sizes) + 1))
    assert it.consumer.pixels == ALL_PIXELS


def test_a_chunk_closes_when_its_time_is_over():
    go_on = threading.Event()

    def slowly(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:20])
        assert go_on.wait(WAIT)
        client.send(*PULSES[20:], end_run(5))
        client.hold()

    with scripted_server(slowly) as server, running(server.address, update_every=0.05) as it:
        it.consumer.wait_until(lambda: "chunk 1" in it.consumer.story)
        go_on.set()
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert len(it.consumer.chunks) >= 2
    assert it.consumer.pixels == ALL_PIXELS


class SetClock(SystemClock):
    """A monotonic clock that a test moves."""

    now = 1000.0

    def monotonic(self) -> float:
        return self.now


def test_after_slow_processing_the_next_chunk_holds_what_came_meanwhile_and_is_as_long():
    """Chunks begin every max(update_every, processing time) seconds, as those of Mantid do."""
    clock = SetClock()
    address = AdaraAddress("127.0.0.1", 1)
    settings = NativeSettings("TST", 30.0, 1 << 30, 1 << 30)
    source = native_source(settings, address, StartRequest.now(), clock, Backoff(1, 1))
    consumer = Consumer()
    items = [Pulse(index, 1.0, 0, np.ones(1, np.uint32), np.ones(1, np.uint32)) for index in range(3)]
    source._queue.put(items[:2])

    def reduce_slowly(chunk):
        clock.now += 45.0
        source._queue.put(items[2:])

    consumer.on_chunk = reduce_slowly
    source._pacer.begin(clock.now, 0.0)
    source._step(consumer)
    source._step(consumer)
    assert consumer.chunks == []
    clock.now += 30.0
    source._step(consumer)
    assert [chunk.n_pulses for chunk in consumer.chunks] == [2]
    consumer.on_chunk = lambda chunk: None
    source._step(consumer)
    assert [chunk.n_pulses for chunk in consumer.chunks] == [2, 1]
    assert source._pacer.remaining(clock.now) == 30.0


def test_a_chunk_never_mixes_runs():
    def two_runs(client: Client) -> None:
        second = (new_run(6), run_info(6, "second"), banked(90), end_run(6))
        client.send(*PROLOGUE, *PULSES, end_run(5), banked(80), *second)
        client.hold()

    with scripted_server(two_runs) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: it.consumer.story.count("ended") == 2)
    assert it.consumer.story == ["began 5 diamond", "chunk 1", "ended", "began 6 second", "chunk 1", "ended"]
    assert it.consumer.pulse_times == [*ALL_TIMES, pulse_time(90)]


def test_a_session_that_ends_with_the_run_does_not_touch_the_next_one():
    gate = threading.Event()

    def two_runs(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES, end_run(5), new_run(6), banked(90), end_run(6))
        client.hold()

    with scripted_server(two_runs) as server, running(server.address, max_chunk_events=20) as it:
        it.consumer.on_chunk = lambda chunk: gate.wait(WAIT)
        it.consumer.on_end = it.stop.set
        until(lambda: it.source.status().counts["reduced_pulses"] == N + 1)
        gate.set()
        it.thread.join(WAIT)
    assert it.consumer.story[-1] == "ended"
    assert it.consumer.story.count("ended") == 1


def test_a_full_queue_stops_the_reader_and_loses_nothing():
    gate, is_full = threading.Event(), threading.Event()

    def in_two_pieces(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:20])
        assert is_full.wait(WAIT)
        client.send(*PULSES[20:], end_run(5))
        client.hold()

    with (
        scripted_server(in_two_pieces) as server,
        running(server.address, queue_events=200, max_chunk_events=1) as it,
    ):
        it.consumer.on_chunk = lambda chunk: gate.wait(WAIT)
        until(lambda: it.source._queue.is_full)
        is_full.set()
        assert it.source._queue.n_events < 200 + 3
        assert it.source.status().counts["reduced_pulses"] <= 20
        gate.set()
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert it.consumer.pixels == ALL_PIXELS


def test_what_the_consumer_raises_ends_the_source():
    def fail(chunk):
        raise RuntimeError("enough")

    with scripted_server(whole_run) as server, running(server.address, max_chunk_events=1) as it:
        it.consumer.on_chunk = fail
        it.thread.join(WAIT)
    (error,) = it.failure
    assert str(error) == "enough"


def test_a_changed_definition_closes_the_chunk():
    def moved(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:20], geometry("<other/>"), *PULSES[20:], end_run(5))
        client.hold()

    with scripted_server(moved) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    assert [(c.n_pulses, c.instrument.xml) for c in it.consumer.chunks] == [
        (20, "<instrument/>"),
        (20, "<other/>"),
    ]


def test_heartbeats_alone_keep_a_connection():
    stop = threading.Event()

    def beat(client: Client) -> None:
        client.send(geometry(), state(0))
        while not stop.wait(0.05):
            client.send(Heartbeat(time_ns=pulse_time(0)))

    with scripted_server(beat) as server, running(server.address, silence_timeout=0.4) as it:
        until(lambda: it.source.status().counts["packets"] > 20)
        assert it.source.status().connects == 1
        stop.set()


def test_columns_of_a_chunk_are_what_the_model_promises():
    with scripted_server(whole_run) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    events = it.consumer.chunks[0].events
    np.testing.assert_array_equal(np.diff(events.event_offset), [index % 4 for index in range(N)])
    np.testing.assert_array_equal(events.proton_charge_pc, np.full(N, 100.0))


def test_without_beam_the_accelerators_words_are_no_silence():
    def no_beam(client: Client) -> None:
        client.send(*PROLOGUE, *PULSES[:2])
        client.send(
            *(
                packet
                for index in range(3, 6)
                for packet in (
                    Rtdl(time_ns=pulse_time(index), proton_charge_pc=0),
                    banked(index, pixels=(), charge_pc=0),
                )
            )
        )
        client.hold()

    with scripted_server(no_beam) as server, running(server.address) as it:
        until(lambda: it.source.status().counts["pulses"] == 5)
        status = it.source.status()
        counts = status.counts
        assert (counts["rtdl_packets"], counts["beam_pulses"]) == (3, 2)
        assert status.beam_off_s is not None
        until(lambda: (it.source.status().beam_off_s or 0.0) > 0.05)
        assert it.source.status().silent_s is not None


def test_paused_data_are_left_out_or_kept_as_asked():
    story = (*PROLOGUE, *PULSES[:4], annotation(AnnotationMarker.PAUSE), *PULSES[4:8])
    rest = (annotation(AnnotationMarker.RESUME), *PULSES[8:], end_run(5))

    def play(client: Client) -> None:
        client.send(*story, *rest)
        client.hold()

    for keep, expected in ((False, [*range(4), *range(8, N)]), (True, list(range(N)))):
        selection = PulseSelection(keep_paused=keep)
        with scripted_server(play) as server, running(server.address, selection=selection) as it:
            it.consumer.wait_until(lambda: "ended" in it.consumer.story)
            (hello,) = server.hellos
        times = [t for chunk in it.consumer.chunks for t in chunk.events.pulse_time_ns.tolist()]
        assert times == [pulse_time(index) for index in expected]
        assert hello.flags == (HelloFlag.SEND_PAUSE_DATA if keep else HelloFlag.PAUSE_AGNOSTIC)


def test_events_in_no_pixel_are_said_once_for_each_chunk(caplog):
    def play(client: Client) -> None:
        others = [banked(index, pixels=range(7), bank_id=UNMAPPED_BANK) for index in range(N, N + 5)]
        client.send(*PROLOGUE, *PULSES, *others, end_run(5))
        client.hold()

    with caplog.at_level("INFO"), scripted_server(play) as server, running(server.address) as it:
        it.consumer.wait_until(lambda: "ended" in it.consumer.story)
    said = [record.getMessage() for record in caplog.records if "not in the pixel map" in record.getMessage()]
    assert len(said) == sum(1 for chunk in it.consumer.chunks if chunk.n_unmapped_events)
    assert sum(chunk.n_unmapped_events for chunk in it.consumer.chunks) == 35


def test_a_chunk_with_many_events_ends_with_its_block_and_is_not_copied():
    """What lies in two blocks would be copied together; a few events are, many are not."""
    many, few = BLOCK_EVENTS // 2, 10
    blocks = [EventBlock.of(many) for _ in range(2)]

    def pulse(index: int, block: EventBlock, n: int) -> Pulse:
        return Pulse(index, 1.0, 0, block.pixel_id[:n], block.tof[:n], block=block)

    settings = NativeSettings("TST", 30.0, 1 << 30, 1 << 30)
    clock = SetClock()
    source = native_source(settings, AdaraAddress("127.0.0.1", 1), StartRequest.now(), clock, Backoff(1, 1))
    consumer = Consumer()
    items = [pulse(0, blocks[0], few), pulse(1, blocks[1], many), pulse(2, blocks[0], few)]
    source._queue.put(items)
    source._pacer.begin(clock.now, 0.0)
    for _ in items:
        source._step(consumer)
    assert [chunk.n_events for chunk in consumer.chunks] == [few + many]
    clock.now += 30.0
    source._step(consumer)
    assert [chunk.n_events for chunk in consumer.chunks] == [few + many, few]
