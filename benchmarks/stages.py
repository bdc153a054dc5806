"""Measure each stage of the way of an event by itself, on the same pulses: what it takes, and its share of the whole.

    python benchmarks/stages.py [--calibration FILE] [--megaevents N]

Pulses of NOMAD's form, events of 99 banks in each: 300 events (a dim beam), 4200, and 100 thousand (more than 5 million
events a second). Stages are receiving from loopback (processor time of the thread that receives), framing, decoding,
assembling (all else that is done until a chunk is closed), focusing and accumulating, on one thread; what is done for each
update is counted at NOMAD's design rate and an update every two seconds, 50 million events. `focus` and those after it are
of NOM with every option, and the same for all pulses. The whole is their sum: what one core could do.
"""

from __future__ import annotations

import argparse
import multiprocessing
import socket
import struct
import tempfile
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from decode import START_NS, pulse
from monitor import post_all
from rows import Row, arguments, best_of, figure, finish
from sessions import DEFINITION, Bench, bench, update_of

from livered_core import Chunk, InstrumentDefinition, Result, RunInfo, SessionInfo
from livered_core.adara import Framer, RawPacket, RunStatus, RunStatusCode, encode, read_pulse
from livered_core.chunking.builder import ChunkBuilder
from livered_core.chunking.intake import Intake
from livered_core.chunking.items import Pulse
from livered_core.chunking.selection import PulseSelection
from livered_core.chunking.stream_state import StreamState
from livered_core.diffraction import focus, read_calibration
from livered_core.geometry import read_instrument
from livered_core.publish.as_json import ResultEncoder
from livered_core.publish.latest import Published
from livered_core.publish.nexus import nexus_bytes
from livered_core.publish.run_directory import RunDirectory
from livered_core.sources.pulse_queue import PulseQueue
from livered_nom.plugin import NomPlugin
from livered_nom.prepared import prepare
from livered_nom.settings import NomSettings
from livered_nom.settings_references import ReferenceSettings
from livered_nom.settings_total import TotalScatteringSettings

SIZES = (300, 4200, 100_000)
N_BANKS = 99
PULSE_NS = 16_666_667
EPICS_EPOCH_NS = 631_152_000 * 10**9
TEMPLATES = 12
PER_UPDATE = 50_000_000
TURNS = 3
RUN = RunInfo(number=1, instrument="NOM", title="made up", start_ns=START_NS)
NS = 1e9


@attrs.frozen
class Reading:
    """Nanoseconds an event of the stages of the reader, and a chunk of what it made."""

    receive: float
    frame: float
    decode: float
    assemble: float
    chunk: Chunk


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--calibration", help="a calibration file; a made-up one of NOMAD's size without")
    parser.add_argument("--megaevents", type=float, default=12.0, help="events of each measurement, millions")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure the stages of the reader for pulses of each size, then those after it."""
    n_events = int(options.megaevents * 1e6) // (6 if options.quick else 1)
    with bench(options) as where:
        readings = {size: read_all(size, n_events) for size in SIZES}
        after = of_plugin(where, readings[SIZES[-1]].chunk, 1.0 if options.quick else 5.0)
    return rows_of(readings, after)


def stream(size: int, n_pulses: int) -> bytes:
    """Give the bytes of the beginning of a run: pulses of so many events, each with its own time."""
    rng = np.random.default_rng(size)
    templates = [bytearray(pulse(rng, size, N_BANKS)) for _ in range(TEMPLATES)]
    rtdl = 16 + struct.unpack_from("<I", templates[0])[0]
    status = RunStatus(time_ns=START_NS, run_number=1, run_start_ns=START_NS, status=RunStatusCode.NEW_RUN)
    parts = [encode(status)]
    for number in range(n_pulses):
        data = templates[number % TEMPLATES]
        when = divmod(START_NS - EPICS_EPOCH_NS + number * PULSE_NS, 10**9)
        for at in (8, rtdl + 8):
            struct.pack_into("<II", data, at, *when)
        parts.append(bytes(data))
    return b"".join(parts)


def read_all(size: int, n_events: int) -> Reading:
    """Measure the stages of the reader; the best of some turns of each."""
    # The packets of small pulses are large beside their events.
    n_pulses = max(20, n_events // size // (4 if size < 1000 else 1))
    data = stream(size, n_pulses)
    count = n_pulses * size
    framing = min(framed(data) for _ in range(TURNS))
    decoding = min(decoded(data, size) for _ in range(TURNS))
    whole, chunk = min((taken(data) for _ in range(TURNS)), key=lambda each: each[0])
    return Reading(
        receive=received(data) * NS / count,
        frame=framing * NS / count,
        decode=decoding * NS / count,
        assemble=max(0.0, whole - framing - decoding) * NS / count,
        chunk=chunk,
    )


def send(pipe: Connection, data: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        pipe.send(listening.getsockname()[1])
        for _ in range(TURNS):
            connection, _ = listening.accept()
            with connection:
                connection.sendall(data)


def received(data: bytes) -> float:
    """Seconds of processor time to receive the bytes into a buffer."""
    ours, theirs = multiprocessing.Pipe()
    sender = multiprocessing.get_context("spawn").Process(target=send, args=(theirs, data), daemon=True)
    sender.start()
    port, room, best = ours.recv(), bytearray(4 << 20), float("inf")
    for _ in range(TURNS):
        with socket.create_connection(("127.0.0.1", port)) as connection:
            began = time.thread_time()
            while connection.recv_into(room):
                pass
            best = min(best, time.thread_time() - began)
    sender.join()
    return best


def put_into(room: memoryview, data: memoryview) -> int:
    """Do what the socket does: put the next bytes where they are wanted."""
    n = min(len(room), len(data))
    room[:n] = data[:n]
    return n


def framed(data: bytes) -> float:
    framer, left, took = Framer(), memoryview(data), 0.0
    while left:
        n = put_into(framer.writable(), left)
        left = left[n:]
        began = time.perf_counter()
        framer.take(n)
        took += time.perf_counter() - began
    return took


def decoded(data: bytes, size: int) -> float:
    framer, left, took = Framer(), memoryview(data), 0.0
    columns = np.zeros((2, 1 << 20), np.uint32)
    at = 0
    while left:
        n = put_into(framer.writable(), left)
        left = left[n:]
        raws = [each for each in framer.take(n) if isinstance(each, RawPacket) and each.type == 0x4000]
        began = time.perf_counter()
        for raw in raws:
            if at + size > columns.shape[1] - 2048:
                at = 0
            at += len(read_pulse(raw, columns[0, at:], columns[1, at:]).tof)
        took += time.perf_counter() - began
        del raws
    return took


def taken(data: bytes) -> tuple[float, Chunk]:
    """Do all that the two threads do between bytes and a chunk, on one; gives seconds and the chunk."""
    intake, queue = Intake(StreamState("NOM", PulseSelection())), PulseQueue(1 << 30)
    intake.connection_opened()
    builder, left, took = ChunkBuilder(), memoryview(data), 0.0
    builder.definition = InstrumentDefinition("NOM", DEFINITION.read_text(encoding="utf-8"))
    while left:
        n = put_into(intake.writable(), left)
        left = left[n:]
        began = time.perf_counter()
        queue.put(list(intake.take(n)))
        while queue.n_items:
            item = queue.get(0.0)
            if isinstance(item, Pulse):
                builder.add(item)
        took += time.perf_counter() - began
    began = time.perf_counter()
    chunk = builder.close()
    return took + time.perf_counter() - began, chunk


def of_plugin(where: Bench, chunk: Chunk, seconds: float) -> dict[str, tuple[str, float]]:
    """Measure what comes after a chunk is closed: by key, what it is and nanoseconds an event."""
    plugin = NomPlugin(
        NomSettings(
            calibration=where.calibration,
            prompt_pulse_width_us=40.0,
            leave_out_vetoed=True,
            references=ReferenceSettings(
                vanadium=where.folder / "vanadium.nxs",
                container=where.folder / "container.nxs",
                container_scale=0.1,
                correct_rod=True,
            ),
            total_scattering=TotalScatteringSettings(
                composition="C", engine="own", lorch=True, fourier_cutoff=1.0, number_density=0.176
            ),
        )
    )
    plain = NomPlugin(NomSettings(calibration=where.calibration))
    update = update_of(chunk)
    for each in (plugin, plain):
        each.session_started(SessionInfo("NOM", "native", "", "", 0, "", {}, live=False))
        each.run_started(RUN)
        counts = each.process_chunk(chunk)
        result = each.post_process(counts, RUN, update)
    counts = plugin.process_chunk(chunk)
    result = plugin.post_process(counts, RUN, update)
    assert "G(r)" in [curve.label for curve in result.curves]
    assert chunk.instrument is not None
    tables = prepare(
        plain.settings,
        read_instrument(chunk.instrument),
        read_calibration(where.calibration),
        chunk.instrument.sha256,
    ).tables
    banks, everything = best_of(
        seconds / 2, lambda: focus(chunk.events, tables.d), lambda: plugin.process_chunk(chunk)
    )
    adding, simple, full = best_of(
        seconds / 2,
        lambda: counts + counts,
        lambda: plain.post_process(counts, RUN, update),
        lambda: plugin.post_process(counts, RUN, update),
    )
    latest, file, post = publishing(where.folder, result, seconds / 2)
    event, each_update = NS / chunk.n_events, NS / PER_UPDATE
    return {
        "focus.banks": ("focus: six banks in d alone", banks * event),
        "focus": ("focus: everything that NOM counts", everything * event),
        "accumulate": (f"accumulate: {said_ms(adding)} a chunk", adding * each_update),
        "post_process.banks": (f"post-process: the banks alone, {said_ms(simple)}", simple * each_update),
        "post_process": (
            f"post-process: vanadium, container, S(Q), G(r), {said_ms(full)}",
            full * each_update,
        ),
        "publish.latest": (f"publish: `latest.json`, {said_ms(latest)}", latest * each_update),
        "publish.file": (f"publish: the NeXus file, {said_ms(file)}", file * each_update),
        "publish.post": (f"publish: a post to a monitor, {said_ms(post)}", post * each_update),
    }


def said_ms(seconds: float) -> str:
    return f"{seconds * 1e3:.2g} ms"


def publishing(folder: Path, result: Result, seconds: float) -> tuple[float, float, float]:
    update = attrs.evolve(update_of_nothing(), final=False)
    item = Published(1, result, RUN, update)
    with tempfile.TemporaryDirectory(dir=folder) as text, RunDirectory(Path(text)) as directory:
        encoder = ResultEncoder()
        latest, file = best_of(
            seconds,
            lambda: directory.replace("latest.json", encoder.parts(item)),
            lambda: nexus_bytes(result, RUN, update, {}, 0),
        )
    with tempfile.TemporaryDirectory(dir=folder) as text:
        post = min(post_all(Path(text), result, 5)) / 1e3
    return latest, file, post


def update_of_nothing() -> Any:
    definition = InstrumentDefinition("NOM", "")
    return update_of(Chunk(1, "native", None, START_NS, START_NS, 1, 1, 1.0, {}, definition))


WHAT = {
    "receive": "receive",
    "frame": "frame",
    "decode": "decode",
    "assemble": "assemble: runs, selection, queue, chunk",
}
NOT_OF_THE_WHOLE = ("focus.banks", "post_process.banks")


def rows_of(readings: dict[int, Reading], after: dict[str, tuple[str, float]]) -> list[Row]:
    """Give each stage its row, with its share of the whole."""
    rest = sum(ns for key, (_, ns) in after.items() if key not in NOT_OF_THE_WHOLE)
    wholes = {
        size: reading.receive + reading.frame + reading.decode + reading.assemble + rest
        for size, reading in readings.items()
    }
    rows = []
    for size, reading in readings.items():
        for key, what in WHAT.items():
            rows.append(row(f"{key}.{size}", f"{what} ({said(size)})", getattr(reading, key), wholes[size]))
    for key, (what, ns) in after.items():
        rows.append(row(key, what, ns, wholes[SIZES[-1]]))
    for size, whole in wholes.items():
        rows.append(row(f"whole.{size}", f"all stages on one core ({said(size)})", whole, None))
    return rows


def said(size: int) -> str:
    return f"{size:,} events a pulse"


def row(key: str, what: str, ns: float, whole: float | None) -> Row:
    return Row(
        key=f"stages.{key}",
        what=what,
        value=1e3 / max(ns, 1e-6),
        unit="million events/s",
        beside="" if whole is None else "the time of all stages",
        ratio=None if whole is None else ns / whole,
        better="higher" if whole is None else "lower",
        note=f"{figure(ns)} ns an event",
    )


if __name__ == "__main__":
    main()
