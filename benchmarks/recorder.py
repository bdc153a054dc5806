"""Measure how fast a stream is recorded over loopback, against receiving and writing the same bytes and no more.

python benchmarks/recorder.py [--folder FOLDER] [--pulses N] [--events N]
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path

import numpy as np
from rows import Row, arguments, finish

from livered_core.adara import BankedEvents, StartRequest, encode
from livered_core.backoff import Backoff
from livered_core.clocks import SystemClock
from livered_core.recording.writer import RecordingWriter
from livered_core.sources.adara_connection import AdaraAddress
from livered_core.sources.recorder import Recorder, RecorderSettings

START_NS = 1_790_000_000_000_000_000
ROOM = 4 << 20
REPEATS = 3


def pulse(index: int, n_events: int) -> bytes:
    rng = np.random.default_rng(index)
    return encode(
        BankedEvents(
            time_ns=START_NS + index * 16_666_667,
            proton_charge_pc=20_000_000,
            source_id=np.zeros(1, np.uint32),
            intrapulse_time=np.zeros(1, np.uint32),
            tof_offset=np.zeros(1, np.uint32),
            tof_corrected=np.ones(1, np.bool_),
            n_banks=np.ones(1, np.int64),
            bank_id=np.ones(1, np.uint32),
            bank_offset=np.array([0, n_events], np.int64),
            pixel_id=rng.integers(0, 101_376, n_events, dtype=np.uint32),
            tof=rng.integers(3000, 166_670, n_events, dtype=np.uint32),
        )
    )


def send(pipe: Connection, block: bytes, n_blocks: int) -> None:
    """Send the same pulses again and again to whoever connects, twice for each repetition."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        for _ in range(2 * REPEATS):
            connection, _ = listening.accept()
            with connection:
                connection.recv(64)
                for _ in range(n_blocks):
                    connection.sendall(block)
                # Until the other side has all of it.
                connection.recv(1)


def plain(port: int, size: int, path: Path) -> float:
    """Receive and write; return bytes per second."""
    room, got = memoryview(bytearray(ROOM)), 0
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"x" * 20)
        began = time.perf_counter()
        while got < size:
            n = connection.recv_into(room)
            os.write(fd, room[:n])
            got += n
        seconds = time.perf_counter() - began
    os.close(fd)
    return size / seconds


def recorded(port: int, size: int, path: Path) -> float:
    """Record; return bytes per second."""
    clock, stop = SystemClock(), threading.Event()
    settings = RecorderSettings(AdaraAddress("127.0.0.1", port), StartRequest.now(), Backoff(1, 1))
    recorder = Recorder(settings, clock)
    writer = RecordingWriter(path, clock)
    thread = threading.Thread(target=recorder.record_until, args=(stop, writer))
    began = time.perf_counter()
    thread.start()
    while writer.written.n_bytes < size:
        time.sleep(0.001)
    seconds = time.perf_counter() - began
    stop.set()
    thread.join()
    writer.close()
    return size / seconds


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument(
        "--folder", type=Path, help="where to write; by default the system's temporary folder"
    )
    parser.add_argument("--pulses", type=int, default=6000)
    parser.add_argument("--events", type=int, default=30_000, help="events of a pulse")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Record, and receive and write, by turns; the best of each: who first touches fresh memory is the slower one."""
    block = b"".join(pulse(index, options.events) for index in range(20))
    n_blocks = max(1, options.pulses // (60 if options.quick else 20))
    ours, theirs = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(
        target=send, args=(theirs, block, n_blocks), daemon=True
    )
    sender.start()
    port, size = ours.recv(), n_blocks * len(block)
    with tempfile.TemporaryDirectory(dir=options.folder) as folder:
        bare = ours_rate = 0.0
        for number in range(REPEATS):
            bare = max(bare, plain(port, size, Path(folder) / "plain"))
            (Path(folder) / "plain").unlink()
            ours_rate = max(ours_rate, recorded(port, size, Path(folder) / f"run{number}.adara"))
            for each in Path(folder).iterdir():
                each.unlink()
    sender.join()
    return [
        Row(
            key="recorder.recorded",
            what="recorded from loopback to disk",
            value=ours_rate / 8e6,
            unit="million events/s",
            beside=f"receiving and writing the same bytes ({bare / 1e6:.0f} MB/s)",
            ratio=ours_rate / bare,
            note=f"{ours_rate / 1e6:.0f} MB/s",
        )
    ]


if __name__ == "__main__":
    main()
