"""Measure how fast the stream becomes columns: from memory, and over loopback TCP beside a sender.

    python benchmarks/decode.py [--events PER_PULSE] [--banks N] [--seconds S]

From memory: walking packets that lie one after the other, beside plain reading (a sum of all words) and plain
copying of the same bytes. Over loopback: a sender in a process of its own plays recorded pulses with fresh times
as fast as the socket takes them; beside it, the same bytes into a reader that throws them away. All figures of
one run; only their ratios can be compared between machines.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import struct
import threading
import time
from multiprocessing.connection import Connection as Pipe

import numpy as np

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


def from_memory(pulses: list[bytes], n_events: int, seconds: float) -> None:
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

    rates = {}
    for name, work in (("into columns", decode), ("plain copy", copy), ("plain sum", read)):
        work()
        rates[name] = best_rate(work, len(raws) * n_events, seconds)
        print(f"from memory, {name}: {rates[name] / 1e6:.0f} M events/s")
    print(f"  into columns / plain copy: {rates['into columns'] / rates['plain copy']:.2f}")


def best_rate(work: object, n_events: int, seconds: float) -> float:
    best, end = 0.0, time.perf_counter() + seconds
    while time.perf_counter() < end:
        began = time.perf_counter()
        work()  # type: ignore[operator]
        best = max(best, n_events / (time.perf_counter() - began))
    return best


def send(pipe: Pipe, pulses: list[bytes], n_pulses: int) -> None:
    """Wait for a client, read its hello or nothing, and send so many pulses with fresh times."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        status = RunStatus(
            time_ns=START_NS, run_number=1, run_start_ns=START_NS, status=RunStatusCode.NEW_RUN
        )
        end = RunStatus(time_ns=START_NS, run_number=1, run_start_ns=START_NS, status=RunStatusCode.END_RUN)
        buffers = [bytearray(data) for data in pulses]
        rtdl = 16 + struct.unpack_from("<I", pulses[0])[0]
        for _ in range(2):
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


def over_loopback(pulses: list[bytes], n_events: int, n_pulses: int) -> None:
    ours, theirs = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(
        target=send, args=(theirs, pulses, n_pulses), daemon=True
    )
    sender.start()
    port = ours.recv()
    size = n_pulses * len(pulses[0])
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x")
        room, got = bytearray(1 << 22), 0
        began = time.perf_counter()
        while got < size:
            got += connection.recv_into(room)
        plain = n_pulses * n_events / (time.perf_counter() - began)
    print(f"loopback, thrown away: {plain / 1e6:.0f} M events/s")
    client, complete = into_chunks(AdaraAddress("127.0.0.1", port), n_pulses * n_events)
    sender.kill()
    print(f"loopback, into chunks: {client / 1e6:.0f} M events/s ({complete})")
    print(f"  into chunks / thrown away: {client / plain:.2f}")


def into_chunks(address: AdaraAddress, n_events: int) -> tuple[float, str]:
    """Run the native source until the run has ended: events per second, and whether all came."""
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
    consumer.ended.wait()
    rate = consumer.n_events / (time.perf_counter() - began)
    stop.set()
    thread.join()
    complete = consumer.n_events == n_events
    return rate, "every event" if complete else f"{consumer.n_events} OF {n_events} EVENTS"


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--events", type=int, default=30_000, help="events of a pulse")
    parser.add_argument("--banks", type=int, default=99)
    parser.add_argument("--seconds", type=float, default=2.0, help="of each measurement from memory")
    parser.add_argument("--pulses", type=int, default=20_000, help="sent over loopback")
    arguments = parser.parse_args()
    rng = np.random.default_rng(1)
    pulses = [pulse(rng, arguments.events, arguments.banks) for _ in range(10 * TEMPLATES)]
    from_memory(pulses, arguments.events, arguments.seconds)
    over_loopback(pulses[:TEMPLATES], arguments.events, arguments.pulses)


if __name__ == "__main__":
    main()
