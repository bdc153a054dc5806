"""The steady state: through thousands of runs, and through a run of weeks, nothing grows."""

from __future__ import annotations

import gc
import logging
import threading
import tracemalloc

import attrs
import numpy as np
import pytest

from adara_support import PULSE, START, banked, beam_monitors, geometry, run_info, run_status
from hooks_support import plugin
from livered_core import Curve, Receipt, Result, hookimpl
from livered_core.adara import (
    DeviceDescriptor,
    PacketType,
    RunStatusCode,
    UnknownPacket,
    VariableDouble,
    encode,
)
from livered_core.backoff import Backoff
from livered_core.chunking import run_descriptions, stream_state
from livered_core.chunking.intake import Intake
from livered_core.engine.memory_size import memory_size
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish import failures, published_runs, run_list
from livered_core.publish import worker as publish_worker
from livered_core.publish.books import Books
from livered_core.publish.delivery import Patience
from livered_core.publish.latest import Latest
from livered_core.publish.outbox import Outbox
from livered_core.publish.result_files import ResultFiles
from livered_core.publish.run_directory import RunDirectory
from livered_core.publish.worker import PublishWorker
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from livered_core.sources.base import Connection, ReaderStatus
from livered_core.sources.native import NativeSettings, NativeSource
from waiting import until

S = 10**9
NOISE = 40_000
"""Bytes by which texts that are kept differ from one time to the next."""


@pytest.fixture(autouse=True)
def no_log():
    """What pytest keeps of the log would grow."""
    logging.disable(logging.CRITICAL)
    yield
    logging.disable(logging.NOTSET)


class Clock:
    """Time that the reader moves: weeks within seconds."""

    def __init__(self):
        self.s = 1000.0

    def now_ns(self):
        return START + int(self.s * S)

    def monotonic(self):
        return self.s

    def wait(self, event, timeout):
        return event.wait(min(timeout, 0.05))


class Instrument:
    """Sums spectra, leaves chunks out, fails now and then."""

    def __init__(self):
        self.calls = 0

    @hookimpl
    def process_chunk(self, chunk, run):
        self.calls += 1
        if self.calls % 5 == 3:
            raise ValueError(f"chunk {chunk.first_pulse_ns}")
        return np.bincount(chunk.events.pixel_id, minlength=16).astype(float)

    @hookimpl
    def post_process(self, accumulated, run, update):
        x = np.arange(len(accumulated), dtype=float)
        return Result(run.number, run.title, (Curve("n", x, accumulated, accumulated, "one", "counts"),))


class Sink:
    """Takes what it gets, and fails now and then."""

    def __init__(self):
        self.calls = 0

    @hookimpl
    def post_publish(self, result, run, update):
        self.calls += 1
        if self.calls % 10 == 0:
            raise OSError(f"down {self.calls}")
        return Receipt("here", 0, 1)


class Beamline:
    """A reader that makes up a stream, and looks at what livered has in memory when all is done."""

    def __init__(self, clock, stream, looks, settled):
        self.clock, self.stream, self.looks, self.settled = clock, stream, set(looks), settled
        self.sizes = []
        self.where = "made up"
        self.status = ReaderStatus(connection=Connection.CONNECTED)
        self.failure = None

    def made_of(self, state, put):
        self.intake, self.put = Intake(state), put
        return self

    def replay(self):
        return False

    def read_until(self, stop):
        for n, packets in enumerate(self.stream(self.clock), 1):
            if n % 500 == 1:
                self.intake.connection_opened()
            left = b"".join(map(encode, packets))
            while left:
                room = self.intake.writable()
                taken = min(len(room), len(left))
                room[:taken], left = left[:taken], left[taken:]
                if not self.put(list(self.intake.take(taken))):
                    return
            if n in self.looks:
                until(self.settled)
                # What is on its way to the disk just now is not there at the next look.
                self.sizes.append(np.min([self._size() for _ in range(5)], axis=0))

    def _size(self):
        threading.Event().wait(0.02)
        gc.collect()
        held = memory_size(self.parts)
        return np.array([held, tracemalloc.get_traced_memory()[0] if tracemalloc.is_tracing() else 0])


def at(packet, time_ns):
    return attrs.evolve(packet, time_ns=time_ns)


def some_data(index, time_ns):
    """Pulses and all else that comes in between, not the same each time."""
    yield at(VariableDouble(time_ns=0, device_id=1, variable_id=1, value=float(index)), time_ns)
    yield at(beam_monitors(0, {1: 3}), time_ns)
    for pulse in range(3):
        yield at(banked(0, pixels=[(index + pulse) % 16] * 20), time_ns + pulse * PULSE)
    if index % 10 == 0:
        yield UnknownPacket(
            time_ns=time_ns, type=int(PacketType.HEARTBEAT), version=1 + index % 90, payload=b""
        )
        yield DeviceDescriptor(time_ns=time_ns, device_id=index % 5, xml=f"<broken {index}")


def many_runs(number):
    def stream(clock):
        for n in range(1, number + 1):
            clock.s += 3600.0
            time_ns = clock.now_ns()
            status = attrs.evolve(run_status(RunStatusCode.NEW_RUN, n), run_start_ns=time_ns)
            yield [
                geometry(f"<instrument n='{n % 3}'/>"),
                at(status, time_ns),
                run_info(n, title=f"run {n}"),
                *some_data(n, time_ns),
                at(attrs.evolve(status, status=RunStatusCode.END_RUN), time_ns + S),
            ]

    return stream


def one_run(chunks):
    def stream(clock):
        status = attrs.evolve(run_status(RunStatusCode.NEW_RUN, 1), run_start_ns=START)
        yield [geometry(), status, run_info(1)]
        for n in range(1, chunks + 1):
            clock.s += 31.0
            yield list(some_data(n, clock.now_ns()))

    return stream


def grown(tmp_path, stream, looks, *, traced=False):
    """Play a stream through everything from the bytes to the books.

    Returned is by how much memory is more at any look than at the first, in bytes: what the parts of livered hold, and,
    where it is traced, all there is.
    """
    clock = Clock()
    with RunDirectory(tmp_path) as folder:
        books = Books(folder, "session", clock)
        results = ResultFiles(folder, books.runs)
        sink = Sink()
        hooks = Dispatcher([plugin("tst", Instrument()), plugin("sink", sink)], {}, clock, books)
        worker = PublishWorker(
            hooks,
            results.show,
            clock,
            Patience(Backoff(0.01, 0.02)),
            outbox=Outbox(lambda: tmp_path),
            taken=books.runs.taken,
        )
        latest = Latest("session", clock)

        def publish(result, run, update):
            item = latest.put(result, run, update)
            books.runs.published(item)
            results.offer(item)
            worker.offer(item)
            if item.version % 10 == 0:
                books.write()
                books.add(1.0, 1.0, "live")

        def settled():
            # Time passes, so that an open chunk is closed.
            clock.s += 31.0
            waiting = source.status().waiting_events or any(sink.unsent_finals for sink in worker.status())
            if waiting or not worker._keeper._disk._jobs.empty():
                return False
            books.write()
            return True

        beamline = Beamline(clock, stream, looks, settled)
        pipeline = Pipeline(hooks, publish, lambda: None, clock, PipelineSettings("restart", 10))
        settings = NativeSettings("TST", update_every=30.0, max_chunk_events=1000, queue_events=20_000)
        source = NativeSource(settings, beamline.made_of, clock)
        beamline.parts = [source, pipeline, hooks, books, results, worker, latest, folder]
        worker.start()
        if traced:
            tracemalloc.start()
        try:
            source.run(pipeline, threading.Event())
        finally:
            tracemalloc.stop()
            worker.close(10.0)
    assert len(beamline.sizes) == len(looks)
    assert sink.calls > len(looks)
    more = np.max(beamline.sizes[1:], axis=0) - beamline.sizes[0]
    return more.tolist()


# What is remembered is bounded: here by so little that the bounds are reached soon.
SMALLER = [
    (stream_state, "_REMEMBERED_RUNS"),
    (run_descriptions, "_MOST_RUNS"),
    (run_list, "MOST_RUNS"),
    (published_runs, "MOST_RUNS"),
    (publish_worker, "MOST_RUNS"),
    (failures, "MOST_FAILURES"),
]


@pytest.mark.slow
def test_through_hundreds_of_runs_nothing_grows(tmp_path, monkeypatch):
    for module, name in SMALLER:
        monkeypatch.setattr(module, name, 20)
    held, _ = grown(tmp_path, many_runs(560), [160, 300, 430, 560])
    assert held < NOISE


@pytest.mark.slow
def test_through_a_run_of_days_nothing_grows(tmp_path, monkeypatch):
    monkeypatch.setattr(failures, "MOST_FAILURES", 10)
    held, _ = grown(tmp_path, one_run(1700), [700, 1200, 1700])
    assert held < NOISE


@pytest.mark.slow
def test_through_thousands_of_runs_of_half_a_year_nothing_grows(tmp_path):
    held, traced = grown(tmp_path, many_runs(4500), [2000, 2500, 3500, 4500], traced=True)
    assert held < NOISE
    assert traced < 2 * NOISE


@pytest.mark.slow
def test_through_a_run_of_a_week_nothing_grows(tmp_path):
    held, traced = grown(tmp_path, one_run(20_000), [5_000, 10_000, 15_000, 20_000], traced=True)
    assert held < NOISE
    assert traced < 2 * NOISE
