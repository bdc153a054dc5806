"""Each fault as a client sees it: a bare socket, and livered's own reader, which must not lose anything."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from adara_support import banked, beam_monitors, end_run, geometry, new_run, pulse_time, run_info
from livered_core.adara import ClientHello, HelloFlag, StartRequest, encode
from livered_core.backoff import Backoff
from livered_core.chunking.items import DataMissing, Pulse, RunStopped
from livered_core.chunking.stream_state import StreamState
from livered_core.clocks import SystemClock
from livered_core.config.faults import CONNECTION_FAULTS, STREAM_FAULTS, Fault, parse_fault
from livered_core.simulator.emission import Emission
from livered_core.simulator.faults import cause
from livered_core.simulator.line import Line
from livered_core.simulator.server import Address, Server
from livered_core.simulator.storage import Start, Storage
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_tcp import AdaraReader

WAIT = 20.0
N = 60
BEFORE = b"".join(map(encode, [new_run(5), run_info(5), geometry()]))
PULSES = [encode(banked(i, pixels=[i] * (1 + i % 7))) + encode(beam_monitors(i, {1: 2})) for i in range(N)]
AT = 25


def storage_with(*faults: Fault, closed: bool = True) -> Storage:
    """A run of N pulses; the faults happen before pulse AT, one after the other."""
    storage = Storage()
    storage.write(Emission(pulse_time(0), BEFORE, begins_era=True))
    for index, pulse in enumerate(PULSES):
        if index == AT:
            for fault in faults:
                storage.write(Emission(pulse_time(index), b"", fault=fault))
        storage.write(Emission(pulse_time(index), pulse))
    storage.write(Emission(pulse_time(N), encode(end_run(5))))
    if closed:
        storage.close()
    return storage


SENT_BEFORE = BEFORE + b"".join(PULSES[:AT])
WHOLE = BEFORE + b"".join(PULSES) + encode(end_run(5))


@contextmanager
def served(storage: Storage) -> Iterator[tuple[str, int]]:
    server = Server(storage, SystemClock())
    address = server.start(Address())
    try:
        yield address.host, address.port
    finally:
        storage.close()
        server.close()


@contextmanager
def client(address: tuple[str, int]) -> Iterator[socket.socket]:
    with socket.create_connection(address, timeout=WAIT) as connection:
        hello = ClientHello(
            time_ns=pulse_time(0), start=StartRequest.start_of_run(), flags=HelloFlag.PAUSE_AGNOSTIC
        )
        connection.sendall(encode(hello))
        yield connection


def all_of(connection: socket.socket) -> bytes:
    received = b""
    while data := connection.recv(1 << 16):
        received += data
    return received


def received(*faults: str) -> bytes:
    with served(storage_with(*map(parse_fault, faults))) as address, client(address) as connection:
        return all_of(connection)


def test_close_ends_the_stream_between_two_packets_and_the_next_connection_is_spared():
    with served(storage_with(parse_fault("close@1"))) as address:
        with client(address) as connection:
            assert all_of(connection) == SENT_BEFORE
        with client(address) as connection:
            assert all_of(connection) == WHOLE


def test_reset_is_a_reset():
    with (
        served(storage_with(parse_fault("reset@1"))) as address,
        client(address) as connection,
        pytest.raises(ConnectionResetError),
    ):
        all_of(connection)


def test_half_close_ends_the_stream_and_waits_for_the_client_to_close():
    storage = storage_with(parse_fault("half-close@1"), closed=False)
    with served(storage) as address, client(address) as connection:
        assert all_of(connection) == SENT_BEFORE
        # Our side can still send, for as long as the other one reads.
        for _ in range(3):
            connection.sendall(b"still there?")


def test_stall_sends_nothing_for_its_time_and_goes_on():
    with served(storage_with(parse_fault("stall@1:0.5"))) as address, client(address) as connection:
        connection.settimeout(0.25)
        got = b""
        with pytest.raises(TimeoutError):
            while data := connection.recv(1 << 16):
                got += data
        assert got == SENT_BEFORE
        connection.settimeout(WAIT)
        assert got + all_of(connection) == WHOLE


@pytest.mark.parametrize("fault", ["trickle@1:0.1", "split@1:30"])
def test_small_pieces_are_the_same_bytes(fault: str):
    assert received(fault) == WHOLE


@pytest.mark.parametrize(("fault", "longest"), [("trickle@1:0.1", 7), ("split@1:30", 1500)])
def test_small_pieces_are_sent_one_by_one(fault: str, longest: int):
    ours, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    large = encode(banked(0, pixels=range(1000)))
    storage = Storage()
    storage.write(Emission(0, large * 3))
    storage.close()
    with ours, theirs:
        theirs.settimeout(WAIT)
        line = Line(ours, storage.read_from(Start.ERA), SystemClock(), threading.Event())

        def send() -> None:
            cause(parse_fault(fault), line)
            ours.shutdown(socket.SHUT_WR)

        thread = threading.Thread(target=send)
        thread.start()
        pieces = list(iter(lambda: theirs.recv(1 << 20), b""))
        thread.join(WAIT)
    assert b"".join(pieces)[: len(large)] == large
    assert len(pieces) > 10
    assert max(map(len, pieces)) <= longest


def test_truncate_leaves_out_the_second_half_of_a_packet():
    cut = encode(banked(AT, pixels=[AT] * (1 + AT % 7)))
    kept = 16 + (len(cut) - 16) // 2
    assert (
        received("truncate@1")
        == SENT_BEFORE + WHOLE[len(SENT_BEFORE) :][:kept] + WHOLE[len(SENT_BEFORE) + len(cut) :]
    )


def test_oversize_and_garbage_come_between_packets():
    rest = WHOLE[len(SENT_BEFORE) :]
    data = received("oversize@1")
    assert data[len(SENT_BEFORE) :][:4] == b"\xf0\xff\xff\xff"
    assert data == SENT_BEFORE + data[len(SENT_BEFORE) :][:16] + rest
    data = received("garbage@1:500")
    assert data == SENT_BEFORE + data[len(SENT_BEFORE) :][:500] + rest


@pytest.mark.parametrize("fault", sorted(CONNECTION_FAULTS))
def test_our_reader_gets_every_pulse_once_whatever_happens(fault: str):
    measure = {"stall": ":1.2", "trickle": ":0.1", "split": ":30"}.get(fault, "")
    storage = storage_with(parse_fault(f"{fault}@1{measure}"), closed=False)
    items, stop = [], threading.Event()

    def put(said) -> bool:
        items.extend(said)
        if any(isinstance(item, RunStopped) for item in said):
            stop.set()
        return True

    with served(storage) as (host, port):
        state = StreamState("TST")
        reader = AdaraReader(
            AdaraAddress(host, port, 5.0, 0.6),
            StartRequest.start_of_run(),
            state,
            put,
            SystemClock(),
            Backoff(0.01, 0.02),
        )
        thread = threading.Thread(target=reader.read_until, args=(stop,))
        thread.start()
        thread.join(WAIT)
        stop.set()
        thread.join(WAIT)
    pulses = [item for item in items if isinstance(item, Pulse)]
    assert [pulse.time_ns for pulse in pulses] == [pulse_time(i) for i in range(N)]
    assert [len(pulse.tof) for pulse in pulses] == [1 + i % 7 for i in range(N)]
    assert not [item for item in items if isinstance(item, DataMissing)]
    assert reader.status.connects == (1 if fault in ("trickle", "split") else 2)


def test_faults_are_written_as_name_time_and_measure():
    assert parse_fault("reset@30") == Fault("reset", 30.0)
    assert parse_fault("stall@0.5:2") == Fault("stall", 0.5, 2.0)
    assert parse_fault("garbage@1").value == 1000.0
    for name in [*CONNECTION_FAULTS, *STREAM_FAULTS]:
        fault = parse_fault(f"{name}@3")
        assert parse_fault(str(fault)) == fault
        assert fault.is_of_connection == (name in CONNECTION_FAULTS)


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("reset", "is not a fault: write NAME@SECONDS"),
        ("reset@", "is not a fault"),
        ("reset@-1", "is not a fault"),
        ("fire@3", "'fire' is not the name of a fault; there are reset, close"),
        ("reset@3:4", "reset has no measure: write reset@3"),
        ("stall@3:0", "must be above 0"),
        ("stall@1.2.3", "1.2.3 is not a number of seconds"),
        ("stall@9999999999", "is not a number of seconds"),
    ],
)
def test_what_is_no_fault_is_said(text: str, sentence: str):
    with pytest.raises(ValueError) as caught:
        parse_fault(text)
    assert sentence in str(caught.value)
