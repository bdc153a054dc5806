"""Measure what the machine can do at most: memory, tables at random, loopback, a file.

    python benchmarks/limits.py [--megabytes N]

Rates are in million events/s as well, an event being the 8 bytes of a pixel id and a time of flight: no reduction on this
machine can be faster. One thread each, and for loopback a sender in a process of its own.
"""

from __future__ import annotations

import argparse
import multiprocessing
import os
import socket
import tempfile
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from rows import Row, arguments, best_of, finish

EVENT = 8
BLOCK = 1 << 20
# 8 bytes for each entry: 256 kB, 4 MB, 64 MB.
TABLES = {"l2": (1 << 15, "256 kB"), "l3": (1 << 19, "4 MB"), "memory": (1 << 23, "64 MB")}
TURNS = 3


def compiled(function: Callable[..., Any]) -> Any:
    """Compile with numba, kept on disk where there is a folder for it."""
    import numba

    try:
        return numba.njit(function, cache=True, nogil=True)
    except RuntimeError:
        return numba.njit(function, nogil=True)


def add_up(words: npt.NDArray[np.uint64]) -> Any:
    total = np.uint64(0)
    for word in words:
        total += word
    return total


def look_up(where: npt.NDArray[np.uint32], table: npt.NDArray[np.int64]) -> Any:
    total = np.int64(0)
    for index in where:
        total += table[index]
    return total


def increment(where: npt.NDArray[np.uint32], table: npt.NDArray[np.int64]) -> None:
    for index in where:
        table[index] += 1


def count_pixels(
    pixel_id: npt.NDArray[np.uint32], tof: npt.NDArray[np.uint32], table: npt.NDArray[np.int64]
) -> Any:
    """Read both columns, count each pixel: the least that a reduction of events can do."""
    total = np.int64(0)
    for index in range(len(pixel_id)):
        table[pixel_id[index]] += 1
        total += np.int64(tof[index])
    return total


def of_memory(megabytes: int, seconds: float) -> list[Row]:
    rng = np.random.default_rng(1)
    words = rng.integers(0, 1 << 60, megabytes * 125_000, dtype=np.uint64)
    room = np.empty_like(words)
    add, look, more = compiled(add_up), compiled(look_up), compiled(increment)
    copying, reading = best_of(seconds, lambda: np.copyto(room, words), lambda: add(words))
    size = words.nbytes

    def row(key: str, what: str, n_events: float, took: float, note: str, to: float | None = None) -> Row:
        beside = "" if to is None else "reading events from memory"
        rate = n_events / took
        ratio = None if to is None else rate / to
        return Row(f"limits.{key}", what, rate / 1e6, "million events/s", beside, ratio, note=note)

    read = size / EVENT / reading
    rows = [
        row("read", "memory: reading events", size / EVENT, reading, f"{size / reading / 1e9:.1f} GB/s"),
        row(
            "copy",
            "memory: copying events",
            size / EVENT,
            copying,
            f"{size / copying / 1e9:.1f} GB/s copied",
            read,
        ),
    ]
    for key, (entries, large) in TABLES.items():
        where = rng.integers(0, entries, megabytes * 25_000, dtype=np.uint32)
        looking, counting = at_random(look, more, where, np.zeros(entries, np.int64), seconds / 4)
        said = f"a table of {large}, at random"
        rows.append(row(f"look_up.{key}", f"looking up in {said}", len(where), looking, "", read))
        rows.append(row(f"increment.{key}", f"adding one in {said}", len(where), counting, "", read))
    return rows


def at_random(
    look: Any, more: Any, where: npt.NDArray[np.uint32], table: npt.NDArray[np.int64], seconds: float
) -> list[float]:
    return best_of(seconds, lambda: look(where, table), lambda: more(where, table))


def send(pipe: Connection, n_blocks: int) -> None:
    block = memoryview(bytes(BLOCK))
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        for _ in range(TURNS):
            connection, _ = listening.accept()
            with connection:
                for _ in range(n_blocks):
                    connection.sendall(block)


def of_loopback(megabytes: int) -> Row:
    ours, theirs = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(target=send, args=(theirs, megabytes), daemon=True)
    sender.start()
    port, room, best = ours.recv(), bytearray(4 * BLOCK), float("inf")
    for _ in range(TURNS):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            began = time.perf_counter()
            while connection.recv_into(room):
                pass
            best = min(best, time.perf_counter() - began)
    sender.join()
    rate = megabytes * BLOCK / best
    return Row(
        key="limits.loopback",
        what="TCP over loopback, received and thrown away",
        value=rate / EVENT / 1e6,
        unit="million events/s",
        note=f"{rate / 1e9:.1f} GB/s",
    )


def of_file(megabytes: int) -> list[Row]:
    block = np.random.default_rng(1).bytes(BLOCK)
    room = bytearray(BLOCK)
    best = {"write": float("inf"), "sync": float("inf"), "reread": float("inf")}
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        for _ in range(TURNS):
            began = time.perf_counter()
            with path.open("wb", buffering=0) as file:
                for _ in range(megabytes):
                    file.write(block)
                best["write"] = min(best["write"], time.perf_counter() - began)
                os.fsync(file.fileno())
            best["sync"] = min(best["sync"], time.perf_counter() - began)
            began = time.perf_counter()
            with path.open("rb", buffering=0) as file:
                while file.readinto(room):
                    pass
            best["reread"] = min(best["reread"], time.perf_counter() - began)
            path.unlink()
    what = {
        "write": "writing a file, as far as the system's cache",
        "sync": "writing a file, as far as the disk",
        "reread": "reading it again, from the system's cache",
    }
    return [
        Row(
            key=f"limits.file.{key}",
            what=what[key],
            value=megabytes * BLOCK / seconds / EVENT / 1e6,
            unit="million events/s",
            note=f"{megabytes * BLOCK / seconds / 1e9:.2f} GB/s",
        )
        for key, seconds in best.items()
    ]


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--megabytes", type=int, default=400, help="of each measurement")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure memory, loopback and a file."""
    less = 4 if options.quick else 1
    megabytes = options.megabytes // less
    return [*of_memory(megabytes, 2.0 / less), of_loopback(4 * megabytes), *of_file(megabytes)]


if __name__ == "__main__":
    main()
