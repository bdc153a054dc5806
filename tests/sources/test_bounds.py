"""Memory between the reader and the reduction is bounded by what items take, whatever they are."""

from __future__ import annotations

import threading

import numpy as np

from livered_core.chunking.items import DefinitionSeen, LogSample, MonitorPulse, Pulse, weight
from livered_core.clocks import SystemClock
from livered_core.model import InstrumentDefinition
from livered_core.sources import native
from livered_core.sources.base import ReaderStatus
from livered_core.sources.native import NativeSettings, NativeSource
from livered_core.sources.pulse_queue import PulseQueue


def pulse(time_ns=1, n=3):
    return Pulse(time_ns, 1.0, 0, np.zeros(n, np.uint32), np.zeros(n, np.uint32))


def text(size, time_ns=1):
    return LogSample("title", "", "", time_ns, "x" * size)


def monitors(n):
    return MonitorPulse(1, np.ones(1, np.uint32), np.array([0, n]), np.zeros(n, np.uint32))


def test_long_texts_and_definitions_fill_the_queue():
    for item in (text(8000), DefinitionSeen(InstrumentDefinition("TST", "x" * 8000)), monitors(1000)):
        queue = PulseQueue(1000)
        queue.put([pulse()])
        assert not queue.is_full
        queue.put([item])
        assert queue.is_full
        assert queue.n_events == 3
        queue.get(0.0)
        queue.get(0.0)
        assert not queue.is_full


class Reader:
    """Puts some items, and that was it."""

    where, status = "here", ReaderStatus()

    def __init__(self, items, put):
        self.items, self.put = items, put

    def read_until(self, stop):
        for item in self.items:
            self.put([item])


class Consumer:
    def __init__(self):
        self.chunks, self.missing = [], []

    def data_missing(self, sentence):
        self.missing.append(sentence)

    def take_chunk(self, chunk):
        self.chunks.append(chunk)

    def replay_wanted(self):
        return ""

    def update_due(self):
        pass


def taken(items, monkeypatch):
    monkeypatch.setattr(native, "_LEAST_FULL", 10_000)
    settings = NativeSettings("TST", update_every=3600.0, max_chunk_events=1000, queue_events=1 << 30)
    source = NativeSource(settings, lambda state, put: Reader(items, put), SystemClock())
    consumer = Consumer()
    source.run(consumer, threading.Event())
    return consumer


def test_a_chunk_closes_when_logs_fill_it(monkeypatch):
    consumer = taken([pulse(), *(text(8000, n) for n in range(30))], monkeypatch)
    (chunk,) = consumer.chunks
    # Nine texts and the pulse fill it; what comes after it waits for a pulse, and only the newest is kept.
    assert len(chunk.logs["title"].value) * weight(text(8000)) < 12_000
    assert consumer.missing == []


def test_monitors_without_pulses_are_left_out_and_said(monkeypatch):
    consumer = taken([monitors(600)] * 20, monkeypatch)
    assert consumer.chunks == []
    assert consumer.missing == ["9600 events of beam monitors came without any pulse: they are left out."]


def test_many_empty_pulses_close_a_chunk(monkeypatch):
    consumer = taken([pulse(n, 0) for n in range(1, 501)], monkeypatch)
    assert [chunk.n_pulses for chunk in consumer.chunks] == [250, 250]
