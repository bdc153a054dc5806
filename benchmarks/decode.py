"""Measure how fast the stream becomes columns: from memory, and over loopback TCP beside a sender.

    python benchmarks/decode.py [--events PER_PULSE] [--banks N] [--seconds S]

From memory: walking packets that lie one after the other, beside plain reading (a sum of all words) and plain
copying of the same bytes. Over loopback: a sender in a process of its own plays recorded pulses with fresh times
as fast as the socket takes them; beside it, the same bytes into a reader that throws them away. All figures of
one run; only their ratios can be compared between machines.
"""

from __future__ import annotations

import argparse
import contextlib
import multiprocessing
import socket
import struct
import threading
import time
from multiprocessing.connection import Connection as Pipe

import numpy as np
from rows import Row, arguments, best_of, finish

from livered_core.adara import (
    BankedEvents,
    Framer,
    Rtdl,
    RunStatus,
    RunStatusCode,
    StartRequest,
    encode,
    read_pulse,
)
from livered_core.backoff import Backoff
from livered_core.chunking.selection import PulseSelection
from livered_core.clocks import SystemClock
from livered_core.model import Chunk, RunEndReason, RunInfo
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.adara_tcp import AdaraReader
from livered_core.sources.native import NativeSettings, NativeSource

START_NS = 1_790_000_000_000_000_000
TEMPLATES = 40
TURNS = 3
LONGEST_S = 60.0
PULSE_NS = 16_666_667


def pulse(rng: np.random.Generator, n_events: int, n_banks: int) -> bytes:
    edges = np.sort(rng.integers(0, n_events, n_banks - 1))
    one = np.ones(1, np.uint32)
    banked = BankedEvents(
        time_ns=START_NS,
        proton_charge_pc=23_000_000,
        source_id=one,
        intrapulse_time=one,
        tof_offset=0 * one,
        tof_corrected=np.ones(1, np.bool_),
        n_banks=np.array([n_banks]),
        bank_id=np.arange(1, n_banks + 1, dtype=np.uint32),
        bank_offset=np.concatenate([[0], edges, [n_events]]).astype(np.int64),
        pixel_id=rng.integers(0, 101_376, n_events, dtype=np.uint32),
        tof=rng.integers(3000, 166_670, n_events, dtype=np.uint32),
    )
    return encode(Rtdl(time_ns=START_NS, proton_charge_pc=23_000_000)) + encode(banked)


def from_memory(pulses: list[bytes], n_events: int, seconds: float) -> list[Row]:
    framer = Framer()
    raws = [raw for data in pulses for raw in framer.feed(data) if raw.type == 0x4000]
    columns = np.zeros((2, len(raws) * (n_events + 1000)), np.uint32)
    words = [np.frombuffer(raw.payload, "<u4") for raw in raws]

    def decode() -> None:
        at = 0
        for raw in raws:
            at += len(read_pulse(raw, columns[0, at:], columns[1, at:]).tof)

    def read() -> None:
        for each in words:
            each.sum()

    flat = columns.reshape(-1)

    def copy() -> None:
        at = 0
        for each in words:
            flat[at : at + len(each)] = each
            at += len(each)

    took = best_of(seconds, decode, copy, read)
    decoded, copied, summed = (len(raws) * n_events / each / 1e6 for each in took)
    return [
        Row(
            key="decode.columns",
            what="bytes in memory to columns",
            value=decoded,
            unit="million events/s",
            beside="plain copying of the same bytes",
            ratio=decoded / copied,
            held=True,
        ),
        Row(
            key="decode.sum",
            what="the same bytes only added up",
            value=summed,
            unit="million events/s",
            beside="plain copying",
            ratio=summed / copied,
        ),
    ]


def send(pipe: Pipe, pulses: list[bytes], n_pulses: int) -> None:
    """Wait for clients, one after another, read what each says, and send it so many pulses with fresh times."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        status = RunStatus(
            time_ns=START_NS, run_number=1, run_start_ns=START_NS, status=RunStatusCode.NEW_RUN
        )
        end = RunStatus(time_ns=START_NS, run_number=1, run_start_ns=START_NS, status=RunStatusCode.END_RUN)
        buffers = [bytearray(data) for data in pulses]
        rtdl = 16 + struct.unpack_from("<I", pulses[0])[0]
        for _ in range(2 * TURNS):
            connection, _ = listening.accept()
            with connection:
                connection.recv(64)
                connection.sendall(encode(status))
                for number in range(n_pulses):
                    data = buffers[number % len(buffers)]
                    time_ns = (START_NS - 631_152_000 * 10**9) + number * PULSE_NS
                    for at in (8, rtdl + 8):
                        struct.pack_into("<II", data, at, *divmod(time_ns, 10**9))
                    connection.sendall(data)
                connection.sendall(encode(end))
                # Who throws the bytes away leaves the last ones.
                with contextlib.suppress(ConnectionResetError):
                    connection.recv(64)


class Counting:
    """A consumer that counts, and says when the run is over."""

    def __init__(self) -> None:
        self.n_events = 0
        self.ended = threading.Event()

    def run_began(self, run: RunInfo, missing: str = "") -> None: ...

    def run_changed(self, run: RunInfo) -> None: ...

    def data_missing(self, sentence: str) -> None: ...

    def take_chunk(self, chunk: Chunk) -> None:
        self.n_events += chunk.n_events

    def replay_wanted(self) -> str:
        return ""

    def run_restarted(self, sentence: str) -> None: ...

    def update_due(self) -> None: ...

    def run_ended(self, reason: RunEndReason) -> None:
        self.ended.set()


def over_loopback(pulses: list[bytes], n_events: int, n_pulses: int) -> Row:
    ours, theirs = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(
        target=send, args=(theirs, pulses, n_pulses), daemon=True
    )
    sender.start()
    try:
        port = ours.recv()
        size = n_pulses * len(pulses[0])
        plain = client = 0.0
        for _ in range(TURNS):
            plain = max(plain, n_pulses * n_events / thrown_away(port, size))
            client = max(client, into_chunks(AdaraAddress("127.0.0.1", port), n_pulses * n_events))
    finally:
        sender.kill()
        sender.join()
    return Row(
        key="decode.loopback",
        what="from loopback into chunks, a sender on the same cores",
        value=client / 1e6,
        unit="million events/s",
        beside=f"throwing the same bytes away ({plain / 1e6:.0f} million events/s)",
        ratio=client / plain,
        held=True,
    )


def thrown_away(port: int, size: int) -> float:
    """Receive so many bytes, and give the seconds that it took."""
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x")
        room, got = bytearray(1 << 22), 0
        began = time.perf_counter()
        while got < size:
            got += connection.recv_into(room)
        return time.perf_counter() - began


def into_chunks(address: AdaraAddress, n_events: int) -> float:
    """Run the native source until the run has ended: events per second.

    Raises
    ------
    RuntimeError
        When not every event came, or the end of the run did not.
    """
    settings = NativeSettings(
        instrument="NOM",
        update_every=2.0,
        max_chunk_events=20_000_000,
        queue_events=20_000_000,
        selection=PulseSelection(),
    )
    consumer, stop = Counting(), threading.Event()
    clock = SystemClock()
    source = NativeSource(
        settings,
        lambda state, put: AdaraReader(
            address, StartRequest.start_of_run(), state, put, clock, Backoff(1.0, 2.0)
        ),
        clock,
    )
    thread = threading.Thread(target=source.run, args=(consumer, stop))
    began = time.perf_counter()
    thread.start()
    if not consumer.ended.wait(LONGEST_S):
        stop.set()
        raise RuntimeError(f"Of {n_events} events, {consumer.n_events} came within {LONGEST_S:.0f} s.")
    rate = consumer.n_events / (time.perf_counter() - began)
    stop.set()
    thread.join()
    if consumer.n_events != n_events:
        raise RuntimeError(f"Of {n_events} events that were sent, {consumer.n_events} came into chunks.")
    return rate


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=int, default=30_000, help="events of a pulse")
    parser.add_argument("--banks", type=int, default=99)
    parser.add_argument("--seconds", type=float, default=3.0, help="of the measurement from memory")
    parser.add_argument("--pulses", type=int, default=6000, help="sent over loopback")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure from memory, then over loopback."""
    rng = np.random.default_rng(1)
    less = 3 if options.quick else 1
    pulses = [pulse(rng, options.events, options.banks) for _ in range(10 * TEMPLATES // less)]
    return [
        *from_memory(pulses, options.events, options.seconds / less),
        over_loopback(pulses[:TEMPLATES], options.events, options.pulses * 2 // (1 + less)),
    ]


if __name__ == "__main__":
    main()
