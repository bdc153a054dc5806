from __future__ import annotations

import socket
import threading
import time
from typing import Any

import attrs
import numpy as np
import pytest

from livered_core import Chunk, EventBatch, InstrumentDefinition, MonitorEvents, PixelMap, RunInfo, SlowLog
from livered_core.adara import BankedEvents, ClientHello, Framer, Heartbeat, StartRequest, decode, encode
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.native import NativeSettings, NativeSource
from livered_core.testing import fake_stream_server, stream_connection
from livered_core.testing.fake_stream_server import StreamServer, stream_server
from livered_core.testing.stream_connection import StreamConnection
from livered_core.testing.stream_packets import (
    run_packets,
    with_pulse_twice,
    with_pulses_swapped,
    without_pulse,
)
from livered_core.testing.stream_steps import (
    close_within,
    drip,
    garbage,
    half_close,
    hang_up,
    heartbeats,
    hold,
    reset,
    reset_within,
    silence,
    wait_for,
)
from waiting import until

pytestmark = pytest.mark.usefixtures("no_leaks")

SECOND = 1_000_000_000
START = 1_790_000_000 * SECOND
PULSE = 16_666_667
RUN = RunInfo(7, "TST", "IPTS-1", "diamond", START, {"name": "C"})
DEFINITION = InstrumentDefinition("TST", "<instrument/>")
BEATS = [Heartbeat(time_ns=START + n) for n in range(5)]
BYTES = b"".join(map(encode, BEATS))


def events(n_pulses: int = 6, first: int = 0) -> EventBatch:
    counts = np.arange(n_pulses) % 4
    n = int(counts.sum())
    return EventBatch(
        pixel_id=np.arange(n, dtype=np.uint32) % 5,
        tof=np.arange(1000, 1000 + n, dtype=np.uint32),
        pulse_time_ns=START + PULSE * np.arange(first, first + n_pulses, dtype=np.int64),
        proton_charge_pc=np.linspace(1e7, 2e7, n_pulses).round(-1),
        event_offset=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64),
        flags=np.zeros(n_pulses, np.uint32),
    )


def a_chunk(batch: EventBatch, **fields: Any) -> Chunk:
    return Chunk(
        sequence=1,
        model="native",
        data=batch,
        first_pulse_ns=int(batch.pulse_time_ns[0]),
        last_pulse_ns=int(batch.pulse_time_ns[-1]),
        n_pulses=batch.n_pulses,
        n_events=batch.n_events,
        proton_charge_pc=float(batch.proton_charge_pc.sum()),
        **fields,
    )


def a_log(name: str, device: str, unit: str, times: list[int], values: list[Any]) -> SlowLog:
    dtype = np.float64 if isinstance(values[0], float) else object
    column = np.empty(len(values), dtype)
    column[:] = values
    return SlowLog(name, device, unit, np.array(times, np.int64), column)


@attrs.define(eq=False)
class Consumer:
    """Takes what livered's own client makes of a stream, until the run ends."""

    stop: threading.Event = attrs.field(factory=threading.Event)
    runs: list[RunInfo] = attrs.field(factory=list)
    chunks: list[Chunk] = attrs.field(factory=list)
    missing: list[str] = attrs.field(factory=list)

    def run_began(self, run, missing=""):
        self.runs.append(run)

    def run_changed(self, run):
        self.runs.append(run)

    def run_restarted(self, sentence):
        raise AssertionError(sentence)

    def data_missing(self, sentence):
        self.missing.append(sentence)

    def take_chunk(self, chunk):
        self.chunks.append(chunk)

    def replay_wanted(self):
        return ""

    def update_due(self):
        pass

    def run_ended(self, reason):
        self.stop.set()


def read_with_livered(address: str) -> Consumer:
    consumer = Consumer()
    settings = NativeSettings(
        instrument="TST", update_every=3600.0, max_chunk_events=10**9, queue_events=10**9
    )
    clock = SystemClock()

    def reader(state, put):
        where = AdaraAddress.parse(address, 5.0, 30.0)
        return AdaraReader(where, StartRequest.start_of_run(), state, put, clock, Backoff(0.01, 0.05))

    NativeSource(settings, reader, clock).run(consumer, consumer.stop)
    return consumer


def connect(server: StreamServer, *, hello: bool = True) -> socket.socket:
    client = socket.create_connection(("127.0.0.1", server.port), timeout=10.0)
    if hello:
        client.sendall(encode(ClientHello(time_ns=START, start=StartRequest.now())))
    return client


def read_all(client: socket.socket) -> bytes:
    data = b""
    while piece := client.recv(1 << 16):
        data += piece
    return data


def received(*script: Any) -> bytes:
    """What a client gets until the server closes."""
    with stream_server([*script, hang_up]) as server, connect(server) as client:
        return read_all(client)


class TestRunPackets:
    def test_a_run_arrives_as_it_was_given(self):
        batch = events()
        packets = run_packets(RUN, batch, DEFINITION)
        with stream_server([*packets, hold]) as server:
            seen = read_with_livered(server.address)
            assert server.hellos[0].start.is_start_of_run
        assert seen.runs[-1] == RUN
        [chunk] = seen.chunks
        for column in ("pixel_id", "tof", "pulse_time_ns", "proton_charge_pc", "event_offset", "flags"):
            np.testing.assert_array_equal(getattr(chunk.events, column), getattr(batch, column), column)
        assert chunk.instrument == DEFINITION
        assert seen.missing == []

    def test_chunks_bring_logs_monitors_and_the_pixel_map(self):
        first, second = events(), events(first=6)
        times = first.pulse_time_ns.tolist()
        temperature = a_log("SampleTemp", "furnace", "K", [START - 50 * SECOND, times[2]], [300.0, 301.5])
        later = a_log("SampleTemp", "furnace", "K", [times[2], times[2] + 1], [301.5, 302.0])
        shutter = a_log("Shutter", "", "", [START], ["open"])
        spectrum = a_log("Trace", "furnace", "V", [times[1]], [np.array([1.0, 2.5])])
        monitor = MonitorEvents(first.pulse_time_ns[1:3], np.array([0, 2, 3]), np.array([9, 8, 7], np.uint32))
        pixel_map = PixelMap(np.arange(4, dtype=np.uint32), np.array([2, 2, 1, 1], np.uint32))
        chunks = [
            a_chunk(
                first,
                instrument=DEFINITION,
                logs={"SampleTemp": temperature, "Shutter": shutter, "Trace": spectrum},
                monitors={3: monitor},
                pixel_map=pixel_map,
            ),
            a_chunk(second, logs={"SampleTemp": later}),
        ]
        with stream_server([*run_packets(RUN, chunks), hold]) as server:
            [chunk] = read_with_livered(server.address).chunks
        assert chunk.n_pulses == 12
        assert chunk.n_unmapped_events == np.count_nonzero(first.pixel_id == 4) * 2 > 0
        assert chunk.n_events == first.n_events * 2 - chunk.n_unmapped_events
        np.testing.assert_array_equal(chunk.pixel_map.bank_id, pixel_map.bank_id)
        assert chunk.instrument == DEFINITION
        np.testing.assert_array_equal(chunk.monitors[3].tof, monitor.tof)
        np.testing.assert_array_equal(chunk.monitors[3].pulse_time_ns, monitor.pulse_time_ns)
        logs = chunk.logs
        assert (logs["SampleTemp"].device, logs["SampleTemp"].unit) == ("furnace", "K")
        assert logs["SampleTemp"].value.tolist() == [300.0, 301.5, 302.0]
        assert logs["SampleTemp"].time_ns.tolist() == [START - 50 * SECOND, times[2], times[2] + 1]
        assert logs["Shutter"].value.tolist() == ["open"]
        np.testing.assert_array_equal(logs["Trace"].value[0], [1.0, 2.5])

    def test_events_of_a_pulse_are_ordered_by_bank(self):
        pixel_map = PixelMap(np.arange(4, dtype=np.uint32), np.array([2, 1, 2, 1], np.uint32))
        batch = EventBatch(
            np.array([0, 1, 2, 3, 0], np.uint32),
            np.array([10, 11, 12, 13, 14], np.uint32),
            np.array([START], np.int64),
            np.array([100.0]),
            np.array([0, 5], np.int64),
            np.array([0x21], np.uint32),
        )
        [pulse] = pulses_of(run_packets(RUN, a_chunk(batch, pixel_map=pixel_map)))
        assert pulse.bank_id.tolist() == [1, 2]
        assert pulse.bank_offset.tolist() == [0, 2, 5]
        assert pulse.tof.tolist() == [11, 13, 10, 12, 14]
        assert pulse.pixel_id.tolist() == [1, 3, 0, 2, 0]
        assert (pulse.flags, pulse.proton_charge_pc) == (0x21, 100)

    def test_a_run_may_go_on(self):
        assert run_packets(RUN, events(), end=False) == run_packets(RUN, events())[:-1]

    def test_no_pulses_are_a_run_too(self):
        packets = run_packets(RUN, EventBatch.empty())
        assert [type(packet).__name__ for packet in packets] == [
            "RunStatus",
            "BeamlineInfo",
            "RunInfoPacket",
            "RunStatus",
        ]

    def test_a_start_that_is_not_known_is_that_of_the_first_pulse(self):
        packets = run_packets(attrs.evolve(RUN, start_ns=0), events(first=60))
        assert packets[0].run_start_ns == START + 60 * PULSE


def pulses_of(packets: list[Any]) -> list[BankedEvents]:
    return [packet for packet in packets if isinstance(packet, BankedEvents)]


class TestChangesOfARun:
    packets = run_packets(RUN, events())
    times = (START + PULSE * np.arange(6)).tolist()

    def test_a_pulse_twice(self):
        t = self.times
        changed = with_pulse_twice(self.packets, 1)
        assert [pulse.time_ns for pulse in pulses_of(changed)] == [t[0], t[1], *t[1:]]
        assert len(changed) == len(self.packets) + 1

    def test_pulses_swapped(self):
        t = self.times
        changed = with_pulses_swapped(self.packets, 0, -1)
        assert [pulse.time_ns for pulse in pulses_of(changed)] == [t[-1], *t[1:-1], t[0]]

    def test_a_pulse_left_out(self):
        t = self.times
        assert [pulse.time_ns for pulse in pulses_of(without_pulse(self.packets, 2))] == [*t[:2], *t[3:]]

    @pytest.mark.parametrize("pulse", [6, -7])
    def test_there_must_be_one(self, pulse):
        with pytest.raises(IndexError, match=f"There is no pulse {pulse}: the packets have 6 pulses"):
            without_pulse(self.packets, pulse)


class Counting(StreamConnection):
    """Writes down what would be sent."""

    def __init__(self, tcp: socket.socket) -> None:
        super().__init__(tcp)
        self.sent: list[bytes] = []

    def send_bytes(self, data: bytes) -> None:
        self.sent.append(data)


class TestSteps:
    def test_packets_bytes_and_steps_come_in_their_order(self):
        seen = []
        data = received(BEATS[0], b"raw!", lambda connection: seen.append(connection.hello), BEATS[1])
        assert data == encode(BEATS[0]) + b"raw!" + encode(BEATS[1])
        assert [type(each) for each in seen] == [ClientHello]

    def test_what_comes_before_a_step_is_sent_before_it(self):
        gate = threading.Event()
        with stream_server([*BEATS, wait_for(gate), b"after", hang_up]) as server, connect(server) as client:
            assert client.recv(len(BYTES), socket.MSG_WAITALL) == BYTES
            gate.set()
            assert read_all(client) == b"after"

    def test_a_long_run_is_sent_in_pieces(self):
        many = [bytes([number]) * (1 << 16) for number in range(9)]
        with socket.socket() as unused:
            connection = Counting(unused)
            connection.play([*many, b"end"])
        assert connection.sent == [b"".join(many[:4]), b"".join(many[4:8]), many[8] + b"end"]

    def test_half_close_ends_the_data_and_keeps_the_connection(self):
        ended = threading.Event()
        with stream_server([*BEATS, half_close, lambda _: ended.set()]) as server:
            with connect(server) as client:
                assert read_all(client) == BYTES
                client.sendall(b"still here")
                assert not ended.is_set()
            until(ended.is_set)

    def test_reset_is_an_error_for_the_client(self):
        with (
            stream_server(reset) as server,
            connect(server) as client,
            pytest.raises(ConnectionResetError),
        ):
            client.recv(10)

    def test_a_packet_may_end_in_the_middle(self):
        packet = pulses_of(run_packets(RUN, events()))[3]
        whole = encode(packet)
        with stream_server(
            [*BEATS, close_within(packet)], [close_within(packet, 5)], [reset_within(packet)]
        ) as server:
            with connect(server) as client:
                assert read_all(client) == BYTES + whole[: len(whole) // 2]
            with connect(server) as client:
                assert read_all(client) == whole[:5]
            with connect(server) as client, pytest.raises(ConnectionResetError):
                while client.recv(1 << 16):
                    pass

    def test_garbage_is_the_same_each_time(self):
        assert received(garbage(50, seed=3)) == garbage(50, seed=3)
        assert garbage(50, seed=3) != garbage(50, seed=4)

    def test_a_drip_comes_in_pieces_and_whole(self):
        with socket.socket() as tcp:
            connection = Counting(tcp)
            drip(BEATS, n_bytes=7, every_s=0.0)(connection)
            # Else the system puts them together.
            assert tcp.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY)
        assert b"".join(connection.sent) == BYTES
        assert max(map(len, connection.sent)) == 7
        assert received(drip([*BEATS, b"end"], n_bytes=7, every_s=0.0)) == BYTES + b"end"

    def test_a_drip_needs_bytes(self):
        with pytest.raises(ValueError, match="n_bytes must be at least 1"):
            drip(BEATS, n_bytes=0)

    def test_silence_is_as_long_as_asked(self):
        began = time.monotonic()
        assert received(silence(0.05)) == b""
        assert time.monotonic() - began >= 0.05

    def test_heartbeats_are_packets_of_this_moment(self):
        framer = Framer()
        packets = [decode(raw) for raw in framer.feed(received(heartbeats(0.02, every_s=0.001)))]
        assert len(packets) > 1
        assert {type(packet) for packet in packets} == {Heartbeat}
        assert abs(packets[0].time_ns - time.time_ns()) < 60 * SECOND


class TestServer:
    def test_each_connection_has_its_script_and_the_last_one_stays(self):
        with stream_server([b"one", hang_up], [b"two", hang_up]) as server:
            answers = []
            for _ in range(3):
                with connect(server) as client:
                    answers.append(read_all(client))
            assert answers == [b"one", b"two", b"two"]
            assert server.connections == len(server.hellos) == 3

    def test_connections_are_served_at_the_same_time(self):
        scripts = ([hold], [b"second", hang_up])
        with stream_server(*scripts) as server, connect(server), connect(server) as second:
            assert read_all(second) == b"second"

    def test_what_a_script_raises_comes_at_the_end(self):
        def fails(connection):
            raise KeyError("a wrong script")

        reached = False
        with pytest.raises(KeyError, match="a wrong script"), stream_server(fails) as server:
            with connect(server):
                until(lambda: server.errors)
            reached = True
        assert reached

    def test_a_client_that_goes_is_no_error(self):
        def endless(connection):
            while True:
                connection.send_bytes(bytes(1 << 16))

        with stream_server(endless) as server:
            connect(server).close()
            connect(server, hello=False).close()
            until(lambda: server.connections == 2)
            until(lambda: not [each for each in threading.enumerate() if "connection" in each.name])
        assert server.errors == []

    @pytest.mark.parametrize(
        "script",
        [[hold], [silence(1000.0)], [wait_for(threading.Event())], [heartbeats(1000.0)], [half_close]],
        ids=["hold", "silence", "wait_for", "heartbeats", "half_close"],
    )
    def test_the_end_of_the_server_ends_what_waits(self, script):
        began = time.monotonic()
        with stream_server([b"x", *script]) as server, connect(server) as client:
            assert client.recv(1) == b"x"
        assert time.monotonic() - began < 10.0
        assert server.errors == []

    def test_no_thread_and_no_port_is_left(self):
        before = set(threading.enumerate())
        with stream_server([hold]) as server, connect(server):
            until(lambda: server.hellos)
            assert [thread for thread in threading.enumerate() if str(server.port) in thread.name]
        assert set(threading.enumerate()) == before
        with pytest.raises(ConnectionRefusedError):
            connect(server)

    def test_another_first_packet_is_an_error(self):
        with (
            pytest.raises(AssertionError, match="first packet is a Heartbeat: it must be a ClientHello"),
            stream_server([hold]) as server,
            connect(server, hello=False) as client,
        ):
            client.sendall(BYTES)
            until(lambda: server.errors)

    def test_an_event_that_never_comes_is_an_error(self, monkeypatch):
        monkeypatch.setattr(stream_connection, "PATIENCE_S", 0.02)
        with (
            pytest.raises(TimeoutError, match="an event that the test has not set"),
            stream_server([wait_for(threading.Event())]) as server,
            connect(server),
        ):
            until(lambda: server.errors)

    def test_a_script_that_does_not_end_is_an_error(self, monkeypatch):
        gate = threading.Event()
        try:
            with (
                pytest.raises(RuntimeError, match="still runs 0.05 s after its end .*connection 1"),
                stream_server(lambda _: gate.wait()) as server,
                connect(server),
            ):
                until(lambda: server.hellos)
                monkeypatch.setattr(fake_stream_server, "PATIENCE_S", 0.05)
        finally:
            gate.set()

    def test_it_needs_a_script(self):
        with pytest.raises(ValueError, match="needs a script"):
            StreamServer()

    def test_it_is_for_one_time(self):
        server = StreamServer([hold])
        server.start()
        server.start()
        server.close()
        server.close()
        with pytest.raises(RuntimeError, match="is closed: make another one"):
            server.start()
