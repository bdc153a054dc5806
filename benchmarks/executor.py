"""Measure what it costs to have chunks processed by workers of Dask: sending a block, bringing back and merging counts.

    python benchmarks/executor.py [--events MILLIONS]

Two workers on this machine, NOMAD's plugin, events that are made up. What it would take beyond one machine is worked out
from these figures on the page docs/beyond-one-machine.md.
"""

from __future__ import annotations

import argparse
import pickle
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.metadata import version
from itertools import cycle, islice
from pathlib import Path
from typing import Any

import attrs
import numpy as np
from nomad import RUN, SESSION, made_up_chunk
from rows import Row, arguments, finish
from shipped import Nothing

import livered_nom
from livered_core import Chunk, InstrumentDefinition
from livered_core.clocks import SystemClock
from livered_core.config import EngineConfig
from livered_core.engine.executors import Executor, open_executor
from livered_core.engine.executors.base import Client
from livered_core.engine.executors.order import OrderMaker
from livered_core.hooks.dispatch import Dispatcher
from livered_core.hooks.registry import LoadedPlugin
from livered_core.reduction.underway import Blocks, Processed
from livered_nom.plugin import NomPlugin
from livered_nom.settings import NomSettings

PATIENCE_S = 60.0


def main() -> None:
    parser = arguments(__doc__)
    parser.add_argument("--events", type=float, default=4.0, help="millions of events of a block")
    options = parser.parse_args()
    finish(measure(options), options)


def measure(options: argparse.Namespace) -> list[Row]:
    """Measure sending, then answers, then all of it with one worker and with two, beside this process alone."""
    path = Path(livered_nom.__file__).with_name("simulated_instrument.xml")
    definition = InstrumentDefinition("NOM", path.read_text(encoding="utf-8"))
    n_events = int(options.events * 1e6 / (8 if options.quick else 1))
    turns, n_blocks = (1, 4) if options.quick else (2, 8)
    chunk = made_up_chunk(definition, n_events)
    few = made_up_chunk(definition, 1)
    own = NomPlugin(NomSettings())
    own.session_started(SESSION)
    counts = own.process_chunk(chunk)
    bench = Bench(chunk, few, own, turns, n_blocks)
    rows: list[Row] = []
    starts: dict[int, float] = {}
    with opened(1, starts) as one:
        rows += sending(bench, one) + answers(bench, one, counts)
        with opened(2, starts) as two:
            rows += altogether(bench, one, two)
    rows.insert(
        0, Row("executor.start", "starting two workers on this machine", starts[2], "s", better="lower")
    )
    return rows


@attrs.frozen(eq=False)
class Bench:
    """What is sent: a block, one with a single event, and who counts here."""

    chunk: Chunk
    few: Chunk
    own: NomPlugin
    turns: int
    n_blocks: int

    @property
    def n_bytes(self) -> int:
        events = self.chunk.events
        return int(events.pixel_id.nbytes + events.tof.nbytes)


@contextmanager
def opened(n_workers: int, starts: dict[int, float]) -> Iterator[Executor]:
    start = time.perf_counter()
    with open_executor(EngineConfig(executor="dask", workers=n_workers)) as executor:
        starts[n_workers] = time.perf_counter() - start
        assert executor is not None
        yield executor


def blocks_of(executor: Executor, instance: Any, settings: Any = None) -> Blocks:
    """Make what a session would have its chunks processed by."""
    plugin = LoadedPlugin("bench", "0", "bench", instance, ("native",))
    maker = OrderMaker(
        f"bench-{time.monotonic_ns()}",
        Dispatcher([plugin], {}, SystemClock()),
        dict,
        lambda: {"bench": settings},
        lambda: attrs.evolve(SESSION, livered_version=version("livered-core")),
        same_machine=True,
    )
    blocks = executor.blocks(Client(maker, SystemClock(), lambda: False, PATIENCE_S))
    blocks.begin(RUN)
    return blocks


def through(blocks: Blocks, chunks: Sequence[Chunk], take: Callable[[Processed], object]) -> float:
    """Send chunks and take what comes back, as the pipeline does; give the seconds."""
    start, out = time.perf_counter(), 0
    for chunk in chunks:
        while blocks.is_full:
            take(checked(blocks.take(wait=True)))
            out -= 1
        blocks.send(chunk, RUN)
        out += 1
    for _ in range(out):
        take(checked(blocks.take(wait=True)))
    return time.perf_counter() - start


def checked(processed: Processed | None) -> Processed:
    assert processed is not None
    failure = processed.answer.failure
    if failure is not None:
        raise RuntimeError(failure.error)
    return processed


def nothing(_: Processed) -> None:
    """Take an answer and do nothing with it."""


def best(bench: Bench, blocks: Blocks, chunks: Sequence[Chunk]) -> tuple[float, float]:
    """Send chunks some times; give the least seconds, and the least processor seconds of this process, for each chunk."""
    through(blocks, chunks, nothing)
    seconds, processor = [], []
    for _ in range(bench.turns):
        began = time.process_time()
        seconds.append(through(blocks, chunks, nothing))
        processor.append(time.process_time() - began)
    return min(seconds) / len(chunks), min(processor) / len(chunks)


def sending(bench: Bench, one: Executor) -> list[Row]:
    blocks = blocks_of(one, Nothing())
    block_s, block_cpu_s = best(bench, blocks, [bench.chunk] * bench.n_blocks)
    trip_s, _ = best(bench, blocks, [bench.few] * 8)
    n, n_bytes = bench.chunk.n_events, bench.n_bytes
    columns = (bench.chunk.events.pixel_id, bench.chunk.events.tof)
    spare = [np.empty_like(column) for column in columns]

    def copy() -> None:
        for to, by in zip(spare, columns, strict=True):
            np.copyto(to, by)

    copying = min(timed(copy) for _ in range(5))
    serialising = min(timed(lambda: pickled(bench.chunk)) for _ in range(5))
    return [
        Row(
            key="executor.send",
            what="sending blocks to one worker, which does nothing with them",
            value=n / block_s / 1e6,
            unit="million events/s",
            beside="copying the same bytes once",
            ratio=copying / block_s,
            note=f"{n_bytes / block_s / 1e6:.0f} MB/s, blocks of {n / 1e6:g} million events",
        ),
        Row(
            key="executor.send.core",
            what="the same, for each core of the process that sends",
            value=n / block_cpu_s / 1e6,
            unit="million events/s",
        ),
        Row(
            key="executor.serialise",
            what="serialising a block; arrays are not copied for it",
            value=serialising * 1e3,
            unit="ms",
            better="lower",
        ),
        Row(
            key="executor.trip",
            what="a block of one event to a worker and back",
            value=trip_s * 1e3,
            unit="ms",
            better="lower",
            note="two under way at a time",
        ),
    ]


def answers(bench: Bench, one: Executor, counts: Any) -> list[Row]:
    """Measure what comes back of NOMAD's plugin, whatever the block holds."""
    settings = NomSettings()
    blocks = blocks_of(one, NomPlugin(settings), settings)
    answer_s, answer_cpu_s = best(bench, blocks, [bench.few] * 8)
    sizes = [len(pickle.dumps(counts, protocol=5, buffer_callback=lambda _: None))]
    pickle.dumps(counts, protocol=5, buffer_callback=lambda buffer: sizes.append(buffer.raw().nbytes))
    merging = min(timed(lambda: counts + counts) for _ in range(30))
    on_worker: list[float] = []
    through(
        blocks,
        [bench.chunk] * bench.n_blocks,
        lambda done: on_worker.extend(call.seconds for call in done.answer.calls),
    )
    here = min(timed(lambda: bench.own.process_chunk(bench.chunk)) for _ in range(5))
    n = bench.chunk.n_events
    return [
        Row(
            key="executor.answer.size",
            what="counts of NOMAD that come back for each block",
            value=sum(sizes) / 1e6,
            unit="MB",
            better="lower",
        ),
        Row(
            key="executor.answer",
            what="the same, brought back: a block of one event there and back",
            value=answer_s * 1e3,
            unit="ms",
            better="lower",
        ),
        Row(
            key="executor.answer.processor",
            what="of that, processor time of the process that merges",
            value=answer_cpu_s * 1e3,
            unit="ms",
            better="lower",
        ),
        Row(
            key="executor.merge",
            what="merging the counts of a block",
            value=merging * 1e3,
            unit="ms",
            better="lower",
        ),
        Row(
            key="executor.process",
            what="NOMAD's `process_chunk` on a worker",
            value=n / min(on_worker) / 1e6,
            unit="million events/s",
            beside="the same in this process",
            ratio=here / min(on_worker),
        ),
    ]


def altogether(bench: Bench, one: Executor, two: Executor) -> list[Row]:
    """Measure blocks sent, counted and merged, by turns here, with one worker and with two."""
    settings = NomSettings()
    chunks = list(islice(cycle([bench.chunk]), bench.n_blocks))
    pools = [blocks_of(each, NomPlugin(settings), settings) for each in (one, two)]

    def here() -> float:
        start, total = time.perf_counter(), None
        for chunk in chunks:
            counts = bench.own.process_chunk(chunk)
            total = counts if total is None else total + counts
        return time.perf_counter() - start

    def there(blocks: Blocks) -> float:
        merged: list[Any] = []

        def merge(done: Processed) -> None:
            counts = done.answer.processed
            merged[:] = [merged[0] + counts if merged else counts]

        return through(blocks, chunks, merge)

    works = [here, *(lambda blocks=blocks: there(blocks) for blocks in pools)]
    seconds = [[work() for work in works] for _ in range(bench.turns + 1)][1:]
    single, *others = (min(column) for column in zip(*seconds, strict=True))
    n = bench.chunk.n_events * len(chunks)
    said = ("one worker", "two workers")
    rows = [
        Row(
            key="executor.single",
            what="NOMAD's events counted and merged in this process",
            value=n / single / 1e6,
            unit="million events/s",
        )
    ]
    for key, words, took in zip(("one", "two"), said, others, strict=True):
        rows.append(
            Row(
                key=f"executor.{key}",
                what=f"the same events with {words}",
                value=n / took / 1e6,
                unit="million events/s",
                beside="this process alone",
                ratio=single / took,
            )
        )
    return rows


def pickled(value: Any) -> bytes:
    """Serialise as it is sent: arrays are handed on without a copy."""
    return pickle.dumps(value, protocol=5, buffer_callback=lambda _: None)


def timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
