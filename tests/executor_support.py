"""Workers that come back when they are told to, and plugins for them. Workers in other processes import it."""

from __future__ import annotations

import os
import signal
from concurrent.futures import Future
from importlib.metadata import EntryPoint, entry_points, version
from pathlib import Path
from typing import ClassVar

import attrs
import numpy as np

from hooks_support import chunk, plugin, result, run_info, session_info
from livered_core import SKIP, hookimpl
from livered_core.clocks import SystemClock
from livered_core.engine.executors import ExecutorStatus
from livered_core.engine.executors.order import OrderMaker
from livered_core.engine.executors.pool import BlockPool, PoolCounts, WorkerLost
from livered_core.engine.executors.reducer import Reducer
from livered_core.engine.session import Session
from livered_core.engine.setup import load_configuration
from livered_core.hooks.dispatch import Dispatcher
from livered_core.reduction.pipeline import Pipeline, PipelineSettings
from livered_core.sources.base import Connection, SourceStatus
from livered_support import private_environment


def info():
    return attrs.evolve(session_info(), livered_version=version("livered-core"))


@attrs.define(eq=False, slots=False)
class FakeWorker:
    name: str
    is_there: bool = True
    out: list = attrs.field(factory=list)
    reducer: Reducer = attrs.field(factory=Reducer)
    seen: list[int] = attrs.field(factory=list)

    def send(self, order, chunk, run):
        future = Future()
        self.out.append((order, chunk, run, future))
        self.seen.append(chunk.sequence)
        return future

    def leave(self):
        if "'" not in self.name:
            self.is_there = False

    def finish(self):
        """Process the oldest that it has, as a real one does."""
        order, chunk, run, future = self.out.pop(0)
        if not future.cancelled():
            future.set_result(self.reducer.process(order, chunk, run))

    def lose(self):
        """Take all that it has with it; it goes on as another one."""
        self.name = f"{self.name}'"
        self.reducer = Reducer()
        out, self.out = self.out, []
        for *_, future in out:
            if not future.cancelled():
                future.set_exception(WorkerLost("killed"))


@attrs.define(eq=False, slots=False)
class FakeCrew:
    where: str = "nowhere"
    all: list[FakeWorker] = attrs.field(factory=list)

    def workers(self):
        return [worker for worker in self.all if worker.is_there]

    @classmethod
    def of(cls, n):
        return cls(all=[FakeWorker(f"worker {i}") for i in range(n)])

    def busy(self):
        return [worker for worker in self.all if worker.out]


@attrs.frozen
class CounterSettings:
    """What to do at which chunk."""

    skip: int = -1
    fail: int = -1
    factor: int = 1


@attrs.define(eq=False, slots=False)
class Counter:
    """Counts events in floats of different sizes, whose sum depends on their order; fails and skips on demand."""

    settings_class: ClassVar[type] = CounterSettings
    process_elsewhere: ClassVar[bool] = True

    settings: CounterSettings = attrs.field(factory=CounterSettings)
    told: list[int] = attrs.field(factory=list, init=False)

    @hookimpl
    def process_chunk(self, chunk):
        if chunk.sequence == self.settings.skip:
            return SKIP
        if chunk.sequence == self.settings.fail:
            raise ValueError(f"chunk {chunk.sequence} is one too many")
        return np.array([chunk.n_events * self.settings.factor * 10.0 ** (chunk.sequence % 17)])

    @hookimpl
    def accumulate(self, accumulated, processed, chunk):
        return processed if accumulated is None else accumulated * (1.0 + 1e-9 * chunk.sequence) + processed

    @hookimpl
    def post_process(self, accumulated, run, update):
        return result(run.number, float(accumulated[0]))

    def processed_elsewhere(self, chunk):
        self.told.append(chunk.sequence)


class NeverSaid:
    """Processes chunks, and does not say where it may."""

    @hookimpl
    def process_chunk(self, chunk):
        return chunk.n_events


@attrs.frozen
class KillerSettings:
    """Which chunk ends the process: each time, or where a file is, which goes with it."""

    poison: int = -1
    once: Path | None = None


@attrs.define(eq=False, slots=False)
class Killer:
    """Ends the process that it is in, in the middle of a chunk."""

    settings_class: ClassVar[type] = KillerSettings
    process_elsewhere: ClassVar[bool] = True

    settings: KillerSettings = attrs.field(factory=KillerSettings)

    @hookimpl
    def process_chunk(self, chunk):
        once = self.settings.once
        if chunk.sequence == self.settings.poison:
            if once is None:
                os.kill(os.getpid(), signal.SIGKILL)
            elif once.exists():
                once.unlink()
                os.kill(os.getpid(), signal.SIGKILL)
        return chunk.n_events

    @hookimpl
    def post_process(self, accumulated, run):
        return result(run.number, float(accumulated))


@attrs.define(eq=False, slots=False)
class Bench:
    """A pipeline of which chunks are processed by a pool, or, without a crew, here."""

    crew: FakeCrew | None = None
    settings: CounterSettings = attrs.field(factory=CounterSettings)
    most: int = 0
    instance: object = None
    max_failures: int = 5
    choose: object = lambda busy: busy[0]
    published: list = attrs.field(factory=list)
    positions: list = attrs.field(factory=list)
    ended: list = attrs.field(factory=list)
    stopping: bool = False
    clock: object = attrs.field(factory=SystemClock)
    paused: int = 0
    left: object = None
    meanwhile: object = lambda: None

    def __attrs_post_init__(self):
        self.instance = self.instance or Counter(self.settings)
        self.hooks = Dispatcher([plugin("count", self.instance)], {}, SystemClock())
        self.pipeline = Pipeline(
            self.hooks,
            lambda *item: self.published.append(item),
            lambda: None,
            SystemClock(),
            PipelineSettings("restart", self.max_failures),
            checkpoints=self,
        )
        if self.crew is not None:
            self.pool = self.make_pool(self.crew)
            self.pipeline.process_on(self.pool)

    def make_pool(self, crew, **more):
        order = OrderMaker("s", self.hooks, dict, lambda: {"count": self.instance.settings}, info)
        return BlockPool(crew, order, self.most, self.clock, lambda: self.stopping, 1.0, self.pause)

    def pause(self, futures):
        """Nobody waits here: one of those that are out comes back."""
        self.paused += 1
        self.meanwhile()
        busy = self.crew.busy()
        if busy:
            self.choose(busy).finish()

    # What keeps checkpoints.

    def reached(self, state, position):
        self.positions.append((position, state.n_chunks, state.dropped_chunks, state.skipped_chunks))

    def run_ends(self, state, position, reason):
        self.ended.append((position, state.n_chunks, reason))

    def session_ends(self, state, position):
        self.ended.append((position, state.n_chunks, None))
        self.left = state

    def plugins_changed(self):
        pass

    @property
    def shown(self):
        """What was published, without the time."""
        return [
            (made.curves[0].y[0], run, attrs.evolve(update, lag_ns=0)) for made, run, update in self.published
        ]


@attrs.define(eq=False)
class FakeExecutor:
    """An executor of fake workers."""

    crew: FakeCrew
    most: int = 0
    pool: BlockPool | None = None

    def blocks(self, client):
        self.pool = BlockPool(
            self.crew, client.make_order, self.most, client.clock, client.stopping, client.patience_s
        )
        return self.pool

    def status(self):
        counts = PoolCounts() if self.pool is None else self.pool.counts
        return ExecutorStatus("dask", "nowhere", len(self.crew.workers()), **attrs.asdict(counts))

    def close(self):
        pass


def configuration(folder, instrument, settings="", config=""):
    """Load a configuration in which a class of this module owns the instrument TST."""
    (folder / "c.toml").write_text(f"{config}\n[plugins.tst]\n{settings}" if settings else config)
    point = EntryPoint("TST", f"executor_support:{instrument.__name__}", "livered.instruments")
    environment = private_environment(folder)
    loaded = load_configuration(
        "TST", folder / "c.toml", {}, environment, available=[*entry_points(group="livered.plugins"), point]
    )
    return loaded, environment


def session(folder, instrument, script, settings="", config="", executor=None):
    """Make a session in which a script plays the source."""
    loaded, environment = configuration(folder, instrument, settings, config)
    made = Session(loaded, SystemClock(), make_source=lambda *_: Scripted(script), environ=environment)
    if executor is not None:
        made.process_on(executor)
    return made


@attrs.define(eq=False)
class Scripted:
    _script: object

    def run(self, consumer, stop):
        self._script(consumer, stop)

    def status(self):
        return SourceStatus("played://", Connection.CONNECTED, "", None, False, 0, None, 0, 1, {})


__all__ = ["chunk", "run_info"]
