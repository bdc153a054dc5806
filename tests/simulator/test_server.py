from __future__ import annotations

import logging
import queue
import socket
import threading
from collections.abc import Callable, Iterator

import attrs
import numpy as np
import pytest

from livered_core.adara import (
    BankedEvents,
    DeviceDescriptor,
    Geometry,
    Heartbeat,
    Rtdl,
    RunInfoPacket,
    RunStatus,
    RunStatusCode,
    StartRequest,
    UnknownPacket,
    VariableDouble,
    encode,
)
from livered_core.clocks import Clock, SystemClock
from livered_core.config.simulate import SimulateConfig
from livered_core.errors import ConfigError
from livered_core.simulator.beamline import build_beamline
from livered_core.simulator.emission import Emission
from livered_core.simulator.play import serve
from livered_core.simulator.server import Address, Server
from livered_core.simulator.storage import Storage
from livered_core.simulator.stream import emissions

Serve = Callable[..., tuple[str, int]]
START = 1_800_000_000 * 10**9


@pytest.fixture
def served() -> Iterator[Serve]:
    """Serve in a thread; stop at the end, and see that it does stop and without an error."""
    running: list[tuple[threading.Event, threading.Thread]] = []
    died: list[BaseException] = []

    def start(config: SimulateConfig, clock: Clock) -> tuple[str, int]:
        announced: queue.Queue[Address] = queue.Queue()
        stop = threading.Event()

        def run() -> None:
            try:
                serve(config, "TNY", Address(), stop, clock, announced.put)
            except BaseException as error:
                died.append(error)
                raise

        thread = threading.Thread(target=run, daemon=True)
        thread.start()
        running.append((stop, thread))
        address = announced.get(timeout=30.0)
        return address.host, address.port

    yield start
    for stop, thread in running:
        stop.set()
        thread.join(10.0)
        assert not thread.is_alive(), "the server does not stop"
    assert not died


def ends_last_run(packet: object) -> bool:
    return (
        isinstance(packet, RunStatus) and packet.status is RunStatusCode.END_RUN and packet.run_number == 42
    )


def is_heartbeat(packet: object) -> bool:
    return isinstance(packet, Heartbeat)


def banked(packets: list) -> list[BankedEvents]:
    return [packet for packet in packets if isinstance(packet, BankedEvents)]


def test_what_is_sent_is_what_the_beamline_makes(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    address = served(config, SystemClock())
    client = connect(address, StartRequest.start_of_run())
    packets = client.read_until(ends_last_run)
    assert len(banked(packets)) == 270
    start_ns = banked(packets)[0].time_ns
    expected = b"".join(emission.data for emission in _until_idle(config, start_ns))
    assert client.read_bytes(len(expected)) == expected


def _until_idle(config: SimulateConfig, start_ns: int) -> Iterator[Emission]:
    for emission in emissions(build_beamline(config, "TNY"), start_ns):
        if emission.idle:
            return
        yield emission


def test_a_client_at_any_moment_gets_the_run_from_its_start(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    slowly = attrs.evolve(config, speed=1.0, hold_for_client=False)
    clock = held_clock(limit=0.0)
    address = served(slowly, clock)
    early = connect(address, StartRequest.start_of_run())
    clock.let_go_on_to(1.0)
    assert clock.reached.wait(30.0)
    middle = connect(address, StartRequest.start_of_run())
    clock.let_go_on_to(1.7)
    assert clock.reached.wait(30.0)
    late = connect(address, StartRequest.start_of_run())
    for client in (early, middle, late):
        client.has_its_place()

    def in_second_run(packet: object) -> bool:
        return isinstance(packet, RunStatus) and packet.run_number == 42

    clock.let_go_on_to(3.0)
    for client in (early, middle, late):
        client.read_until(in_second_run)
    common = min(len(client.received) for client in (early, middle, late))
    assert bytes(early.received[:common]) == bytes(middle.received[:common]) == bytes(late.received[:common])
    assert common > 100_000


def test_between_runs_the_start_is_just_after_the_last(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    clock = held_clock(limit=0.0)
    address = served(attrs.evolve(config, speed=1.0, hold_for_client=False), clock)
    first = connect(address, StartRequest.start_of_run())
    first.has_its_place()
    clock.let_go_on_to(2.3)
    assert clock.reached.wait(30.0)
    between = connect(address, StartRequest.start_of_run())
    between.has_its_place()
    clock.let_go_on_to(20.0)
    packets = between.read_until(ends_last_run)
    status = [(packet.status, packet.run_number) for packet in packets if isinstance(packet, RunStatus)]
    assert status[0] == (RunStatusCode.NO_RUN, 0)
    assert (RunStatusCode.END_RUN, 41) not in status
    assert len(banked(packets)) == 30 + 120
    assert len(banked(first.read_until(ends_last_run))) == 270


def test_now_is_a_snapshot_and_then_only_new_pulses(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    clock = held_clock(limit=0.0)
    address = served(attrs.evolve(config, speed=1.0, hold_for_client=False), clock)
    clock.let_go_on_to(1.5)
    assert clock.reached.wait(30.0)
    client = connect(address, StartRequest.now())
    # The snapshot is there before anything new is sent.
    before = client.read_until(lambda packet: isinstance(packet, VariableDouble) and packet.device_id == 2)
    clock.let_go_on_to(20.0)
    packets = before + client.read_until(ends_last_run)
    assert isinstance(packets[1], RunStatus)
    assert (packets[1].status, packets[1].run_number) == (RunStatusCode.STATE, 41)
    first_pulse = next(index for index, packet in enumerate(packets) if isinstance(packet, Rtdl))
    kinds = {type(packet) for packet in packets[:first_pulse]}
    assert {Geometry, RunInfoPacket, DeviceDescriptor, VariableDouble} <= kinds
    assert packets[first_pulse].time_ns >= START + int(1.4 * 1e9)
    times = [packet.time_ns for packet in banked(packets)]
    assert np.all(np.diff(times) > 0)


def test_a_time_replays_the_run_it_lies_in(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    clock = held_clock(limit=0.0)
    address = served(attrs.evolve(config, speed=1.0, hold_for_client=False), clock)
    clock.let_go_on_to(1.5)
    assert clock.reached.wait(30.0)
    client = connect(address, StartRequest.at(START + 10**9))
    client.has_its_place()
    clock.let_go_on_to(20.0)
    times = [packet.time_ns for packet in banked(client.read_until(ends_last_run))]
    # The index is as coarse as the facility's: the server may begin earlier, and here that is the run's start.
    assert times[0] == START
    assert len(times) == 270


def test_a_slow_client_loses_nothing_and_holds_up_nobody(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    much = attrs.evolve(config, rate=400_000.0, gap=0.0, speed=1.0, hold_for_client=False)
    clock = held_clock(limit=0.0)
    address = served(much, clock)
    slow = connect(address, StartRequest.start_of_run())
    fast = connect(address, StartRequest.start_of_run())
    for client in (slow, fast):
        client.has_its_place()
    clock.let_go_on_to(20.0)
    fast_packets = fast.read_until(ends_last_run)
    assert len(banked(fast_packets)) == 240
    slow_packets = slow.read_until(ends_last_run)
    assert len(banked(slow_packets)) == 240
    assert sum(packet.n_events for packet in banked(slow_packets)) == pytest.approx(1_600_000, rel=0.01)


def test_a_client_that_goes_is_no_loss(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    clock = held_clock(limit=0.0)
    address = served(attrs.evolve(config, speed=1.0, hold_for_client=False), clock)
    stays = connect(address, StartRequest.start_of_run())
    goes = connect(address, StartRequest.start_of_run())
    for client in (stays, goes):
        client.has_its_place()
    clock.let_go_on_to(0.5)
    goes.close()
    clock.let_go_on_to(20.0)
    assert len(banked(stays.read_until(ends_last_run))) == 270


def test_the_beam_waits_for_the_first_client_when_told_to(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    address = served(config, SystemClock())
    socket.create_connection(address, timeout=10.0).close()  # no hello, no client
    client = connect(address, StartRequest.now())
    packets = client.read_until(ends_last_run)
    assert (packets[1].status, packets[1].run_number) == (RunStatusCode.NEW_RUN, 41)
    assert len(banked(packets)) == 270


def test_without_holding_the_first_run_begins_at_once(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    clock = held_clock(limit=20.0)
    address = served(attrs.evolve(config, speed=1.0, hold_for_client=False), clock)
    assert clock.reached.wait(30.0)
    client = connect(address, StartRequest.start_of_run())
    packets = client.read_until(is_heartbeat)
    assert isinstance(packets[1], RunStatus)
    assert (packets[1].status, packets[1].run_number) == (RunStatusCode.NO_RUN, 0)
    assert not banked(packets)


def test_pulses_are_never_in_the_future(
    served: Serve, connect: Callable, config: SimulateConfig, held_clock: Callable
):
    address = served(config, SystemClock())
    began_ns = SystemClock().now_ns()
    times = [
        packet.time_ns for packet in banked(connect(address, StartRequest.now()).read_until(ends_last_run))
    ]
    assert times[-1] <= SystemClock().now_ns()
    assert times[-1] > began_ns - 10**9


@pytest.fixture
def server() -> Iterator[tuple[Storage, tuple[str, int]]]:
    storage = Storage()
    server = Server(storage, SystemClock(), hello_timeout=1.0)
    address = server.start(Address())
    yield storage, (address.host, address.port)
    storage.close()
    server.close()


@pytest.mark.parametrize(
    ("sent", "said"),
    [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "is closed"),
        (bytes(range(256)) * 40, "is closed"),
        (encode(Heartbeat(time_ns=START)), "0x4009, version 0, and not with a hello"),
        (encode(UnknownPacket(time_ns=START, type=0x4006, version=9, payload=bytes(8))), "0x4006, version 9"),
        (b"\x04\x00", "no hello within 1 s"),
        (b"", "no hello within 1 s"),
    ],
    ids=["http", "garbage", "heartbeat", "newer hello", "half a word", "nothing"],
)
def test_a_client_without_a_proper_hello_is_closed_and_logged(
    server: tuple[Storage, tuple[str, int]],
    connect: Callable,
    caplog: pytest.LogCaptureFixture,
    sent: bytes,
    said: str,
):
    storage, address = server
    with caplog.at_level(logging.INFO, "livered_core.simulator"):
        bad = connect(address)
        bad.connection.sendall(sent)
        # It is closed; whether by an end or a reset depends on what it had sent.
        try:
            assert bad.connection.recv(100) == b""
        except ConnectionResetError:
            assert sent
        good = connect(address, StartRequest.start_of_run())
        storage.write(Emission(0, encode(Heartbeat(time_ns=START)), begins_era=True))
        assert isinstance(good.read(), Heartbeat)
    lines = [record.getMessage() for record in caplog.records if "is closed" in record.getMessage()]
    assert len(lines) == 1
    assert said in lines[0]
    assert "\n" not in lines[0]


def test_a_client_that_leaves_without_a_hello_is_logged(
    server: tuple[Storage, tuple[str, int]], connect: Callable, caplog: pytest.LogCaptureFixture
):
    _, address = server
    with caplog.at_level(logging.INFO, "livered_core.simulator"):
        client = connect(address)
        client.connection.shutdown(socket.SHUT_WR)
        assert client.connection.recv(100) == b""
    assert any("left without a hello" in record.getMessage() for record in caplog.records)


def test_a_hello_in_pieces_is_a_hello(server: tuple[Storage, tuple[str, int]], connect: Callable):
    from livered_core.adara import ClientHello

    storage, address = server
    client = connect(address)
    client.connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    for byte in encode(ClientHello(time_ns=START, start=StartRequest.start_of_run(), version=0)):
        client.connection.sendall(bytes([byte]))
    storage.write(Emission(0, encode(Heartbeat(time_ns=START)), begins_era=True))
    assert isinstance(client.read(), Heartbeat)


def test_when_the_server_closes_clients_see_an_end(connect: Callable):
    storage = Storage()
    server = Server(storage, SystemClock())
    address = server.start(Address())
    storage.write(Emission(0, encode(Heartbeat(time_ns=START)), begins_era=True))
    # Clients are accepted in their order: when the second one has read, the first one is not in the backlog any more.
    waits = connect((address.host, address.port))
    reads = connect((address.host, address.port), StartRequest.start_of_run())
    assert isinstance(reads.read(), Heartbeat)
    storage.close()
    assert reads.connection.recv(100) == b""
    server.close()
    server.close()
    assert waits.connection.recv(100) == b""
    with pytest.raises(OSError):
        socket.create_connection((address.host, address.port), timeout=5.0)


def test_closing_does_not_wait_for_a_client_that_does_not_read(connect: Callable):
    storage = Storage()
    server = Server(storage, SystemClock())
    address = server.start(Address())
    storage.write(Emission(0, bytes(32 << 20), begins_era=True))
    connect((address.host, address.port), StartRequest.start_of_run())
    assert server.has_client.wait(10.0)
    storage.close()
    closer = threading.Thread(target=server.close)
    closer.start()
    closer.join(10.0)
    assert not closer.is_alive()


def test_a_port_in_use_is_a_sentence():
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        server = Server(Storage(), SystemClock())
        with pytest.raises(ConfigError, match=rf"cannot listen on 127\.0\.0\.1:{port} .*another port"):
            server.start(Address("127.0.0.1", port))
        server.close()


@pytest.mark.parametrize("address", [Address("no.such.host.invalid", 0), Address("127.0.0.1", 70_000)])
def test_an_address_that_cannot_be_is_a_sentence(address: Address):
    server = Server(Storage(), SystemClock())
    with pytest.raises(ConfigError, match="cannot listen on"):
        server.start(address)
    server.close()


def test_addresses_are_written_for_people():
    assert str(Address("127.0.0.1", 31415)) == "127.0.0.1:31415"
    assert str(Address("::1", 1)) == "[::1]:1"
