"""A slow, dead or hostile sink never slows a chunk: the times of chunks of a whole pipeline, with each of them."""

from __future__ import annotations

import threading
import time

import numpy as np
import pytest

from hooks_support import chunk, plugin, run_info
from livered_core import Curve, Receipt, Result, RunEndReason, hookimpl
from livered_core.clocks import SystemClock
from livered_core.errors import SinkLater, SinkRejected
from livered_core.hooks.dispatch import Dispatcher
from livered_core.publish.latest import Latest
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from publish_support import running

CHUNKS = 60
SLOW_S = 0.25
"""A sink that takes so long in the way of chunks would add 15 s."""


class Instrument:
    """Does what an instrument's plugin does: a second or so of numpy for a few million events, here a millisecond."""

    @hookimpl
    def process_chunk(self, chunk, run):
        return np.bincount(np.arange(100_000) % 6000, minlength=6000).astype(float)

    @hookimpl
    def post_process(self, accumulated, run, update):
        return Result(
            run.number, "sum", (Curve("sum", np.arange(6001.0), accumulated, accumulated, "us", "counts"),)
        )


class Hostile:
    """A sink; its attribute `end` ends what it does without end."""

    def __init__(self, do):
        self.end = threading.Event()
        self.calls = 0
        self._do = do
        self.memory: list[bytes] = []

    @hookimpl
    def post_publish(self, result, run, update):
        self.calls += 1
        return self._do(self)


class Fatal(BaseException):
    pass


def raises(error):
    def do(_):
        raise error

    return do


def hang(sink):
    sink.end.wait()


def spin(sink):
    while not sink.end.is_set():
        pass


def sleep(sink):
    time.sleep(SLOW_S)
    return Receipt("here", 0, 1)


def eat(sink):
    sink.memory.append(b"x" * 1_000_000)


def log_without_end(sink):
    raise OSError("x" * 1_000_000)


SINKS = {
    "takes everything": lambda _: Receipt("here", 0, 1),
    "hangs for ever": hang,
    "computes for ever": spin,
    "is slow": sleep,
    "is dead": raises(ConnectionRefusedError(111, "Connection refused")),
    "refuses": raises(SinkRejected("no")),
    "puts off": raises(SinkLater(0.0)),
    "wants to end livered": raises(SystemExit(1)),
    "raises what is no Exception": raises(Fatal()),
    "returns nonsense": lambda _: "done",
    "eats memory": eat,
    "says too much": log_without_end,
}


def chunk_times(state, *sinks):
    """Seconds that each chunk took, its update and the ends of runs included; sinks get what was made meanwhile."""
    seconds = []
    with running(*sinks, state=state, close=False) as worker:
        latest = Latest("session", SystemClock())
        hooks = Dispatcher([plugin("instrument", Instrument())], {}, SystemClock())
        pipeline = Pipeline(
            hooks,
            lambda result, run, update: worker.offer(latest.put(result, run, update)),
            lambda: None,
            SystemClock(),
            PipelineSettings(),
        )
        for sequence in range(1, CHUNKS + 1):
            started = time.perf_counter()
            if pipeline.state is None:
                pipeline.run_began(run_info(sequence))
            pipeline.take_chunk(chunk(sequence))
            pipeline.update_due()
            if sequence % 10 == 0:
                pipeline.run_ended(RunEndReason.ENDED)
            seconds.append(time.perf_counter() - started)
        failure = worker.failure
        hung = [sink for sink in sinks if sink.calls == 1]
        for sink in sinks:
            sink.end.set()
        worker.close(0.5)
    assert failure is None
    return np.array(seconds), hung


@pytest.fixture(scope="module")
def alone(tmp_path_factory):
    """Seconds of all chunks without a sink."""
    chunk_times(tmp_path_factory.mktemp("warm"))
    return chunk_times(tmp_path_factory.mktemp("alone"))[0].sum()


@pytest.mark.parametrize("name", SINKS)
def test_a_sink_does_not_hold_up_chunks(tmp_path, alone, name, record_property):
    sink, good = Hostile(SINKS[name]), Hostile(SINKS["takes everything"])
    seconds, hung = chunk_times(tmp_path, sink, good)
    said = f"median {np.median(seconds) * 1e3:.2f} ms, most {seconds.max() * 1e3:.1f} ms, alone {alone / CHUNKS * 1e3:.2f} ms"
    record_property("chunk times", said)
    print(f"a sink that {name}: {said}")
    assert sink.calls > 0
    assert good.calls > 0
    if name.endswith("for ever"):
        # All chunks were reduced within the one call that did not come back.
        assert sink in hung
    # Far above what a busy machine adds, and far below what any of them would cost in the way of the chunks.
    assert seconds.sum() < 10 * alone + 5.0, said
